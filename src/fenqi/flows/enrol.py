"""A person whom the lender knows already gets an account, on terms decided elsewhere.

This is for a history that is replayed, a book that is taken over, a demo: limit and agreement are
taken as given. Who is not known yet applies (`flows/apply.py`). Both open through
`store/openings.py`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from fenqi.core.errors import FenqiError, Invalid
from fenqi.core.servicing.statement import Cycle
from fenqi.core.values.ids import AccountId, PersonId
from fenqi.store import accounts, books, openings
from fenqi.store.booking import Booking
from fenqi.store.commands import Command, Inbox
from fenqi.store.ground import Ground


class LimitInvalid(Invalid):
    """A credit limit below zero."""

    code = "limit-invalid"


class Enrol(Command, frozen=True, kw_only=True):
    """Open an account for a person. The scope is the book."""

    kind: ClassVar[str] = "enrol"
    book_id: str
    person_reference: str
    limit_minor: int
    statement_day: int


@dataclass(frozen=True, slots=True)
class Enrolled:
    """The account that was opened."""

    account_id: str


def enrol(ground: Ground, commands: Sequence[Enrol]) -> list[Enrolled | FenqiError]:
    """Open one account for each command."""
    booking = Booking(ground)
    with ground.store.transaction() as session:
        held = books.hold(session, {command.book_id for command in commands})
        # Looked at before the keys: whoever sees another program's account sees its answer too.
        known = accounts.enrolled(session, {one.person_reference for one in commands})
        inbox: Inbox[Enrol, Enrolled] = Inbox(session, commands, Enrolled)
        new = []
        for place, command in inbox.fresh():
            person = (command.book_id, command.person_reference)
            try:
                book = _check(command, held)
                known.refuse(*person)
            except FenqiError as refusal:
                inbox.refuse(place, refusal)
                continue
            account_id = AccountId(ground.ids.new())
            known.accounts[person] = account_id
            is_known = command.person_reference in known.persons
            person_id = known.persons.setdefault(person[1], PersonId(ground.ids.new()))
            new.append(
                accounts.NewAccount(
                    account_id=account_id,
                    book=book,
                    person_id=person_id,
                    person_reference=command.person_reference,
                    is_known=is_known,
                    limit_minor=command.limit_minor,
                    statement_day=command.statement_day,
                )
            )
            inbox.answer(place, account_id, Enrolled(str(account_id)))
        openings.open_accounts(session, ground, booking, new)
        booking.write(session, inbox.kept(booking.now))
    return inbox.answers()


def _check(command: Enrol, held: dict[str, books.Book]) -> books.Book:
    if command.book_id not in held:
        raise books.BookMissing(book=command.book_id)
    book = held[command.book_id]
    Cycle(command.statement_day, book.due_after_days)
    if command.limit_minor < 0:
        raise LimitInvalid(limit_minor=command.limit_minor)
    return book
