"""Conclusions: what follows when a person closes a case (P3).

A false alarm ends at once whatever the case has done, and the customers are told; of a crowd also
whatever else its address, its devices and its time caused, with the cases that were opened about
single accounts for it. An appeal that is upheld ends, for who appealed, what its case was about.
"""

from collections.abc import Mapping, Sequence, Set
from datetime import datetime, timedelta
from typing import NamedTuple
from uuid import UUID

from fenqi.core.risk.case import CaseKind, CaseOutcome, EntryKind
from fenqi.core.risk.response import Finding, Strength
from fenqi.core.values.ids import AccountId
from fenqi.store import cases, links
from fenqi.store.accounts import Account
from fenqi.store.booking import Booking
from fenqi.store.cases import Case
from fenqi.store.links import Near
from fenqi.store.pool import Session
from fenqi.store.protections import Protection
from fenqi.store.responses import Responses

SAME_CROWD = timedelta(hours=1)  # before its case, in which a crowd was already gathering


def appealed(session: Session, read: Mapping[UUID, Case]) -> dict[UUID, Case]:
    """Return the cases that appeals among some cases are against, with those they went on in."""
    first = {one.about_case_id for one in read.values() if one.about_case_id}
    found = {one.case_id: one for one in cases.read(session, first - read.keys())}
    joined = {one.joined_case_id for one in found.values() if one.joined_case_id}
    return found | {one.case_id: one for one in cases.read(session, joined - found.keys())}


def against(case: Case, known: Mapping[UUID, Case]) -> list[Case]:
    """Return what an appeal is against: a case, and the one it went on in; of another case none."""
    first = known.get(case.about_case_id) if case.about_case_id else None
    later = known.get(first.joined_case_id) if first and first.joined_case_id else None
    return [one for one in (first, later) if one is not None]


class Crowd(NamedTuple):
    """A crowd that is found harmless: its case, its time, and whom it concerns.

    Of an appeal that are who appealed, nobody is `near`, and its time ended with its case.
    """

    case: Case
    since: datetime
    until: datetime
    accounts: Set[AccountId]
    near: Near | None


class Crowds:
    """The crowds that one batch finds harmless, by the case that is closed.

    `read` are the cases of the batch with what appeals among them are against, `every` the accounts
    of each, `harmless` those that are closed as false alarms.
    """

    def __init__(
        self,
        session: Session,
        now: datetime,
        read: Mapping[UUID, Case],
        every: Mapping[UUID, Set[AccountId]],
        harmless: Set[UUID],
    ) -> None:
        self._session, self._now = session, now
        self._crowds = {
            case_id: crowd
            for case_id in sorted(harmless & read.keys())
            if (crowd := self._crowd(read[case_id], read, every[case_id])) is not None
        }
        self.singles: dict[UUID, set[UUID]] = {}

    @property
    def accounts(self) -> set[AccountId]:
        """Return every account that is to be locked for them."""
        return set().union(*(one.accounts for one in self._crowds.values()))

    def of(self, case: Case) -> Crowd | None:
        """Return the crowd that a case is about, or that an appeal is about."""
        return self._crowds.get(case.case_id)

    def find(self) -> set[UUID]:
        """Find the cases about single accounts of the crowds, which are locked; return them all."""
        for case_id, one in self._crowds.items():
            book_id = one.case.book_id
            time = (one.since, one.until)
            found = cases.singles(self._session, one.accounts, book_id, *time)
            self.singles[case_id] = found
        return set().union(*self.singles.values())

    def _crowd(self, case: Case, read: Mapping[UUID, Case], own: Set[AccountId]) -> Crowd | None:
        *_, crowd = [case, *against(case, read)]
        address = links.address_of(crowd.cause)
        if address is None:
            return None
        since = crowd.opened_at - SAME_CROWD
        if crowd is not case:
            return Crowd(crowd, since, crowd.closed_at or self._now, own, None)
        near = links.near(self._session, crowd.book_id, address, since)
        return Crowd(crowd, since, self._now, own | near.touched, near)


class Conclusions:
    """Where what follows from the closed cases of one batch is done; all they concern is locked."""

    def __init__(
        self,
        session: Session,
        booking: Booking,
        responses: Responses,
        locked: Mapping[AccountId, Account],
        known: Mapping[UUID, Case],
        crowds: Crowds,
    ) -> None:
        self._session, self._booking, self._responses = session, booking, responses
        self._locked, self._known, self._crowds = locked, known, crowds

    def conclude(self, case: Case) -> int:
        """Tell the accounts of a closed case; a false alarm ends what was done to them.

        An appeal that is upheld ends it for those who appealed.
        """
        own = cases.accounts_of(self._session, [case.case_id])[case.case_id]
        crowd = self._crowds.of(case)
        if crowd is None:
            return self._end(case, own)
        if crowd.near is not None:  # who was there is cleared with the others
            self._responses.docket.involve(case, sorted(crowd.near.here))
        singles = [self._known[one] for one in sorted(self._crowds.singles[case.case_id])]
        for single in singles:
            self._close_with(single, case)
        return self._end(case, own | crowd.accounts, crowd, singles)

    def _close_with(self, single: Case, case: Case) -> None:
        """Close the case about one account of a crowd, which another command may have closed."""
        if single.outcome is not None:
            return
        single.outcome, single.closed_at = case.outcome, case.closed_at
        single.closed_by = case.closed_by
        told = {"outcome": str(case.outcome), "case_id": case.case_id}
        actor = str(case.closed_by)
        self._responses.docket.write(single, EntryKind.CLOSED, actor, evidence=told)

    def _end(
        self,
        case: Case,
        touched: Set[AccountId],
        crowd: Crowd | None = None,
        singles: Sequence[Case] = (),
    ) -> int:
        """End what a case did to accounts if it is a false alarm, and tell them; return of what."""
        self._responses.know(sorted(touched))
        mine = _Mine.of([case, *singles, *against(case, self._known)], crowd)
        confirmed = self._confirmed(touched) if crowd is not None else set()
        ended = 0
        for account_id in sorted(touched):
            account = self._locked[account_id]
            running = [
                one
                for one in self._responses.of(account)
                if one.ended_at is None and one.case_id not in confirmed and mine.has(one)
            ]
            if case.outcome is CaseOutcome.FALSE_ALARM:
                for one in running:
                    actor = str(case.closed_by)
                    self._responses.end(account, one, finding=Finding.FALSE_ALARM, actor=actor)
                    ended += 1
            self._tell(account, case, is_told=bool(running))
        return ended

    def _confirmed(self, touched: Set[AccountId]) -> set[UUID | None]:
        """Return the cases of what protects some accounts in which a person found harm."""
        every = [self._responses.of(self._locked[one]) for one in touched]
        ids = {one.case_id for each in every for one in each if one.case_id is not None}
        read = cases.read(self._session, ids)
        return {one.case_id for one in read if one.outcome is CaseOutcome.CONFIRMED}

    def _tell(self, account: Account, case: Case, *, is_told: bool) -> None:
        """Tell a customer of what concerned them, and not of a look that came to nothing."""
        self._booking.event(
            account,
            "case-closed",
            payload={"case_id": case.case_id, "outcome": str(case.outcome)},
            actor=str(case.closed_by),
            topic="customer" if is_told or case.kind is CaseKind.APPEAL else None,
        )


class _Mine(NamedTuple):
    """What belongs to cases that are closed together, or to the case an appeal is about.

    What was done for what accounts share while a crowd's case was open had its address, its devices
    and its time for a cause, whoever did it; but what another crowd's case did is that one's.
    """

    case_ids: Set[UUID]
    causes: Set[str]
    crowd: Crowd | None

    @classmethod
    def of(cls, every: Sequence[Case], crowd: Crowd | None) -> "_Mine":
        """Return what belongs to some cases."""
        return cls({one.case_id for one in every}, {one.cause for one in every}, crowd)

    def has(self, one: Protection) -> bool:
        """Whether a protection is among it."""
        if one.case_id in self.case_ids or f"{one.account_id}/{one.cause}" in self.causes:
            return True
        if self.crowd is None or not self.crowd.since <= one.placed_at <= self.crowd.until:
            return False
        return one.is_shared or (one.strength is Strength.WEAK and one.case_id is None)
