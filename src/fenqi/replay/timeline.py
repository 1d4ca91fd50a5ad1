"""What a file has become, on disk: its facts by time and its exceptions by line."""

import marshal
from collections import Counter
from typing import assert_never

from fenqi.replay.facts import Fact, Opening, Purchase, Refund
from fenqi.replay.kept import instant, microseconds
from fenqi.replay.leftovers import LeftOut
from fenqi.replay.scratch import OnDisk, Row, Scratch

ROWS_HELD_MAX = 5_000  # in memory

LEFT_OUT = "CREATE TABLE left_out (line INTEGER, invoice TEXT, reason TEXT, detail TEXT)"
KEEP_LEFT_OUT = "INSERT INTO left_out VALUES (?, ?, ?, ?)"
LEFT_OUT_BY_LINE = "SELECT line, invoice, reason, detail FROM left_out ORDER BY line, rowid"


class Exceptions:
    """The lines that are not booked, or not wholly; `reasons` counts them."""

    def __init__(self) -> None:
        self._disk = Scratch(LEFT_OUT)
        self._held: list[Row] = []
        self.reasons: Counter[str] = Counter()

    def add(self, line: int, invoice: str, reason: str, detail: str) -> None:
        """Keep one of them."""
        self.reasons[reason] += 1
        self._held.append((line, invoice, reason, detail))
        if len(self._held) == ROWS_HELD_MAX:
            self._put_away()

    def _put_away(self) -> None:
        self._disk.add(KEEP_LEFT_OUT, self._held)
        self._held.clear()

    def by_line(self) -> OnDisk[LeftOut]:
        """Return them all by line."""
        self._put_away()
        return OnDisk(
            self.reasons.total(),
            lambda: (LeftOut(*row) for row in self._disk.rows(LEFT_OUT_BY_LINE)),
        )


FACTS = """
CREATE TABLE facts (
    at INTEGER, kind INTEGER, name TEXT, line INTEGER, person TEXT, amount_minor INTEGER,
    other TEXT, number INTEGER, lines BLOB
)
"""
KEEP_FACT = "INSERT INTO facts VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
# As `facts.in_order` sorts them; refunds of one key come as their first lines do.
FACTS_BY_TIME = """
SELECT at, kind, name, person, amount_minor, other, number, lines FROM facts
ORDER BY at, kind, name, line
"""
OPENING, PURCHASE, REFUND = range(3)


class Timeline:
    """The facts of a file. All purchases are at one merchant."""

    def __init__(self, merchant: str) -> None:
        self._disk = Scratch(FACTS)
        self._merchant = merchant
        self._held: list[Row] = []
        self._count = 0

    def add(self, fact: Fact) -> None:
        """Keep a fact."""
        self._held.append(_row(fact))
        self._count += 1
        if len(self._held) == ROWS_HELD_MAX:
            self._put_away()

    def _put_away(self) -> None:
        self._disk.add(KEEP_FACT, self._held)
        self._held.clear()

    def by_time(self) -> OnDisk[Fact]:
        """Return them all in their order, the one of `facts.in_order`."""
        self._put_away()
        return OnDisk(
            self._count,
            lambda: (_fact(row, self._merchant) for row in self._disk.rows(FACTS_BY_TIME)),
        )


def _row(fact: Fact) -> Row:
    at = microseconds(fact.at)
    match fact:
        case Opening(person, _, limit_minor, day):
            return at, OPENING, person, 0, person, limit_minor, None, day, None
        case Purchase(key, person, _, _, amount_minor, product, count, lines):
            body = marshal.dumps(lines)
            return at, PURCHASE, key, lines[0], person, amount_minor, product, count, body
        case Refund(key, purchase_key, person, _, amount_minor, lines):
            body = marshal.dumps(lines)
            return at, REFUND, key, lines[0], person, amount_minor, purchase_key, None, body
        case _:
            assert_never(fact)


def _fact(row: Row, merchant: str) -> Fact:
    since, kind, name, person, amount_minor, other, number, lines = row
    at = instant(since)
    if kind == OPENING:
        return Opening(person, at, amount_minor, number)
    numbers: tuple[int, ...] = marshal.loads(lines)  # noqa: S302 - written above, nobody else opens it
    if kind == PURCHASE:
        return Purchase(name, person, merchant, at, amount_minor, other, number, numbers)
    return Refund(name, other, person, at, amount_minor, numbers)
