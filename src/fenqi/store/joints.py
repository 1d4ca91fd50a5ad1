"""Joints: which findings about shared devices and addresses are one case, and which it is.

What is found of an account because of whom it shares an identifier with says the same of each of
them. So it goes into the case of the crowd the account or its address belongs to, else into one
case for the device; only what is found of the account itself has a case of its own.
"""

from collections.abc import Collection
from datetime import timedelta

from fenqi.core.risk.case import CaseKind
from fenqi.core.risk.crowd import CrowdRule
from fenqi.store import cases
from fenqi.store.accounts import Account
from fenqi.store.cases import Docket
from fenqi.store.links import MANY_ON_DEVICE, RING, crowd_cause, device_cause
from fenqi.store.pool import Session
from fenqi.store.responses import Joint

SUBJECTS = (RING, MANY_ON_DEVICE)


class Joints:
    """The joint cases of one batch of accounts, which are locked, and so are its identifiers."""

    def __init__(
        self,
        session: Session,
        docket: Docket,
        rule: CrowdRule,
        *,
        accounts: Collection[Account],
        addresses: Collection[bytes],
        devices: Collection[bytes],
    ) -> None:
        self._docket = docket
        self._pause = timedelta(days=rule.place_pause_days)
        self._now = docket.now
        ids, since = [one.account_id for one in accounts], docket.now - self._pause
        self._together = cases.together(session, ids, SUBJECTS, since=since)
        books = {one.book.book_id for one in accounts}
        crowds = {crowd_cause(book, one) for book in books for one in addresses}
        used = {device_cause(book, one) for book in books for one in devices}
        known = {cause for own in self._together.values() for cause in own.values()}
        self._goes_on = cases.joined(session, used)
        # In one order with whoever answers crowds (`flows/protect.py`).
        docket.know(crowds | used | known | set(self._goes_on.values()))

    def of(
        self, account: Account, *, addresses: Collection[bytes], devices: Collection[bytes]
    ) -> Joint | None:
        """Return where a finding about an account's identifiers belongs, None if to it alone."""
        own, book = self._together.get(account.account_id, {}), account.book.book_id
        crowds = [crowd_cause(book, one) for one in sorted(addresses)]
        used = [device_cause(book, one) for one in sorted(devices)]
        # What a person found of a ring holds of its accounts and of the devices that tied it.
        rings = [*filter(None, [own.get(RING)])]
        rings += [self._goes_on[one] for one in used if one in self._goes_on]
        open_crowds = [one for one in [*rings, *crowds] if self._is_open(one)]  # a place's too
        for cause in [*open_crowds, *(one for one in rings if self._is_cleared(one))]:
            return self._joint(cause, RING, CaseKind.INVESTIGATION)
        for cause in [*used, *filter(None, [own.get(MANY_ON_DEVICE)])]:
            return self._joint(cause, MANY_ON_DEVICE, CaseKind.REVIEW)
        return None

    def _joint(self, cause: str, subject: str, kind: CaseKind) -> Joint:
        return Joint(cause, subject, kind, self._pause)

    def _is_open(self, cause: str) -> bool:
        case = self._docket.find(cause)
        return case is not None and case.outcome is None

    def _is_cleared(self, cause: str) -> bool:
        case = self._docket.find(cause)
        return case is not None and case.is_cleared(self._now, self._pause)
