"""Columns packed for the database: one array of one type in PostgreSQL's binary form.

A batch sends its rows as arrays, one per column. The driver turns a Python list into an array one
element at a time; packing a whole column at once costs a fraction of that, and a numpy array of
numbers, days or ids is packed without touching its elements.
Source: array_send and the types' send functions of PostgreSQL; all integers big-endian.
"""

import struct
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from itertools import chain
from typing import Any
from uuid import UUID

import numpy as np
from numpy.typing import NDArray
from psycopg import Connection
from psycopg.adapt import Dumper
from psycopg.pq import Format

HEADER = struct.Struct(">iiiii")  # dimensions, has nulls, element type, length, lower bound
LENGTH = struct.Struct(">i")
NULL = LENGTH.pack(-1)
DAY_ZERO = date(2000, 1, 1).toordinal()
DAYS_TO_ZERO = 10_957  # from 1970, where numpy counts days from, to 2000, where the database does
INSTANT_ZERO = datetime(2000, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
MICROSECONDS_TO_ZERO = DAYS_TO_ZERO * 86_400_000_000
EXACT_SECONDS = 2**32  # from 1970 on either side; half a microsecond is then not lost
ELEMENTS_MAX = 65_536  # numbers whose packed form is remembered
INSTANT_LENGTH = LENGTH.pack(8)
JSONB_VERSION = b"\x01"
ID = np.dtype("V16")

Ids = NDArray[np.void]  # sixteen bytes each
Values = Sequence[Any] | NDArray[Any]


class Packed(bytes):
    """A packed column; each element type has its own subclass, which names the database type."""

    __slots__ = ()


def _day(value: date) -> bytes:
    return LENGTH.pack(value.toordinal() - DAY_ZERO)


def _instant(value: datetime) -> bytes:
    return struct.pack(">q", (value - INSTANT_ZERO) // MICROSECOND)


def _json(text: str | bytes) -> bytes:
    return JSONB_VERSION + (text if isinstance(text, bytes) else text.encode())


# Element type: (its oid, its array's oid, how one element is packed).
# Source: pg_type.dat of PostgreSQL; these numbers are fixed for all versions.
KINDS: dict[str, tuple[int, int, Callable[[Any], bytes]]] = {
    "bigint": (20, 1016, struct.Struct(">q").pack),
    "integer": (23, 1007, struct.Struct(">i").pack),
    "smallint": (21, 1005, struct.Struct(">h").pack),
    "boolean": (16, 1000, struct.Struct(">?").pack),
    "text": (25, 1009, str.encode),
    "bytea": (17, 1001, bytes),
    "jsonb": (3802, 3807, _json),
    "uuid": (2950, 2951, lambda value: value if type(value) is bytes else value.bytes),
    "date": (1082, 1182, _day),
    "timestamptz": (1184, 1185, _instant),
}
WIDTHS = {"bigint": 8, "integer": 4, "smallint": 2}
CLASSES: dict[str, type[Packed]] = {
    kind: type(f"Packed_{kind}", (Packed,), {"__slots__": ()}) for kind in KINDS
}


def ids(values: Sequence[UUID | bytes]) -> Ids:
    """Return ids, or their sixteen bytes each, as an array that numpy can repeat and pick from.

    Shapes: (n,) -> (n,).
    """
    raw = [value if type(value) is bytes else value.bytes for value in values]  # type: ignore[union-attr] # mypy does not narrow by `type`
    return np.frombuffer(b"".join(raw), dtype=ID)


def unpack(kind: str, packed: bytes | None) -> NDArray[Any]:
    """Return a column that a query gathered with the type's send function, nulls not allowed.

    Shapes: the bytes of n elements, None for no row -> (n,): int64, datetime64[D] or `Ids`.
    """
    packed = packed or b""
    if kind == "uuid":
        return np.frombuffer(packed, dtype=ID)
    if kind == "date":
        days = np.frombuffer(packed, dtype=">i4").astype(np.int64) + DAYS_TO_ZERO
        return days.astype("datetime64[D]")
    return np.frombuffer(packed, dtype=f">i{WIDTHS[kind]}").astype(np.int64)


def whole_numbers(values: Sequence[Any]) -> NDArray[np.int64]:
    """Return integers as an array.

    Errors: TypeError if one is something else, as a fraction is; OverflowError.
    """
    array = np.asarray(values)
    if array.size and array.dtype.kind != "i":
        if not all(type(value) is int for value in values):
            raise TypeError(f"whole numbers are wanted, not {array.dtype}")
        raise OverflowError("a number does not fit 64 bits")
    return array.astype(np.int64)


def pack(kind: str, values: Values) -> Packed:
    """Return a column of values, or None for NULL, as one array parameter.

    Shapes: a sequence or numpy array of any length, numbers as integers, days as datetime64[D],
    ids as `Ids`; the packed array has one dimension.
    Errors: OverflowError or struct.error for a number its type cannot hold; TypeError for a
    fraction, or a day that is missing in a numpy array.
    """
    element, _, one = KINDS[kind]
    length = len(values)
    if not length:
        return CLASSES[kind](HEADER.pack(0, 0, element, 0, 1)[:12])
    has_null = False
    if isinstance(values, np.ndarray):
        body = _array(kind, values)
    elif kind in WIDTHS and None not in values:
        body = _array(kind, whole_numbers(values))
    elif kind == "uuid" and None not in values:
        body = _array(kind, ids(values))
    elif kind == "text" and None not in values:
        body = _free([*map(str.encode, values)])
    elif kind == "jsonb" and None not in values:
        body = _free([*map(_json, values)])
    elif kind == "timestamptz" and None not in values:
        body = _instants(values)
    elif kind in WIDTHS:
        has_null, body = True, _gapped(ELEMENTS[kind], values)
    else:
        has_null = any(value is None for value in values)
        body = b"".join(
            NULL if value is None else LENGTH.pack(len(packed := one(value))) + packed
            for value in values
        )
    return CLASSES[kind](HEADER.pack(1, has_null, element, length, 1) + body)


def _free(values: Sequence[bytes]) -> bytes:
    """Return elements of any width, each with its length before it."""
    return b"".join(chain.from_iterable(zip(map(LENGTH.pack, map(len, values)), values)))  # noqa: B905 - of one length


def _instants(values: Sequence[datetime]) -> bytes:
    """Return instants: by floating point where that is exact to the microsecond."""
    seconds = np.array([value.timestamp() for value in values])
    if not (np.abs(seconds) < EXACT_SECONDS).all():
        return b"".join([INSTANT_LENGTH + _instant(value) for value in values])
    return _sized(8, ">i8", np.rint(seconds * 1e6).astype(np.int64) - MICROSECONDS_TO_ZERO)


def _array(kind: str, values: NDArray[Any]) -> bytes:
    """Return the elements of an array that has no NULL, each with its length before it."""
    if kind == "uuid":
        return _sized(16, "V16", values)
    if kind == "date":
        if np.isnat(values).any():
            raise TypeError("a day is missing in a column without NULL")
        return _sized(4, ">i4", values.astype("datetime64[D]").astype(np.int64) - DAYS_TO_ZERO)
    if kind == "boolean":
        return _sized(1, "?", values)
    if values.dtype.kind != "i":
        raise TypeError(f"whole numbers are wanted, not {values.dtype}")
    width = WIDTHS[kind]
    if width < values.dtype.itemsize:
        most = 1 << 8 * width - 1
        least, greatest = int(np.minimum.reduce(values)), int(np.maximum.reduce(values))
        if least < -most or greatest >= most:
            raise OverflowError(f"{kind} cannot hold {least if least < -most else greatest}")
    return _sized(width, f">i{width}", values)


class _Elements(dict[Any, bytes]):
    """Numbers as array elements, packed once: most of a column of decisions are the same few."""

    def __init__(self, kind: str) -> None:
        super().__init__()
        self._width, self._pack = LENGTH.pack(WIDTHS[kind]), KINDS[kind][2]

    def __missing__(self, value: int | None) -> bytes:
        packed = NULL if value is None else self._width + self._pack(value)
        if len(self) < ELEMENTS_MAX:
            self[value] = packed
        return packed


ELEMENTS = {kind: _Elements(kind) for kind in WIDTHS}


def _gapped(elements: _Elements, values: Sequence[Any]) -> bytes:
    """Return numbers of which some are None, as `elements` has it."""
    if not set(map(type, values)) <= {int, bool, type(None)}:
        raise TypeError("whole numbers are wanted, or None")
    return b"".join(map(elements.__getitem__, values))


class GapTaken(Exception):
    """One of the numbers is the very one that stands for NULL."""


GAP = -(2**63)  # stands for NULL in `pack_filled`


class _Filled(_Elements):
    """Numbers as array elements, with GAP in the place of None."""

    def __init__(self) -> None:
        super().__init__("bigint")
        self[None] = super().__missing__(GAP)
        del self[GAP]

    def __missing__(self, value: int | None) -> bytes:
        if value == GAP:
            raise GapTaken
        return super().__missing__(value)


FILLED = _Filled()


def pack_filled(values: Sequence[int | None]) -> Packed:
    """Return a column of numbers as `pack` does, but with GAP for None.

    To find an element behind a NULL the database walks over all before it.

    Errors: those of `pack`; GapTaken if GAP is a number of the column.
    """
    header = HEADER.pack(1, 0, KINDS["bigint"][0], len(values), 1)
    return CLASSES["bigint"](header + _gapped(FILLED, values))


def _sized(width: int, kind: str, values: NDArray[Any]) -> bytes:
    packed = np.empty(len(values), dtype=_sized_type(kind))
    packed["length"] = width
    packed["value"] = values
    return packed.tobytes()


@lru_cache(maxsize=len(KINDS))
def _sized_type(kind: str) -> "np.dtype[np.void]":
    """Return the type of an element with its length before it, made once."""
    return np.dtype([("length", ">i4"), ("value", kind)])


class _PackedDumper(Dumper):
    """Sends a packed column as it is."""

    format = Format.BINARY

    def dump(self, obj: Packed) -> bytes:
        """Return the column's bytes."""
        return obj


DUMPERS = {
    CLASSES[kind]: type(f"Dumper_{kind}", (_PackedDumper,), {"oid": array})
    for kind, (_, array, _) in KINDS.items()
}


def teach(connection: "Connection[Any]") -> None:
    """Let a connection send packed columns."""
    for packed, dumper in DUMPERS.items():
        connection.adapters.register_dumper(packed, dumper)
