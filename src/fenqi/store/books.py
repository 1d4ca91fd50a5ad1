"""Books: the legal entity's set of accounts, its business date, and the merchants it pays."""

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from functools import lru_cache
from typing import Any
from uuid import UUID
from zoneinfo import ZoneInfo

from fenqi.core.errors import Conflict, Invalid, Missing
from fenqi.core.ledger import Account
from fenqi.core.ports import IdSource
from fenqi.core.values.ids import AccountId, MerchantId, slice_of
from fenqi.store.columns import pack
from fenqi.store.pool import Session

BOOKS_MAX = 1000
EXCUSED_MAX = 10_000
DAYS_REMEMBERED = 1024  # beginnings of local days


class BookMissing(Missing):
    """No book of that name."""

    code = "book-missing"


class BookDiffers(Conflict):
    """A book of that name exists with other terms."""

    code = "book-differs"


class BeforeBook(Invalid):
    """Something bought or shipped before the book was opened."""

    code = "before-book"


class MerchantMissing(Missing):
    """No such merchant in the account's book."""

    code = "merchant-missing"


@dataclass(frozen=True, slots=True)
class Book:
    """One book. `business_date` is the open day; every day before it is closed for good."""

    book_id: str
    legal_entity: str
    currency: str
    zone: str
    business_date: date
    opened_on: date
    slices: int
    due_after_days: int
    pack: str
    pack_version: int
    house_account_id: AccountId
    excused: frozenset[date]

    def day_of(self, at: datetime) -> date:
        """Return the book's local day of an instant, never later than the business date.

        A fact of the small hours before yesterday is closed still belongs to yesterday's books.
        """
        return min(self.local_day(at), self.business_date)

    def local_day(self, at: datetime) -> date:
        """Return the day of an instant where the book is kept, however far its closes have come."""
        return at.astimezone(ZoneInfo(self.zone)).date()

    def day_of_lending(self, at: datetime) -> date:
        """Return `day_of` an instant at which something was bought or shipped.

        Errors: BeforeBook; a plan older than its book would have earned at once.
        """
        if at >= _begins(self.zone, self.business_date):
            return self.business_date
        if at < _begins(self.zone, self.opened_on):
            raise BeforeBook(book=self.book_id, at=at, opened_on=self.opened_on)
        return self.day_of(at)


@lru_cache(maxsize=DAYS_REMEMBERED)
def _begins(zone: str, day: date) -> datetime:
    """Return the instant at which a local day begins, in UTC."""
    return datetime.combine(day, time(), ZoneInfo(zone)).astimezone(UTC)


ADD_BOOK = """
INSERT INTO books
    (book_id, legal_entity, currency, zone, calendar, cut_off, business_date, opened_on, slices,
     due_after_days, pack, pack_version, house_account_id)
VALUES
    (%(book_id)s, %(legal_entity)s, %(currency)s, %(zone)s, 'all-days', '00:00', %(opened_on)s,
     %(opened_on)s, %(slices)s, %(due_after_days)s, %(pack)s, %(pack_version)s, %(house)s)
"""
ADD_HOUSE = """
INSERT INTO accounts
    (account_id, book_id, kind, person_id, slice, currency, status, opened_on, agreement_version,
     statement_day, limit_minor, event_count)
VALUES
    (%(house)s, %(book_id)s, 'house', NULL, %(slice)s, %(currency)s, 'open', %(opened_on)s, 0, 1, 0,
     1)
"""
ADD_OPENING = """
INSERT INTO events
    (account_id, number, schema_version, kind, actor, occurred_at, recorded_at, booked_on,
     effective_on, payload)
VALUES
    (%(house)s, 1, 1, 'book-opened', 'operator', %(now)s, %(now)s, %(opened_on)s, %(opened_on)s,
     %(payload)s::jsonb)
"""
ADD_FUNDING = """
INSERT INTO transfers
    (account_id, event_number, line, booked_on, effective_on, debit, credit, amount_minor, currency)
VALUES
    (%(house)s, 1, 1, %(opened_on)s, %(opened_on)s, %(cash)s, %(funding)s, %(funding_minor)s,
     %(currency)s)
"""


@dataclass(frozen=True, slots=True)
class NewBook:
    """What a book is opened with. `funding_minor` is the lender's own money put in on day one.

    `origin` is the digest of a history that is replayed in it; a book goes on with that one only.
    `drawn_from` names the measured behaviour from which a replay draws payments, `drawn_seed` the
    seed; of a book whose payments are not drawn both are empty.
    """

    book_id: str
    legal_entity: str
    currency: str
    zone: str
    opened_on: date
    pack: str
    pack_version: int
    slices: int = 2
    due_after_days: int = 9
    funding_minor: int = 0
    origin: str = ""
    drawn_from: str = ""
    drawn_seed: int | None = None


def create(session: Session, book: NewBook, *, ids: IdSource, now: datetime) -> None:
    """Open a book with its house account, which holds the transfers no customer owns.

    Errors: BookDiffers if the name is taken.
    """
    if session.rows(FIND, {"book_ids": [book.book_id]}):
        raise BookDiffers(book=book.book_id)
    house = AccountId(ids.new())
    entry = {
        "book_id": book.book_id,
        "legal_entity": book.legal_entity,
        "currency": book.currency,
        "zone": book.zone,
        "opened_on": book.opened_on,
        "slices": book.slices,
        "due_after_days": book.due_after_days,
        "pack": book.pack,
        "pack_version": book.pack_version,
        "funding_minor": book.funding_minor,
        "house": house,
        "slice": slice_of(house),
        "now": now,
        "payload": json.dumps(_opening(book)),
        "cash": Account.CASH_SETTLED.value,
        "funding": Account.FUNDING.value,
    }
    session.run(ADD_BOOK, entry)
    session.run(ADD_HOUSE, entry)
    session.run(ADD_OPENING, entry)
    if book.funding_minor:
        session.run(ADD_FUNDING, entry)


def _opening(book: NewBook) -> dict[str, object]:
    """Return what the opening event tells beyond the columns of the book."""
    payload: dict[str, object] = {"origin": book.origin} if book.origin else {}
    if book.drawn_from:
        payload |= {"drawn_from": book.drawn_from, "drawn_seed": book.drawn_seed}
    return payload


COLUMNS = """
SELECT book_id, legal_entity, currency, zone, business_date, opened_on, slices, due_after_days,
    pack, pack_version, house_account_id,
    ARRAY(
        SELECT DISTINCT day FROM excused_days
        WHERE excused_days.book_id = books.book_id ORDER BY day LIMIT 10000
    )
FROM books
"""
FIND = COLUMNS + "WHERE book_id = ANY(%(book_ids)s)"
# Shared: batches run beside one another; the close's last step, which moves the date, waits for
# them and they for it, so nothing is ever booked in a closed day.
HOLD = FIND + " ORDER BY book_id FOR SHARE OF books"
HOLD_OF = (
    COLUMNS  # noqa: S608 - constants only
    + "WHERE book_id IN (SELECT a.book_id FROM accounts AS a WHERE a.account_id = ANY(%(ids)s)) "
    + "ORDER BY book_id FOR SHARE OF books"
)
HOLD_ALONE = FIND + " FOR UPDATE OF books"


def read(session: Session, book_id: str) -> Book:
    """Return a book. Errors: BookMissing."""
    return _one(session.rows(FIND, {"book_ids": [book_id]}), book_id)


HOUSES = "SELECT house_account_id FROM books WHERE book_id = ANY(%(book_ids)s)"


def houses(session: Session, book_ids: Collection[str]) -> set[AccountId]:
    """Return the house accounts of books."""
    rows = session.rows(HOUSES, {"book_ids": sorted(book_ids)})
    return {AccountId(one) for (one,) in rows}


def hold(session: Session, book_ids: Collection[str]) -> dict[str, Book]:
    """Return books whose business date stays as it is until this transaction ends."""
    rows = session.rows(HOLD, {"book_ids": sorted(book_ids)})
    return {row[0]: _book(row) for row in rows}


def holding(session: Session, accounts: Mapping[str, object]) -> Callable[[], dict[str, Book]]:
    """Ask for the books of accounts (`ids`), whose business date then stays until the end."""
    rows = session.ask(HOLD_OF, accounts)
    return lambda: {row[0]: _book(row) for row in rows()}


def hold_alone(session: Session, book_id: str) -> Book:
    """Return a book that nobody else books into until this transaction ends."""
    return _one(session.rows(HOLD_ALONE, {"book_ids": [book_id]}), book_id)


NAMES = "SELECT book_id FROM books ORDER BY book_id LIMIT 1000"


def names(session: Session) -> list[str]:
    """Return the ids of all books."""
    return [row[0] for row in session.rows(NAMES)]


ORIGIN = """
SELECT payload ->> 'origin' FROM events WHERE account_id = %(house)s AND number = 1
"""


DRAWN = """
SELECT payload ->> 'drawn_from', (payload ->> 'drawn_seed')::bigint FROM events
WHERE account_id = %(house)s AND number = 1
"""


def drawn_from(session: Session, book: Book) -> tuple[str, int | None] | None:
    """Return what a book's payments were drawn from and by which seed; None if it is not told."""
    source, seed = session.rows(DRAWN, {"house": book.house_account_id})[0]
    return (source, seed) if source else None


def find_or_create(session: Session, new: NewBook, *, ids: IdSource, now: datetime) -> Book:
    """Return the book of that name, opening it if there is none.

    Errors: BookDiffers if it was opened with other terms.
    """
    if not session.rows(FIND, {"book_ids": [new.book_id]}):
        create(session, new, ids=ids, now=now)
    book = read(session, new.book_id)
    for field in ("legal_entity", "currency", "zone", "opened_on", "slices", "due_after_days"):
        if getattr(book, field) != getattr(new, field):
            raise BookDiffers(
                book=new.book_id,
                field=field,
                is_now=getattr(book, field),
                asked=getattr(new, field),
            )
    (origin,) = session.rows(ORIGIN, {"house": book.house_account_id})[0]
    if origin != (new.origin or None):
        raise BookDiffers(book=new.book_id, origin=origin, origin_asked=new.origin)
    return book


ADVANCE = "UPDATE books SET business_date = %(day)s WHERE book_id = %(book_id)s"


def advance(session: Session, book_id: str, day: date) -> None:
    """Move a book to its next business date."""
    session.run(ADVANCE, {"book_id": book_id, "day": day})


ADD_MERCHANT = """
INSERT INTO merchants (merchant_id, book_id, name)
VALUES (%(merchant_id)s, %(book_id)s, %(name)s) ON CONFLICT (book_id, name) DO NOTHING
"""
FIND_MERCHANT = "SELECT merchant_id FROM merchants WHERE book_id = %(book_id)s AND name = %(name)s"


def merchant(session: Session, book_id: str, name: str, *, ids: IdSource) -> MerchantId:
    """Return the merchant of that name in a book, adding it if it is new."""
    entry = {"book_id": book_id, "name": name, "merchant_id": ids.new()}
    session.run(ADD_MERCHANT, entry)
    found: UUID = session.rows(FIND_MERCHANT, entry)[0][0]
    return MerchantId(found)


OF_MERCHANTS = "SELECT merchant_id, book_id FROM merchants WHERE merchant_id = ANY(%(merchants)s)"


class Merchants:
    """The merchants met so far, each with its book. A merchant's row never changes."""

    def __init__(self) -> None:
        self._books: dict[UUID, str] = {}

    def meet(self, session: Session, merchants: Collection[MerchantId]) -> Callable[[], None]:
        """Ask for those not met yet; the function returned takes in which of them exist."""
        strangers = [one for one in dict.fromkeys(merchants) if one not in self._books]
        if not strangers:
            return lambda: None
        rows = session.ask(OF_MERCHANTS, {"merchants": pack("uuid", strangers)})
        return lambda: self._books.update(rows())

    def book_of(self, merchant: MerchantId) -> str | None:
        """Return the book of a merchant, or None if there is no such merchant."""
        return self._books.get(merchant)


def _one(rows: list[tuple[Any, ...]], book_id: str) -> Book:
    if not rows:
        raise BookMissing(book=book_id)
    return _book(rows[0])


def _book(row: tuple[Any, ...]) -> Book:
    return Book(*(*row[:-1], frozenset(row[-1])))
