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
    Finding,
    ProtectionKind,
    Step,
    Strength,
    check_reasons,
    replaces,
    temper,
)
from fenqi.core.values.ids import AccountId
from fenqi.store import cases, protections
from fenqi.store.accounts import Account
from fenqi.store.booking import Booking
from fenqi.store.cases import Case, Docket
from fenqi.store.ground import Ground
from fenqi.store.links import address_of
from fenqi.store.pool import Session
from fenqi.store.protections import Protection
from fenqi.store.rows import Sheet

REVIEW_PRIORITY = 3  # of what was asked as harm and became a look by a person
CUSTOMER = "customer"  # the outbox topic of what a customer is told


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


class Responses:
    """The responses of one batch; they are written with its booking.

    The accounts are locked. The first response to an account reads what protects it; a flow that
    answers to many asks for all at once with `know`.
    """

    def __init__(self, ground: Ground, booking: Booking, session: Session) -> None:
        self._ground = ground
        self._booking = booking
        self._session = session
        self._known: dict[AccountId, list[Protection]] = {}
        self._cleared: dict[AccountId, dict[str, datetime]] = {}
        self._placed: dict[UUID, Protection] = {}
        self._changed: dict[UUID, Protection] = {}
        self._touched: dict[AccountId, Account] = {}
        self._joints: dict[tuple[AccountId, str], Joint] = {}
        self.docket = Docket(ground, session, booking.now)
        booking.others.append(self)

    def know(self, account_ids: Collection[AccountId]) -> None:
        """Read what protects some accounts, in one round trip."""
        asked = [one for one in account_ids if one not in self._known]
        if asked:
            self._known |= protections.of(self._session, asked, self._booking.now)

    def of(self, account: Account) -> list[Protection]:
        """Return what protects an account, or lately did, oldest first."""
        self.know([account.account_id])
        return self._known[account.account_id]

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

    def checks(self, account: Account) -> list[Protection]:
        """Return the checks that are asked for before the account's next purchase."""
        return [
            one
            for one in self.of(account)
            if one.kind is ProtectionKind.STEP_UP and one.is_running(self._booking.now)
        ]

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

    def attach(self, account: Account, case_id: UUID) -> None:
        """Make open checks that have no case part of one that asks for a check too."""
        for one in self.checks(account):
            if one.case_id is None:
                one.case_id = case_id
                self.change(account, one)

    def stepped_up(self, account: Account, *, actor: str = CUSTOMER) -> int:
        """The customer passed the check; return of how many causes."""
        passed = self.checks(account)
        for one in passed:
            self.end(account, one, finding=Finding.PASSED, actor=actor)
        if passed:
            self._booking.event(account, "step-up-passed", payload={}, actor=actor, topic=CUSTOMER)
        return len(passed)

    def let_go(self, account: Account, *, actor: str = CUSTOMER) -> int:
        """End the holds that weak evidence alone placed, of who passed a check; return how many."""
        now = self._booking.now
        weak = [
            one
            for one in self.of(account)
            if one.kind is ProtectionKind.HOLD
            and one.strength is Strength.WEAK
            and one.is_running(now)
        ]
        for one in weak:
            self.end(account, one, finding=Finding.PASSED, actor=actor)
        return len(weak)

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

    def end(
        self, account: Account, protection: Protection, *, finding: Finding, actor: str = SYSTEM
    ) -> None:
        """End a protection now and tell the customer; one that ended already stays as it is.

        Of a check that several causes asked for the customer is told once, with the last of them.
        """
        if protection.ended_at is not None:
            return
        now = self._booking.now
        protection.ended_at = protection.ends_at if finding is Finding.EXPIRED else now
        protection.ended_by, protection.finding = actor, finding
        self.change(account, protection)
        if protection.kind is ProtectionKind.STEP_UP and (
            finding is Finding.PASSED or self._has_other_check(account)
        ):
            return
        self._booking.event(
            account,
            "protection-ended",
            payload={
                "kind": protection.kind.value,
                "finding": finding.value,
                "reasons": protection.reasons,
                "case_id": protection.case_id,
            },
            actor=actor,
            topic=None if finding is Finding.REPLACED else CUSTOMER,  # they are told of the new one
        )

    def _has_other_check(self, account: Account) -> bool:
        """Whether the end of a check of the account was not told yet."""
        return any(
            one.kind is ProtectionKind.STEP_UP and one.ended_at is None for one in self.of(account)
        )

    def move(self, account: Account, case: Case, into: Case) -> None:
        """Let what was placed for one case and runs belong to another, so that it ends with it."""
        for one in self.of(account):
            if one.case_id == case.case_id and one.ended_at is None:
                one.case_id = into.case_id
                self.change(account, one)

    def change(self, account: Account, protection: Protection) -> None:
        """Write back a protection that changed, and what its account says of it."""
        if protection.protection_id not in self._placed:
            self._changed[protection.protection_id] = protection
        protections.settle(account, self.of(account), self._booking.now)
        self._touched[account.account_id] = account

    def _tempered(
        self,
        effect: Effect,
        account: Account,
        until: datetime,
        cause: str,
        strength: Strength,
        within: Collection[UUID] = (),
        facts_at: datetime | None = None,
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
        )
        if step is None or step.effect not in KINDS:
            return step
        count = sum(one.ended_at is None for one in self.of(account))
        return step if count < protections.OPEN_MAX else Step(Effect.REVIEW)

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
        cause, actor = because["cause"], because.get("actor", SYSTEM)
        strength = because.get("strength", Strength.STRONG)
        decision_id, case_id = because.get("decision_id"), because.get("case_id")
        is_shared = because.get("is_shared", False)
        given = check_reasons(because["reasons"], cause=cause)
        within = () if case_id is None else (case_id,)
        step = self._tempered(effect, account, until, cause, strength, within, facts_at)
        if step is None:
            return Done(None)
        kind = KINDS.get(step.effect)
        if kind is None or step.until is None or step.asked_until is None:
            if case_id is not None:
                return Done(Effect.REVIEW, case_id=case_id)
            evidence = {"asked": effect.value, "reasons": given, "strength": strength.value}
            return self.review(
                account,
                subject=given[0],
                evidence=evidence,
                cause=cause,
                decision_id=decision_id,
                is_shared=is_shared,
                actor=actor,
            )
        placed = Protection(
            account_id=account.account_id,
            protection_id=self._ground.ids.new(),
            kind=kind,
            cause=cause,
            strength=strength,
            reasons=given,
            ceiling_minor=ceiling_minor,
            decision_id=decision_id,
            case_id=case_id,
            is_shared=is_shared,
            placed_by=actor,
            placed_at=self._booking.now,
            ends_at=step.until,
            asked_until=step.asked_until,
        )
        is_told = kind is not ProtectionKind.STEP_UP or not self.checks(account)
        for old in self.of(account) if case_id is not None else ():
            if old.case_id == case_id and replaces(kind, step.until, old.past(), placed.placed_at):
                self.end(account, old, finding=Finding.REPLACED)
        self.of(account).append(placed)
        self._placed[placed.protection_id] = placed
        self.change(account, placed)
        if is_told:
            self._tell(account, placed)
        return Done(step.effect, step.until, case_id)

    def _tell(self, account: Account, placed: Protection) -> None:
        payload: dict[str, object] = {
            "kind": placed.kind.value,
            "until": placed.ends_at,
            "reasons": placed.reasons,
            "decision_id": placed.decision_id,
            "case_id": placed.case_id,
        }
        if placed.kind is ProtectionKind.SMALLER_LIMIT:
            payload["ceiling_minor"] = placed.ceiling_minor
        kind = "protection-placed"
        if placed.kind is ProtectionKind.STEP_UP:
            kind = "step-up-asked"
            payload = {name: told for name, told in payload.items() if name != "kind"}
            payload["cause"] = placed.cause
        self._booking.event(account, kind, payload=payload, actor=placed.placed_by, topic=CUSTOMER)

    def fill(self, sheet: Sheet) -> None:
        """Put the batch's protections and cases on a sheet."""
        self.docket.fill(sheet)
        sheet.add(protections.placed(self._placed.values()))
        sheet.add(protections.changed(self._changed.values()))
        sheet.add_later(protections.columns(self._touched.values()))
