"""Lines of a file that are not booked: what is said of each, and the files that say it."""

import csv
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Bad:
    """A line that makes no sense, where and why; a row of the file of bad lines."""

    line: int
    invoice: str
    column: str
    value: str
    wanted: str


@dataclass(frozen=True, slots=True)
class LeftOut:
    """A row of exceptions.csv: a line that is not booked, or not wholly, and why."""

    line: int
    invoice: str
    reason: str
    detail: str


def write_exceptions(path: Path, exceptions: Iterable[LeftOut]) -> None:
    """Write exceptions.csv, sorted by line; a reader never sees half of it."""
    ordered = sorted(exceptions, key=lambda row: row.line)
    rows = ((row.line, row.invoice, row.reason, row.detail) for row in ordered)
    _write(path, ("line", "invoice", "reason", "detail"), rows)


def write_bad(path: Path, bad: Iterable[Bad]) -> None:
    """Write the file of bad lines, sorted by line; a reader never sees half of it."""
    ordered = sorted(bad, key=lambda row: row.line)
    rows = ((row.line, row.invoice, row.column, row.value, f"not {row.wanted}") for row in ordered)
    _write(path, ("line", "invoice", "column", "value", "reason"), rows)


def _write(path: Path, heading: tuple[str, ...], rows: Iterable[tuple[object, ...]]) -> None:
    partial = path.with_name(path.name + ".part")
    with partial.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(heading)
        writer.writerows(rows)
    partial.replace(path)
