"""Reads a bureau's reports from a file, csv or parquet, all of it or none.

Some bureaus deliver by file, and some lenders bring reports along. Every fault names its line and
column; a value that is left out is unknown.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal

import pyarrow as pa
import pyarrow.csv as pa_csv
import pyarrow.parquet as pa_parquet

from fenqi.core.errors import Invalid
from fenqi.core.values.bureau import BureauReport
from fenqi.core.values.phrase import Phrase

BYTES_MAX = 256 << 20
LINES_MAX = 1_000_000
VALUE_CHARS_SHOWN = 80
PERSON_CHARS_MAX = 200
NUMBERS = {  # whole numbers, and the largest that makes sense
    "score": 1_000,
    "enquiries_30d": 10_000,
    "overdue_accounts": 10_000,
    "worst_overdue_days": 36_500,
    "open_credit_minor": 10**14,
    "monthly_due_minor": 10**14,
}
COLUMNS = ("person", "as_of", *NUMBERS)
NEEDED = ("person", "as_of")


class ReportsUnreadable(Invalid):
    """A file of bureau reports cannot be read; names the file, and the line and column if known."""

    code = "reports-unreadable"


@dataclass(frozen=True, slots=True)
class FileReport:
    """One line: whose report, and what it says."""

    line: int
    person: str
    report: BureauReport


def read_reports(path: Path) -> list[FileReport]:
    """Return every report of a file.

    Errors: ReportsUnreadable naming the first fault.
    """
    if path.suffix not in (".csv", ".parquet"):
        raise _refused(path, problem="its name does not end in .csv or .parquet")
    if not path.exists():
        raise _refused(path, problem="it is not there")
    if not path.is_file():
        raise _refused(path, problem="it is not a regular file")
    if path.stat().st_size > BYTES_MAX:
        raise _refused(path, problem=Phrase("it is larger than {most} bytes", most=BYTES_MAX))
    table = _csv(path) if path.suffix == ".csv" else _parquet(path)
    _check_columns(path, table.column_names)
    if table.num_rows > LINES_MAX:
        raise _refused(path, problem=Phrase("it has more than {most} lines", most=LINES_MAX))
    first = 2 if path.suffix == ".csv" else 1  # below the heading; a row of parquet counts from 1
    seen: dict[tuple[str, datetime], int] = {}
    read = []
    for place, row in enumerate(_rows(table)):
        one = _report(path, first + place, row)
        other = seen.setdefault((one.person, one.report.as_of), one.line)
        if other != one.line:
            wanted = Phrase(
                "one report of a person and instant (line {line} has it already)", line=other
            )
            raise _fault(path, one.line, "person", one.person, wanted)
        read.append(one)
    return read


def _csv(path: Path) -> pa.Table:
    torn: list[pa_csv.InvalidRow] = []

    def note(row: pa_csv.InvalidRow) -> Literal["error"]:
        torn.append(row)
        return "error"

    try:
        return pa_csv.read_csv(
            path,
            read_options=pa_csv.ReadOptions(use_threads=False),
            parse_options=pa_csv.ParseOptions(invalid_row_handler=note, ignore_empty_lines=False),
            convert_options=pa_csv.ConvertOptions(
                column_types=dict.fromkeys(COLUMNS, pa.string()), strings_can_be_null=False
            ),
        )
    except pa.ArrowInvalid as fault:
        if torn:
            row = torn[0]
            wanted = Phrase(
                "a line of {count} values (it has {found})",
                count=row.expected_columns,
                found=row.actual_columns,
            )
            raise _fault(path, row.number or 0, "(whole line)", row.text, wanted) from fault
        raise _refused(path, problem=Phrase("it is no csv in UTF-8 with a heading")) from fault
    except OSError as fault:
        raise _refused(path, problem="it cannot be read") from fault


def _parquet(path: Path) -> pa.Table:
    try:
        return pa_parquet.read_table(path)
    except (pa.ArrowException, OSError) as fault:
        raise _refused(path, problem=Phrase("it is no parquet file")) from fault


def _check_columns(path: Path, names: list[str]) -> None:
    for name in names:
        if name not in COLUMNS or names.count(name) > 1:
            wanted = Phrase("each of these columns once at most: {known}", known=", ".join(COLUMNS))
            raise _fault(path, 1, name, "(heading)", wanted)
    for name in NEEDED:
        if name not in names:
            raise _fault(path, 1, name, Phrase("(missing)"), Phrase("a column of the heading"))


def _rows(table: pa.Table) -> Iterator[dict[str, Any]]:
    for batch in table.to_batches(max_chunksize=10_000):
        yield from batch.to_pylist()


def _report(path: Path, line: int, row: Mapping[str, Any]) -> FileReport:
    person = row["person"]
    if (
        not isinstance(person, str)
        or not 0 < len(person.strip()) <= len(person) <= PERSON_CHARS_MAX
        or not person.isprintable()
    ):
        wanted = Phrase("1 to {most} printable characters", most=PERSON_CHARS_MAX)
        raise _fault(path, line, "person", person, wanted)
    numbers = {
        name: _whole(path, line, name, row[name], most=most)
        for name, most in NUMBERS.items()
        if name in row
    }
    as_of = _instant(path, line, row["as_of"])
    return FileReport(line, person.strip(), BureauReport(as_of=as_of, **numbers))


def _whole(path: Path, line: int, name: str, value: Any, *, most: int) -> int | None:
    """Return a whole number; nothing at all is unknown."""
    if value is None or value == "":
        return None
    text = value.strip() if isinstance(value, str) else str(value)
    is_whole = text.isascii() and text.isdigit() and len(text) <= len(str(most))
    if isinstance(value, bool) or not is_whole or int(text) > most:
        raise _fault(
            path,
            line,
            name,
            value,
            Phrase("a whole number from {least} to {most}, or nothing", least=0, most=most),
        )
    return int(text)


def _instant(path: Path, line: int, value: Any) -> datetime:
    wanted = Phrase("a day or an instant such as 2026-03-31 or 2026-03-31T18:00:00+08:00")
    try:
        at = datetime.fromisoformat(value if isinstance(value, str) else value.isoformat())
    except (AttributeError, ValueError) as fault:
        raise _fault(path, line, "as_of", value, wanted) from fault
    return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)


def _refused(path: Path, *, problem: str) -> ReportsUnreadable:
    return ReportsUnreadable(file=str(path), problem=problem)


def _fault(path: Path, line: int, column: str, value: object, wanted: str) -> ReportsUnreadable:
    shown = str(value)[:VALUE_CHARS_SHOWN]
    return ReportsUnreadable(file=str(path), line=line, column=column, value=shown, wanted=wanted)
