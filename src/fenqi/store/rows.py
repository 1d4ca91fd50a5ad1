"""Rows to add or change, kept as columns, and the one statement that writes a batch of them.

A `Table`, `Change` or `Upsert` says how rows of one table are written, `Rows` gathers them as
columns, and a `Sheet` sends several `Rows` as one statement with a part for each table. A value is
packed and sent once: what all rows share as itself, an array that several tables name only once.

A row is picked out of the arrays by its number: `(array)[i]` costs the database a third of what
reading many arrays side by side with UNNEST does. That holds for elements of one width; of words
and of what may be NULL the different values are sent once and each row says which (`coded`), and
only free text is unnested. Measured in docs/benchmarks.md.
"""

import re
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from itertools import chain
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from fenqi.store.columns import GAP, ID, GapTaken, Packed, ids, pack, pack_filled, whole_numbers
from fenqi.store.pool import Session

PLAIN = re.compile(r"[a-z0-9][a-z0-9:._-]*")  # an element that needs no quotes
WRITTEN = frozenset({"text", "jsonb"})  # whose values are sent as text
FREE = WRITTEN | {"bytea"}  # of any width, and each row has its own
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

    With `keeps` a row that is there stays as it is; with `adds` what comes is added to it. With
    `lasts` no row ever changes or goes, and the first column is their key: those a connection has
    committed once, one by one, it does not send again.
    """

    def __init__(
        self,
        name: str,
        columns: str,
        *,
        keys: str,
        keeps: bool = False,
        adds: bool = False,
        lasts: bool = False,
    ) -> None:
        super().__init__(name, columns)
        self.lasts = lasts
        there = [column.name for column in self.columns if column.name not in keys.split(", ")]
        assigned = ", ".join(
            f"{one} = {name}.{one} + EXCLUDED.{one}" if adds else f"{one} = EXCLUDED.{one}"
            for one in there
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

    Shapes: `elements` (sum of lengths,), with None for NULL if it is a list; `lengths` (rows,).
    """

    elements: NDArray[Any] | list[Any]
    lengths: NDArray[np.int64]

    def __len__(self) -> int:
        return len(self.lengths)


MANY = (list, tuple, np.ndarray, Ragged)  # a union would be built anew in each of many calls


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

    def unsent(self, session: Session) -> "Rows":
        """Return those that the session's connection has to send."""
        if not self._loose or not isinstance(self.target, Upsert) or not self.target.lasts:
            return self
        left = Rows(self.target)
        for row in self._loose:
            if (self.target.name, row[0]) not in session.lasting:
                left.add(*row)
        if left:
            keys = [(self.target.name, row[0]) for row in left._loose]
            session.after_commit(lambda: session.lasting.update(keys))
        return left

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


# How a column of a table is read: a way and the numbers of the parameters it reads from.
Read = tuple[Any, ...]
Part = tuple[Target, tuple[Read, ...], int]  # with the parameter that numbers the rows
STATEMENTS: dict[tuple[Part, ...], str] = {}
STATEMENTS_MAX = 4096
ONES_MAX = 4096  # packed values that all rows of a batch share


class Sheet:
    """Rows of several tables, sent as one statement; no two may write the same row."""

    def __init__(self, rows: Iterable[Rows] = ()) -> None:
        self._rows = list(rows)
        self._later: list[Rows] = []
        self._parameters: list[object] = []
        self._places: dict[object, int] = {}  # what is sent already, and as which parameter
        self._alive: list[object] = []  # what is known by identity must not go away

    def add(self, rows: Rows) -> None:
        """Take up rows."""
        self._rows.append(rows)

    def add_later(self, rows: Rows) -> None:
        """Take up rows that change again what this sheet writes: a statement of their own after."""
        self._later.append(rows)

    def send(self, session: Session) -> None:
        """Send the rows, if any."""
        self._send_parts(session)
        for rows in self._later:
            rows.send(session)

    def _send_parts(self, session: Session) -> None:
        every = (rows.unsent(session) for rows in self._rows)
        parts = tuple(self._part(rows) for rows in every if len(rows))
        if not parts:
            return
        statement = STATEMENTS.get(parts)
        if statement is None:
            statement = _statement(parts)
            if len(STATEMENTS) < STATEMENTS_MAX:
                STATEMENTS[parts] = statement
        session.run_numbered(statement, self._parameters)

    def _part(self, rows: Rows) -> Part:
        """Pack the columns of one table, and say how each is read."""
        reads = tuple(
            self._read(column, rows.column(place))
            for place, column in enumerate(rows.target.columns)
        )
        count = len(rows)
        numbers = self._places.get(count)
        if numbers is None:
            numbers = self._places[count] = self._put(pack("integer", np.arange(1, count + 1)))
        return (rows.target, reads, numbers)

    def _read(self, column: Column, parts: Sequence[tuple[int, Any]]) -> Read:
        if len(parts) > 1:
            return self._joined(column, parts)
        values = parts[0][1]
        if not _is_many(values):
            return self._one(column, values)
        if column.is_coded and not isinstance(values, np.ndarray):
            if values.count(values[0]) == len(values):
                return self._one(column, values[0])
            return ("coded", *self._coded(column, values))
        if isinstance(values, Ragged):
            return self._ragged(column, values)
        key = (column.element, id(values))
        place = self._places.get(key)
        if place is None:
            self._alive.append(values)
            packed = pack(column.element, _plain(column.element, values))
            place = self._places[key] = self._put(packed)
        return ("free" if column.element in FREE else "fixed", place)

    def _joined(self, column: Column, parts: Sequence[tuple[int, Any]]) -> Read:
        """Read a column that came in several parts."""
        if column.is_ragged:
            every = [value for _, value in parts]
            return self._ragged(
                column,
                Ragged(
                    _elements([one.elements for one in every]),
                    np.concatenate([one.lengths for one in every]),
                ),
            )
        if column.is_coded:
            return ("coded", *self._coded(column, _listed(parts)))
        place = self._put(pack(column.element, _column_of(column.element, parts)))
        return ("free" if column.element in FREE else "fixed", place)

    def _one(self, column: Column, value: Any) -> Read:
        """Read what all rows share."""
        if value is None:
            return ("null",)
        element = column.cast if column.cast in WRITTEN else column.element
        key = (element, type(value), value)
        place = self._places.get(key)
        if place is None:
            place = self._places[key] = self._put(_packed_one(element, value))
        return ("one", place)

    def _coded(self, column: Column, values: Sequence[Any]) -> tuple[int, int]:
        """Return where the different values are, and where each row's number of its own is."""
        key = ("coded", column.element, id(values))
        place = self._places.get(key)
        if place is None:
            self._alive.append(values)
            known: dict[Any, int] = {None: 0}
            codes = [known.setdefault(value, len(known)) for value in values]
            place = self._places[key] = self._put(pack("integer", codes))
            self._put(pack(column.element, list(known)[1:]))
        return (place + 1, place)

    def _ragged(self, column: Column, values: Ragged) -> Read:
        """Read slices of all rows' elements, which lie one behind the other."""
        self._alive.append(values)
        way, packed = _packed_elements(column.element, values.elements)
        elements = self._put(packed)
        key = ("lengths", values.lengths.tobytes())
        place = self._places.get(key)
        if place is None:
            last = np.cumsum(values.lengths)
            place = self._places[key] = self._put(pack("integer", last - values.lengths + 1))
            self._put(pack("integer", last))
        return (way, elements, place, place + 1)

    def _put(self, value: object) -> int:
        self._parameters.append(value)
        return len(self._parameters)


def _packed_elements(element: str, values: Any) -> tuple[str, Packed]:
    """Return all elements of a ragged column, and which way its slices are read."""
    if element == "bigint" and isinstance(values, list) and None in values:
        with suppress(GapTaken):
            return "filled", pack_filled(values)
    return "ragged", pack(element, values)


@lru_cache(maxsize=ONES_MAX, typed=True)
def _packed_one(element: str, value: Any) -> Packed:
    return pack(element, [value])


def _statement(parts: Sequence[Part]) -> str:
    """Return one statement with a part for each table; the last part is its main one."""
    texts = [
        target.statement(
            f"SELECT {', '.join(_value(*one) for one in zip(target.columns, reads, strict=True))} "  # noqa: S608 - constants only
            f"FROM {_source(target, reads, numbers)}"
        )
        for target, reads, numbers in parts
    ]
    *others, last = texts
    if not others:
        return last
    named = ", ".join(f"part_{place} AS ({text})" for place, text in enumerate(others))
    return f"WITH {named} {last}"


def _value(column: Column, read: Read) -> str:
    """Return the SQL expression of row i's value."""
    element = column.element
    match read:
        case ("null",):
            found = f"NULL::{element}"
        case ("one", place):
            kind = column.cast if column.cast in WRITTEN else element
            found = f"(${place}::{kind}[])[1]"
        case ("fixed", place):
            found = f"(${place}::{element}[])[i]"
        case ("free", _):
            found = f"free.{column.name}"
        case ("coded", values, codes):
            found = f"(${values}::{element}[])[(${codes}::integer[])[i]]"
        case ("ragged" | "filled" as way, elements, first, last):
            found = f"(${elements}::{element}[])[(${first}::integer[])[i]:(${last}::integer[])[i]]"
            if way == "filled":
                found = f"array_replace({found}, '{GAP}', NULL)"
        case _:
            raise ValueError(read)
    return found + (f"::{column.cast}" if column.cast else "")


def _source(target: Target, reads: Sequence[Read], numbers: int) -> str:
    """Return what numbers the rows: `i` from 1, and free texts beside it.

    The numbers are an array and not generate_series: the planner believes in ten rows of the one
    and in a thousand of the other, and only the first lets it keep a plan.
    """
    free = [
        (column, read[1])
        for column, read in zip(target.columns, reads, strict=True)
        if read[0] == "free"
    ]
    if not free:
        return f"UNNEST(${numbers}::integer[]) AS row (i)"
    arrays = ", ".join(f"${place}::{column.element}[]" for column, place in free)
    names = ", ".join(column.name for column, _ in free)
    return f"UNNEST(${numbers}::integer[], {arrays}) AS free (i, {names})"


def _is_many(values: Any) -> bool:
    return isinstance(values, MANY)


def _listed(parts: Iterable[tuple[int, Any]]) -> list[Any]:
    """Return one column's parts one behind the other, as a list."""
    listed: list[Any] = []
    for count, values in parts:
        if isinstance(values, np.ndarray):
            listed += values.tolist()
        else:
            listed += values if _is_many(values) else [values] * count
    return listed


def _plain(element: str, values: Any) -> Any:
    """Return one whole column as it can be packed."""
    if element in DTYPES and not isinstance(values, np.ndarray):
        return _converted(element, values)
    return values


def _column_of(element: str, parts: Sequence[tuple[int, Any]]) -> Any:
    """Return one column's parts one behind the other, as they can be packed."""
    if element in DTYPES:
        return np.concatenate([_part(element, count, values) for count, values in parts])
    return _listed(parts)


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


def _elements(parts: Sequence[Any]) -> Any:
    """Return the elements of several parts of a column, one behind the other."""
    if all(isinstance(one, np.ndarray) for one in parts):
        return np.concatenate(parts)
    return [value for one in parts for value in one]


def lists(values: Sequence[Sequence[Any]]) -> Ragged:
    """Return a column whose rows are the given sequences, None for NULL."""
    lengths = np.fromiter(map(len, values), dtype=np.int64, count=len(values))
    return Ragged(list(chain.from_iterable(values)), lengths)


def array_text(values: Iterable[object]) -> str:
    """Return a sequence of words, numbers or days as the text of a database array."""
    return "{" + ",".join(map(_element_text, values)) + "}" if values else "{}"


def _element_text(value: object) -> str:
    text = str(value)
    if PLAIN.fullmatch(text) and text != "null":
        return text
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'
