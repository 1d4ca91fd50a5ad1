"""Access: what follows from a login, or from another device, phone, card or address.

Each account that something of this kind was told of is decided about once, after the facts of its
command: features from its trail, the policy, the circuit breaker for what harms, the decision as it
is kept, the responses told to the customer. All of it happens in the transaction of the facts, so
whoever is to be held is held when they are stored.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

from fenqi.core.account import AccountStatus
from fenqi.core.risk.breaker import held_in, outcome_of, soften
from fenqi.core.risk.decision import HARMFUL, DecisionKind, Effect
from fenqi.core.risk.features.moment import moment_of
from fenqi.core.risk.input import Value
from fenqi.core.risk.policy.expression import names
from fenqi.core.risk.policy.policy import APPROVE, Act, Verdict
from fenqi.core.risk.response import Strength
from fenqi.core.risk.rulebook import Rulebook
from fenqi.core.values.ids import AccountId
from fenqi.store import breaker, facts, policies
from fenqi.store.accounts import Account
from fenqi.store.booking import Booking
from fenqi.store.books import Book
from fenqi.store.breaker import Decider
from fenqi.store.deciding import Deciding
from fenqi.store.decisions import Decision, Decisions, latency_us
from fenqi.store.ground import Ground
from fenqi.store.pool import Session
from fenqi.store.responses import Responses
from fenqi.store.trails import Followed

CAUSE = "access"  # of protections and cases, before the reason
CHECKS_PASSED = "checks_passed_24h"  # the feature that says whether the customer proved himself
STATUSES = tuple(AccountStatus)
NORMAL = 0  # the place of the regime among its choices, while that room is unfurnished
PPM = 1_000_000
TOLD_NOTHING = "identity-check"  # the reason of a response whose rule names none


class Ruled(NamedTuple):
    """What was decided about one account: the strongest effect or approve, and why."""

    decision_id: UUID
    outcome: str
    effects: tuple[str, ...]
    reasons: tuple[str, ...]


class AccessRulings:
    """The decisions of one batch; its accounts are locked and followed."""

    def __init__(
        self,
        ground: Ground,
        booking: Booking,
        session: Session,
        *,
        followed: Followed,
        deciding: Deciding,
        accounts: Mapping[AccountId, Account],
        addresses: Collection[bytes],
    ) -> None:
        self._ground, self._booking, self._session = ground, booking, session
        self._followed = followed
        self._moment = moment_of(booking.now)
        self._checks = ground.trails.row([CHECKS_PASSED])
        self._decisions = Decisions(booking)
        self._responses = Responses(ground, booking, session)
        self._accounts = accounts.keys()
        self._is_prepared = False
        books = {one.book.book_id: one.book for one in accounts.values()}
        self._allowed = facts.asking_places(session, addresses)()
        self._rulebooks = {name: _ruling(book, deciding) for name, book in books.items()}

    def _prepare(self, rulebook: Rulebook) -> None:
        """Read at once what the responses to all of the batch look at, before the first of them."""
        if self._is_prepared:
            return
        self._is_prepared = True
        self._responses.know(self._accounts)
        reasons = {one.reason for one in rulebook.policy.lines if one.reason is not None}
        causes = [f"{one}/{CAUSE}/{reason}" for one in self._accounts for reason in reasons]
        self._responses.docket.know(causes)

    def rule(
        self, account: Account, *, addresses: Collection[bytes], evidence: Mapping[str, object]
    ) -> Ruled | None:
        """Decide about one account as it stands now, keep the decision and give the responses.

        `addresses` are those its facts came from; `evidence` is what a reviewer is shown. None if
        no policy decides in the account's book.
        """
        rulebook = self._rulebooks[account.book.book_id]
        if rulebook is None:
            return None
        as_of = account.event_count
        row = self._ground.trails.row([one.name for one in rulebook.policy.inputs])
        values = row(self._followed.of(account), self._moment, self._given(account, addresses))
        said = rulebook.decide(values)
        words = self._restrained(rulebook, account, said)
        held = held_in(words)
        outcome = outcome_of(words, otherwise=APPROVE) if held else said.outcome
        decision_id = self._ground.ids.new()
        self._decisions.add(
            rulebook,
            Decision(
                account=account,
                decision_id=decision_id.bytes,
                outcome=outcome,
                reasons=said.reasons,
                inputs=values,
                as_of_number=as_of,
                effects=words,
                points=said.points,
                hits=said.hits,
                latency_us=latency_us(self._booking.now, self._ground.clock.now()),
            ),
        )
        acts = [act for act in said.effects if act.effect not in held]
        if held and all(act.effect is not Effect.REVIEW for act in acts):
            acts.append(Act(Effect.REVIEW, 1))
        if acts:
            self._prepare(rulebook)
        for act in acts:
            strength = _strength(rulebook, said, act.effect)
            self._respond(account, said.reasons, act, strength, decision_id, evidence)
        return Ruled(decision_id, outcome, words, said.reasons)

    def _given(self, account: Account, addresses: Collection[bytes]) -> dict[str, Value]:
        standing = account.standing_at(self._booking.now)
        limit, used = standing.limit_minor, standing.used_minor
        (passed,) = self._checks(self._followed.of(account), self._moment)
        return {
            "account_status": STATUSES.index(standing.status),
            "limit_minor": limit,
            "used_minor": used,
            "available_minor": limit - used,
            "utilisation_ppm": used * PPM // limit if limit > 0 else None,
            "overdue_days": standing.overdue_days,
            "account_age_days": (account.book.business_date - account.opened_on).days,
            "regime": NORMAL,
            "is_held": int(standing.is_held),
            "needs_step_up": int(account.step_up_since is not None),
            "is_stepped_up": int(bool(passed)),
            # Of facts that name no address nobody knows where they came from.
            "is_allowed_address": (
                int(all(one in self._allowed for one in addresses)) if addresses else None
            ),
        }

    def _restrained(self, rulebook: Rulebook, account: Account, said: Verdict) -> tuple[str, ...]:
        """Return the effects, less the harm that finds no room under the breaker's caps."""
        words = tuple(act.word for act in said.effects)
        effects = [act.effect for act in said.effects]
        if HARMFUL.isdisjoint(effects):
            return words
        (held,) = breaker.restrain(
            self._session,
            self._booking,
            account.book,
            Decider(DecisionKind.ACCESS, rulebook.name, rulebook.version),
            [effects],
            caps=self._ground.catalogue.conduct().caps,
            ids=self._ground.ids,
            docket=self._responses.docket,
        )
        return soften(words, held)

    def _respond(
        self,
        account: Account,
        given_reasons: Sequence[str],
        act: Act,
        strength: Strength,
        decision_id: UUID,
        evidence: Mapping[str, object],
    ) -> None:
        reasons = given_reasons or (TOLD_NOTHING,)
        cause, give, now = f"{CAUSE}/{reasons[0]}", self._responses, self._booking.now
        match act.effect:
            case Effect.NUDGE:
                give.nudge(account, reasons=reasons, cause=cause)
            case Effect.STEP_UP:
                give.step_up(account, reasons=reasons, cause=cause)
            case Effect.REVIEW:
                give.review(
                    account,
                    subject=reasons[0],
                    evidence={"reasons": list(reasons), **evidence},
                    priority=act.amount,
                    cause=cause,
                    decision_id=decision_id,
                )
            case Effect.HOLD | Effect.FREEZE:
                is_hold = act.effect is Effect.HOLD
                length = timedelta(hours=act.amount) if is_hold else timedelta(days=act.amount)
                (give.hold if is_hold else give.freeze)(
                    account,
                    now + length,
                    reasons=reasons,
                    cause=cause,
                    strength=strength,
                    decision_id=decision_id,
                )
            case _:
                pass  # of menus, limits, prices and declines an access decides nothing


def _ruling(book: Book, deciding: Deciding) -> Rulebook | None:
    """Return what decides in a book; None if the policy's time is over."""
    found = deciding.of(book.book_id)
    return None if policies.is_over(found.policy, book.business_date) else found


def _strength(rulebook: Rulebook, said: Verdict, effect: Effect) -> Strength:
    """Return how much the evidence for an effect says: weak if only weak lines ask for it.

    A line is weak if what it looks at says more of a place than of a person (P6).
    """
    weak = {one.name for one in rulebook.policy.inputs if one.is_weak}
    lines = [rulebook.policy.lines[one] for one in said.hits]
    asking = [one for one in lines if any(act.effect is effect for act in one.acts)]
    is_weak = bool(asking) and all(weak & names(one.when) for one in asking)
    return Strength.WEAK if is_weak else Strength.STRONG
