"""A lender's file as a stream of facts, every line accounted for.

Each line becomes (part of) a fact, or an exception with its reason because a filter or the matching
named it. A line that is neither stops the load, so nothing is booked from a file that is not
understood.
"""

from collections import Counter, defaultdict
from collections.abc import Callable, Collection
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import TypeVar

from fenqi.core.errors import Invalid, ensure
from fenqi.replay.chance import pick
from fenqi.replay.facts import Fact, Opening, Purchase, Refund
from fenqi.replay.filters import PLACES, condition
from fenqi.replay.kept import Invoices
from fenqi.replay.leftovers import VALUE_CHARS_SHOWN, Bad, LeftOut, printable
from fenqi.replay.lines import Entry, Line, read_lines
from fenqi.replay.mapping import (
    Column,
    Lines,
    Mapping,
)
from fenqi.replay.matching import WHOLLY_SHORT, Short, Take, match
from fenqi.replay.rows import Fault, FileUnreadable, Unreadable
from fenqi.replay.timeline import Exceptions, Timeline

Value = TypeVar("Value")

BAD_LINE = "bad-line"
REMEDY = (
    "correct the line in the file, name such lines with a filter in the mapping, or leave all such "
    "lines out with --skip-bad FILE"
)
BAD_LINES_MAX = 100_000  # a file with more of them is not understood
DAYS_MAX = 7_320  # twenty years; a longer file has a mistyped time
WHOLE_LINE = "(whole line)"


class LineUnreadable(Invalid):
    """A line makes no sense and no filter names it; nothing of the file is booked."""

    code = "line-unreadable"


class TooManyBad(Invalid):
    """So many lines make no sense that the file, or the mapping, is another one."""

    code = "too-many-bad-lines"


class DaysTooMany(Invalid):
    """The file's first and last time are further apart than a replay lives."""

    code = "days-too-many"


@dataclass(frozen=True, slots=True)
class Tally:
    """What became of the lines of a file; the three kinds sum to `total`."""

    total: int
    booked: int
    partly: AnyMapping[str, int]  # booked up to a rest that is an exception, by its reason
    left_out: AnyMapping[str, int]  # not booked at all, by reason
    bad: AnyMapping[str, int] = field(default_factory=dict)  # of those, the bad lines by fault


@dataclass(frozen=True, slots=True)
class Stream:
    """The facts of a file by time, its exceptions by line, and the account of its lines.

    `first_on` and `last_on` are the days of its first and last line, in the mapping's zone.
    """

    facts: Collection[Fact]
    exceptions: Collection[LeftOut]
    tally: Tally
    first_on: date
    last_on: date


OnBad = Callable[[Bad], None]


def load(file: Path, mapping: Mapping, *, on_bad: OnBad | None = None) -> Stream:
    """Return the stream of facts in the file at `file`, read as `mapping` says.

    A line that makes no sense ends the load; with `on_bad` it is handed to it, in the file's
    order, and is an exception.

    Memory does not grow with the file: invoices, exceptions and facts wait on disk.
    Errors: FileUnreadable, ColumnMissing, ColumnUnreadable, DaysTooMany, OSError if the disk is
    full; LineUnreadable, or TooManyBad with `on_bad`.
    """
    sorted_out = _sort_out(file, mapping, on_bad)
    timeline = Timeline(mapping.merchant)
    booked = _add_purchases(timeline, sorted_out.invoices, mapping)
    _add_openings(timeline, sorted_out.invoices, mapping)
    partly: Counter[str] = Counter()
    for purchases, cancellations in sorted_out.invoices.returners():
        takes, shorts = match(purchases, cancellations, digits=mapping.currency.digits)
        for refund in _refunds(takes):
            timeline.add(refund)
        booked += len({take.cancellation.number for take in takes})
        partly.update(short.why.value for short in shorts if short.why not in WHOLLY_SHORT)
        for short in shorts:
            _leave_over(short, sorted_out.exceptions)
    tally = _tally(sorted_out, booked=booked, partly=partly)
    first_on, last_on = sorted_out.days(file, mapping)
    return Stream(timeline.by_time(), sorted_out.exceptions.by_line(), tally, first_on, last_on)


@dataclass(slots=True)
class _SortedOut:
    invoices: Invoices = field(default_factory=Invoices)
    exceptions: Exceptions = field(default_factory=Exceptions)
    bad: Counter[str] = field(default_factory=Counter)  # by fault
    total: int = 0
    number: int = 0  # of the line counted last
    first: tuple[datetime, int] | None = None  # the earliest time, and its line
    last: tuple[datetime, int] | None = None

    def count(self, number: int) -> None:
        """Count a line. Errors: Broken if it was counted before: lines come by their number."""
        ensure(number > self.number, "every-line-once", line=number, before=self.number)
        self.number = number
        self.total += 1

    def see(self, line: Line) -> None:
        """Count a line, and its time among the file's."""
        self.count(line.number)
        at = line.at
        if isinstance(at, datetime):
            if self.first is None or at < self.first[0]:
                self.first = (at, line.number)
            if self.last is None or at >= self.last[0]:
                self.last = (at, line.number)

    def skip(self, bad: Bad, file: Path) -> None:
        """Leave a line out that makes no sense. Errors: TooManyBad."""
        if self.bad.total() == BAD_LINES_MAX:
            raise TooManyBad(file=str(file), most=BAD_LINES_MAX, line=bad.line, column=bad.column)
        self.count(bad.line)
        self.bad[bad.fault] += 1
        detail = f"{bad.column} is {bad.value}, not {bad.wanted}"
        self.exceptions.add(bad.line, bad.invoice, BAD_LINE, detail)

    def days(self, file: Path, mapping: Mapping) -> tuple[date, date]:
        if self.first is None or self.last is None:
            raise FileUnreadable(
                file=str(file), problem="no line has a time", allowed="a file with times"
            )
        first_on, last_on = (
            at.astimezone(mapping.zone).date() for at, _ in (self.first, self.last)
        )
        if (last_on - first_on).days > DAYS_MAX:
            raise DaysTooMany(
                file=str(file),
                first=first_on,
                first_line=self.first[1],
                last=last_on,
                last_line=self.last[1],
                column=mapping.columns[Column.AT],
                days_max=DAYS_MAX,
            )
        return first_on, last_on


class _BadLine(Exception):
    """Carries a line that makes no sense to where it is decided what to do about it."""

    def __init__(self, bad: Bad) -> None:
        self.bad = bad


def _sort_out(file: Path, mapping: Mapping, on_bad: OnBad | None) -> _SortedOut:
    """Return the file's lines, sorted into purchases, cancellations and exceptions."""
    result = _SortedOut()
    filters = [
        (one.reason, one.lines, condition(one, mapping, partial(_first_like, result, place)))
        for place, one in enumerate(mapping.filters)
    ]
    for line in read_lines(file, mapping):
        try:
            _place(line, filters, mapping, result)
        except _BadLine as found:
            bad = found.bad
            if on_bad is None:
                raise LineUnreadable(
                    file=str(file),
                    line=bad.line,
                    column=bad.column,
                    value=bad.value,
                    wanted=bad.wanted,
                    remedy=REMEDY,
                ) from None
            result.skip(bad, file)
            on_bad(bad)
        else:
            result.see(line)
    return result


def _first_like(result: _SortedOut, place: int, line: Line) -> int:
    return result.invoices.first_like(line, place)


_Named = tuple[str, Lines, Callable[[Line], str | None]]


def _place(line: Line, filters: list[_Named], mapping: Mapping, result: _SortedOut) -> None:
    """Put a line where it belongs. Errors: _BadLine."""
    if isinstance(line.invoice, Unreadable) and line.invoice.is_torn:
        raise _unreadable(line, Column.INVOICE, line.invoice.wanted, line.invoice.fault, mapping)
    invoice = line.invoice if isinstance(line.invoice, str) else ""
    is_cancellation = invoice.startswith(mapping.cancellation_prefix)
    skipped = Lines.PURCHASES if is_cancellation else Lines.CANCELLATIONS
    for reason, lines, is_met in filters:
        detail = None if lines is skipped else is_met(line)
        if detail is not None:
            result.exceptions.add(line.number, invoice, reason, detail)
            return
    entry = _entry(line, mapping, is_cancellation=is_cancellation)
    contradiction = result.invoices.add(entry, is_cancellation=is_cancellation)
    if contradiction is not None:
        column, wanted, fault = contradiction
        raise _unreadable(line, column, wanted, fault, mapping)


def _entry(line: Line, mapping: Mapping, *, is_cancellation: bool) -> Entry:
    """Return the line with the quantity's sign removed, if it makes sense.

    Errors: _BadLine, naming the first column that does not.
    """

    def sound(column: Column, kind: type[Value]) -> Value:
        value = line[PLACES[column]]
        if isinstance(value, kind):
            return value
        if isinstance(value, Unreadable):
            raise _unreadable(line, column, value.wanted, value.fault, mapping)
        raise _unreadable(line, column, "a value", Fault.VALUE_MISSING, mapping)

    invoice, item = sound(Column.INVOICE, str), sound(Column.ITEM, str)
    quantity, price = sound(Column.QUANTITY, int), sound(Column.PRICE, Decimal)
    at, customer = sound(Column.AT, datetime), sound(Column.CUSTOMER, str)
    amount_minor = sound(Column.AMOUNT, int)
    units = -quantity if is_cancellation else quantity
    if units <= 0:
        wanted = "a negative number" if is_cancellation else "a positive number"
        raise _unreadable(line, Column.QUANTITY, wanted, Fault.WRONG_SIGN, mapping)
    if price <= 0:
        raise _unreadable(line, Column.PRICE, "a positive number", Fault.WRONG_SIGN, mapping)
    if amount_minor <= 0:
        wanted = "at least one minor unit"
        raise _unreadable(line, Column.AMOUNT, wanted, Fault.AMOUNT_OUT_OF_RANGE, mapping)
    return Entry(line.number, invoice, item, units, price, at, customer, amount_minor)


def _unreadable(
    line: Line, column: Column, wanted: str, fault: Fault, mapping: Mapping
) -> _BadLine:
    value = line[PLACES[column]]
    is_torn = isinstance(value, Unreadable) and value.is_torn
    return _BadLine(
        Bad(
            line=line.number,
            invoice=line.invoice if isinstance(line.invoice, str) else "",
            column=WHOLE_LINE if is_torn else mapping.columns.get(column, "amount"),
            value=_shown(value.value if isinstance(value, Unreadable) else value),
            wanted=wanted,
            fault=fault.value,
            raw=line.raw,
        )
    )


def _shown(value: object) -> str:
    """Return a value as a person can read it: short, and without what a terminal would obey."""
    text = "(missing)" if value is None else str(value).strip()
    return printable(text[:VALUE_CHARS_SHOWN]) + ("..." if len(text) > VALUE_CHARS_SHOWN else "")


def _add_purchases(timeline: Timeline, invoices: Invoices, mapping: Mapping) -> int:
    """Make each invoice of purchases a purchase; return how many lines they have."""
    weights = [choice.weight for choice in mapping.plans]
    lines = 0
    for one in invoices.bought():
        choice = mapping.plans[pick(weights, mapping.plans_seed, "plan", one.key)]
        timeline.add(
            Purchase(
                key=one.key,
                person=one.customer,
                merchant=mapping.merchant,
                at=one.at,
                amount_minor=one.amount_minor,
                product=choice.product,
                count=choice.count,
                lines=one.lines,
            )
        )
        lines += len(one.lines)
    return lines


def _add_openings(timeline: Timeline, invoices: Invoices, mapping: Mapping) -> None:
    """Open an account for each person, at the instant of the first purchase."""
    days = mapping.statement_days
    even = [1] * len(days)
    for person, at, amount_minor in invoices.first_purchases():
        day = days[pick(even, mapping.accounts_seed, "statement-day", person)]
        timeline.add(Opening(person, at, mapping.limit.of(amount_minor), day))


def _refunds(takes: list[Take]) -> list[Refund]:
    """Return one refund for each pair of a cancellation and a purchase invoice."""
    pairs: defaultdict[tuple[str, str], list[Take]] = defaultdict(list)
    for take in takes:
        pairs[take.cancellation.invoice, take.purchase.invoice].append(take)
    return [
        Refund(
            key=f"{cancellation}/{purchase}",
            purchase_key=purchase,
            person=group[0].cancellation.customer,
            at=group[0].cancellation.at,
            amount_minor=sum(take.amount_minor for take in group),
            lines=tuple(sorted({take.cancellation.number for take in group})),
        )
        for (cancellation, purchase), group in pairs.items()
    ]


def _leave_over(short: Short, exceptions: Exceptions) -> None:
    entry = short.cancellation
    exceptions.add(entry.number, entry.invoice, short.why.value, short.detail)


def _tally(sorted_out: _SortedOut, *, booked: int, partly: Counter[str]) -> Tally:
    """Return the account of the lines; `booked` is counted from the facts, so it can be false.

    Errors: Broken if a line is lost or counted twice.
    """
    total = sorted_out.total
    outside = sorted_out.exceptions.reasons - partly
    wholly = booked - partly.total()
    ensure(
        wholly + partly.total() + outside.total() == total,
        "every-line-accounted-for",
        total=total,
        booked=wholly,
        partly=partly.total(),
        left_out=outside.total(),
    )
    by_name = [dict(sorted(counts.items())) for counts in (partly, outside, sorted_out.bad)]
    return Tally(total, wholly, *by_name)
