"""The invoices of a file while it is read: what a load keeps of its lines.

Invoices are held until `LINES_HELD_MAX` lines are, then they go to disk; one that comes up again is
brought back. So memory grows with one customer's returns, never with the file. A file sorted by
anything but its invoices is read all the same, only slower.
"""

import marshal
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal
from functools import lru_cache
from itertools import groupby
from operator import itemgetter

from fenqi.core.terms.schedule import PRINCIPAL_MINOR_MAX
from fenqi.replay.lines import DECIMALS_MAX, NUMBER_MAX, REMEMBERED_VALUES, Entry, Line
from fenqi.replay.mapping import Column
from fenqi.replay.rows import Fault
from fenqi.replay.scratch import Scratch

LINES_HELD_MAX = 50_000  # lines of invoices in memory, about half a kilobyte each
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
EXACT = Context(prec=len(str(NUMBER_MAX)) + DECIMALS_MAX)


INVOICES = """
CREATE TABLE invoices (
    key TEXT PRIMARY KEY, is_cancellation INTEGER, customer TEXT, at INTEGER,
    amount_minor INTEGER, body BLOB
)
"""
KEEP_INVOICE = "INSERT OR REPLACE INTO invoices VALUES (?, ?, ?, ?, ?, ?)"
FIND_INVOICE = """
SELECT is_cancellation, customer, at, amount_minor, body FROM invoices WHERE key = ?
"""
PURCHASES = """
SELECT key, customer, at, amount_minor, body FROM invoices
WHERE is_cancellation = 0 AND customer IS NOT NULL
"""
FIRST_PURCHASES = """
SELECT customer, at, amount_minor FROM invoices
WHERE is_cancellation = 0 AND customer IS NOT NULL ORDER BY customer, at, key
"""
# Of customers who return anything; a customer's cancellations come first.
RETURNERS = """
SELECT customer, is_cancellation, key, at, body FROM invoices
WHERE customer IN (SELECT customer FROM invoices WHERE is_cancellation = 1)
ORDER BY customer, is_cancellation DESC, at, key
"""


@dataclass(slots=True)
class _Invoice:
    """An invoice on its way; without a customer as long as none of its lines is kept.

    `lines` are (number, item, quantity, price, amount_minor) in the file's order; `seen` has, for
    each filter that asks for repeated lines, the number of the first line of the same values.
    """

    is_cancellation: bool = False
    customer: str | None = None
    at: int = 0  # microseconds of its earliest line
    amount_minor: int = 0
    lines: list[tuple[int, str, int, str, int]] = field(default_factory=list)
    seen: dict[int, dict[str, int]] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Bought:
    """An invoice of purchases; `lines` are their numbers, ascending."""

    key: str
    customer: str
    at: datetime
    amount_minor: int
    lines: tuple[int, ...]


class Invoices:
    """The entries of a file by their invoice, on disk but for the latest."""

    def __init__(self) -> None:
        self._disk = Scratch(INVOICES)
        self._held: dict[str, _Invoice] = {}
        self._lines_held = 0
        self._is_any_on_disk = False
        self._latest: tuple[str, _Invoice] = ("", _Invoice())

    def first_like(self, line: Line, place: int) -> int:
        """Return the number of the first line of the same values that was asked about here.

        `place` keeps apart the filters that ask.
        """
        invoice, item, quantity, price, at, customer = line[1:7]
        texts = isinstance(invoice, str) and isinstance(item, str) and isinstance(customer, str)
        if texts and isinstance(price, Decimal) and isinstance(at, datetime):
            # No text has a NUL in it, so different values never make the same text.
            values = f"{item}\0{quantity!r}\0{_price_text(price)}\0{microseconds(at)}\0{customer}"
        else:
            exact = _price_text(price) if isinstance(price, Decimal) else price
            values = f"\0{(invoice, item, quantity, exact, at, customer)!r}"
        found = self._find(invoice if isinstance(invoice, str) else values)
        self._lines_held += 1
        return found.seen.setdefault(place, {}).setdefault(values, line.number)

    def add(self, entry: Entry, *, is_cancellation: bool) -> tuple[Column, str, Fault] | None:
        """Keep `entry`, or return the column that contradicts its invoice, what it must hold."""
        invoice = self._find(entry.invoice)
        if invoice.customer is not None and invoice.customer != entry.customer:
            return (
                Column.CUSTOMER,
                f"the customer of the invoice's first line, {invoice.customer}",
                Fault.OTHER_CUSTOMER,
            )
        if invoice.amount_minor + entry.amount_minor > PRINCIPAL_MINOR_MAX:
            wanted = f"an invoice of at most {PRINCIPAL_MINOR_MAX} minor units"
            return Column.AMOUNT, wanted, Fault.AMOUNT_OUT_OF_RANGE
        at = microseconds(entry.at)
        if invoice.customer is None:
            invoice.customer, invoice.is_cancellation = entry.customer, is_cancellation
            invoice.at = at
        elif at < invoice.at:
            invoice.at = at
        invoice.amount_minor += entry.amount_minor
        invoice.lines.append(
            (entry.number, entry.item, entry.quantity, _price_text(entry.price), entry.amount_minor)
        )
        self._lines_held += 1
        return None

    def _find(self, key: str) -> _Invoice:
        if self._latest[0] == key:
            return self._latest[1]
        if self._lines_held >= LINES_HELD_MAX:
            self._put_away()
        found = self._held.get(key)
        if found is None:
            found = self._held[key] = self._bring_back(key) or _Invoice()
        self._latest = (key, found)
        return found

    def _put_away(self) -> None:
        self._disk.add(
            KEEP_INVOICE,
            (
                (
                    key,
                    one.is_cancellation,
                    one.customer,
                    one.at,
                    one.amount_minor,
                    marshal.dumps((one.lines, one.seen)),
                )
                for key, one in self._held.items()
            ),
        )
        self._is_any_on_disk = self._is_any_on_disk or bool(self._held)
        self._held.clear()
        self._lines_held = 0
        self._latest = ("", _Invoice())

    def _bring_back(self, key: str) -> _Invoice | None:
        row = self._disk.row(FIND_INVOICE, (key,)) if self._is_any_on_disk else None
        if row is None:
            return None
        is_cancellation, customer, at, amount_minor, body = row
        lines, seen = marshal.loads(body)  # noqa: S302 - written above, nobody else opens it
        self._lines_held += len(lines) + sum(map(len, seen.values()))
        return _Invoice(bool(is_cancellation), customer, at, amount_minor, lines, seen)

    def bought(self) -> Iterator[Bought]:
        """Yield the invoices of purchases, each at the instant of its earliest line.

        A till that prints a long invoice over a minute's end writes two times for one purchase.
        """
        self._put_away()
        for key, customer, at, amount_minor, body in self._disk.rows(PURCHASES):
            numbers = tuple(line[0] for line in marshal.loads(body)[0])  # noqa: S302 - written above, nobody else opens it
            yield Bought(key, customer, instant(at), amount_minor, numbers)

    def first_purchases(self) -> Iterator[tuple[str, datetime, int]]:
        """Yield each customer with instant and amount, in minor units, of the first purchase."""
        self._put_away()
        rows = self._disk.rows(FIRST_PURCHASES)
        for customer, own in groupby(rows, key=itemgetter(0)):
            _, at, amount_minor = next(own)
            yield customer, instant(at), amount_minor

    def returners(self) -> Iterator[tuple[list[Entry], list[Entry]]]:
        """Yield, for each customer who returns anything, purchases and cancellations.

        Of the purchases only those of an item that the customer returns; each entry at its
        invoice's instant.
        """
        self._put_away()
        rows = self._disk.rows(RETURNERS)
        for customer, own in groupby(rows, key=itemgetter(0)):
            purchases: list[Entry] = []
            cancellations: list[Entry] = []
            returned: set[str] = set()
            for _, is_cancellation, key, at, body in own:
                for number, item, quantity, price, amount_minor in marshal.loads(body)[0]:  # noqa: S302 - written above, nobody else opens it
                    if is_cancellation:
                        returned.add(item)
                    elif item not in returned:
                        continue
                    entry = Entry(
                        number,
                        key,
                        item,
                        quantity,
                        Decimal(price),
                        instant(at),
                        customer,
                        amount_minor,
                    )
                    (cancellations if is_cancellation else purchases).append(entry)
            yield purchases, cancellations


@lru_cache(maxsize=REMEMBERED_VALUES)
def _price_text(price: Decimal) -> str:
    """Return one text for all ways to write a price, such as 2.5 and 2.50."""
    return str(EXACT.normalize(price))


@lru_cache(maxsize=REMEMBERED_VALUES)
def microseconds(at: datetime) -> int:
    """Return an instant as a whole number, for a column."""
    return (at - EPOCH) // MICROSECOND


@lru_cache(maxsize=REMEMBERED_VALUES)
def instant(number: int) -> datetime:
    """Return the instant that is so many microseconds after 1970."""
    return EPOCH + number * MICROSECOND
