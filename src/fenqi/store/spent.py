"""What of a verdict asks again for what was asked or looked at already, and so asks for nothing.

A person who found a cause harmless has answered it: the same cause neither holds, checks nor opens
another case until the pack's pause is over, and does no harm for longer. What a crowd's case was
closed for answers whatever else its accounts share. A check that was passed, or that ran out, is
asked for again only when facts came that are newer.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import NamedTuple

from fenqi.core.risk.consequence import asking, cause_of, cause_of_line
from fenqi.core.risk.decision import HARMFUL, Effect
from fenqi.core.risk.features.moment import instant_of
from fenqi.core.risk.policy.expression import names
from fenqi.core.risk.policy.policy import Act, Line, Policy, Verdict
from fenqi.core.risk.response import HOUR
from fenqi.store.accounts import Account
from fenqi.store.booking import Booking
from fenqi.store.ground import Ground
from fenqi.store.responses import Responses
from fenqi.store.trails import Followed

ASKED_ABOUT = frozenset({Effect.REVIEW, Effect.HOLD, Effect.FREEZE, Effect.SMALLER_LIMIT})
LOOKED_AT = ASKED_ABOUT | {Effect.STEP_UP}
CHECK_IS_OPEN = "needs_step_up"  # who looks at it asks for no check of its own
OF_A_PURCHASE = frozenset({"amount_minor", "instalment_count"})  # each purchase is a new fact
NONE: frozenset[Effect] = frozenset()


class Cause(NamedTuple):
    """What an effect is remembered by; shared if it looks at what several accounts share."""

    name: str
    is_shared: bool = False


class Check(NamedTuple):
    """A check that one cause asks for; `facts_at` is that of `core.risk.response.temper`."""

    cause: str
    is_shared: bool
    facts_at: datetime | None


class Spent:
    """What is spent of the verdicts of one batch; its accounts are locked."""

    def __init__(self, ground: Ground, booking: Booking, followed: Followed | None) -> None:
        self._now, self._followed = booking.now, followed
        self._shared = ground.trails.features.over_identifiers

    def effects(
        self, give: Responses, account: Account, policy: Policy, said: Verdict
    ) -> frozenset[Effect]:
        """Return the effects of a verdict that follow no more.

        A review is among them if it would stand in the place of harm that is answered.
        """
        asked = {act.effect for act in said.effects}
        if asked.isdisjoint(LOOKED_AT):
            return NONE
        found = {
            effect
            for effect in ASKED_ABOUT & asked
            if all(
                self._is_answered(give, account, one) for one in self._causes(policy, said, effect)
            )
        }
        if found and Effect.REVIEW not in asked and asked & HARMFUL <= found:
            found.add(Effect.REVIEW)
        is_open = Effect.STEP_UP not in asked or bool(give.checks(account))
        if not is_open and not self.checks(give, account, policy, said):
            found.add(Effect.STEP_UP)
        return frozenset(found)

    def is_cleared(
        self, give: Responses, account: Account, policy: Policy, said: Verdict, effect: Effect
    ) -> bool:
        """Whether a person found each cause of an effect harmless: it does no harm then."""
        return all(
            give.cleared_at(account, one.name, is_shared=one.is_shared) is not None
            for one in self._causes(policy, said, effect)
        )

    def refuted(
        self, give: Responses, account: Account, policy: Policy, said: Verdict
    ) -> frozenset[Effect]:
        """Return the decline of a verdict if nothing asks for it that a person did not find wrong.

        With it a review that nobody asked for: it would only stand in the decline's place.
        """
        declining = [one for one in policy.thresholds if _declines(one.acts)]
        least = min((one.at_least for one in declining), default=said.points + 1)
        points = said.points
        for line in (policy.lines[one] for one in said.hits):
            cause = self._cause(line)
            if give.cleared_at(account, cause.name, is_shared=cause.is_shared) is None:
                if _declines(line.acts):
                    return NONE
            else:
                points -= max(0, line.points)
        if points >= least:
            return NONE
        asked = {act.effect for act in said.effects}
        return frozenset({Effect.DECLINE, Effect.REVIEW} - (asked - {Effect.DECLINE}))

    def checks(
        self, give: Responses, account: Account, policy: Policy, said: Verdict
    ) -> list[Check]:
        """Return the checks a verdict asks for anew, one of each cause."""
        due: dict[str, Check] = {}
        for one, looked_at in self._asking(policy, said):
            facts_at = self._facts_at(account, looked_at)
            is_due = give.cleared_at(account, one.name, is_shared=one.is_shared) is None
            if is_due and give.would_ask(account, cause=one.name, facts_at=facts_at):
                due.setdefault(one.name, Check(one.name, one.is_shared, facts_at))
        return list(due.values())

    def is_shared(self, policy: Policy, said: Verdict, effect: Effect) -> bool:
        """Whether an effect is asked for only by what several accounts share."""
        return all(one.is_shared for one in self._causes(policy, said, effect))

    def cause(
        self, give: Responses, account: Account, policy: Policy, said: Verdict, effect: Effect
    ) -> Cause:
        """Return the first cause of an effect that nobody answered; the first if all are."""
        causes = self._causes(policy, said, effect)
        left = (one for one in causes if not self._is_answered(give, account, one))
        return next(left, causes[0])

    def _causes(self, policy: Policy, said: Verdict, effect: Effect) -> list[Cause]:
        lines = asking(policy, said, effect)
        if not lines:  # a sum of points says something of the customer
            return [Cause(cause_of(policy, said, effect))]
        return [self._cause(line) for line in lines]

    def _is_answered(self, give: Responses, account: Account, one: Cause) -> bool:
        """Whether a person found a cause harmless, so lately that nobody looks again."""
        cleared_at = give.cleared_at(account, one.name, is_shared=one.is_shared)
        pause = give.bounds(account).pause_hours * HOUR
        return cleared_at is not None and self._now < cleared_at + pause

    def _asking(self, policy: Policy, said: Verdict) -> list[tuple[Cause, set[str]]]:
        """Return the causes that ask for a check, each with the inputs it looks at."""
        lines = asking(policy, said, Effect.STEP_UP)
        if not lines:
            hit = (policy.lines[one] for one in said.hits)
            looked_at = set().union(*(names(line.when) for line in hit if line.points > 0))
            return [(Cause(cause_of(policy, said, Effect.STEP_UP)), looked_at)]
        own = [(self._cause(line), names(line.when)) for line in lines]
        return [one for one in own if CHECK_IS_OPEN not in one[1]]

    def _cause(self, line: Line) -> Cause:
        return Cause(cause_of_line(line), not self._shared.isdisjoint(names(line.when)))

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
