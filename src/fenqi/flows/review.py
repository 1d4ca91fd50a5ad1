"""People work on cases: open one, take it, write in it, close it with what they found.

What follows from a close, `store/conclusions.py` does. An appeal is a case about another one, and
whoever took part in that one is kept out of it (P3).
"""

from collections.abc import Callable, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import ClassVar, TypeVar
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
from fenqi.core.values.ids import AccountId
from fenqi.core.values.phrase import Phrase
from fenqi.store import accounts, appeals, books, cases, links, places
from fenqi.store.accounts import Account
from fenqi.store.booking import Booking
from fenqi.store.cases import Case, CaseMissing
from fenqi.store.commands import Command, Inbox
from fenqi.store.conclusions import Conclusions, Crowds, against, appealed
from fenqi.store.ground import Ground
from fenqi.store.places import Place
from fenqi.store.pool import Session, TryAgain
from fenqi.store.responses import Responses


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
        named = {one.about_case_id for one in commands if one.about_case_id is not None}
        own = cases.owners(session, named)
        locked = accounts.lock(session, {one.account_id for one in commands} | own)
        inbox: Inbox[OpenCase, Handled] = Inbox(session, commands, Handled)
        about = cases.lock(session, named)
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
    against_id = command.about_case_id
    if against_id is not None:
        known = about.get(against_id)
        if known is None:
            raise CaseMissing(case=against_id)
        # What was told to be of one case may have gone on in another, with what was done.
        against_id = known.joined_case_id or against_id
    named = f"appeal/{against_id}" if against_id else f"asked/{command.key}"
    case, is_new = responses.docket.open(
        [account.account_id],
        book_id=account.book.book_id,
        kind=CaseKind.APPEAL if against_id else CaseKind.REVIEW,
        cause=f"{account.account_id}/{named}",
        subject=check_name("subject", command.subject),
        priority=command.priority,
        evidence={},
        about=against_id,
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
        _check_closes(case, command)
        check_answers(case, command.actor)
        text = check_text(command.text)
        if command.place is not None:
            work.remember(case, command.place, command.actor, text)
        case.outcome, case.closed_at = command.outcome, work.booking.now
        case.closed_by = check_name("actor", command.actor)
        work.write(case, EntryKind.CLOSED, command, text, {"outcome": command.outcome.value})
        return work.conclusions.conclude(case)

    harmless = {one.case_id for one in commands if one.outcome is CaseOutcome.FALSE_ALARM}
    return _each(ground, commands, close, harmless)


def _check_closes(case: Case, command: CloseCase) -> None:
    """Errors: CaseInvalid, EndsWithAppeal."""
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
        read |= appealed(session, read)
        about = read.keys() - ids
        every = cases.accounts_of(session, ids | about)
        crowds = Crowds(session, booking.now, read, every, harmless)
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


class _Work:
    """The cases of one batch with all that they are about."""

    def __init__(
        self,
        ground: Ground,
        session: Session,
        booking: Booking,
        locked: dict[AccountId, Account],
        known: dict[UUID, Case],
        crowds: Crowds,
    ) -> None:
        self.booking = booking
        self._session = session
        self._ids = ground.ids
        self._known = known
        self._responses = Responses(ground, booking, session)
        self.conclusions = Conclusions(session, booking, self._responses, locked, known, crowds)
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
        for one in against(case, self._known):
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
