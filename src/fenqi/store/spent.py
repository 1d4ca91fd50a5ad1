"""What of a verdict follows no more: asked, placed or answered already. Nothing else judges it.

A person who found a cause harmless has answered it: the same cause neither holds, checks nor opens
another case until the pack's pause is over, and does no harm for longer. What a crowd's case was
closed for answers whatever else its accounts share. A check that was passed, or that ran out, is
asked for again only when facts came that are newer.
"""

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import NamedTuple

from fenqi.core.risk.consequence import (
    Cause,
    asking,
    cause_of,
    cause_of_line,
    causes_of,
    strength_of,
)
from fenqi.core.risk.decision import HARMFUL, Effect
from fenqi.core.risk.features.moment import instant_of
from fenqi.core.risk.policy.expression import names
from fenqi.core.risk.policy.policy import Act, Policy, Verdict
from fenqi.core.risk.response import HOUR, ProtectionKind
from fenqi.store.accounts import Account
from fenqi.store.booking import Booking
from fenqi.store.ground import Ground
from fenqi.store.responses import Responses
from fenqi.store.trails import Followed

PROTECTS = frozenset({Effect.SMALLER_LIMIT, Effect.HOLD, Effect.FREEZE})
ASKED_ABOUT = PROTECTS | {Effect.REVIEW}
LOOKED_AT = ASKED_ABOUT | {Effect.STEP_UP}
CHECK_IS_OPEN = "needs_step_up"  # who looks at it asks for no check of its own
OF_A_PURCHASE = frozenset({"amount_minor", "instalment_count"})  # each purchase is a new fact
NONE: frozenset[Effect] = frozenset()


class Check(NamedTuple):
    """A check that one cause asks for; `facts_at` is that of `core.risk.response.temper`."""

    cause: str
    is_shared: bool
    facts_at: datetime | None


class Spent:
    """What is spent of the verdicts of one batch; its accounts are locked."""

    def __init__(
        self, give: Responses, ground: Ground, booking: Booking, followed: Followed | None
    ) -> None:
        self._give, self._now, self._followed = give, booking.now, followed
        self._shared = ground.trails.features.over_identifiers
        self._ceiling_days = ground.catalogue.conduct().ceiling_days

    def of(
        self,
        account: Account,
        policy: Policy,
        said: Verdict,
        answered: frozenset[Effect],
        *,
        is_floored: bool,
    ) -> tuple[frozenset[Effect], frozenset[Effect]]:
        """Return what of a verdict is spent, and what of it is in force already.

        Of what is in force there is nothing to place or count, and nothing held back. What holds
        for all (`is_floored`) declines by itself, whatever was found of the policy's own reasons.
        """
        over = answered | {
            act.effect
            for act in said.effects
            if act.effect in PROTECTS - answered and not self._is_due(account, policy, said, act)
        }
        if not is_floored and any(act.effect is Effect.DECLINE for act in said.effects):
            over |= self._refuted(account, policy, said)
        runs = Effect.SMALLER_LIMIT in over and self._is_in_force(account, policy, said)
        running = frozenset({Effect.SMALLER_LIMIT}) if runs else NONE
        return over - running, running

    def answered(self, account: Account, policy: Policy, said: Verdict) -> frozenset[Effect]:
        """Return the effects of a verdict that a person, or a check, answered already.

        A review is among them if it would stand in the place of harm that is answered.
        """
        asked = {act.effect for act in said.effects}
        if asked.isdisjoint(LOOKED_AT):
            return NONE
        found = {
            effect
            for effect in ASKED_ABOUT & asked
            if all(
                self._is_answered(account, one)
                for one in causes_of(policy, said, effect, self._shared)
            )
        }
        if found and Effect.REVIEW not in asked and asked & HARMFUL <= found:
            found.add(Effect.REVIEW)
        is_open = Effect.STEP_UP not in asked or bool(self._give.checks(account))
        if not is_open and not self.checks(account, policy, said):
            found.add(Effect.STEP_UP)
        return frozenset(found)

    def _is_due(self, account: Account, policy: Policy, said: Verdict, act: Act) -> bool:
        """Whether a hold or freeze would be placed, were it asked for now.

        What a person found harmless does no harm for longer than nobody looks at it again.
        """
        causes = causes_of(policy, said, act.effect, self._shared)
        if all(self._cleared_at(account, one) is not None for one in causes):
            return False
        return self._give.would_place(
            act.effect,
            account,
            self.until(act),
            cause=cause_of(policy, said, act.effect),
            strength=strength_of(policy, said, act.effect),
        )

    def _is_in_force(self, account: Account, policy: Policy, said: Verdict) -> bool:
        """Whether a smaller limit of the same cause runs."""
        cause = cause_of(policy, said, Effect.SMALLER_LIMIT)
        return any(
            one.kind is ProtectionKind.SMALLER_LIMIT
            and one.cause == cause
            and one.is_running(self._now)
            for one in self._give.of(account)
        )

    def _refuted(self, account: Account, policy: Policy, said: Verdict) -> frozenset[Effect]:
        """Return the decline of a verdict if nothing asks for it that a person did not find wrong.

        With it a review that nobody asked for: it would only stand in the decline's place.
        """
        declining = [one for one in policy.thresholds if _declines(one.acts)]
        least = min((one.at_least for one in declining), default=said.points + 1)
        points = said.points
        for line in (policy.lines[one] for one in said.hits):
            if self._cleared_at(account, cause_of_line(line, self._shared)) is None:
                if _declines(line.acts):
                    return NONE
            else:
                points -= max(0, line.points)
        if points >= least:
            return NONE
        asked = {act.effect for act in said.effects}
        return frozenset({Effect.DECLINE, Effect.REVIEW} - (asked - {Effect.DECLINE}))

    def until(self, act: Act) -> datetime:
        """Return when a protection ends by itself."""
        match act.effect:
            case Effect.HOLD:
                return self._now + timedelta(hours=act.amount)
            case Effect.FREEZE:
                return self._now + timedelta(days=act.amount)
            case _:
                return self._now + timedelta(days=self._ceiling_days)

    def checks(self, account: Account, policy: Policy, said: Verdict) -> list[Check]:
        """Return the checks a verdict asks for anew, one of each cause."""
        due: dict[str, Check] = {}
        for one, looked_at in self._asking(policy, said):
            facts_at = self._facts_at(account, looked_at)
            is_due = self._cleared_at(account, one) is None
            if is_due and self._give.would_ask(account, cause=one.name, facts_at=facts_at):
                due.setdefault(one.name, Check(one.name, one.is_shared, facts_at))
        return list(due.values())

    def is_shared(self, policy: Policy, said: Verdict, effect: Effect) -> bool:
        """Whether an effect is asked for only by what several accounts share."""
        return all(one.is_shared for one in causes_of(policy, said, effect, self._shared))

    def cause(self, account: Account, policy: Policy, said: Verdict, effect: Effect) -> Cause:
        """Return the first cause of an effect that nobody answered; the first if all are."""
        causes = causes_of(policy, said, effect, self._shared)
        left = (one for one in causes if not self._is_answered(account, one))
        return next(left, causes[0])

    def _is_answered(self, account: Account, one: Cause) -> bool:
        """Whether a person found a cause harmless, so lately that nobody looks again."""
        cleared_at = self._cleared_at(account, one)
        pause = self._give.bounds(account).pause_hours * HOUR
        return cleared_at is not None and self._now < cleared_at + pause

    def _cleared_at(self, account: Account, one: Cause) -> datetime | None:
        return self._give.cleared_at(account, one.name, is_shared=one.is_shared)

    def _asking(self, policy: Policy, said: Verdict) -> list[tuple[Cause, set[str]]]:
        """Return the causes that ask for a check, each with the inputs it looks at."""
        lines = asking(policy, said, Effect.STEP_UP)
        if not lines:
            hit = (policy.lines[one] for one in said.hits)
            looked_at = set().union(*(names(line.when) for line in hit if line.points > 0))
            return [(Cause(cause_of(policy, said, Effect.STEP_UP)), looked_at)]
        own = [(cause_of_line(line, self._shared), names(line.when)) for line in lines]
        return [one for one in own if CHECK_IS_OPEN not in one[1]]

    def _facts_at(self, account: Account, looked_at: set[str]) -> datetime | None:
        """Return when the newest facts came behind some inputs."""
        if not looked_at.isdisjoint(OF_A_PURCHASE):
            return self._now
        if self._followed is None:
            return None
        moment = self._followed.newest(account, looked_at)
        return None if moment is None else instant_of(moment)


def _declines(acts: Iterable[Act]) -> bool:
    return any(act.effect is Effect.DECLINE for act in acts)
