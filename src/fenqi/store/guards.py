"""Guards: what protects the accounts of one batch, read once, placed, ended, and told (P3).

Whether a protection may be placed at all, `responses.py` asks; here it is, and its account says so.
"""

from collections.abc import Collection
from uuid import UUID

from fenqi.core.risk.case import SYSTEM
from fenqi.core.risk.response import Finding, ProtectionKind, Strength, replaces
from fenqi.core.values.ids import AccountId
from fenqi.store import protections
from fenqi.store.accounts import Account
from fenqi.store.booking import Booking
from fenqi.store.cases import Case
from fenqi.store.pool import Session
from fenqi.store.protections import Protection
from fenqi.store.rows import Sheet

CUSTOMER = "customer"  # the outbox topic of what a customer is told


class Guards:
    """The protections of the accounts of one batch, which are locked.

    What protects an account is read when it is first asked for; a flow that looks at many asks for
    all at once with `know`.
    """

    def __init__(self, booking: Booking, session: Session) -> None:
        self._booking, self._session = booking, session
        self._known: dict[AccountId, list[Protection]] = {}
        self._placed: dict[UUID, Protection] = {}
        self._changed: dict[UUID, Protection] = {}
        self._touched: dict[AccountId, Account] = {}

    def know(self, account_ids: Collection[AccountId]) -> None:
        """Read what protects some accounts, in one round trip."""
        asked = [one for one in account_ids if one not in self._known]
        if asked:
            self._known |= protections.of(self._session, asked, self._booking.now)

    def of(self, account: Account) -> list[Protection]:
        """Return what protects an account, or lately did, oldest first."""
        self.know([account.account_id])
        return self._known[account.account_id]

    def checks(self, account: Account) -> list[Protection]:
        """Return the checks that are asked for before the account's next purchase."""
        return [
            one
            for one in self.of(account)
            if one.kind is ProtectionKind.STEP_UP and one.is_running(self._booking.now)
        ]

    def place(self, account: Account, placed: Protection) -> None:
        """Place a protection and tell the customer; it replaces what its case did less of.

        Of a check that several causes ask for the customer is told once, with the first of them.
        """
        is_told = placed.kind is not ProtectionKind.STEP_UP or not self.checks(account)
        for old in self.of(account) if placed.case_id is not None else ():
            is_of_case = old.case_id == placed.case_id
            if is_of_case and replaces(placed.kind, placed.ends_at, old.past(), placed.placed_at):
                self.end(account, old, finding=Finding.REPLACED)
        self.of(account).append(placed)
        self._placed[placed.protection_id] = placed
        self.change(account, placed)
        if is_told:
            self._tell(account, placed)

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

    def fill(self, sheet: Sheet) -> None:
        """Put the batch's protections on a sheet."""
        sheet.add(protections.placed(self._placed.values()))
        sheet.add(protections.changed(self._changed.values()))
        sheet.add_later(protections.columns(self._touched.values()))
