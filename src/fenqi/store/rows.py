"""Rows to add or change, kept as columns: one array per column, one statement per table.

A row is picked out of the arrays by its number: `(array)[i]` costs the database a third of what
reading many arrays side by side with UNNEST does. That holds for elements of one width; of words
and of what may be NULL the different values are sent once and each row says which (`coded`), and
only free text is unnested. Measured in docs/benchmarks.md.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from fenqi.store.columns import ID, Packed, Values, ids, pack, whole_numbers
from fenqi.store.pool import Session

FREE = frozenset({"text", "jsonb"})  # of any width, and each row has its own
DTYPES: dict[str, Any] = {
    "bigint": "i8",
    "integer": "i8",
    "smallint": "i8",
    "date": "datetime64[D]",
    "uuid": ID,
}


class Sending(Protocol):
    """Something a batch sends with its other rows."""

    def send(self, session: Session) -> None:
        """Send it, if there is anything."""


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name, its array's element type, and how a row's value is read."""

    name: str
    element: str
    is_coded: bool
    cast: str  # what the value is cast to in the row, or ""

    @property
    def is_free(self) -> bool:
        """Whether the array must be unnested."""
        return self.element in FREE and not self.is_coded

    @property
    def value(self) -> str:
        """The SQL expression of row i's value."""
        array = f"%({self.name})s::{self.element}[]"
        if self.is_free:
            found = f"free.{self.name}"
        elif self.is_coded:
            found = f"({array})[(%({self.name}_code)s::integer[])[i]]"
        else:
            found = f"({array})[i]"
        return found + (f"::{self.cast}" if self.cast else "")


def _column(text: str) -> Column:
    """Read `name type`: a type `word` is coded text, `type?` may be NULL, `type>cast` is cast."""
    name, _, kind = text.strip().partition(" ")
    element, _, cast = kind.partition(">")
    is_coded = element == "word" or element.endswith("?")
    element = element.rstrip("?")
    return Column(name, "text" if element == "word" else element, is_coded, cast)


class Table:
    """How rows of one table are inserted from arrays: `columns` reads `"name type, ..."`."""

    def __init__(self, name: str, columns: str) -> None:
        self.columns = [_column(text) for text in columns.split(",")]
        names = ", ".join(column.name for column in self.columns)
        # Names come from the constants of this package only, never from outside.
        self.statement = f"INSERT INTO {name} ({names}) {_select(self.columns)}"


class Change:
    """How rows of one table are changed from arrays, found by their `keys`."""

    def __init__(self, name: str, *, keys: str, columns: str) -> None:
        found = [_column(text) for text in keys.split(",")]
        changed = [_column(text) for text in columns.split(",")]
        self.columns = [*found, *changed]
        assigned = ", ".join(f"{column.name} = new.{column.name}" for column in changed)
        same = " AND ".join(f"old.{column.name} = new.{column.name}" for column in found)
        names = ", ".join(column.name for column in self.columns)
        self.statement = (
            f"UPDATE {name} AS old SET {assigned} "  # noqa: S608 - constants only
            f"FROM ({_select(self.columns)}) AS new ({names}) WHERE {same}"
        )


def _select(columns: Sequence[Column]) -> str:
    values = ", ".join(column.value for column in columns)
    free = [column for column in columns if column.is_free]
    if not free:
        return f"SELECT {values} FROM generate_series(1, %(rows)s::integer) AS i"  # noqa: S608 - constants only
    arrays = ", ".join(f"%({column.name})s::{column.element}[]" for column in free)
    names = ", ".join(column.name for column in free)
    return (
        f"SELECT {values} FROM UNNEST({arrays}) WITH ORDINALITY AS free ({names}, place) "  # noqa: S608 - constants only
        "CROSS JOIN LATERAL (SELECT free.place::integer) AS row (i)"
    )


class Rows:
    """The rows one batch adds to a table, or changes in it, in the order they came."""

    def __init__(self, table: Table | Change) -> None:
        self._table = table
        self._loose: list[tuple[Any, ...]] = []
        self._parts: list[tuple[int, Sequence[Any]]] = []
        self._length = 0

    def __len__(self) -> int:
        return self._length

    def add(self, *values: Any) -> None:
        """Add one row; values in the order of the table's columns."""
        self._loose.append(values)
        self._length += 1

    def extend(self, count: int, *columns: Any) -> None:
        """Add `count` rows; a column is a list or array of them, or one value for all."""
        wrong = [one for one in columns if _is_many(one) and len(one) != count]
        if wrong or len(columns) != len(self._table.columns):
            raise ValueError(f"{count} rows of {len(self._table.columns)} columns are wanted")
        if count:
            self._tidy()
            self._parts.append((count, columns))
            self._length += count

    def send(self, session: Session) -> None:
        """Send the rows, if any."""
        if not self._length:
            return
        self._tidy()
        packed: dict[str, object] = {"rows": self._length}
        for place, column in enumerate(self._table.columns):
            parts = [(count, columns[place]) for count, columns in self._parts]
            if column.is_coded:
                codes, values = _code(parts)
                packed[f"{column.name}_code"] = codes
                packed[column.name] = pack(column.element, values)
            else:
                packed[column.name] = pack(column.element, _joined(column.element, parts))
        session.run(self._table.statement, packed)

    def _tidy(self) -> None:
        """Turn the rows added one by one into a part of columns."""
        if self._loose:
            columns = list(zip(*self._loose, strict=True))
            if len(columns) != len(self._table.columns):
                raise ValueError(f"{len(self._table.columns)} values are wanted in each row")
            self._parts.append((len(self._loose), columns))
            self._loose = []


def _is_many(values: Any) -> bool:
    return isinstance(values, list | tuple | np.ndarray)


def _code(parts: Iterable[tuple[int, Any]]) -> tuple[Packed, list[Any]]:
    """Return which of the different values each row has, from 1, or 0 for NULL; and those."""
    known: dict[Any, int] = {None: 0}
    codes: list[NDArray[np.int64]] = []
    for count, values in parts:
        if _is_many(values):
            found = [known.setdefault(value, len(known)) for value in values]
            codes.append(np.asarray(found, dtype=np.int64))
        else:
            codes.append(np.full(count, known.setdefault(values, len(known)), dtype=np.int64))
    return pack("integer", np.concatenate(codes)), list(known)[1:]


def _joined(element: str, parts: Sequence[tuple[int, Any]]) -> Values:
    """Return one column's parts one behind the other."""
    if element in DTYPES:
        arrays = [_array(element, count, values) for count, values in parts]
        return arrays[0] if len(arrays) == 1 else np.concatenate(arrays)
    if len(parts) == 1 and _is_many(parts[0][1]):
        return parts[0][1]  # type: ignore[no-any-return] # a list, tuple or array
    return [
        value
        for count, values in parts
        for value in (values if _is_many(values) else [values] * count)
    ]


def _array(element: str, count: int, values: Any) -> NDArray[Any]:
    if isinstance(values, np.ndarray):
        return values
    several = values if _is_many(values) else [values]
    array = _converted(element, several)
    return array if _is_many(values) else np.repeat(array, count)


def _converted(element: str, values: Sequence[Any]) -> NDArray[Any]:
    """Return values as an array, refusing what numpy would quietly make something else of."""
    if element == "uuid":
        return ids(values)
    if element == "date":
        if None in values:
            raise TypeError("a column of days that may be NULL is not declared so")
        return np.asarray(values, dtype=DTYPES[element])
    return whole_numbers(values)


def array_text(values: Iterable[object]) -> str:
    """Return a sequence of plain words or days as the text of a database array."""
    return "{" + ",".join(str(value) for value in values) + "}"
