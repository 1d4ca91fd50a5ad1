"""People work on cases: open one, take it, write in it, close it with what they found.

A false alarm ends at once whatever the case has done, and the customers are told; of a crowd also
whatever else its address, its devices and its time caused, with the cases that were opened about
single accounts for it. An appeal is a case about another one, and whoever took part in that one is
kept out of it (P3).
"""

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar, NamedTuple, TypeVar
from uuid import UUID

from fenqi.core.errors import Conflict, FenqiError
from fenqi.core.risk.case import (
    CaseInvalid,
    CaseKind,
    CaseOutcome,
    EntryKind,
    check_apart,
    check_name,
    check_text,
    due_at,
)
from fenqi.core.risk.crowd import PlaceKind
from fenqi.core.risk.response import Finding, Strength
from fenqi.core.values.ids import AccountId
from fenqi.core.values.phrase import Phrase
from fenqi.store import accounts, appeals, books, cases, links, places
from fenqi.store.accounts import Account
from fenqi.store.booking import Booking
from fenqi.store.cases import Case, CaseMissing
from fenqi.store.commands import Command, Inbox
from fenqi.store.ground import Ground
from fenqi.store.links import Near
from fenqi.store.places import Place
from fenqi.store.pool import Session, TryAgain
from fenqi.store.protections import Protection
from fenqi.store.responses import Responses

SAME_CROWD = timedelta(hours=1)  # before its case, in which a crowd was already gathering


class EndsWithAppeal(Conflict):
    """The case of an appeal against a decision ends with the appeal, which undoes what it did."""

    code = "case-ends-with-appeal"


class OpenCase(Command, frozen=True, kw_only=True):
    """Open a case about an account, or an appeal against another case. The scope is the book."""

    kind: ClassVar[str] = "open-case"
    account_id: AccountId
    subject: str
    text: str
    priority: int = 3
    about_case_id: UUID | None = None


class CaseCommand(Command, frozen=True, kw_only=True):
    """What is done with one case. The scope is the book, the actor a person."""

    case_id: UUID


class AssignCase(CaseCommand, frozen=True, kw_only=True):
    """Give a case to a person, and another priority if one is named."""

    kind: ClassVar[str] = "assign-case"
    assignee: str
    priority: int | None = None


class NoteCase(CaseCommand, frozen=True, kw_only=True):
    """Write in a case."""

    kind: ClassVar[str] = "note-case"
    text: str


class CloseCase(CaseCommand, frozen=True, kw_only=True):
    """Close a case with its outcome.

    With `place` the network address of the case is remembered as one that many share.
    """

    kind: ClassVar[str] = "close-case"
    outcome: CaseOutcome
    text: str
    place: PlaceKind | None = None


@dataclass(frozen=True, slots=True)
class Handled:
    """The case, how many lines its history has, and how many protections ended."""

    case_id: str
    entry_count: int
    ended: int = 0


AnyCase = TypeVar("AnyCase", bound=CaseCommand)


def open_case(ground: Ground, commands: Sequence[OpenCase]) -> list[Handled | FenqiError]:
    """Open one case for each command."""
    booking = Booking(ground)
    with ground.store.transaction() as session:
        appealed = {one.about_case_id for one in commands if one.about_case_id is not None}
        own = cases.owners(session, appealed)
        locked = accounts.lock(session, {one.account_id for one in commands} | own)
        inbox: Inbox[OpenCase, Handled] = Inbox(session, commands, Handled)
        about = cases.lock(session, appealed)
        responses = Responses(ground, booking, session)
        for place, command in inbox.fresh():
            try:
                account = accounts.find(locked, command.account_id)
                case = _open(responses, account, command, about)
            except FenqiError as refusal:
                inbox.refuse(place, refusal)
                continue
            answer = Handled(str(case.case_id), case.entry_count)
            inbox.answer(place, command.account_id, answer)
        booking.write(session, inbox.kept(booking.now))
    return inbox.answers()


def _open(
    responses: Responses, account: Account, command: OpenCase, about: dict[UUID, Case]
) -> Case:
    """Errors: CaseMissing, CaseInvalid."""
    appealed = command.about_case_id
    if appealed is not None:
        known = about.get(appealed)
        if known is None:
            raise CaseMissing(case=appealed)
        # What was told to be of one case may have gone on in another, with what was done.
        appealed = known.joined_case_id or appealed
    named = f"appeal/{appealed}" if appealed else f"asked/{command.key}"
    case, is_new = responses.docket.open(
        [account.account_id],
        book_id=account.book.book_id,
        kind=CaseKind.APPEAL if appealed else CaseKind.REVIEW,
        cause=f"{account.account_id}/{named}",
        subject=check_name("subject", command.subject),
        priority=command.priority,
        evidence={},
        about=appealed,
        author=check_name("actor", command.actor),
        text=check_text(command.text),
    )
    if is_new:
        responses.tell_case(account, case, actor=command.actor)
    return case


def assign_case(ground: Ground, commands: Sequence[AssignCase]) -> list[Handled | FenqiError]:
    """Give each case of the batch to a person."""

    def assign(work: "_Work", case: Case, command: AssignCase) -> int:
        assignee = check_name("assignee", command.assignee)
        work.check_apart(case, assignee)
        check_answers(case, assignee)
        if command.priority is not None:
            case.due_at = min(case.due_at, due_at(command.priority, work.booking.now))
            case.priority = command.priority
        case.assignee = assignee
        evidence = {"priority": case.priority, "due_at": case.due_at}
        work.write(case, EntryKind.ASSIGNED, command, assignee, evidence)
        return 0

    return _each(ground, commands, assign)


def check_answers(case: Case, person: str) -> None:
    """Refuse who wrote an appeal down for its customer to answer it too. Errors: TookPart."""
    if case.kind is CaseKind.APPEAL:
        check_apart(person.strip(), {case.opened_by}, case=case.case_id)


def note_case(ground: Ground, commands: Sequence[NoteCase]) -> list[Handled | FenqiError]:
    """Write in each case of the batch."""

    def note(work: "_Work", case: Case, command: NoteCase) -> int:
        work.write(case, EntryKind.NOTE, command, check_text(command.text))
        return 0

    return _each(ground, commands, note)


def close_case(ground: Ground, commands: Sequence[CloseCase]) -> list[Handled | FenqiError]:
    """Close each case of the batch; a false alarm ends what it did to every account."""

    def close(work: "_Work", case: Case, command: CloseCase) -> int:
        if command.place is not None and command.outcome is not CaseOutcome.FALSE_ALARM:
            expected = Phrase("given with a false alarm only")
            raise CaseInvalid(field="place", value=command.place.value, expected=expected)
        if command.outcome is CaseOutcome.JOINED:
            expected = Phrase(
                "{one} or {other}", one=CaseOutcome.CONFIRMED, other=CaseOutcome.FALSE_ALARM
            )
            raise CaseInvalid(field="outcome", value=command.outcome.value, expected=expected)
        if case.kind is CaseKind.APPEAL and case.about_case_id is None:
            raise EndsWithAppeal(case=case.case_id)
        check_answers(case, command.actor)
        text = check_text(command.text)
        if command.place is not None:
            work.remember(case, command.place, command.actor, text)
        case.outcome, case.closed_at = command.outcome, work.booking.now
        case.closed_by = check_name("actor", command.actor)
        work.write(case, EntryKind.CLOSED, command, text, {"outcome": command.outcome.value})
        return work.conclude(case)

    harmless = {one.case_id for one in commands if one.outcome is CaseOutcome.FALSE_ALARM}
    return _each(ground, commands, close, harmless)


def _each(
    ground: Ground,
    commands: Sequence[AnyCase],
    act: "Callable[[_Work, Case, AnyCase], int]",
    harmless: Set[UUID] = frozenset(),
) -> list[Handled | FenqiError]:
    """Do the same with each open case of the batch, its accounts locked before it.

    `harmless` are those that are closed as false alarms.
    """
    booking = Booking(ground)
    ids = {one.case_id for one in commands}
    with ground.store.transaction() as session:
        read = {one.case_id: one for one in cases.read(session, ids)}
        read |= _appealed(session, read)
        about = read.keys() - ids
        every = cases.accounts_of(session, ids | about)
        crowds = _Crowds(session, booking.now, read, every, harmless)
        touched = crowds.accounts.union(*every.values())
        houses = books.houses(session, {one.book_id for one in read.values()})
        locked = accounts.lock(session, touched - houses)
        inbox: Inbox[AnyCase, Handled] = Inbox(session, commands, Handled)
        known = cases.lock(session, ids | about | crowds.find())
        locked |= accounts.lock(session, touched & houses)
        work = _Work(ground, session, booking, locked, known, crowds)
        work.check_complete(every, read)
        held = books.hold(session, {one.book_id for one in known.values()})
        for place, command in inbox.fresh():
            try:
                case = known.get(command.case_id)
                if case is None:
                    raise CaseMissing(case=command.case_id)
                case.check_open()
                check_name("actor", command.actor)
                work.check_apart(case, command.actor)
                ended = act(work, case, command)
            except FenqiError as refusal:
                inbox.refuse(place, refusal)
                continue
            answer = Handled(str(case.case_id), case.entry_count, ended)
            inbox.answer(place, held[case.book_id].house_account_id, answer)
        booking.write(session, inbox.kept(booking.now))
    return inbox.answers()


def _appealed(session: Session, read: Mapping[UUID, Case]) -> dict[UUID, Case]:
    """Return the cases that appeals among some cases are against, with those they went on in."""
    against = {one.about_case_id for one in read.values() if one.about_case_id}
    found = {one.case_id: one for one in cases.read(session, against - read.keys())}
    joined = {one.joined_case_id for one in found.values() if one.joined_case_id}
    return found | {one.case_id: one for one in cases.read(session, joined - found.keys())}


def _against(case: Case, known: Mapping[UUID, Case]) -> list[Case]:
    """Return what an appeal is against: a case, and the one it went on in; of another case none."""
    first = known.get(case.about_case_id) if case.about_case_id else None
    later = known.get(first.joined_case_id) if first and first.joined_case_id else None
    return [one for one in (first, later) if one is not None]


class _Crowd(NamedTuple):
    """A crowd that is found harmless: its case, its time, and whom it concerns.

    Of an appeal that are who appealed, nobody is `near`, and its time ended with its case.
    """

    case: Case
    since: datetime
    until: datetime
    accounts: Set[AccountId]
    near: Near | None


class _Crowds:
    """The crowds that one batch finds harmless, by the case that is closed."""

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

    def of(self, case: Case) -> _Crowd | None:
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

    def _crowd(self, case: Case, read: Mapping[UUID, Case], own: Set[AccountId]) -> _Crowd | None:
        *_, crowd = [case, *_against(case, read)]
        address = links.address_of(crowd.cause)
        if address is None:
            return None
        since = crowd.opened_at - SAME_CROWD
        if crowd is not case:
            return _Crowd(crowd, since, crowd.closed_at or self._now, own, None)
        near = links.near(self._session, crowd.book_id, address, since)
        return _Crowd(crowd, since, self._now, own | near.touched, near)


class _Work:
    """The cases of one batch with all that they are about."""

    def __init__(
        self,
        ground: Ground,
        session: Session,
        booking: Booking,
        locked: dict[AccountId, Account],
        known: dict[UUID, Case],
        crowds: _Crowds,
    ) -> None:
        self._crowds = crowds
        self.booking = booking
        self._session = session
        self._locked = locked
        self._ids = ground.ids
        self._known = known
        self._responses = Responses(ground, booking, session)
        self._participants: dict[UUID, set[str]] = {}

    def check_complete(self, every: dict[UUID, set[AccountId]], read: Mapping[UUID, Case]) -> None:
        """Refuse to go on if a case changed before it was locked. Errors: TryAgain."""
        if cases.accounts_of(self._session, list(every)) != every:
            raise TryAgain(said="a case got another account")
        known = self._known
        if any(
            known[one].joined_case_id != read[one].joined_case_id for one in read.keys() & known
        ):
            raise TryAgain(said="a case went on in another")

    def check_apart(self, case: Case, person: str) -> None:
        """Keep out of an appeal who took part in what it is about. Errors: TookPart."""
        if case.kind is CaseKind.APPEAL and case.about_case_id is None:
            self._check_apart_of_decision(case, person)
        for one in _against(case, self._known):
            if one.case_id not in self._participants:
                self._participants[one.case_id] = cases.participants(self._session, one.case_id)
            check_apart(person, self._participants[one.case_id], case=one.case_id)

    def _check_apart_of_decision(self, case: Case, person: str) -> None:
        """Keep out of an appeal who made the decision. Errors: TookPart."""
        if case.decision_id is None:
            return
        if case.case_id not in self._participants:
            (account_id,) = cases.accounts_of(self._session, [case.case_id])[case.case_id]
            parted = appeals.took_part(self._session, account_id, case.decision_id)
            self._participants[case.case_id] = parted
        check_apart(person, self._participants[case.case_id], case=case.case_id)

    def write(
        self,
        case: Case,
        kind: EntryKind,
        command: CaseCommand,
        text: str,
        evidence: dict[str, object] | None = None,
    ) -> None:
        """Write in a case's history."""
        self._responses.docket.write(case, kind, command.actor, text, evidence)

    def remember(self, case: Case, kind: PlaceKind, actor: str, text: str) -> None:
        """Remember the address of a case as a place. Errors: CaseInvalid if it has none."""
        address = links.address_of(case.cause)
        if address is None:
            expected = Phrase("left out: this case is not about an address")
            raise CaseInvalid(field="place", value=kind.value, expected=expected)
        place = Place(
            place_id=self._ids.new(),
            kind=kind,
            note=text,
            range_hash=address,
            ip_version=None,
            prefix_bits=None,
            address_count=1,
            last_on=None,
            case_id=case.case_id,
            added_by=actor,
            added_at=self.booking.now,
        )
        self.booking.others.extend(places.adding(place, [address]))

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
        crowd: _Crowd | None = None,
        singles: Sequence[Case] = (),
    ) -> int:
        """End what a case did to accounts if it is a false alarm, and tell them; return of what."""
        self._responses.know(sorted(touched))
        mine = _Mine.of([case, *singles, *_against(case, self._known)], crowd)
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
        self.booking.event(
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
    crowd: _Crowd | None

    @classmethod
    def of(cls, every: Sequence[Case], crowd: _Crowd | None) -> "_Mine":
        """Return what belongs to some cases."""
        return cls({one.case_id for one in every}, {one.cause for one in every}, crowd)

    def has(self, one: Protection) -> bool:
        """Whether a protection is among it."""
        if one.case_id in self.case_ids or f"{one.account_id}/{one.cause}" in self.causes:
            return True
        if self.crowd is None or not self.crowd.since <= one.placed_at <= self.crowd.until:
            return False
        return one.is_shared or (one.strength is Strength.WEAK and one.case_id is None)
