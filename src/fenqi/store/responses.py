"""Responses: what a flow does to an account besides its own work, from a nudge to a freeze.

Any flow makes one for its booking, says what a decision asks for, and the rows go out with the
batch. Each response is tempered by `core/risk/response.py`, told to the customer with its reasons
(P3), and touches new purchases only (P1).
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple, Required, TypedDict, Unpack
from uuid import UUID

from fenqi.core.risk.case import SYSTEM, CaseKind
from fenqi.core.risk.decision import Effect
from fenqi.core.risk.response import (
    CLEARED,
    HOUR,
    KINDS,
    Bounds,
    Step,
    Strength,
    check_reasons,
    temper,
)
from fenqi.core.values.ids import AccountId
from fenqi.store import cases
from fenqi.store.accounts import Account
from fenqi.store.booking import Booking
from fenqi.store.cases import Case, Docket
from fenqi.store.ground import Ground
from fenqi.store.guards import CUSTOMER, Guards
from fenqi.store.links import address_of
from fenqi.store.pool import Session
from fenqi.store.protections import OPEN_MAX, Protection
from fenqi.store.rows import Sheet

REVIEW_PRIORITY = 3  # of what was asked as harm and became a look by a person


class Done(NamedTuple):
    """What a response came to: the effect, None if its cause has done its harm already."""

    effect: Effect | None
    until: datetime | None = None
    case_id: UUID | None = None


class Joint(NamedTuple):
    """The case of several accounts that a finding belongs to, in place of one of the account."""

    cause: str
    subject: str
    kind: CaseKind
    pause: timedelta  # how long a person's word that nothing is wrong holds


class Because(TypedDict, total=False):
    """Why a protection is asked for: its reasons and cause always, the rest where there is one."""

    reasons: Required[Iterable[str]]
    cause: Required[str]
    strength: Strength
    decision_id: UUID | None
    case_id: UUID | None
    is_shared: bool
    actor: str


class Responses(Guards):
    """The responses of one batch, with what protects its accounts; written with its booking."""

    def __init__(self, ground: Ground, booking: Booking, session: Session) -> None:
        super().__init__(booking, session)
        self._ground = ground
        self._cleared: dict[AccountId, dict[str, datetime]] = {}
        self._joints: dict[tuple[AccountId, str], Joint] = {}
        self.docket = Docket(ground, session, booking.now)
        booking.others.append(self)

    def cleared_at(
        self, account: Account, cause: str, *, is_shared: bool = False
    ) -> datetime | None:
        """Return when a person last found a cause harmless, None if none did lately.

        Of what accounts share also what was found of a crowd they were part of.
        """
        if account.account_id not in self._cleared:
            asked = [one for one in {*self._known, account.account_id} if one not in self._cleared]
            since = self._booking.now - CLEARED
            self._cleared |= cases.cleared(self._session, asked, since)
        found = self._cleared[account.account_id]
        known = [found.get(f"{account.account_id}/{cause}")]
        if is_shared:
            known += [at for one, at in found.items() if address_of(one) is not None]
        return max((at for at in known if at is not None), default=None)

    def bounds(self, account: Account) -> Bounds:
        """Return what the newest version of the account's pack allows."""
        return Bounds.of(self._ground.catalogue.pack(account.book.pack))

    def hold(self, account: Account, until: datetime, **because: Unpack[Because]) -> Done:
        """Stop new purchases until an instant, at most the pack's hours. Errors: ResponseInvalid.

        A hold that may not be placed opens a review instead, unless it has a case already.
        """
        return self._protect(Effect.HOLD, account, until, because)

    def freeze(self, account: Account, until: datetime, **because: Unpack[Because]) -> Done:
        """Stop new purchases for days; beyond the pack's bound only once a second person agrees.

        On weak evidence it is a hold. Errors: ResponseInvalid.
        """
        return self._protect(Effect.FREEZE, account, until, because)

    def smaller_limit(
        self, account: Account, until: datetime, *, ceiling_minor: int, **because: Unpack[Because]
    ) -> Done:
        """Let new purchases use no more than a ceiling until an instant; signed plans stay.

        Units: minor units of the account's currency. On weak evidence it is a review.
        Errors: ResponseInvalid.
        """
        return self._protect(Effect.SMALLER_LIMIT, account, until, because, ceiling_minor)

    def join(self, account: Account, cause: str, joint: Joint) -> None:
        """Let what a cause asks for go into a case of several accounts."""
        self._joints[account.account_id, cause] = joint

    def would_place(
        self,
        effect: Effect,
        account: Account,
        until: datetime,
        *,
        cause: str,
        strength: Strength,
        within: Collection[UUID] = (),
    ) -> bool:
        """Return whether a protection would be placed, were it asked for now.

        `within` are the cases it would belong to, besides the one its cause was joined to.
        """
        step = self._tempered(effect, account, until, cause, strength, within)
        return step is not None and step.effect in KINDS

    def would_ask(self, account: Account, *, cause: str, facts_at: datetime | None) -> bool:
        """Return whether a check of a cause would be asked for, were none open now."""
        until = self.step_up_ends(account)
        step = self._tempered(
            Effect.STEP_UP, account, until, cause, Strength.STRONG, facts_at=facts_at
        )
        return step is not None

    def step_up(
        self, account: Account, *, facts_at: datetime | None = None, **because: Unpack[Because]
    ) -> Done:
        """Ask for a check before the next purchase, for the pack's hours at most.

        A customer is asked once, however many causes ask while the check is open: they end with it.
        `facts_at` is that of `core.risk.response.temper`. Where the pack allows no check a person
        looks instead.

        Errors: ResponseInvalid.
        """
        cause, open_checks = because["cause"], self.checks(account)
        if any(one.cause == cause for one in open_checks):
            return Done(None)
        until = min((one.ends_at for one in open_checks), default=self.step_up_ends(account))
        done = self._protect(Effect.STEP_UP, account, until, because, facts_at=facts_at)
        return Done(None) if open_checks else done

    def step_up_ends(self, account: Account) -> datetime:
        """Return until when a check would be asked for now."""
        return self._booking.now + max(1, self.bounds(account).step_up_hours) * HOUR

    def nudge(
        self,
        account: Account,
        *,
        reasons: Iterable[str],
        cause: str,
        decision_id: UUID | None = None,
        actor: str = SYSTEM,
    ) -> Done:
        """Tell the customer something that may help; nothing else happens."""
        given = check_reasons(reasons, cause=cause)
        payload = {"reasons": given, "cause": cause, "decision_id": decision_id}
        self._booking.event(account, "nudged", payload=payload, actor=actor, topic=CUSTOMER)
        return Done(Effect.NUDGE)

    def relieve(
        self,
        account: Account,
        *,
        reasons: Iterable[str],
        cause: str,
        ways: Sequence[Mapping[str, object]],
        decision_id: UUID | None = None,
        actor: str = SYSTEM,
    ) -> Done:
        """Tell the customer what may be asked of each plan where paying is hard; nothing changes.

        `ways` are those of `store/relief.py`.
        """
        payload = {
            "reasons": check_reasons(reasons, cause=cause),
            "cause": cause,
            "decision_id": decision_id,
            "plans": ways,
        }
        self._booking.event(account, "relief-offered", payload=payload, actor=actor, topic=CUSTOMER)
        return Done(Effect.RELIEF)

    def review(
        self,
        account: Account,
        *,
        subject: str,
        evidence: Mapping[str, object],
        priority: int = REVIEW_PRIORITY,
        cause: str,
        decision_id: UUID | None = None,
        is_shared: bool = False,
        actor: str = SYSTEM,
    ) -> Done:
        """Ask a person to look at the account: one open case per account and cause.

        `subject` is a code such as a rule's id. Errors: CaseInvalid.
        """
        joint = self._joints.get((account.account_id, cause))
        if joint is not None:
            evidence = {"account_id": account.account_id, **evidence}
        joint = joint or Joint(
            cause=f"{account.account_id}/{cause}",
            subject=subject,
            kind=CaseKind.REVIEW,
            pause=timedelta(hours=self.bounds(account).pause_hours),
        )
        case, is_new = self.docket.open(
            [account.account_id],
            book_id=account.book.book_id,
            kind=joint.kind,
            cause=joint.cause,
            subject=joint.subject,
            priority=priority,
            evidence=evidence,
            pause=joint.pause,
            decision_id=decision_id,
            is_shared=is_shared,
            author=actor,
        )
        if is_new:
            self.tell_case(account, case, actor=actor)
        return Done(Effect.REVIEW, case_id=case.case_id)

    def tell_case(self, account: Account, case: Case, *, actor: str = SYSTEM) -> None:
        """Write on the account that a case about it was opened; a look alone is not told."""
        payload = {"case_id": case.case_id, "kind": case.kind.value, "subject": case.subject}
        self._booking.event(account, "case-opened", payload=payload, actor=actor)

    def _tempered(
        self,
        effect: Effect,
        account: Account,
        until: datetime,
        cause: str,
        strength: Strength,
        within: Collection[UUID] = (),
        facts_at: datetime | None = None,
        by: str = SYSTEM,
    ) -> Step | None:
        joint = self._joints.get((account.account_id, cause))
        case = self.docket.find(joint.cause) if joint is not None else None
        if joint is not None and case is not None:
            if case.is_cleared(self._booking.now, joint.pause):
                return None
            within = [*within, case.case_id]
        step = temper(
            effect,
            until,
            cause=cause,
            strength=strength,
            past=[one.past() for one in self.of(account)],
            bounds=self.bounds(account),
            now=self._booking.now,
            within=within,
            facts_at=facts_at,
            by=by,
        )
        if step is None or step.effect not in KINDS:
            return step
        count = sum(one.ended_at is None for one in self.of(account))
        return step if count < OPEN_MAX else Step(Effect.REVIEW)

    def _protect(
        self,
        effect: Effect,
        account: Account,
        until: datetime,
        because: Because,
        ceiling_minor: int | None = None,
        *,
        facts_at: datetime | None = None,
    ) -> Done:
        cause, case_id = because["cause"], because.get("case_id")
        strength = because.get("strength", Strength.STRONG)
        given = check_reasons(because["reasons"], cause=cause)
        within = () if case_id is None else (case_id,)
        actor = because.get("actor", SYSTEM)
        step = self._tempered(effect, account, until, cause, strength, within, facts_at, actor)
        if step is None:
            return Done(None)
        kind = KINDS.get(step.effect)
        if kind is None or step.until is None or step.asked_until is None:
            return self._look(effect, account, given, because)
        placed = Protection(
            account_id=account.account_id,
            protection_id=self._ground.ids.new(),
            kind=kind,
            cause=cause,
            strength=strength,
            reasons=given,
            ceiling_minor=ceiling_minor,
            decision_id=because.get("decision_id"),
            case_id=case_id,
            is_shared=because.get("is_shared", False),
            placed_by=actor,
            placed_at=self._booking.now,
            ends_at=step.until,
            asked_until=step.asked_until,
        )
        self.place(account, placed)
        return Done(step.effect, step.until, case_id)

    def _look(
        self, effect: Effect, account: Account, given: tuple[str, ...], because: Because
    ) -> Done:
        """Let a person look in place of an effect that may not be; a case that is there is it."""
        case_id = because.get("case_id")
        if case_id is not None:
            return Done(Effect.REVIEW, case_id=case_id)
        strength = because.get("strength", Strength.STRONG)
        return self.review(
            account,
            subject=given[0],
            evidence={"asked": effect.value, "reasons": given, "strength": strength.value},
            cause=because["cause"],
            decision_id=because.get("decision_id"),
            is_shared=because.get("is_shared", False),
            actor=because.get("actor", SYSTEM),
        )

    def fill(self, sheet: Sheet) -> None:
        """Put the batch's cases and protections on a sheet."""
        self.docket.fill(sheet)
        super().fill(sheet)
