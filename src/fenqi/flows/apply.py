"""A person applies and gets an account with its agreement, limit and statement day."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from fenqi.core.errors import FenqiError, Invalid
from fenqi.core.servicing.statement import Cycle
from fenqi.core.values.ids import AccountId, PersonId
from fenqi.store import accounts, books
from fenqi.store.booking import Booking
from fenqi.store.commands import Command, Inbox
from fenqi.store.ground import Ground


class LimitInvalid(Invalid):
    """A credit limit below zero."""

    code = "limit-invalid"


class AlreadyEnrolled(Invalid):
    """The person has an account in this book already."""

    code = "already-enrolled"


class Apply(Command, frozen=True, kw_only=True):
    """Open an account for a person. The scope is the book."""

    kind: ClassVar[str] = "apply"
    book_id: str
    person_reference: str
    limit_minor: int
    statement_day: int


@dataclass(frozen=True, slots=True)
class Applied:
    """The account that was opened."""

    account_id: str


def apply(ground: Ground, commands: Sequence[Apply]) -> list[Applied | FenqiError]:
    """Open one account for each command."""
    booking = Booking(ground)
    with ground.store.transaction() as session:
        held = books.hold(session, {command.book_id for command in commands})
        # Looked at before the keys: whoever sees another program's account sees its answer too.
        known = accounts.enrolled(session, {one.person_reference for one in commands})
        inbox: Inbox[Apply, Applied] = Inbox(session, commands, Applied)
        new = []
        for place, command in inbox.fresh():
            person = (command.book_id, command.person_reference)
            try:
                book = _check(command, held)
                if person in known.accounts:
                    raise AlreadyEnrolled(account=known.accounts[person])
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
            inbox.answer(place, account_id, Applied(str(account_id)))
        if new:
            accounts.add(session, new, ground.catalogue)
            opened = accounts.lock(session, {one.account_id for one in new})
            for one in new:
                booking.event(
                    opened[one.account_id],
                    "account-opened",
                    payload={
                        "limit_minor": one.limit_minor,
                        "statement_day": one.statement_day,
                        "agreement_version": 1,
                    },
                )
        booking.write(session, inbox.kept(booking.now))
    return inbox.answers()


def _check(command: Apply, held: dict[str, books.Book]) -> books.Book:
    if command.book_id not in held:
        raise books.BookMissing(book=command.book_id)
    book = held[command.book_id]
    Cycle(command.statement_day, book.due_after_days)
    if command.limit_minor < 0:
        raise LimitInvalid(limit_minor=command.limit_minor)
    return book
