"""Rows that wait on disk while a file is read, because a file may hold more than memory does.

An SQLite database without a name: it lies in the system's folder of temporary files, nobody else
can open it, and it is gone when the program ends, however it ends. Nothing of a book is in it.
"""

import errno
import os
import sqlite3
from collections.abc import Callable, Collection, Iterable, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

CACHE_KIB = 8_192  # what SQLite keeps in memory
PAGE_BYTES = 4_096
PAGES_MAX = 1 << 26  # 256 GiB of scratch, far above any file of lines
ROWS_FETCHED = 1_000
WHERE = "the folder of temporary files (set TMPDIR to another one)"

Row = tuple[Any, ...]
One = TypeVar("One")


class Scratch:
    """A private database on disk, in one transaction that never ends."""

    def __init__(self, schema: str) -> None:
        # One thread works on it, but any may be the one that lets go of it last.
        self._base = sqlite3.connect("", isolation_level=None, check_same_thread=False)
        for pragma in (
            f"page_size = {PAGE_BYTES}",
            f"cache_size = -{CACHE_KIB}",
            "journal_mode = OFF",
            "temp_store = FILE",
        ):
            self._base.execute(f"PRAGMA {pragma}")
        self._base.execute(f"PRAGMA max_page_count = {PAGES_MAX}")
        self._base.executescript(schema)
        self._base.execute("BEGIN")

    def __del__(self) -> None:
        self._base.close()

    def add(self, statement: str, rows: Iterable[Row]) -> None:
        """Write rows. Errors: OSError."""
        with _told():
            self._base.executemany(statement, rows)

    def rows(self, statement: str, values: Row = ()) -> Iterator[Row]:
        """Yield what a question finds, a piece at a time. Errors: OSError."""
        with _told():
            cursor = self._base.execute(statement, values)
            while piece := cursor.fetchmany(ROWS_FETCHED):
                yield from piece

    def row(self, statement: str, values: Row = ()) -> Row | None:
        """Return the first row of what a question finds, if any. Errors: OSError."""
        with _told():
            found: Row | None = self._base.execute(statement, values).fetchone()
            return found


@contextmanager
def _told() -> Iterator[None]:
    """Let what goes wrong with the disk be told like any other file's trouble."""
    try:
        yield
    except sqlite3.OperationalError as fault:
        is_full = fault.sqlite_errorcode == sqlite3.SQLITE_FULL
        code = errno.ENOSPC if is_full else errno.EIO
        raise OSError(code, os.strerror(code), WHERE) from fault


class OnDisk(Collection[One]):
    """Rows in their order, read from disk each time one goes through them."""

    def __init__(self, count: int, rows: Callable[[], Iterator[One]]) -> None:
        self._count, self._rows = count, rows

    def __len__(self) -> int:
        return self._count

    def __iter__(self) -> Iterator[One]:
        return self._rows()

    def __contains__(self, one: object) -> bool:
        return any(one == row for row in self)
