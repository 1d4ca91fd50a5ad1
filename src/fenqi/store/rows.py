"""Rows to add or change, kept as columns, and the one statement that writes a batch of them.

A `Table`, `Change` or `Upsert` says how rows of one table are written, `Rows` gathers them as
columns, and a `Sheet` sends several `Rows` as one statement with a part for each table. A value is
packed and sent once: what all rows share as itself, an array that several tables name only once.

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

from fenqi.store.columns import ID, Packed, ids, pack, whole_numbers
from fenqi.store.pool import Session

FREE = frozenset({"text", "jsonb"})  # of any width, and each row has its own
DTYPES: dict[str, Any] = {
    "bigint": "i8",
    "integer": "i8",
    "smallint": "i8",
    "date": "datetime64[D]",
    "uuid": ID,
}


@dataclass(frozen=True, slots=True)
class Column:
    """One column: its name, its array's element type, and how a row's value is read."""

    name: str
    element: str
    is_coded: bool
    is_ragged: bool  # each row's value is itself an array
    cast: str  # what the value is cast to in the row, or ""


def _column(text: str) -> Column:
    """Read `name type`: `word` is coded text, `type?` may be NULL, `type[]` an array in each row.

    `type>cast` is cast in the row.
    """
    name, _, kind = text.strip().partition(" ")
    element, _, cast = kind.partition(">")
    is_ragged = element.endswith("[]")
    is_coded = element == "word" or element.endswith("?")
    element = element.rstrip("?[]")
    return Column(name, "text" if element == "word" else element, is_coded, is_ragged, cast)


class Target:
    """One table and the columns of the rows written to it."""

    def __init__(self, name: str, columns: Iterable[str]) -> None:
        self.name = name
        self.columns = [_column(text) for text in columns]
        self.names = ", ".join(column.name for column in self.columns)

    def statement(self, select: str) -> str:
        """Return the SQL that writes the rows of a SELECT."""
        raise NotImplementedError


class Table(Target):
    """How rows are inserted from arrays: `columns` reads `"name type, ..."`."""

    def __init__(self, name: str, columns: str) -> None:
        super().__init__(name, columns.split(","))

    def statement(self, select: str) -> str:
        """Return the INSERT. Names come from the constants of this package only."""
        return f"INSERT INTO {self.name} ({self.names}) {select}"


class Upsert(Table):
    """How rows are inserted, or written over where a row of the same `keys` is there.

    With `keeps` a row that is there stays as it is.
    """

    def __init__(self, name: str, columns: str, *, keys: str, keeps: bool = False) -> None:
        super().__init__(name, columns)
        assigned = ", ".join(
            f"{column.name} = EXCLUDED.{column.name}"
            for column in self.columns
            if column.name not in keys.split(", ")
        )
        then = "NOTHING" if keeps else f"UPDATE SET {assigned}"
        self._conflict = f" ON CONFLICT ({keys}) DO {then}"

    def statement(self, select: str) -> str:
        """Return the INSERT with what to do about a row that is there."""
        return super().statement(select) + self._conflict


class Change(Target):
    """How rows are changed from arrays, found by their `keys`."""

    def __init__(self, name: str, *, keys: str, columns: str) -> None:
        super().__init__(name, [*keys.split(","), *columns.split(",")])
        found = len(keys.split(","))
        self._assigned = ", ".join(f"{one.name} = new.{one.name}" for one in self.columns[found:])
        self._same = " AND ".join(
            f"old.{one.name} = new.{one.name}" for one in self.columns[:found]
        )

    def statement(self, select: str) -> str:
        """Return the UPDATE. Names come from the constants of this package only."""
        return (
            f"UPDATE {self.name} AS old SET {self._assigned} "  # noqa: S608 - constants only
            f"FROM ({select}) AS new ({self.names}) WHERE {self._same}"
        )


@dataclass(frozen=True, slots=True, eq=False)
class Ragged:
    """A column whose rows are arrays: all their elements, and how many belong to each row.

    Shapes: `elements` (sum of lengths,), `lengths` (rows,).
    """

    elements: NDArray[Any]
    lengths: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.lengths)


class Rows:
    """The rows one batch adds to a table, or changes in it, in the order they came."""

    def __init__(self, target: Target) -> None:
        self.target = target
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
        if wrong or len(columns) != len(self.target.columns):
            raise ValueError(f"{count} rows of {len(self.target.columns)} columns are wanted")
        if count:
            self._tidy()
            self._parts.append((count, columns))
            self._length += count

    def send(self, session: Session) -> None:
        """Send the rows, if any, as a statement of their own."""
        Sheet([self]).send(session)

    def column(self, place: int) -> list[tuple[int, Any]]:
        """Return a column's parts: how many rows, and their values or the one they share."""
        self._tidy()
        return [(count, columns[place]) for count, columns in self._parts]

    def _tidy(self) -> None:
        """Turn the rows added one by one into a part of columns."""
        if self._loose:
            columns = list(zip(*self._loose, strict=True))
            if len(columns) != len(self.target.columns):
                raise ValueError(f"{len(self.target.columns)} values are wanted in each row")
            self._parts.append((len(self._loose), columns))
            self._loose = []


class Filling(Protocol):
    """Something that puts its rows on a batch's sheet."""

    def fill(self, sheet: "Sheet") -> None:
        """Put them there, if there are any."""


Shape = tuple[str, ...]  # how each column of a table is read: the SQL expression of row i
STATEMENTS: dict[tuple[tuple[Target, Shape, str], ...], str] = {}  # by tables and shapes
STATEMENTS_MAX = 4096


class Sheet:
    """Rows of several tables, sent as one statement; no two may write the same row."""

    def __init__(self, rows: Iterable[Rows] = ()) -> None:
        self._rows = list(rows)
        self._parameters: list[object] = []
        self._places: dict[tuple[object, ...], int] = {}  # what is sent already, and where
        self._alive: list[object] = []  # what is known by identity must not go away

    def add(self, rows: Rows) -> None:
        """Take up rows."""
        self._rows.append(rows)

    def send(self, session: Session) -> None:
        """Send the rows, if any."""
        filled = [rows for rows in self._rows if len(rows)]
        if not filled:
            return
        shapes = tuple((rows.target, *self._shape(rows)) for rows in filled)
        statement = STATEMENTS.get(shapes)
        if statement is None:
            statement = _statement(shapes)
            if len(STATEMENTS) < STATEMENTS_MAX:
                STATEMENTS[shapes] = statement
        session.run_numbered(statement, self._parameters)

    def _shape(self, rows: Rows) -> tuple[Shape, str]:
        """Return how each column is read, and the rows' source."""
        read, free = [], []
        for place, column in enumerate(rows.target.columns):
            parts = rows.column(place)
            value = parts[0][1]
            if column.is_ragged:
                found = self._ragged(column, parts)
            elif len(parts) == 1 and not _is_many(value):
                found = self._shared(column, value)
            elif column.is_coded and not _is_array(parts):
                found = self._coded(column, parts)
            elif column.element in FREE:
                found = f"free.{column.name}"
                free.append(f"{self._array(column, parts)} AS {column.name}")
            else:
                found = f"({self._array(column, parts)})[i]"
            read.append(found + (f"::{column.cast}" if column.cast else ""))
        return tuple(read), self._source(free, len(rows))

    def _source(self, free: Sequence[str], count: int) -> str:
        """Return what numbers the rows: `i` from 1, and free texts beside it."""
        if not free:
            return f"UNNEST({self._numbers(count)}) AS row (i)"
        arrays, names = zip(*(one.split(" AS ") for one in free), strict=True)
        return (
            f"UNNEST({', '.join(arrays)}) WITH ORDINALITY AS free ({', '.join(names)}, place) "
            "CROSS JOIN LATERAL (SELECT free.place::integer) AS row (i)"
        )

    def _numbers(self, count: int) -> str:
        # An array and not generate_series: the planner believes in ten rows of the one and in a
        # thousand of the other, and only the first lets it keep a plan.
        numbers = self._sent(("rows", count), lambda: pack("integer", np.arange(1, count + 1)))
        return f"{numbers}::integer[]"

    def _shared(self, column: Column, value: Any) -> str:
        """Return what is read where all rows have the same value."""
        if value is None:
            return f"NULL::{column.element}"
        element = column.cast if column.cast in FREE else column.element
        found = self._sent((element, "one", type(value), value), lambda: pack(element, [value]))
        return f"({found}::{element}[])[1]"

    def _coded(self, column: Column, parts: Sequence[tuple[int, Any]]) -> str:
        several = parts[0][1] if len(parts) == 1 else None
        if several is not None and _is_many(several) and _is_one(several):
            return self._shared(column, several[0])
        key = ("code", column.element, id(several)) if several is not None else None
        if key is None or key not in self._places:
            codes, values = _code(parts)
            place = self._put(codes)
            self._put(pack(column.element, values))
            if key is not None:
                self._places[key] = place
                self._alive.append(several)
        else:
            place = self._places[key]
        return f"(${place + 1}::{column.element}[])[(${place}::integer[])[i]]"

    def _ragged(self, column: Column, parts: Sequence[tuple[int, Any]]) -> str:
        """Return a slice of all rows' elements, one behind the other."""
        arrays = [_ragged_part(column, count, value) for count, value in parts]
        if len(arrays) == 1:
            (one,) = arrays
        else:
            one = Ragged(
                np.concatenate([part.elements for part in arrays]),
                np.concatenate([part.lengths for part in arrays]),
            )
        elements = self._sent(
            (column.element, id(one.elements)), lambda: pack(column.element, one.elements)
        )
        self._alive += [one.elements, one.lengths]
        last = np.cumsum(one.lengths)
        key = (
            tuple(one.lengths.tolist())
            if len(set(one.lengths.tolist())) > 1
            else (int(one.lengths[0]), len(last))
        )
        first = self._sent(("first", *key), lambda: pack("integer", last - one.lengths + 1))
        stop = self._sent(("stop", *key), lambda: pack("integer", last))
        return f"({elements}::{column.element}[])[({first}::integer[])[i]:({stop}::integer[])[i]]"

    def _array(self, column: Column, parts: Sequence[tuple[int, Any]]) -> str:
        """Return the parameter that holds a whole column."""
        element = column.element
        if len(parts) == 1:
            values = parts[0][1]
            self._alive.append(values)
            found = self._sent(
                (element, id(values)), lambda: pack(element, _plain(element, values))
            )
        else:
            place = self._put(pack(element, _joined(element, parts)))
            found = f"${place}"
        return f"{found}::{element}[]"

    def _sent(self, key: tuple[object, ...], packed: "Packing") -> str:
        place = self._places.get(key)
        if place is None:
            place = self._places[key] = self._put(packed())
        return f"${place}"

    def _put(self, value: object) -> int:
        self._parameters.append(value)
        return len(self._parameters)


class Packing(Protocol):
    """Packs a parameter when it turns out to be needed."""

    def __call__(self) -> Packed:
        """Return it."""


def _statement(shapes: Sequence[tuple[Target, Shape, str]]) -> str:
    """Return one statement with a part for each table; the last part is its main one."""
    parts = [
        target.statement(f"SELECT {', '.join(read)} FROM {source}")  # noqa: S608 - constants only
        for target, read, source in shapes
    ]
    *others, last = parts
    if not others:
        return last
    named = ", ".join(f"part_{place} AS ({text})" for place, text in enumerate(others))
    return f"WITH {named} {last}"


def _is_many(values: Any) -> bool:
    return isinstance(values, list | tuple | np.ndarray | Ragged)


def _is_array(parts: Sequence[tuple[int, Any]]) -> bool:
    """Return whether a column came as one array, in which nothing is NULL."""
    return len(parts) == 1 and isinstance(parts[0][1], np.ndarray)


def _is_one(values: Any) -> bool:
    """Return whether all values are the same."""
    return bool(values.count(values[0]) == len(values))


def _code(parts: Iterable[tuple[int, Any]]) -> tuple[Packed, list[Any]]:
    """Return which of the different values each row has, from 1, or 0 for NULL; and those."""
    known: dict[Any, int] = {None: 0}
    codes: list[NDArray[np.int64]] = []
    for count, values in parts:
        if _is_many(values):
            listed = values.tolist() if isinstance(values, np.ndarray) else values
            found = [known.setdefault(value, len(known)) for value in listed]
            codes.append(np.asarray(found, dtype=np.int64))
        else:
            codes.append(np.full(count, known.setdefault(values, len(known)), dtype=np.int64))
    return pack("integer", np.concatenate(codes)), list(known)[1:]


def _ragged_part(column: Column, count: int, value: Any) -> Ragged:
    """Return arrays one behind the other; None for all rows is an empty array in each."""
    if isinstance(value, Ragged):
        return value
    rows = [()] * count if value is None else value
    lengths = np.array([len(row) for row in rows], dtype=np.int64)
    return Ragged(_converted(column.element, [one for row in rows for one in row]), lengths)


def _plain(element: str, values: Any) -> Any:
    """Return one whole column as it can be packed."""
    if element in DTYPES and not isinstance(values, np.ndarray):
        return _converted(element, values)
    return values


def _joined(element: str, parts: Sequence[tuple[int, Any]]) -> Any:
    """Return one column's parts one behind the other."""
    if element in DTYPES:
        return np.concatenate([_part(element, count, values) for count, values in parts])
    return [
        value
        for count, values in parts
        for value in (values if _is_many(values) else [values] * count)
    ]


def _part(element: str, count: int, values: Any) -> NDArray[Any]:
    if _is_many(values):
        return np.asarray(_plain(element, values))
    return np.repeat(_converted(element, [values]), count)


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
