"""A lender's file as a stream of facts, every line accounted for.

Each line becomes (part of) a fact, or an exception with its reason because a filter or the matching
named it. A line that is neither stops the load, so nothing is booked from a file that is not
understood.
"""

import csv
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable
from collections.abc import Mapping as AnyMapping
from dataclasses import dataclass, field
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TypeVar

from fenqi.core.errors import Invalid, ensure
from fenqi.replay.chance import pick
from fenqi.replay.facts import Fact, Opening, Purchase, Refund, in_order
from fenqi.replay.lines import Entry, FileUnreadable, Line, Unreadable, read_lines
from fenqi.replay.mapping import (
    Column,
    Condition,
    Filter,
    Lines,
    Mapping,
)
from fenqi.replay.matching import WHOLLY_SHORT, Short, Take, match

Value = TypeVar("Value")

REMEDY = "correct the line in the file, or name such lines with a filter in the mapping"


class LineUnreadable(Invalid):
    """A line makes no sense and no filter names it; nothing of the file is booked."""

    code = "line-unreadable"


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A row of exceptions.csv: a line that is not booked, or not wholly, and why."""

    line: int
    invoice: str
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Tally:
    """What became of the lines of a file; the three kinds sum to `total`."""

    total: int
    booked: int
    partly: AnyMapping[str, int]  # booked up to a rest that is an exception, by its reason
    left_out: AnyMapping[str, int]  # not booked at all, by reason


@dataclass(frozen=True, slots=True)
class Stream:
    """The facts of a file by time, and the account of its lines.

    `first_on` and `last_on` are the days of its first and last line, in the mapping's zone.
    """

    facts: tuple[Fact, ...]
    exceptions: tuple[LeftOut, ...]
    tally: Tally
    first_on: date
    last_on: date


def load(file: Path, mapping: Mapping) -> Stream:
    """Return the stream of facts in the file at `file`, read as `mapping` says.

    Memory grows with the lines that are kept, not with the width of the file.
    Errors: FileUnreadable, ColumnMissing, ColumnUnreadable, LineUnreadable.
    """
    sorted_out = _sort_out(file, mapping)
    purchases = sorted_out.purchases.entries()
    takes, shorts = match(
        purchases, sorted_out.cancellations.entries(), digits=mapping.currency.digits
    )
    bought = _purchases(sorted_out.purchases, mapping)
    facts = in_order([*_openings(bought, mapping), *bought, *_refunds(takes)])
    exceptions = sorted([*sorted_out.left_out, *map(_left_over, shorts)], key=lambda row: row.line)
    tally = _tally(sorted_out.total, facts, sorted_out.left_out, shorts)
    return Stream(tuple(facts), tuple(exceptions), tally, *sorted_out.days(file, mapping))


def write_exceptions(path: Path, exceptions: Iterable[LeftOut]) -> None:
    """Write exceptions.csv, sorted by line; a reader never sees half of it."""
    partial = path.with_name(path.name + ".part")
    with partial.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file, lineterminator="\n")
        rows.writerow(("line", "invoice", "reason", "detail"))
        rows.writerows(
            (row.line, row.invoice, row.reason, row.detail)
            for row in sorted(exceptions, key=lambda row: row.line)
        )
    partial.replace(path)


class _Invoices:
    """The entries of one kind of invoice, by invoice."""

    def __init__(self) -> None:
        self._by_key: defaultdict[str, list[Entry]] = defaultdict(list)

    def add(self, entry: Entry) -> str | None:
        """Keep `entry`; return its invoice's customer instead if that is somebody else."""
        invoice = self._by_key[entry.invoice]
        if invoice and invoice[0].customer != entry.customer:
            return invoice[0].customer
        invoice.append(entry)
        return None

    def grouped(self) -> AnyMapping[str, list[Entry]]:
        return self._by_key

    def entries(self) -> list[Entry]:
        """Return all entries, each at its invoice's instant, that of its first line.

        A till that prints a long invoice over a minute's end writes two times for one purchase.
        """
        kept = []
        for entries in self._by_key.values():
            at = min(entry.at for entry in entries)
            kept += [entry if entry.at == at else entry._replace(at=at) for entry in entries]
        return kept


@dataclass(slots=True)
class _SortedOut:
    purchases: _Invoices = field(default_factory=_Invoices)
    cancellations: _Invoices = field(default_factory=_Invoices)
    left_out: list[LeftOut] = field(default_factory=list)
    total: int = 0
    first_at: datetime | None = None
    last_at: datetime | None = None

    def days(self, file: Path, mapping: Mapping) -> tuple[date, date]:
        if self.first_at is None or self.last_at is None:
            raise FileUnreadable(
                file=str(file), problem="no line has a time", allowed="a file with times"
            )
        zone = mapping.zone
        return self.first_at.astimezone(zone).date(), self.last_at.astimezone(zone).date()


def _sort_out(file: Path, mapping: Mapping) -> _SortedOut:
    """Return the file's lines, sorted into purchases, cancellations and exceptions."""
    result = _SortedOut()
    filters = [(one.reason, one.lines, _condition(one, mapping)) for one in mapping.filters]
    for line in read_lines(file, mapping):
        result.total += 1
        if isinstance(line.at, datetime):
            result.first_at = min(result.first_at or line.at, line.at)
            result.last_at = max(result.last_at or line.at, line.at)
        invoice = line.invoice if isinstance(line.invoice, str) else ""
        is_cancellation = invoice.startswith(mapping.cancellation_prefix)
        skipped = Lines.PURCHASES if is_cancellation else Lines.CANCELLATIONS
        for reason, lines, condition in filters:
            detail = None if lines is skipped else condition(line)
            if detail is not None:
                result.left_out.append(LeftOut(line.number, invoice, reason, detail))
                break
        else:
            entry = _entry(line, file, mapping, is_cancellation=is_cancellation)
            invoices = result.cancellations if is_cancellation else result.purchases
            other = invoices.add(entry)
            if other is not None:
                wanted = f"the customer of the invoice's first line, {other}"
                raise _unreadable(line, Column.CUSTOMER, wanted, file, mapping)
    return result


def _condition(one: Filter, mapping: Mapping) -> Callable[[Line], str | None]:
    """Return a function that says how a line meets the filter's condition, or None."""
    if one.condition is Condition.REPEATED:
        return _repeated()
    column = one.column or Column.AMOUNT  # the mapping gives every other condition its column
    name = mapping.columns.get(column, "amount")
    place = _PLACES[column]
    values = frozenset(one.values)

    def missing(line: Line) -> str | None:
        return f"{name} is missing" if line[place] is None else None

    def not_positive(line: Line) -> str | None:
        value = line[place]
        is_met = isinstance(value, int | Decimal) and value <= 0
        return f"{name} is {value}" if is_met else None

    def positive(line: Line) -> str | None:
        value = line[place]
        is_met = isinstance(value, int | Decimal) and value > 0
        return f"{name} is {value}" if is_met else None

    def one_of(line: Line) -> str | None:
        return f"{name} is {line[place]}" if line[place] in values else None

    def starts_with(line: Line) -> str | None:
        value = line[place]
        is_met = isinstance(value, str) and value.startswith(one.values)
        return f"{name} is {value}" if is_met else None

    return {
        Condition.MISSING: missing,
        Condition.NOT_POSITIVE: not_positive,
        Condition.POSITIVE: positive,
        Condition.ONE_OF: one_of,
        Condition.STARTS_WITH: starts_with,
    }[one.condition]


_PLACES = {
    Column.INVOICE: 1,
    Column.ITEM: 2,
    Column.QUANTITY: 3,
    Column.PRICE: 4,
    Column.AT: 5,
    Column.CUSTOMER: 6,
    Column.AMOUNT: 7,
}


def _repeated() -> Callable[[Line], str | None]:
    seen: dict[tuple[object, ...], int] = {}

    def repeated(line: Line) -> str | None:
        first = seen.setdefault(line[1:], line.number)
        return f"same as line {first}" if first != line.number else None

    return repeated


def _entry(line: Line, file: Path, mapping: Mapping, *, is_cancellation: bool) -> Entry:
    """Return the line with the quantity's sign removed, if it makes sense.

    Errors: LineUnreadable, naming the first column that does not.
    """

    def sound(column: Column, kind: type[Value]) -> Value:
        value = line[_PLACES[column]]
        if isinstance(value, kind):
            return value
        wanted = value.wanted if isinstance(value, Unreadable) else "a value"
        raise _unreadable(line, column, wanted, file, mapping)

    invoice, item = sound(Column.INVOICE, str), sound(Column.ITEM, str)
    quantity, price = sound(Column.QUANTITY, int), sound(Column.PRICE, Decimal)
    at, customer = sound(Column.AT, datetime), sound(Column.CUSTOMER, str)
    amount_minor = sound(Column.AMOUNT, int)
    units = -quantity if is_cancellation else quantity
    if units <= 0:
        wanted = "a negative number" if is_cancellation else "a positive number"
        raise _unreadable(line, Column.QUANTITY, wanted, file, mapping)
    if price <= 0:
        raise _unreadable(line, Column.PRICE, "a positive number", file, mapping)
    if amount_minor <= 0:
        raise _unreadable(line, Column.AMOUNT, "at least one minor unit", file, mapping)
    return Entry(line.number, invoice, item, units, price, at, customer, amount_minor)


def _unreadable(
    line: Line, column: Column, wanted: str, file: Path, mapping: Mapping
) -> LineUnreadable:
    value = line[_PLACES[column]]
    return LineUnreadable(
        file=str(file),
        line=line.number,
        column=mapping.columns.get(column, "amount"),
        value=value.value if isinstance(value, Unreadable) else value,
        wanted=wanted,
        remedy=REMEDY,
    )


def _purchases(invoices: _Invoices, mapping: Mapping) -> list[Purchase]:
    weights = [choice.weight for choice in mapping.plans]
    bought = []
    for key, entries in invoices.grouped().items():
        choice = mapping.plans[pick(weights, mapping.plans_seed, "plan", key)]
        bought.append(
            Purchase(
                key=key,
                person=entries[0].customer,
                merchant=mapping.merchant,
                at=min(entry.at for entry in entries),
                amount_minor=sum(entry.amount_minor for entry in entries),
                product=choice.product,
                count=choice.count,
                lines=tuple(entry.number for entry in entries),
            )
        )
    return bought


def _openings(bought: list[Purchase], mapping: Mapping) -> list[Opening]:
    """Return one opening a person, at the instant of the first purchase."""
    first: dict[str, Purchase] = {}
    for purchase in sorted(bought, key=lambda purchase: (purchase.at, purchase.key)):
        first.setdefault(purchase.person, purchase)
    days = mapping.statement_days
    even = [1] * len(days)
    return [
        Opening(
            person=person,
            at=purchase.at,
            limit_minor=mapping.limit.of(purchase.amount_minor),
            statement_day=days[pick(even, mapping.accounts_seed, "statement-day", person)],
        )
        for person, purchase in first.items()
    ]


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


def _left_over(short: Short) -> LeftOut:
    entry = short.cancellation
    return LeftOut(entry.number, entry.invoice, short.why.value, short.detail)


def _tally(
    total: int, facts: Iterable[Fact], left_out: Iterable[LeftOut], shorts: Iterable[Short]
) -> Tally:
    """Return the account of the lines; counted from the facts, so that it can be false.

    Errors: Broken if a line is lost or counted twice.
    """
    partly = Counter(short.why.value for short in shorts if short.why not in WHOLLY_SHORT)
    outside = Counter(row.reason for row in left_out)
    outside += Counter(short.why.value for short in shorts if short.why in WHOLLY_SHORT)
    lines = {line for fact in facts if not isinstance(fact, Opening) for line in fact.lines}
    booked = len(lines) - partly.total()
    ensure(
        booked + partly.total() + outside.total() == total,
        "every-line-accounted-for",
        total=total,
        booked=booked,
        partly=partly.total(),
        left_out=outside.total(),
    )
    return Tally(total, booked, dict(sorted(partly.items())), dict(sorted(outside.items())))
