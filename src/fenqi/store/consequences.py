"""What follows from a verdict: what is not spent and has room under the breaker, with reasons.

Purchases, accesses and payments share it. What is spent (`store/spent.py`) neither stops a customer
again nor uses up the room of others under the breaker's caps. A review is opened before the harm it
is about, which is then part of its case: closing the case as a false alarm ends it. What is done to
the account, `store/responses.py` does.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from typing import NamedTuple
from uuid import UUID

from fenqi.core.risk.breaker import is_reviewed, outcome_of, soften
from fenqi.core.risk.consequence import (
    UNTOLD,
    asked_as,
    cause_of,
    outcome_reasons,
    reasons_of,
    strength_of,
)
from fenqi.core.risk.decision import HARMFUL, LADDER, Effect
from fenqi.core.risk.input import Value
from fenqi.core.risk.policy.policy import APPROVE, Act, Policy, Verdict
from fenqi.core.risk.rulebook import Rulebook
from fenqi.core.values.ids import AccountId
from fenqi.core.values.rate import PPM
from fenqi.store.accounts import Account
from fenqi.store.booking import Booking
from fenqi.store.breaker import Decider, Restraint
from fenqi.store.decisions import Decision
from fenqi.store.ground import Ground
from fenqi.store.pool import Session
from fenqi.store.responses import Because, Responses
from fenqi.store.spent import LOOKED_AT, PROTECTS, Spent
from fenqi.store.trails import Followed

NONE: frozenset[Effect] = frozenset()
EFFECTS_MAX = 4096  # different effects of policies remembered
REVIEW_FIRST = Act(Effect.REVIEW, 1)  # of what was held back


class Weighed(NamedTuple):
    """What is left of a verdict: its effects as a decision keeps them, and what is carried out.

    `reasons` are those a decision keeps: of its outcome, and of the menu where it stops nothing.
    """

    words: tuple[str, ...]
    acts: tuple[Act, ...]
    outcome: str
    reasons: tuple[str, ...]

    def decision(
        self,
        account: Account,
        said: Verdict,
        inputs: Sequence[Value],
        *,
        decision_id: UUID,
        as_of_number: int,
        would_change: str | None,
        latency_us: int,
    ) -> Decision:
        """Return the decision as it is kept: what is left of a verdict, and what it was made of."""
        return Decision(
            account=account,
            decision_id=decision_id.bytes,
            outcome=self.outcome,
            reasons=self.reasons,
            inputs=inputs,
            as_of_number=as_of_number,
            effects=self.words,
            points=said.points,
            hits=said.hits,
            would_change=would_change,
            latency_us=latency_us,
        )


NOTHING = Weighed((), (), APPROVE, ())


class Consequences:
    """The consequences of one batch of decisions of a kind; its accounts are locked."""

    def __init__(
        self,
        ground: Ground,
        booking: Booking,
        session: Session,
        accounts: Iterable[Account],
        followed: Followed | None = None,
    ) -> None:
        self._ground, self._booking, self._session = ground, booking, session
        self._books = {one.book.book_id: one.book for one in accounts}
        self._responses: Responses | None = None  # most batches need nobody to respond
        self._restraint: Restraint | None = None  # nor anybody to count
        self._weighed: Counter[str] = Counter()  # decisions so far, by book
        self._followed = followed
        self._spent: Spent | None = None

    @property
    def responses(self) -> Responses:
        """What gives the responses of the batch; made when the first is to be given."""
        if self._responses is None:
            self._responses = Responses(self._ground, self._booking, self._session)
        return self._responses

    @property
    def spent(self) -> Spent:
        """What says what of a verdict is spent; made when the first is to be weighed."""
        if self._spent is None:
            self._spent = Spent(self.responses, self._ground, self._booking, self._followed)
        return self._spent

    def prepare(self, account_ids: Collection[AccountId], rulebook: Rulebook) -> None:
        """Read at once what the consequences for some accounts look at, before the first."""
        give = self.responses
        give.know(account_ids)
        reasons = {one.reason for one in rulebook.policy.lines if one.reason is not None}
        give.docket.know([f"{one}/policy/{reason}" for one in account_ids for reason in reasons])

    def weigh(
        self, rulebook: Rulebook, account: Account, said: Verdict, *, is_floored: bool = False
    ) -> Weighed:
        """Return what is left of a verdict.

        What holds for all declines by itself (`is_floored`), so the policy's own decline does no
        harm then and is not counted.
        """
        self._weighed[account.book.book_id] += 1
        if not said.effects:
            reasons = _told_of(rulebook, said.hits, (), APPROVE, NONE)
            return NOTHING._replace(reasons=reasons) if reasons else NOTHING
        words, harms = _told(said.effects)
        policy, answered = rulebook.policy, NONE
        if not LOOKED_AT.isdisjoint(act.effect for act in said.effects):
            answered = self.spent.answered(account, policy, said)
        if not harms and not answered:
            reasons = _told_of(rulebook, said.hits, said.effects, said.outcome, NONE)
            return Weighed(words, said.effects, said.outcome, reasons)
        spent, running = self.spent.of(account, policy, said, answered, is_floored=is_floored)
        counted = harms - spent - running - ({Effect.DECLINE} if is_floored else set())
        held = spent | self._restrained(rulebook, account, counted)
        words = soften(words, held)
        acts = tuple(act for act in said.effects if act.effect not in held)
        if is_reviewed(held) and all(act.effect is not Effect.REVIEW for act in acts):
            acts += (REVIEW_FIRST,)
        outcome = outcome_of(words, otherwise=APPROVE) if held else said.outcome
        reasons = _told_of(rulebook, said.hits, said.effects, outcome, frozenset(held))
        return Weighed(words, acts, outcome, reasons)

    def carry_out(
        self,
        rulebook: Rulebook,
        account: Account,
        said: Verdict,
        acts: Sequence[Act],
        *,
        decision_id: UUID,
        evidence: Mapping[str, object],
    ) -> None:
        """Give the responses a weighed verdict asks for; menus are not among them."""
        give, policy = self.responses, rulebook.policy
        case_id: UUID | None = None
        # The case comes first: effects stand strongest first, and a review above a check.
        for act in sorted(acts, key=lambda one: one.effect in PROTECTS):
            asked = asked_as(said, acts, act.effect)
            cause = cause_of(policy, said, asked)
            reasons = reasons_of(policy, said, asked) or (UNTOLD,)
            match act.effect:
                case Effect.NUDGE:
                    give.nudge(account, reasons=reasons, cause=cause, decision_id=decision_id)
                case Effect.STEP_UP:
                    self._ask(
                        account, policy, said, reasons, case_id=case_id, decision_id=decision_id
                    )
                case Effect.REVIEW:
                    looked = self.spent.cause(account, policy, said, asked)
                    case_id = give.review(
                        account,
                        subject=reasons[0],
                        evidence={"reasons": list(reasons), **evidence},
                        priority=act.amount,
                        cause=looked.name,
                        decision_id=decision_id,
                        is_shared=looked.is_shared,
                    ).case_id
                case Effect.HOLD | Effect.FREEZE | Effect.SMALLER_LIMIT:
                    because: Because = {
                        "reasons": reasons,
                        "cause": cause,
                        "strength": strength_of(policy, said, asked),
                        "decision_id": decision_id,
                        "case_id": case_id,
                        "is_shared": self.spent.is_shared(policy, said, asked),
                    }
                    until = self.spent.until(act)
                    if act.effect is Effect.HOLD:
                        give.hold(account, until, **because)
                    elif act.effect is Effect.FREEZE:
                        give.freeze(account, until, **because)
                    else:
                        ceiling = account.limit_minor * act.amount // PPM
                        give.smaller_limit(account, until, ceiling_minor=ceiling, **because)
                case _:
                    pass

    def _ask(
        self,
        account: Account,
        policy: Policy,
        said: Verdict,
        reasons: tuple[str, ...],
        *,
        case_id: UUID | None,
        decision_id: UUID,
    ) -> None:
        """Ask for the checks of a verdict, each remembered by its own cause."""
        if case_id is not None:
            self.responses.attach(account, case_id)
        for one in self.spent.checks(account, policy, said):
            self.responses.step_up(
                account,
                reasons=reasons,
                cause=one.cause,
                strength=strength_of(policy, said, Effect.STEP_UP),
                facts_at=one.facts_at,
                decision_id=decision_id,
                case_id=case_id,
                is_shared=one.is_shared,
            )

    def _restrained(
        self, rulebook: Rulebook, account: Account, harms: Collection[Effect]
    ) -> frozenset[Effect]:
        """Return the harm that finds no room under the breaker's caps."""
        if not harms:
            return frozenset()
        if self._restraint is None:
            self._restraint = Restraint(
                self._session,
                self._booking,
                self._books.values(),
                rulebook.kind,
                caps=self._ground.catalogue.conduct().caps_of(rulebook.kind),
                ids=self._ground.ids,
                docket=self.responses.docket,
            )
        (held,) = self._restraint.hold_back(
            account.book,
            Decider(rulebook.kind, rulebook.name, rulebook.version),
            [[effect for effect in LADDER if effect in harms]],
            decided=self._weighed[account.book.book_id],
        )
        return held


@lru_cache(maxsize=EFFECTS_MAX)
def _told_of(
    rulebook: Rulebook,
    hits: tuple[int, ...],
    effects: tuple[Act, ...],
    outcome: str,
    held: frozenset[Effect],
) -> tuple[str, ...]:
    """Return the reasons of an outcome; most verdicts of a batch share a few."""
    said = Verdict(outcome, effects, (), 0, hits, (), ())
    return outcome_reasons(rulebook.policy, said, outcome, held)


@lru_cache(maxsize=EFFECTS_MAX)
def _told(effects: tuple[Act, ...]) -> tuple[tuple[str, ...], frozenset[Effect]]:
    """Return effects as words, and which of them harm."""
    harms = HARMFUL.intersection(act.effect for act in effects)
    return tuple(act.word for act in effects), frozenset(harms)
