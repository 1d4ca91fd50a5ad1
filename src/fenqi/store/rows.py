"""Rows to insert, kept as columns: one array per column, one statement per table."""

from collections.abc import Iterable

from fenqi.store.columns import pack
from fenqi.store.pool import Session

# (column, type of its array's elements, type it is cast to in the row or "")
Column = tuple[str, str, str]


class Table:
    """How rows of one table are inserted from arrays.

    `columns` reads `"name type, name type>cast, ..."`: the array's element type, and where a row
    needs another type (an array inside an array) what it is cast to.
    """

    def __init__(self, name: str, columns: str) -> None:
        self.columns: list[Column] = []
        for column in columns.split(","):
            label, _, kind = column.strip().partition(" ")
            element, _, cast = kind.partition(">")
            self.columns.append((label, element, cast))
        names = ", ".join(label for label, _, _ in self.columns)
        chosen = ", ".join(label + (f"::{cast}" if cast else "") for label, _, cast in self.columns)
        arrays = ", ".join(f"%({label})s::{element}[]" for label, element, _ in self.columns)
        # Names come from the constants of this package only, never from outside.
        self.insert = (
            f"INSERT INTO {name} ({names}) SELECT {chosen} "  # noqa: S608 - constants only
            f"FROM UNNEST({arrays}) AS t ({names})"
        )


class Rows:
    """The rows one batch adds to a table."""

    def __init__(self, table: Table) -> None:
        self._table = table
        self._columns: list[list[object]] = [[] for _ in table.columns]

    def __len__(self) -> int:
        return len(self._columns[0])

    def add(self, *values: object) -> None:
        """Add one row; values in the order of the table's columns."""
        for column, value in zip(self._columns, values, strict=True):
            column.append(value)

    def insert(self, session: Session) -> None:
        """Send the rows, if any."""
        if len(self):
            columns = zip(self._table.columns, self._columns, strict=True)
            packed = {label: pack(element, values) for (label, element, _), values in columns}
            session.run(self._table.insert, packed)


def array_text(values: Iterable[object]) -> str:
    """Return a sequence of plain words or days as the text of a database array."""
    return "{" + ",".join(str(value) for value in values) + "}"
