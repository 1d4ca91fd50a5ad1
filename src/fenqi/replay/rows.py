"""The raw rows of a file: Parquet or CSV, read a piece at a time, whatever state they are in.

Memory does not grow with the file: Parquet comes in batches, CSV by physical lines of bounded
length. A row that cannot be taken apart does not end the reading; it becomes a torn row, and the
next physical line is read as if the torn one had not been there.
"""

import csv
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from difflib import get_close_matches
from enum import StrEnum
from pathlib import Path
from typing import Any, TextIO

import pyarrow as pa
import pyarrow.parquet as pq

from fenqi.core.errors import Invalid
from fenqi.core.values.phrase import Phrase
from fenqi.replay.mapping import Mapping

BATCH_LINES = 65_536
LINE_CHARS_MAX = 100_000  # below the limit of Python's csv for one value
VALUE_CHARS_MAX = 200  # more than any value has that makes sense; the rest is not kept
ROW_LINES_MAX = 100  # physical lines of one row, for values with line ends in quotes
LINE_ENDS = "\r\n"
NO_TEXT = re.compile("[\x00\ud800-\udfff]")  # what is left of bytes in a wrong encoding

ONE_LINE = "a whole line: the file is cut off in it (if it is whole, add the missing line end)"
SHORT = f"a line of at most {LINE_CHARS_MAX} characters"
QUOTED = f"quotes that close, within {ROW_LINES_MAX} lines, and are followed by the delimiter"

HEADING_CHARS_SHOWN = 500
ONE_NAME = (
    "The heading has one name only: say the right delimiter in the mapping ([file] delimiter)."
)
OTHER_NAME = "Write the name in the mapping as the file has it."
ONCE = "Give the columns of the file different names."
# What files called .csv or .parquet often are instead, by how they begin.
DISGUISES = {
    b"\x1f\x8b": ("it is packed by gzip", "the unpacked file (gunzip)"),
    b"PK\x03\x04": ("it is an archive or a spreadsheet", "the sheet, saved as CSV in UTF-8"),
    b"\xd0\xcf\x11\xe0": ("it is an old spreadsheet", "the sheet, saved as CSV in UTF-8"),
    b"PAR1": ("it is Parquet", "a Parquet file whose name ends in .parquet"),
}
UTF_16 = (b"\xff\xfe", b"\xfe\xff")


class FileUnreadable(Invalid):
    """The file is not there, not of a kind we read, broken or empty."""

    code = "file-unreadable"


class ColumnMissing(Invalid):
    """The mapping names a column that the file does not have."""

    code = "column-missing"


class ColumnUnreadable(Invalid):
    """A column holds values of a type that no line value has."""

    code = "column-unreadable"


class Fault(StrEnum):
    """Why a line makes no sense: the code in the file of bad lines."""

    VALUE_MISSING = "value-missing"
    NOT_TEXT = "not-text"  # bytes in another encoding, control characters, a number with a fraction
    TOO_LONG = "too-long"
    NOT_A_NUMBER = "not-a-number"
    NOT_WHOLE = "not-whole"
    NOT_A_TIME = "not-a-time"
    OUTSIDE_YEARS = "outside-years"
    WRONG_SIGN = "wrong-sign"
    AMOUNT_OUT_OF_RANGE = "amount-out-of-range"
    OTHER_CUSTOMER = "other-customer"  # the invoice began with another one
    VALUE_COUNT = "value-count"
    QUOTES = "quotes"
    LINE_TOO_LONG = "line-too-long"
    CUT_OFF = "cut-off"


TORN = frozenset({Fault.VALUE_COUNT, Fault.QUOTES, Fault.LINE_TOO_LONG, Fault.CUT_OFF})


@dataclass(frozen=True, slots=True)
class Unreadable:
    """A value of the file that is not what its column must hold."""

    value: str
    wanted: str
    fault: Fault

    @property
    def is_torn(self) -> bool:
        """Whether it is not the value but the whole line that cannot be taken apart."""
        return self.fault in TORN


Raw = str | tuple[object, ...]  # a CSV row as it stands in the file; a Parquet row's values
Row = tuple[int, tuple[object, ...], Raw]


def read_rows(path: Path, mapping: Mapping) -> Iterator[Row]:
    """Yield number, mapped values and raw form of each row of the file at `path`.

    Errors: FileUnreadable, ColumnMissing, ColumnUnreadable.
    """
    readers = {".parquet": _parquet, ".csv": _csv}
    kind = path.suffix.lower()
    if kind not in readers:
        raise _refused(path, "its name does not end in .csv or .parquet", "a .csv or .parquet file")
    try:
        # A pipe is refused too: who waits for one that nobody writes to waits for ever.
        if path.exists() and not path.is_file():
            raise _refused(path, "it is not a regular file", "a file, not a folder or a pipe")
        _unmask(path, kind, mapping)
        yield from readers[kind](path, mapping)
    except (OSError, pa.ArrowException, UnicodeError) as fault:
        if isinstance(fault, OSError) and fault.errno:
            wanted = "the path of a .csv or .parquet file that you may read"
            raise _refused(path, fault.strerror or "it cannot be read", wanted) from fault
        said = " ".join(str(fault).split()).rstrip(".")
        wanted = _text_wanted(mapping) if kind == ".csv" else "a whole Parquet file; write it again"
        raise _refused(path, said, wanted) from fault


def _unmask(path: Path, kind: str, mapping: Mapping) -> None:
    """Refuse a file of another kind than its name says. Errors: FileUnreadable."""
    with path.open("rb") as file:
        begin = file.read(4)
    if kind == ".parquet":
        if begin != b"PAR1":
            problem = "it is empty" if not begin else "it does not begin as Parquet does"
            raise _refused(path, problem, "a whole Parquet file; text is called .csv")
        return
    for mark, (problem, wanted) in DISGUISES.items():
        if begin.startswith(mark):
            raise _refused(path, problem, wanted)
    if begin.startswith(UTF_16) and not mapping.encoding.lower().startswith(("utf-16", "utf16")):
        wanted = Phrase(
            '{wanted}, or encoding = "utf-16" under [file] in the mapping',
            wanted=_text_wanted(mapping),
        )
        raise _refused(path, "line 1 begins as UTF-16 does", wanted)


def _text_wanted(mapping: Mapping) -> Phrase:
    return Phrase("text in the encoding {encoding}", encoding=mapping.encoding.removesuffix("-sig"))


def _refused(path: Path, problem: str, allowed: str) -> FileUnreadable:
    return FileUnreadable(file=str(path), problem=problem, allowed=allowed)


def _parquet(path: Path, mapping: Mapping) -> Iterator[Row]:
    number = 0
    with pq.ParquetFile(path) as file:
        names = _find_columns(path, mapping, file.schema_arrow.names)
        for name in names:
            _check_type(path, name, file.schema_arrow.field(name).type)
        for batch in file.iter_batches(batch_size=BATCH_LINES, columns=names):
            columns = [_values(batch.column(name)) for name in names]
            for row in zip(*columns, strict=True):
                number += 1
                yield number, row, row


def _values(column: "pa.Array[Any]") -> list[object]:
    if pa.types.is_timestamp(column.type) and column.type.unit == "ns":
        # Python's datetime has microseconds; what a till writes below them means nothing.
        column = column.cast(pa.timestamp("us", column.type.tz), safe=False)
    try:
        values: list[object] = column.to_pylist()
    except (ValueError, OverflowError):  # a year past 9999, or bytes that are no text
        return [_value(scalar) for scalar in column]
    return values


def _value(scalar: "pa.Scalar[Any]") -> object:
    try:
        return scalar.as_py()
    except (ValueError, OverflowError):
        kind = scalar.type
        if pa.types.is_timestamp(kind):
            # Its own text may need a time zone that does not exist; its number never does.
            number = str(scalar.cast(pa.int64()))
            return Unreadable(number, f"a time that {kind} can hold", Fault.NOT_A_TIME)
        return Unreadable("bytes that are no text", "text in utf-8", Fault.NOT_TEXT)


def _check_type(path: Path, name: str, kind: pa.DataType) -> None:
    inner = kind.value_type if pa.types.is_dictionary(kind) else kind
    tests = (
        pa.types.is_string,
        pa.types.is_large_string,
        pa.types.is_integer,
        pa.types.is_floating,
        pa.types.is_decimal,
        pa.types.is_timestamp,
        pa.types.is_null,
    )
    if not any(test(inner) for test in tests):
        raise ColumnUnreadable(
            file=str(path), column=name, type=str(kind), allowed="text, numbers or timestamps"
        )


class _Lines:
    """The physical lines of a text file, each bounded, with the way back to an earlier one."""

    def __init__(self, file: TextIO) -> None:
        self._file = file
        self._ahead: deque[str] = deque()
        self._taken: list[str] = []
        self.is_cut = False  # the row's last line has no line end
        self.number = 0  # of the line given last, as an editor shows it

    def __iter__(self) -> "_Lines":
        return self

    def __next__(self) -> str:
        if len(self._taken) == ROW_LINES_MAX:
            raise csv.Error(QUOTED)
        line = self._ahead.popleft() if self._ahead else self._read()
        if not line:
            raise StopIteration
        self.number += 1
        self._taken.append(line)
        if len(line) > LINE_CHARS_MAX:
            raise csv.Error(SHORT)
        return line

    def _read(self) -> str:
        """Return the next line; of one that is too long, the beginning and one character more."""
        line = self._file.readline(LINE_CHARS_MAX)
        if len(line) < LINE_CHARS_MAX or line[-1] in LINE_ENDS:
            return line
        while (rest := self._file.readline(LINE_CHARS_MAX)) and rest[-1] not in LINE_ENDS:
            pass
        return line + "\n"

    def begin(self) -> int:
        """Begin a row; return its number."""
        self._taken.clear()
        return self.number + 1

    def end(self) -> None:
        """End the row, which was taken apart."""
        self.is_cut = bool(self._taken) and self._taken[-1][-1] not in LINE_ENDS

    def text(self) -> str:
        """Return the row's lines as they stand in the file."""
        return self._taken[0] if len(self._taken) == 1 else "".join(self._taken)

    def tear(self) -> str:
        """Give up the row's first line and return it; the others are read again."""
        first, *rest = self._taken
        self._ahead.extendleft(reversed(rest))
        self.number -= len(rest)
        return first


def _csv(path: Path, mapping: Mapping) -> Iterator[Row]:
    # Bytes that are no text become lone surrogates, which `lines` refuses value by value.
    with path.open(encoding=mapping.encoding, errors="surrogateescape", newline="") as file:
        lines = _Lines(file)
        rows = csv.reader(lines, delimiter=mapping.delimiter, strict=True)
        heading = _heading(path, mapping, rows)
        names = _find_columns(path, mapping, heading)
        places = [heading.index(name) for name in names]
        ends_mapped = len(heading) - 1 in places
        while True:
            begin = lines.begin()
            try:
                row = next(rows, None)
            except csv.Error as error:
                text = lines.tear()
                is_long = str(error) == SHORT
                wanted, fault = (SHORT, Fault.LINE_TOO_LONG) if is_long else (QUOTED, Fault.QUOTES)
                yield begin, _torn(text, wanted, fault, len(places)), text
                continue
            if row is None:
                return
            lines.end()
            text = lines.text()
            if len(row) == len(heading) and not (lines.is_cut and ends_mapped):
                if len(text) > VALUE_CHARS_MAX:
                    row = [value.strip()[:VALUE_CHARS_MAX] for value in row]
                yield begin, tuple(row[place] for place in places), text
            elif row and lines.is_cut:
                yield begin, _torn(text, ONE_LINE, Fault.CUT_OFF, len(places)), text
            elif row:  # a blank line is no row at all
                # One value too few or too many, and no value is where its column says.
                wanted = f"a line of {len(heading)} values (it has {len(row)})"
                yield begin, _torn(text, wanted, Fault.VALUE_COUNT, len(places)), text


def _torn(text: str, wanted: str, fault: Fault, places: int) -> tuple[Unreadable, ...]:
    return (Unreadable(text[:VALUE_CHARS_MAX], wanted, fault),) * places


def _heading(path: Path, mapping: Mapping, rows: Iterator[list[str]]) -> list[str]:
    try:
        heading = next(rows, [])
    except csv.Error as fault:
        raise _refused(path, "line 1 cannot be taken apart", f"a heading with {QUOTED}") from fault
    # What a wrong encoding leaves of a heading; the names below would be no help to anyone.
    if any(NO_TEXT.search(name) for name in heading):
        problem = "line 1 holds bytes that are no text"
        wanted = f"{_text_wanted(mapping)}, or the right encoding under [file] in the mapping"
        raise _refused(path, problem, wanted)
    return heading


def _find_columns(path: Path, mapping: Mapping, present: list[str]) -> list[str]:
    if not present:
        raise _refused(path, "no columns", "a heading in the first line")
    for column, name in mapping.columns.items():
        found = present.count(name)
        if found != 1:
            raise ColumnMissing(
                file=str(path),
                column=name,
                key=f"columns.{column.value}",
                found=f"in it {found} times" if found else "not in it",
                allowed=", ".join(present)[:HEADING_CHARS_SHOWN],
                remedy=ONCE if found else _other_name(name, present),
            )
    return list(mapping.columns.values())


def _other_name(name: str, present: list[str]) -> str:
    if len(present) == 1:
        return ONE_NAME
    close = get_close_matches(name, present, n=1)
    return f"{OTHER_NAME} Is it {close[0].strip()}?" if close else OTHER_NAME
