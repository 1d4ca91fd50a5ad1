"""Lines of a file that are not booked: what is said of each, and the files that say it.

Each file appears under its name only when it is whole, so a reader never sees half of it.
"""

import csv
import io
import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType

from fenqi.core.errors import Invalid
from fenqi.core.values.phrase import Phrase
from fenqi.replay.rows import LINE_ENDS, Raw

NO_TEXT = re.compile("[\ud800-\udfff]")
VALUE_CHARS_SHOWN = 100
EXCEPTIONS = ("line", "invoice", "reason", "detail")
BAD_LINES = ("file", "line", "column", "reason", "value", "wanted", "invoice", "raw")


class PlaceUnfit(Invalid):
    """The file of bad lines cannot be written there without harm."""

    code = "place-unfit"


@dataclass(frozen=True, slots=True)
class Bad:
    """A line that makes no sense, where and why; `fault` is the code of the reason.

    `raw` is the line as it stands in the file, or the mapped values of a Parquet row.
    """

    line: int
    invoice: str
    column: str
    value: str
    wanted: str
    fault: str
    raw: Raw


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A row of exceptions.csv: a line that is not booked, or not wholly, and why."""

    line: int
    invoice: str
    reason: str
    detail: str


def write_exceptions(path: Path, exceptions: Iterable[LeftOut]) -> None:
    """Write exceptions.csv in the order given, which is that of the lines."""
    with Table(path, EXCEPTIONS) as table:
        for row in exceptions:
            table.add((row.line, row.invoice, row.reason, row.detail))


class BadLines:
    """The file of bad lines, written as they are found, so that none of them is kept in memory.

    It is there once the block ends; a block that fails leaves the file that was there before.
    """

    def __init__(self, path: Path, source: Path) -> None:
        self.count = 0
        self._source = str(source)
        self._table = Table(path, BAD_LINES)

    def __enter__(self) -> "BadLines":
        self._table.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._table.__exit__(kind, fault, trace)

    def note(self, bad: Bad) -> None:
        """Add a line; they come in the order of the source."""
        self.count += 1
        self._table.add(
            (
                self._source,
                bad.line,
                bad.column,
                bad.fault,
                bad.value,
                bad.wanted,
                bad.invoice,
                _as_text(bad.raw),
            )
        )


def check_place(path: Path, read: Iterable[Path], out: Path | None = None) -> None:
    """Refuse a file of bad lines that would replace what is read, or what a replay leaves in `out`.

    Errors: PlaceUnfit.
    """
    if path.exists() and not path.is_file():
        raise PlaceUnfit(path=str(path), problem="no regular file")
    for other in read:
        # The same file may have several names.
        is_same = path.exists() and other.exists() and path.samefile(other)
        if is_same or path.resolve() == other.resolve():
            raise PlaceUnfit(path=str(path), problem=Phrase("what is read ({file})", file=other))
    if out is not None and path.resolve().parent == out.resolve() and path.name in LEFT_IN_OUT:
        raise PlaceUnfit(path=str(path), problem="a file that the replay itself writes")


LEFT_IN_OUT = frozenset(
    {
        "exceptions.csv",
        "tally.json",
        "provenance.json",
        "report.json",
        "report.html",
        "ledger.beancount",
    }
)


def printable(text: str) -> str:
    """Return a text without what a terminal would obey; bytes that were no text show as bytes."""
    return "".join(one if one.isprintable() else repr(one)[1:-1] for one in _with_bytes(text))


def _with_bytes(text: str) -> str:
    """Return a text in which bytes that were no text stand as their digits."""
    return NO_TEXT.sub(lambda found: f"\\x{ord(found[0]) & 0xFF:02x}", text)


def _as_text(raw: Raw) -> str:
    if isinstance(raw, tuple):
        row = io.StringIO()
        csv.writer(row, lineterminator="").writerow(raw)
        return row.getvalue()
    return _with_bytes(raw.rstrip(LINE_ENDS))


class Table:
    """A CSV file that takes its name when it is whole."""

    def __init__(self, path: Path, heading: tuple[str, ...]) -> None:
        self._path = path
        self._partial = path.with_name(path.name + ".part")
        self._heading = heading

    def __enter__(self) -> "Table":
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            self._file = self._partial.open("w", encoding="utf-8", newline="")
        except OSError as fault:
            raise self._named(fault) from fault
        self._writer = csv.writer(self._file, lineterminator="\n")
        self._writer.writerow(self._heading)
        return self

    def add(self, row: tuple[object, ...]) -> None:
        """Write a row. Errors: OSError that names the file."""
        try:
            self._writer.writerow(row)
        except OSError as fault:
            raise self._named(fault) from fault

    def __exit__(
        self,
        kind: type[BaseException] | None,
        fault: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        try:
            self._file.close()
            if kind is None:
                self._partial.replace(self._path)
        except OSError as failed:
            raise self._named(failed) from failed
        finally:
            self._partial.unlink(missing_ok=True)

    def _named(self, fault: OSError) -> OSError:
        return OSError(fault.errno, fault.strerror, str(self._path))
