"""People work on cases: open one, take it, write in it, close it with what they found.

A false alarm ends at once whatever the case has done, and the customers are told. An appeal is a
case about another one, and whoever took part in that one is kept out of it (P3).
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import timedelta
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
from fenqi.core.risk.response import Finding, Strength
from fenqi.core.values.ids import AccountId
from fenqi.store import accounts, appeals, books, cases, links
from fenqi.store.accounts import Account
from fenqi.store.booking import Booking
from fenqi.store.cases import Case, CaseMissing
from fenqi.store.commands import Command, Inbox
from fenqi.store.ground import Ground
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
        locked = accounts.lock(session, {one.account_id for one in commands})
        inbox: Inbox[OpenCase, Handled] = Inbox(session, commands, Handled)
        appealed = {one.about_case_id for one in commands if one.about_case_id is not None}
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
    if appealed is not None and about.get(appealed) is None:
        raise CaseMissing(case=appealed)
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
        # An appeal is the customer's own; a case is opened by a person of ours.
        author=command.actor if appealed else check_name("actor", command.actor),
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
        if command.priority is not None:
            case.due_at = min(case.due_at, due_at(command.priority, work.booking.now))
            case.priority = command.priority
        case.assignee = assignee
        evidence = {"priority": case.priority, "due_at": case.due_at}
        work.write(case, EntryKind.ASSIGNED, command, assignee, evidence)
        return 0

    return _each(ground, commands, assign)


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
            expected = "given with a false alarm only"
            raise CaseInvalid(field="place", value=command.place.value, expected=expected)
        if case.kind is CaseKind.APPEAL and case.about_case_id is None:
            raise EndsWithAppeal(case=case.case_id)
        text = check_text(command.text)
        if command.place is not None:
            work.remember(case, command.place, command.actor, text)
        case.outcome, case.closed_at = command.outcome, work.booking.now
        case.closed_by = check_name("actor", command.actor)
        work.write(case, EntryKind.CLOSED, command, text, {"outcome": command.outcome.value})
        return work.conclude(case)

    return _each(ground, commands, close)


def _each(
    ground: Ground,
    commands: Sequence[AnyCase],
    act: "Callable[[_Work, Case, AnyCase], int]",
) -> list[Handled | FenqiError]:
    """Do the same with each open case of the batch, its accounts locked before it."""
    booking = Booking(ground)
    ids = {one.case_id for one in commands}
    with ground.store.transaction() as session:
        about = {one.about_case_id for one in cases.read(session, ids) if one.about_case_id}
        every = cases.accounts_of(session, ids | about)
        locked = accounts.lock(session, set().union(*every.values()))
        inbox: Inbox[AnyCase, Handled] = Inbox(session, commands, Handled)
        known = cases.lock(session, ids | about)
        work = _Work(ground, session, booking, locked, known)
        work.check_complete(every)
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
    ) -> None:
        self.booking = booking
        self._session = session
        self._locked = locked
        self._known = known
        self._responses = Responses(ground, booking, session)
        self._participants: dict[UUID, set[str]] = {}

    def check_complete(self, read: dict[UUID, set[AccountId]]) -> None:
        """Refuse to go on if a case got another account before it was locked. Errors: TryAgain."""
        if cases.accounts_of(self._session, list(read)) != read:
            raise TryAgain(said="a case got another account")

    def check_apart(self, case: Case, person: str) -> None:
        """Keep out of an appeal who took part in what it is about. Errors: TookPart."""
        if case.kind is CaseKind.APPEAL and case.about_case_id is None:
            self._check_apart_of_decision(case, person)
        if case.about_case_id is None:
            return
        about = case.about_case_id
        if about not in self._participants:
            self._participants[about] = cases.participants(self._session, about)
        check_apart(person, self._participants[about], case=about)

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
            raise CaseInvalid(field="place", value=kind.value, expected="a case about an address")
        places = links.places([(address, kind)], known_by=actor, note=text, now=self.booking.now)
        self.booking.others.append(places)

    def conclude(self, case: Case) -> int:
        """Tell the accounts of a closed case; a false alarm ends what was done to them.

        An appeal that is upheld ends it for those who appealed.
        """
        touched = sorted(cases.accounts_of(self._session, [case.case_id])[case.case_id])
        self._responses.know(touched)
        ended = 0
        for account_id in touched:
            account = self._locked[account_id]
            running = [
                one
                for one in self._responses.of(account)
                if one.ended_at is None and _is_of(case, one)
            ]
            if case.outcome is CaseOutcome.FALSE_ALARM:
                for one in running:
                    actor = str(case.closed_by)
                    self._responses.end(account, one, finding=Finding.FALSE_ALARM, actor=actor)
                    ended += 1
            self._tell(account, case, is_told=bool(running))
        return ended

    def _tell(self, account: Account, case: Case, *, is_told: bool) -> None:
        """Tell a customer of what concerned them, and not of a look that came to nothing."""
        self.booking.event(
            account,
            "case-closed",
            payload={"case_id": case.case_id, "outcome": str(case.outcome)},
            actor=str(case.closed_by),
            topic="customer" if is_told or case.kind is CaseKind.APPEAL else None,
        )


def _is_of(case: Case, one: Protection) -> bool:
    """Whether a protection belongs to a case, or to the case an appeal is about.

    What was done on weak evidence while a crowd's case was open had the same address for a cause,
    whoever did it.
    """
    if one.case_id is not None and one.case_id in (case.case_id, case.about_case_id):
        return True
    is_crowd = links.address_of(case.cause) is not None
    is_weak = one.strength is Strength.WEAK and one.case_id is None
    return is_crowd and is_weak and one.placed_at >= case.opened_at - SAME_CROWD
