"""Somebody signs the offered agreement: the account opens, on exactly the costs they saw.

The digest of the cost table they were shown must be the one that was offered (M7); a check that was
asked for must be passed; an offer that has ended is no offer.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from fenqi.core.errors import Conflict, FenqiError, Forbidden
from fenqi.core.values.ids import AccountId
from fenqi.store import accounts, applications, books, openings, persons
from fenqi.store.accounts import NewAccount
from fenqi.store.applications import Application, ApplicationState
from fenqi.store.booking import Booking
from fenqi.store.commands import Command, Inbox
from fenqi.store.ground import Ground


class CostTableDiffers(Conflict):
    """The cost table that was signed is not the one that was offered."""

    code = "cost-table-differs"


class OfferEnded(Conflict):
    """The day until which the offer could be accepted is past."""

    code = "offer-ended"


class StepUpNeeded(Forbidden):
    """The offer asks for a check of who accepts it, which was not passed."""

    code = "step-up-needed"


class Sign(Command, frozen=True, kw_only=True):
    """Sign the agreement of an offer. The scope is the account it opens.

    `cost_table` is the digest of the costs that were shown. `is_stepped_up`: the door checked by a
    second factor who it is.
    """

    kind: ClassVar[str] = "sign"
    account_id: AccountId
    cost_table: str
    is_stepped_up: bool = False


@dataclass(frozen=True, slots=True)
class Signed:
    """The account that is open now. Units: minor units."""

    account_id: str
    limit_minor: int


def sign(ground: Ground, commands: Sequence[Sign]) -> list[Signed | FenqiError]:
    """Open the account of each offer that is accepted as it was made."""
    booking = Booking(ground)
    with ground.store.transaction() as session:
        known = applications.lock(session, {one.account_id for one in commands})
        held = books.hold(session, {one.book_id for one in known.values()})
        references = persons.references(session, {one.person_id for one in known.values()})
        enrolled = accounts.enrolled(session, set(references.values()))
        inbox: Inbox[Sign, Signed] = Inbox(session, commands, Signed)
        new: list[NewAccount] = []
        opened: list[Application] = []
        for place, command in inbox.fresh():
            try:
                one = applications.find(known, command.account_id)
                book = held[one.book_id]
                enrolled.refuse(one.book_id, references[one.person_id])
                _check(one, command, book)
            except FenqiError as refusal:
                inbox.refuse(place, refusal)
                continue
            enrolled.accounts[one.book_id, references[one.person_id]] = one.account_id
            opening = _open(one, command, book, references[one.person_id])
            new.append(opening)
            opened.append(one)
            answer = Signed(str(one.account_id), opening.limit_minor)
            inbox.answer(place, one.account_id, answer)
        openings.open_accounts(session, ground, booking, new)
        booking.others.append(applications.changed(opened))
        booking.write(session, inbox.kept(booking.now))
    return inbox.answers()


def _check(one: Application, command: Sign, book: books.Book) -> None:
    one.expect(ApplicationState.OFFERED)
    if one.offer_ends_on is not None and book.business_date > one.offer_ends_on:
        raise OfferEnded(application=one.account_id, ended_on=one.offer_ends_on)
    if command.cost_table != str(one.cost_table):
        raise CostTableDiffers(offered=one.cost_table, signed=command.cost_table)
    if one.needs_step_up and not command.is_stepped_up:
        raise StepUpNeeded(application=one.account_id)


def _open(one: Application, command: Sign, book: books.Book, reference: str) -> NewAccount:
    """Note the acceptance and return the account to open."""
    one.state = ApplicationState.ACCEPTED
    one.is_stepped_up = one.is_stepped_up or command.is_stepped_up
    return NewAccount(
        account_id=one.account_id,
        book=book,
        person_id=one.person_id,
        person_reference=reference,
        is_known=True,
        limit_minor=one.limit_minor or 0,
        statement_day=one.statement_day,
        price_grade=one.price_grade,
        cost_table=one.cost_table,
        event_count=one.event_count,
        command_key=command.key,
        actor=command.actor,
    )
