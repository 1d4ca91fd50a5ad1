"""Who begins to pay differently is asked about: helped first, and never harmed beyond the facts.

A page of accounts is decided about in one transaction, by the adopted policy of the kind: features
from the trails, what the account says of itself, the circuit breaker for what harms, the decision
as it is kept, the responses told to the customer. An account whose last decision knew already what
its signal tells is passed over, so whatever is read twice is decided once. What an earlier decision
of the kind keeps from the customer ends as soon as one no longer asks for it. What was said last
time is not said again. Nothing here claims a debt, or touches a plan that was signed.

Source: docs/adr/0028-heed-how-customers-pay.md.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from uuid import UUID

from fenqi.core.account import AccountStatus
from fenqi.core.risk.consequence import UNTOLD, asked_as, cause_of, reasons_of
from fenqi.core.risk.decision import DecisionKind, Effect
from fenqi.core.risk.features.moment import moment_of
from fenqi.core.risk.input import Value
from fenqi.core.risk.paying import OVERDUE_MINOR, SPELLS, Step, spells
from fenqi.core.risk.policy.policy import Act, Verdict
from fenqi.core.risk.policy.turn import told
from fenqi.core.risk.response import KINDS, Finding, ProtectionKind
from fenqi.core.risk.rulebook import Rulebook
from fenqi.core.values.ids import AccountId
from fenqi.core.values.rate import PPM
from fenqi.store import accounts, paying, plans, relief
from fenqi.store.accounts import Account
from fenqi.store.booking import Booking
from fenqi.store.consequences import Consequences, Weighed
from fenqi.store.deciding import Deciding
from fenqi.store.decisions import Decisions, latency_us
from fenqi.store.ground import Ground
from fenqi.store.paying import Last, Signal
from fenqi.store.plans import PlanRecord
from fenqi.store.pool import Session
from fenqi.store.protections import Protection

# What tells a customer or a person something: done when it begins to be due, not each time again.
SAID_ONCE = frozenset({Effect.NUDGE, Effect.RELIEF, Effect.REVIEW})
POLICY_CAUSE = "policy/"  # before the reason, in the cause of what a policy asks for


@dataclass(frozen=True, slots=True)
class Heeded:
    """What became of one signal: nothing if it was known already."""

    account_id: AccountId
    outcome: str | None = None
    decision_id: UUID | None = None
    released: int = 0  # protections that ended because they were cured


@dataclass(slots=True)
class _Asked:
    """One account with what the policy says of it."""

    signal: Signal
    account: Account
    rulebook: Rulebook
    inputs: list[Value]
    said: Verdict
    as_of: int


def heed(ground: Ground, signals: Sequence[Signal]) -> list[Heeded]:
    """Decide about the account of each signal, once, unless its last decision knew it already.

    Errors: PolicyMissing, RulebookAltered; those of the database. Nothing is kept of a page that
    failed.
    """
    booking = Booking(ground)
    latest = {one.account_id: one for one in signals}
    with ground.store.transaction() as session:
        with session.pipeline():
            lock = accounts.locking(session, list(latest))
            deciding = Deciding(session, DecisionKind.REPAYMENT)
        locked = {
            one: account
            for one, account in lock().items()
            if account.status is not AccountStatus.CLOSED
        }
        lasts = paying.lasts(session, locked)
        fresh = {
            one: account
            for one, account in locked.items()
            if one not in lasts or not lasts[one].saw(latest[one], account.book.business_date)
        }
        if not fresh:
            return [Heeded(one) for one in latest]
        work = _Work(ground, booking, session, deciding, fresh, lasts)
        made = {one.account_id: one for one in work.answer([latest[each] for each in fresh])}
        booking.write(session)
    return [made.get(one, Heeded(one)) for one in latest]


class _Work:
    """Where one page is decided about; its accounts are locked."""

    def __init__(
        self,
        ground: Ground,
        booking: Booking,
        session: Session,
        deciding: Deciding,
        fresh: Mapping[AccountId, Account],
        lasts: Mapping[AccountId, Last],
    ) -> None:
        self._ground, self._booking, self._session = ground, booking, session
        self._deciding, self._accounts, self._lasts = deciding, fresh, lasts
        self._decisions = Decisions(booking)
        self._running = paying.running(session, fresh, booking.now)
        self._steps = paying.steps(session, fresh)
        self._owing: dict[AccountId, list[PlanRecord]] = {}
        late = [one for one, account in fresh.items() if self._overdue(account)]
        self._load(late)
        self._coming = paying.coming(session, late) if late else {}
        self._followed = ground.trails.follow(session, list(fresh.values()))
        booking.followed = self._followed
        self._consequences = Consequences(ground, booking, session, fresh.values(), self._followed)

    def answer(self, signals: Sequence[Signal]) -> list[Heeded]:
        """Decide about each account, keep the decisions and give the responses."""
        asked = [self._ask(one) for one in signals]
        self._prepare(asked)
        self._load(
            one.account.account_id
            for one in asked
            if any(act.effect is Effect.RELIEF for act in self._news(one, one.said.effects))
        )
        return [self._conclude(one) for one in asked]

    def _load(self, account_ids: Iterable[AccountId]) -> None:
        """Read what some accounts owe, unless it is known."""
        lacking = [one for one in account_ids if one not in self._owing]
        if lacking:
            found = plans.owing(self._session, lacking, self._ground.catalogue)
            self._owing |= {one: found.get(one, []) for one in lacking}

    def _ask(self, signal: Signal) -> _Asked:
        account = self._accounts[signal.account_id]
        rulebook = self._deciding.of(account.book)
        row = self._ground.trails.row([one.name for one in rulebook.policy.inputs])
        given = self._given(account)
        inputs = row(self._followed.of(account), moment_of(self._booking.now), given)
        said = rulebook.decide(inputs)
        return _Asked(signal, account, rulebook, inputs, said, account.event_count)

    def _given(self, account: Account) -> dict[str, Value]:
        # Of the limit itself, whatever ceiling stands below it for a while.
        standing = account.standing_at(self._booking.now)
        known = account.given(standing._replace(limit_minor=account.limit_minor))
        steps: Iterable[Step] = self._steps.get(account.account_id, ())
        today = account.book.business_date
        late = [
            debt.claim_minor
            for record in self._owing.get(account.account_id, ())
            for debt in record.debts()
            if debt.due_on < today
        ]
        # What is on its way was paid: that its channel is slow is nobody's lateness (P5).
        unpaid = max(0, sum(late) - self._coming.get(account.account_id, 0))
        return known | {SPELLS: spells(steps, today), OVERDUE_MINOR: unpaid}

    def _prepare(self, asked: Sequence[_Asked]) -> None:
        """Read at once what protects those to whom something happens, and their cases."""
        by_rulebook: dict[UUID, tuple[Rulebook, list[AccountId]]] = {}
        for one in asked:
            if one.said.effects or one.account.account_id in self._running:
                _, ids = by_rulebook.setdefault(one.rulebook.rulebook_id, (one.rulebook, []))
                ids.append(one.account.account_id)
        for _, (rulebook, ids) in sorted(by_rulebook.items()):
            self._consequences.prepare(ids, rulebook)

    def _conclude(self, one: _Asked) -> Heeded:
        account, said = one.account, one.said
        released = self._release(one)
        weighed = self._consequences.weigh(one.rulebook, account, said)
        decision_id = self._ground.ids.new()
        self._keep(one, weighed, decision_id)
        acts = self._news(one, weighed.acts)
        if any(act.effect is Effect.RELIEF for act in acts):
            acts = self._relieve(one, acts, decision_id)
        evidence = {"event_number": one.signal.number, "overdue_days": self._overdue(account)}
        self._consequences.carry_out(
            one.rulebook, account, said, acts, decision_id=decision_id, evidence=evidence
        )
        return Heeded(account.account_id, weighed.outcome, decision_id, released)

    def _release(self, one: _Asked) -> int:
        """End what earlier decisions keep from the customer and this one no longer asks for."""
        ids = self._running.get(one.account.account_id, set())
        if not ids:
            return 0
        give, ended = self._consequences.responses, 0
        for protection in give.of(one.account):
            if protection.protection_id in ids and not _is_asked(one, protection):
                give.end(one.account, protection, finding=Finding.CURED)
                ended += 1
        return ended

    def _keep(self, one: _Asked, weighed: Weighed, decision_id: UUID) -> None:
        policy, decide = one.rulebook.policy, one.rulebook.decide
        kept = weighed.decision(
            one.account,
            one.said,
            one.inputs,
            decision_id=decision_id,
            as_of_number=one.as_of,
            would_change=told(policy, decide, one.inputs) if weighed.words else None,
            latency_us=latency_us(self._booking.now, self._ground.clock.now()),
        )
        self._decisions.add(one.rulebook, kept)

    def _news(self, one: _Asked, acts: Iterable[Act]) -> tuple[Act, ...]:
        """Return what is due and was not said by the decision before for the same reason."""
        last, acts = self._lasts.get(one.account.account_id), tuple(acts)
        if last is None:
            return acts
        known = _known_to(last, one.rulebook)
        told = {effect.partition(":")[0] for effect in last.effects}
        return tuple(
            act
            for act in acts
            if act.effect not in SAID_ONCE
            or act.effect not in told
            or _reason_of(one, asked_as(one.said, acts, act.effect)) not in known
        )

    def _relieve(self, one: _Asked, acts: Collection[Act], decision_id: UUID) -> tuple[Act, ...]:
        """Tell what the customer may ask for; return what else is to be done.

        Where nothing may be asked for, the reasons are told without an offer.
        """
        others = tuple(act for act in acts if act.effect is not Effect.RELIEF)
        records = self._owing.get(one.account.account_id, ())
        ways = relief.ways_of(records, one.account.book.business_date)
        if not ways:
            is_nudged = any(act.effect is Effect.NUDGE for act in others)
            return others if is_nudged else (*others, Act(Effect.NUDGE))
        self._consequences.responses.relieve(
            one.account,
            reasons=reasons_of(one.rulebook.policy, one.said, Effect.RELIEF) or (UNTOLD,),
            cause=cause_of(one.rulebook.policy, one.said, Effect.RELIEF),
            ways=ways,
            decision_id=decision_id,
        )
        return others

    def _overdue(self, account: Account) -> int:
        return account.standing_at(self._booking.now).overdue_days


def _is_asked(one: _Asked, protection: Protection) -> bool:
    """Whether a verdict still asks for a protection that runs, and for one as harsh."""
    for act in one.said.effects:
        if KINDS.get(act.effect) is not protection.kind:
            continue
        if cause_of(one.rulebook.policy, one.said, act.effect) != protection.cause:
            continue
        if protection.kind is not ProtectionKind.SMALLER_LIMIT or protection.ceiling_minor is None:
            return True
        return one.account.limit_minor * act.amount // PPM <= protection.ceiling_minor
    return False


def _known_to(last: Last, rulebook: Rulebook) -> Collection[str | None]:
    """Return the reasons of all that was hit last; of another policy's, those that are kept."""
    if last.rulebook_id != rulebook.rulebook_id:
        return last.reasons
    return {rulebook.policy.lines[number].reason for number in last.hits}


def _reason_of(one: _Asked, effect: Effect) -> str:
    return cause_of(one.rulebook.policy, one.said, effect).removeprefix(POLICY_CAUSE)
