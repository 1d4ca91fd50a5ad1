"""The ledger as a Beancount file, so that a stranger's tool can add it up again.

One transaction per event, or one per day and pair of accounts; the totals are the same. At the end
each account's balance is asserted with no tolerance: `bean-check` accepts the file only if its own
sums equal ours to the minor unit. The same ledger gives the same bytes.
Source: the Beancount language syntax, https://beancount.github.io/docs/beancount_language_syntax.html.
"""

from collections.abc import Iterator, Mapping
from datetime import timedelta
from enum import StrEnum
from io import StringIO
from pathlib import Path
from typing import TextIO

from fenqi.core.ledger import CHART, Account
from fenqi.core.values.money import Currency, currency, decimal_text
from fenqi.report.book import choose
from fenqi.report.whole import whole_file
from fenqi.store import audit, books
from fenqi.store.books import Book
from fenqi.store.pool import Session, Store
from fenqi.store.views import snapshot

EVENTS_MAX_IN_FULL = 200_000  # bean-check reads about ten thousand transactions a second


class By(StrEnum):
    """What one transaction of the export stands for."""

    EVENT = "event"  # everything that happened, with its account, plans and days
    DAY = "day"  # a day's sum of one pair of accounts


def export(store: Store, book_id: str | None, target: Path | TextIO, by: By | None = None) -> By:
    """Write a book's whole ledger to a file or a stream; return what it went by.

    Without `book_id` it is the only book. Without `by` a ledger of up to `EVENTS_MAX_IN_FULL`
    lines is written in full. A file appears under its name only when it is whole.

    Errors: BookMissing, BookUnclear; PathUnwritable.
    """
    with store.transaction() as session:
        snapshot(session)
        book = books.read(session, choose(session, book_id))
        if not isinstance(target, Path):
            return _write(session, book, target, by)
        with whole_file(target) as file:
            return _write(session, book, file, by)


def account_name(account: Account) -> str:
    """Return an account's name in Beancount, side first."""
    line = CHART[account]
    return f"{line.side.value}:{line.export_name}"


def _write(session: Session, book: Book, out: TextIO, by: By | None) -> By:
    unit = currency(book.currency)
    days = audit.day_lines(session, book.book_id)
    if by is None:
        lines = sum(line[4] for line in days)
        by = By.EVENT if lines <= EVENTS_MAX_IN_FULL else By.DAY
    out.write(_opening(book, by))
    match by:
        case By.EVENT:
            _write_events(session, book, unit, out)
        case By.DAY:
            out.write("".join(_day_texts(days, unit)))
    out.write(_assertions(audit.closing(session, book.book_id), unit))
    return by


def _opening(book: Book, by: By) -> str:
    entity = book.legal_entity.replace("\\", "\\\\").replace('"', '\\"')
    lines = [
        f"; The ledger of book {book.book_id}, one transaction per {by.value}.",
        "; Links: the customer account (acc-...) and the plans (pln-...) an event is about.",
        "; effective_on stands where an event counts from an earlier day than it was booked on.",
        "",
        f'option "title" "{entity}: {book.book_id}"',
        f'option "operating_currency" "{book.currency}"',
        "",
    ]
    lines += [f"{book.opened_on} open {account_name(one)} {book.currency}" for one in Account]
    return "\n".join(lines) + "\n\n"


def _write_events(session: Session, book: Book, unit: Currency, out: TextIO) -> None:
    """Write one transaction per event, page by page."""
    sides = _Sides(unit)
    pages = audit.event_lines(session, book.book_id)
    event: tuple[str, int] | None = None
    lines: list[audit.EventLine] = []
    for page in pages:
        text = StringIO()
        for line in page:
            key = (line[1], line[2])
            if key != event:
                if lines:
                    text.write(_event_text(lines, sides))
                event, lines = key, []
            lines.append(line)
        out.write(text.getvalue())
    if lines:
        out.write(_event_text(lines, sides))


def _event_text(lines: list[audit.EventLine], sides: "_Sides") -> str:
    day, account, number, kind, effective_on, *_ = lines[0]
    # Several lines of one plan give one link; dict keeps the order and drops the copies.
    plans = "".join(f" ^pln-{plan}" for plan in dict.fromkeys(line[8] for line in lines) if plan)
    head = f'{day} * "{kind}" ^acc-{account}{plans}\n  event: {number}\n'
    if effective_on != day:
        head += f"  effective_on: {effective_on}\n"
    return head + "".join(sides.text(line[5], line[6], line[7]) for line in lines) + "\n"


def _day_texts(days: list[audit.DayLine], unit: Currency) -> Iterator[str]:
    sides = _Sides(unit)
    for day, debit, credit, minor, count in days:
        head = f'{day} * "{credit} to {debit}"\n  lines: {count}\n'
        yield head + sides.text(debit, credit, minor) + "\n"


class _Sides:
    """Writes the two postings of a transfer; what is the same in all of them is made once."""

    def __init__(self, unit: Currency) -> None:
        self._unit = unit
        width = max(len(account_name(account)) for account in Account) + 2
        self._labels: Mapping[str, str] = {
            account.value: f"  {account_name(account):<{width}}" for account in Account
        }

    def text(self, debit: str, credit: str, minor: int) -> str:
        amount = decimal_text(minor, self._unit)
        code = self._unit.code
        return (
            f"{self._labels[debit]} {amount:>16} {code}\n"
            f"{self._labels[credit]} {'-' + amount:>16} {code}\n"
        )


def _assertions(closing: audit.Closing, unit: Currency) -> str:
    """Return the balance assertions for the morning after the last booked day."""
    if closing.last_on is None:
        return ""
    on = closing.last_on + timedelta(days=1)
    return "".join(
        f"{on} balance {account_name(one):<36}"
        f" {decimal_text(closing.balance_minor.get(one.value, 0), unit):>18} ~ 0 {unit.code}\n"
        for one in Account
    )
