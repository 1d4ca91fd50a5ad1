"""Reads facts that others tell, line by line, as JSON or CSV, and seals identity values on the way.

Every fault names its line, its field and what is expected there. What is said in place of it is
repeated only where it looks like a word of ours or a small number: a phone number in the wrong
column is nobody's to read.
"""

import csv
import hashlib
import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, BinaryIO
from uuid import UUID

from fenqi.core.errors import Invalid
from fenqi.core.risk import fact
from fenqi.core.risk.fact import (
    EXPECTED,
    FIELDS,
    IDENTIFIERS,
    KINDS,
    REFERENCE,
    FactInvalid,
    FactKindUnknown,
    Says,
)
from fenqi.core.risk.identity import (
    VALUE_LENGTH_MAX,
    Identifier,
    IdentityInvalid,
    Sealer,
)
from fenqi.core.values.phrase import Phrase

LINES_MAX = 1_000_000
LINE_BYTES_MAX = 64 << 10
LINE_BYTES_PASSED_MAX = 16 << 20  # of a line that is too long; a longer one may have no end
NEEDED = ("account", "kind", "happened_at")
OF_LINES = (*NEEDED, "id", *FIELDS)
WHOLE_LINE = Phrase("(whole line)")
NOT_SHOWN, MISSING = Phrase("(not shown)"), Phrase("(missing)")
WORD = re.compile(r"[a-z][a-z_-]{0,39}")
SMALL_NUMBER = re.compile(r"-?[0-9]{1,6}(\.[0-9]{1,3})?")
INSTANT = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}([T ][0-9:.]{1,15}(Z|[+-][0-9:]{2,6})?)?")
WHOLE = re.compile(r"[0-9]{1,15}")
BYTE_ORDER_MARK = b"\xef\xbb\xbf"

EXPECTED_TEXT = Phrase("text in utf-8")
EXPECTED_LINE = Phrase("a line of {most} bytes at most", most=LINE_BYTES_MAX)
EXPECTED_OBJECT = Phrase(
    "one JSON object on one line, each of its names once (--csv reads a table)"
)
EXPECTED_ROW = Phrase("a whole line of CSV, its quotes closed")
EXPECTED_ACCOUNT = Phrase("the id of an account, such as 01975f3e-8c00-7abc-8def-0123456789ab")
EXPECTED_INSTANT = Phrase("an instant with its zone, such as 2026-03-31T18:00:00+08:00")
EXPECTED_WORD = Phrase("a text in quotes")
EXPECTED_ID = EXPECTED[Says.REFERENCE]
EXPECTED_IDENTITY = Phrase(
    "the value as it is, 1 to {most} characters, which is sealed here", most=VALUE_LENGTH_MAX
)


class FactsUnreadable(Invalid):
    """A file of facts cannot be read; names the file and what is wrong, line by line."""

    code = "facts-unreadable"


@dataclass(frozen=True, slots=True)
class FactLine:
    """A line that was read: whose fact, and what it says, its identity values sealed.

    `key` is the same for lines that say the same.
    """

    line: int
    account: UUID
    kind: str
    happened_at: datetime
    said: Mapping[str, Any]
    key: str


@dataclass(frozen=True, slots=True)
class BadLine:
    """A line that makes no sense: where, what stands there if it may be repeated, what should."""

    line: int
    field: str
    value: str
    expected: Phrase


class _Bad(Exception):
    """A value of a line is not what it must be."""

    def __init__(self, field: str, value: object, expected: Phrase) -> None:
        super().__init__(field)
        self.field, self.value, self.expected = field, value, expected


def read_facts(
    file: BinaryIO, name: str, sealer: Sealer, *, is_csv: bool, now: datetime
) -> Iterator[FactLine | BadLine]:
    """Yield what each line of a file says, or what is wrong with it; blank lines say nothing.

    Errors: FactsUnreadable for the file as a whole: its heading, or too many lines.
    """
    lines = _lines(file, name)
    heading = _heading(lines, name) if is_csv else None
    for number, text in lines:
        if number > LINES_MAX:
            most = Phrase("it has more than {most} lines", most=LINES_MAX)
            raise FactsUnreadable(file=name, problem=most)
        try:
            if text is None:
                raise _Bad(WHOLE_LINE, NOT_SHOWN, EXPECTED_LINE)
            if text.strip():
                said = _object(text) if heading is None else _row(text, heading)
                yield _fact(number, said, sealer, now)
        except _Bad as bad:
            yield BadLine(number, _field(bad.field), _shown(bad.value), bad.expected)


def _lines(file: BinaryIO, name: str) -> Iterator[tuple[int, str | None]]:
    """Yield each line's number and text, None of one that is too long. Errors: FactsUnreadable."""
    number = 0
    while line := file.readline(LINE_BYTES_MAX + 1):
        number += 1
        if len(line) <= LINE_BYTES_MAX:
            text = line.removeprefix(BYTE_ORDER_MARK) if number == 1 else line
            yield number, text.decode("utf-8", "surrogateescape").rstrip("\r\n")
            continue
        passed = len(line)
        while line and not line.endswith(b"\n"):
            line = file.readline(LINE_BYTES_MAX + 1)
            passed += len(line)
            if passed > LINE_BYTES_PASSED_MAX:
                raise FactsUnreadable(file=name, problem=_endless(number))
        yield number, None


def _endless(line: int) -> Phrase:
    return Phrase(
        "line {line} has no end within {most} bytes", line=line, most=LINE_BYTES_PASSED_MAX
    )


def _heading(lines: Iterator[tuple[int, str | None]], name: str) -> list[str]:
    """Return the names of the columns. Errors: FactsUnreadable."""
    _, text = next(lines, (0, ""))
    try:
        heading = [] if text is None else [one.strip() for one in _cells(text)]
    except _Bad:
        heading = []
    known = Phrase("each of these columns once at most: {known}", known=", ".join(OF_LINES))
    for one in heading or [""]:
        if one not in OF_LINES or heading.count(one) > 1:
            raise _of_heading(name, _field(one), known)
    for one in NEEDED:
        if one not in heading:
            raise _of_heading(name, one, Phrase("a column of the heading"))
    return heading


def _of_heading(name: str, column: str, expected: Phrase) -> FactsUnreadable:
    where = {"line": 1, "field": column, "expected": expected}
    problem = Phrase("line {line}, {field}: {expected}", **where)
    return FactsUnreadable(file=name, problem=problem)


def _object(text: str) -> dict[str, Any]:
    """Return what a line of JSON says."""

    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        table = dict(pairs)
        if len(table) < len(pairs):
            raise ValueError
        return table

    try:
        said = json.loads(text, object_pairs_hook=once)
    except (ValueError, RecursionError):
        said = None
    if not isinstance(said, dict):
        raise _Bad(WHOLE_LINE, NOT_SHOWN, EXPECTED_OBJECT)
    return said


def _row(text: str, heading: list[str]) -> dict[str, Any]:
    """Return what a line of CSV says; an empty cell says nothing."""
    cells = _cells(text)
    if len(cells) != len(heading):
        counts = {"count": len(heading), "found": len(cells)}
        expected = Phrase("a line of {count} values (it has {found})", **counts)
        raise _Bad(WHOLE_LINE, NOT_SHOWN, expected)
    said: dict[str, Any] = {
        name: cell.strip() for name, cell in zip(heading, cells, strict=True) if cell.strip()
    }
    amount = said.get("amount_minor")
    if amount is not None and WHOLE.fullmatch(amount):
        said["amount_minor"] = int(amount)
    return said


def _cells(text: str) -> list[str]:
    # Each line by itself: a quote that nobody closed may not swallow the lines below.
    try:
        return next(csv.reader([text], strict=True), [])
    except csv.Error:
        raise _Bad(WHOLE_LINE, NOT_SHOWN, EXPECTED_ROW) from None


def _fact(line: int, said: dict[str, Any], sealer: Sealer, now: datetime) -> FactLine:
    for name in said:
        if name not in OF_LINES:
            known = Phrase("one of {choices}", choices=", ".join(OF_LINES))
            raise _Bad(name, NOT_SHOWN, known)
    for name in NEEDED:
        if said.get(name) is None:
            expected = {"account": EXPECTED_ACCOUNT, "happened_at": EXPECTED_INSTANT}
            raise _Bad(name, MISSING, expected.get(name, _kinds()))
    account, happened_at = _account(said["account"]), _instant(said["happened_at"])
    kind, unique = _text("kind", said["kind"]), said.get("id")
    if unique is not None and not (isinstance(unique, str) and REFERENCE.fullmatch(unique)):
        raise _Bad("id", NOT_SHOWN, EXPECTED_ID)
    sealed = {
        name: _sealed(name, value, sealer) if name in IDENTIFIERS else value
        for name, value in sorted(said.items())
        if name in FIELDS and value is not None
    }
    try:
        fact.read(kind, happened_at, sealed, now=now)
    except FactKindUnknown:
        raise _Bad("kind", kind, _kinds()) from None
    except FactInvalid as refusal:
        field = str(refusal.fields["field"])
        # What is said as it is becomes a seal here: only one that is missing can be at fault there.
        is_missing = refusal.fields["value"] == MISSING
        is_sealed_here = is_missing and field in IDENTIFIERS
        wanted = EXPECTED_IDENTITY if is_sealed_here else _expected(refusal)
        raise _Bad(field, refusal.fields["value"], wanted) from None
    at = happened_at.astimezone(UTC)
    whole = json.dumps([str(account), kind, at.isoformat(), sealed, unique])
    return FactLine(line, account, kind, at, sealed, hashlib.sha256(whole.encode()).hexdigest())


def _kinds() -> Phrase:
    return Phrase("one of {choices}", choices=", ".join(KINDS))


def _account(value: object) -> UUID:
    try:
        account = UUID(value if isinstance(value, str) else "")
    except ValueError:
        raise _Bad("account", NOT_SHOWN, EXPECTED_ACCOUNT) from None
    if str(account) == str(value).lower():  # others read braces and hyphens anywhere
        return account
    raise _Bad("account", NOT_SHOWN, EXPECTED_ACCOUNT)


def _instant(value: object) -> datetime:
    try:
        at = datetime.fromisoformat(value if isinstance(value, str) else "")
    except ValueError:
        at = None
    if at is None or at.tzinfo is None:
        raise _Bad("happened_at", value, EXPECTED_INSTANT)
    return at


def _text(name: str, value: object) -> str:
    if not isinstance(value, str):
        raise _Bad(name, value, EXPECTED_WORD)
    return value


def _sealed(name: str, value: object, sealer: Sealer) -> str:
    """Return the seal of an identity value, which is repeated nowhere."""
    try:
        text = _text(name, value)
        text.encode()  # bytes that were no text
        return sealer.seal(Identifier(name), text)
    except IdentityInvalid as refusal:
        raise _Bad(name, NOT_SHOWN, _expected(refusal)) from None
    except UnicodeEncodeError:
        raise _Bad(name, NOT_SHOWN, EXPECTED_TEXT) from None
    except _Bad as bad:
        raise _Bad(name, NOT_SHOWN, bad.expected) from None


def _expected(refusal: Invalid) -> Phrase:
    found = refusal.fields["expected"]
    return found if isinstance(found, Phrase) else Phrase("{said}", said=found)


def _field(name: str) -> str:
    """Return a field's name as it may be repeated: a line without a heading has values there."""
    return name if WORD.fullmatch(name) or name == WHOLE_LINE else NOT_SHOWN


def _shown(value: object) -> str:
    """Return a value as it may be repeated."""
    if isinstance(value, Phrase):  # of ours
        return value
    text = str(value)
    is_plain = any(one.fullmatch(text) for one in (WORD, SMALL_NUMBER, INSTANT))
    return text if is_plain else NOT_SHOWN
