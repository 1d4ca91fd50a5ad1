"""Somebody signs the offered agreement: the account opens, on exactly the costs they saw.

The digest of the cost table they were shown must be the one that was offered (M7); an offer that
has ended is no offer. After many applications in a short time a check must be passed, whichever of
the offers is signed; their number is noted on the account, so that purchases get the cooler menu.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import ClassVar

from fenqi.core.errors import Conflict, FenqiError, Forbidden
from fenqi.core.values.ids import AccountId
from fenqi.store import accounts, applications, books, offers, openings, persons
from fenqi.store.accounts import NewAccount
from fenqi.store.applications import Application, ApplicationState
from fenqi.store.booking import Booking
from fenqi.store.commands import Command, Inbox
from fenqi.store.ground import Ground
from fenqi.store.offers import UNASKED, Standing
from fenqi.store.pool import Session


class CostTableDiffers(Conflict):
    """The cost table that was signed is not the one that was offered."""

    code = "cost-table-differs"


class OfferEnded(Conflict):
    """The day until which the offer could be accepted is past."""

    code = "offer-ended"


class StepUpNeeded(Forbidden):
    """The offer asks for a check of who accepts it, which was not passed; why, and until when."""

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
    """The account that is open now. Units: minor units.

    `counts_max` is what the menu is cooled to for now, `reasons` why; None where it is not.
    """

    account_id: str
    limit_minor: int
    counts_max: int | None = None
    reasons: list[str] = field(default_factory=list)


def sign(ground: Ground, commands: Sequence[Sign]) -> list[Signed | FenqiError]:
    """Open the account of each offer that is accepted as it was made."""
    with ground.store.transaction() as session:
        known = applications.lock(session, {one.account_id for one in commands})
        booking = Booking(ground)  # its moment is after that of all who held the locks
        held = books.hold(session, {one.book_id for one in known.values()})
        references = persons.references(session, {one.person_id for one in known.values()})
        enrolled = accounts.enrolled(session, set(references.values()))
        inbox: Inbox[Sign, Signed] = Inbox(session, commands, Signed)
        standings = _standings(session, ground, known.values(), held, booking.now)
        new: list[NewAccount] = []
        opened: list[Application] = []
        for place, command in inbox.fresh():
            try:
                one = applications.find(known, command.account_id)
                book = held[one.book_id]
                enrolled.refuse(one.book_id, references[one.person_id])
                standing = standings.get(one.account_id, UNASKED)
                _check(one, command, book, standing)
            except FenqiError as refusal:
                inbox.refuse(place, refusal)
                continue
            enrolled.accounts[one.book_id, references[one.person_id]] = one.account_id
            opening = _open(one, command, book, references[one.person_id], standing)
            new.append(opening)
            opened.append(one)
            answer = Signed(
                str(one.account_id),
                opening.limit_minor,
                standing.caution.counts_max,
                list(standing.caution.reasons),
            )
            inbox.answer(place, one.account_id, answer)
        openings.open_accounts(session, ground, booking, new)
        booking.others.append(applications.changed(opened))
        booking.write(session, inbox.kept(booking.now))
    return inbox.answers()


def _standings(
    session: Session,
    ground: Ground,
    known: Collection[Application],
    held: Mapping[str, books.Book],
    now: datetime,
) -> Mapping[AccountId, Standing]:
    """Return what holds for the offers among some applications."""
    offered = [one for one in known if one.state is ApplicationState.OFFERED]
    packs = {name: ground.catalogue.pack(book.pack) for name, book in held.items()}
    return offers.standings(session, offered, packs, now)


def _check(one: Application, command: Sign, book: books.Book, standing: Standing) -> None:
    one.expect(ApplicationState.OFFERED)
    if one.offer_ends_on is not None and book.business_date > one.offer_ends_on:
        raise OfferEnded(application=one.account_id, ended_on=one.offer_ends_on)
    if command.cost_table != str(one.cost_table):
        raise CostTableDiffers(offered=one.cost_table, signed=command.cost_table)
    if standing.asks_step_up(one) and not command.is_stepped_up:
        about: dict[str, object] = {"application": one.account_id}
        if standing.ends_at is not None:
            at = standing.ends_at.astimezone(UTC)
            about |= {"count": standing.applications_24h, "until": f"{at:%Y-%m-%d %H:%M} UTC"}
        raise StepUpNeeded(**about, reasons=standing.caution.reasons)


def _open(
    one: Application, command: Sign, book: books.Book, reference: str, standing: Standing
) -> NewAccount:
    """Note the acceptance and return the account to open."""
    one.state = ApplicationState.ACCEPTED
    is_proved = standing.asks_step_up(one)
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
        applications_24h=standing.applications_24h if standing.caution.is_any else None,
        counts_max=standing.caution.counts_max,
        reasons=standing.caution.reasons,
        is_proved=is_proved,
    )
