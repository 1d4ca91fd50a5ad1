"""Where a book's facts come from: what its opening event tells, and what a replay left beside it.

A replay draws the payments its file does not tell, and leaves lines out. The book's opening event
and `provenance.json` say the first, `tally.json` the second. Without them nobody knows who paid.
"""

import json
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

from fenqi.core.errors import Invalid
from fenqi.store import books
from fenqi.store.pool import Session

FILE_BYTES_MAX = 1_000_000
PROVENANCE = "provenance.json"


class FileUnreadable(Invalid):
    """A file a replay left beside its book is not what it should be."""

    code = "replay-file-unreadable"


@dataclass(frozen=True, slots=True)
class Provenance:
    """Where the payments of a book come from: a seeded draw, or it is not told."""

    payments: str = "untold"
    seed: int | None = None
    source: str | None = None

    @property
    def is_drawn(self) -> bool:
        """Whether payments are known to be drawn."""
        return self.payments == "drawn"


UNTOLD = Provenance()


def of_book(session: Session, book_id: str) -> Provenance:
    """Return what the opening event of a book tells about its payments. Errors: BookMissing."""
    told = books.drawn_from(session, books.read(session, book_id))
    if told is None:
        return UNTOLD
    source, seed = told
    return Provenance(payments="drawn", seed=seed, source=source)


def read_provenance(folder: Path | None) -> Provenance | None:
    """Return what a replay's folder says about its payments; None without such a folder.

    Errors: FileUnreadable.
    """
    table = _read(folder, PROVENANCE)
    if table is None:
        return None
    seed, source = table.get("seed"), table.get("source")
    return Provenance(
        payments=str(table.get("payments", UNTOLD.payments)),
        seed=seed if isinstance(seed, int) else None,
        source=source if isinstance(source, str) else None,
    )


def read_exceptions(folder: Path | None) -> dict[str, int] | None:
    """Return how many lines a replay left out, wholly or in part, by reason; None without a count.

    Errors: FileUnreadable.
    """
    table = _read(folder, "tally.json")
    if table is None:
        return None
    counts: Counter[str] = Counter()
    for group in ("left_out", "partly_booked"):
        reasons = table.get(group, {})
        if not isinstance(reasons, dict) or not all(
            isinstance(count, int) for count in reasons.values()
        ):
            raise FileUnreadable(file=f"{folder}/tally.json", fault=f"{group} holds no counts")
        counts.update(reasons)
    return dict(counts)


def _read(folder: Path | None, name: str) -> dict[str, object] | None:
    if folder is None or not (folder / name).is_file():
        return None
    path = folder / name
    try:
        if path.stat().st_size > FILE_BYTES_MAX:
            raise FileUnreadable(file=str(path), bytes_max=FILE_BYTES_MAX)
        table = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as fault:
        raise FileUnreadable(file=str(path), fault=str(fault)) from fault
    if not isinstance(table, dict):
        raise FileUnreadable(file=str(path), fault="not an object of names and values")
    return table
