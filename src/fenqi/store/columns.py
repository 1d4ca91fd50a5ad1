"""Columns packed for the database: one array of one type in PostgreSQL's binary form.

A batch sends its rows as arrays, one per column. The driver turns a Python list into an array one
element at a time; packing a whole column at once costs a fraction of that.
Source: array_send and the types' send functions of PostgreSQL; all integers big-endian.
"""

import struct
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID

import numpy as np
from psycopg import Connection
from psycopg.adapt import Dumper
from psycopg.pq import Format

HEADER = struct.Struct(">iiiii")  # dimensions, has nulls, element type, length, lower bound
LENGTH = struct.Struct(">i")
NULL = LENGTH.pack(-1)
DAY_ZERO = date(2000, 1, 1).toordinal()
INSTANT_ZERO = datetime(2000, 1, 1, tzinfo=UTC)
MICROSECOND = timedelta(microseconds=1)
JSONB_VERSION = b"\x01"


class Packed(bytes):
    """A packed column; each element type has its own subclass, which names the database type."""

    __slots__ = ()


def _day(value: date) -> bytes:
    return LENGTH.pack(value.toordinal() - DAY_ZERO)


def _instant(value: datetime) -> bytes:
    return struct.pack(">q", (value - INSTANT_ZERO) // MICROSECOND)


# Element type: (its oid, its array's oid, how one element is packed).
# Source: pg_type.dat of PostgreSQL; these numbers are fixed for all versions.
KINDS: dict[str, tuple[int, int, Callable[[Any], bytes]]] = {
    "bigint": (20, 1016, struct.Struct(">q").pack),
    "integer": (23, 1007, struct.Struct(">i").pack),
    "smallint": (21, 1005, struct.Struct(">h").pack),
    "boolean": (16, 1000, struct.Struct(">?").pack),
    "text": (25, 1009, str.encode),
    "jsonb": (3802, 3807, lambda text: JSONB_VERSION + text.encode()),
    "uuid": (2950, 2951, lambda value: value.bytes),
    "date": (1082, 1182, _day),
    "timestamptz": (1184, 1185, _instant),
}
WIDTHS = {"bigint": 8, "integer": 4, "smallint": 2}
CLASSES: dict[str, type[Packed]] = {
    kind: type(f"Packed_{kind}", (Packed,), {"__slots__": ()}) for kind in KINDS
}


def pack(kind: str, values: Sequence[Any]) -> Packed:
    """Return a column of values, or None for NULL, as one array parameter.

    Shapes: a sequence of any length; the array has one dimension.
    Errors: OverflowError or struct.error for a number its type cannot hold.
    """
    element, _, one = KINDS[kind]
    has_null = any(value is None for value in values)
    if not values:
        body = b""
    elif kind in WIDTHS and not has_null:
        body = _whole_numbers(values, WIDTHS[kind])
    elif kind == "uuid" and not has_null:
        body = _ids(values)
    else:
        body = b"".join(
            NULL if value is None else LENGTH.pack(len(packed := one(value))) + packed
            for value in values
        )
    dimensions = 1 if values else 0
    header = HEADER.pack(dimensions, has_null, element, len(values), 1)
    return CLASSES[kind]((header if values else header[:12]) + body)


def _whole_numbers(values: Sequence[int], width: int) -> bytes:
    packed = np.empty(len(values), dtype=[("length", ">i4"), ("value", f">i{width}")])
    packed["length"] = width
    packed["value"] = values
    return packed.tobytes()


def _ids(values: Sequence[UUID]) -> bytes:
    packed = np.empty(len(values), dtype=[("length", ">i4"), ("value", "V16")])
    packed["length"] = 16
    packed["value"] = np.frombuffer(b"".join([value.bytes for value in values]), dtype="V16")
    return packed.tobytes()


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
