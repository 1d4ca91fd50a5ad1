"""A packed column arrives in the database as the very values that were packed."""

import random
import struct
from datetime import UTC, date, datetime, timedelta, timezone
from typing import Any
from uuid import UUID

import pytest

from fenqi.store.columns import KINDS, pack
from fenqi.store.pool import Store
from fenqi.store.rows import Rows, Table

VALUES: dict[str, list[Any]] = {
    "bigint": [0, 1, -1, 2**63 - 1, -(2**63)],
    "integer": [0, 2**31 - 1, -(2**31)],
    "smallint": [0, 2**15 - 1, -(2**15)],
    "boolean": [True, False],
    "text": ["", "plain", 'quo"te', "back\\slash", "{braces, comma}", "NULL", "分期", "a\nb"],
    "bytea": [b"", b"\x00\xff", b"plain", bytes(range(256))],
    "jsonb": ["{}", '{"a": [1, null, "分期"]}', "7"],
    "uuid": [UUID(int=0), UUID(int=2**128 - 1), UUID("018f0000-0000-7000-8000-000000000001")],
    "date": [date(2000, 1, 1), date(1, 1, 1), date(9999, 12, 31), date(2024, 2, 29)],
    "timestamptz": [
        datetime(2000, 1, 1, tzinfo=UTC),
        datetime(1969, 7, 20, 20, 17, 40, 123456, tzinfo=UTC),
        datetime(2026, 11, 24, 23, 59, 59, 999999, tzinfo=UTC),
    ],
}


def returned(store: Store, kind: str, values: list[Any]) -> list[Any]:
    with store.transaction() as session:
        shown = "t.v::text" if kind == "jsonb" else "t.v"
        rows = session.rows(
            f"SELECT {shown} FROM UNNEST(%(values)s::{kind}[]) WITH ORDINALITY AS t (v, n)"
            " ORDER BY n",
            {"values": pack(kind, values)},
        )
    return [row[0] for row in rows]


def test_every_kind_of_column_has_values_here() -> None:
    assert VALUES.keys() == KINDS.keys()


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_a_column_comes_back_as_it_was_packed(store: Store, kind: str) -> None:
    values = VALUES[kind]
    assert returned(store, kind, values) == values
    assert returned(store, kind, [None, *values, None]) == [None, *values, None]
    assert returned(store, kind, []) == []
    assert returned(store, kind, [None]) == [None]


FIRST, LAST = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
FAR: dict[str, list[datetime]] = {
    "the first and the last that Python knows": [FIRST, LAST],
    "before 1833 and after 2106, where a float of seconds is too coarse": [
        datetime(1815, 6, 18, 11, 35, 0, 1, tzinfo=UTC),
        datetime(2500, 1, 1, 0, 0, 0, 999_999, tzinfo=UTC),
        datetime(9999, 1, 1, 0, 0, 0, 333_333, tzinfo=UTC),
    ],
    "on both sides of where that begins": [
        EPOCH + sign * timedelta(seconds=2**32) + timedelta(microseconds=step)
        for sign in (-1, 1)
        for step in (-2, -1, 0, 1, 2)
    ],
    "one far among those of today": [
        datetime(2026, 11, 24, 23, 59, 59, 999_999, tzinfo=UTC),
        datetime(1066, 10, 14, 9, 0, 0, 7, tzinfo=UTC),
    ],
    "in zones far from here": [
        datetime(2026, 3, 1, 0, 30, 0, 1, tzinfo=timezone(timedelta(hours=14))),
        datetime(1900, 1, 1, 23, 30, 0, 1, tzinfo=timezone(-timedelta(hours=12))),
    ],
}


@pytest.mark.parametrize("which", FAR)
def test_an_instant_far_from_today_is_the_same_microsecond(store: Store, which: str) -> None:
    assert returned(store, "timestamptz", FAR[which]) == FAR[which]


def test_no_instant_of_three_centuries_loses_its_microsecond(store: Store) -> None:
    chance = random.Random(12)
    most = 2**32 * 10**6 - 1
    instants = [EPOCH + timedelta(microseconds=chance.randint(-most, most)) for _ in range(20_000)]
    assert returned(store, "timestamptz", instants) == instants


@pytest.mark.parametrize(("kind", "value"), [("smallint", 2**15), ("bigint", 2**63)])
def test_a_number_its_type_cannot_hold_is_refused_before_it_is_sent(kind: str, value: int) -> None:
    with pytest.raises((OverflowError, struct.error)):
        pack(kind, [value])
    with pytest.raises((OverflowError, struct.error)):
        pack(kind, [None, value])


WRONG: dict[str, tuple[str, list[Any]]] = {
    "a day that is missing": ("date", [None]),
    "a fraction where whole numbers are wanted": ("bigint", [1.5]),
    "a number that is missing": ("bigint", [None]),
}


@pytest.mark.parametrize("what", WRONG)
def test_rows_do_not_make_another_value_of_a_wrong_one(store: Store, what: str) -> None:
    kind, values = WRONG[what]
    rows = Rows(Table("nowhere", f"value {kind}"))
    rows.extend(1, values)
    with pytest.raises(TypeError), store.transaction() as session:
        rows.send(session)


def test_rows_of_another_width_or_length_are_refused(store: Store) -> None:
    table = Table("nowhere", "one bigint, other bigint")
    with pytest.raises(ValueError, match="2 columns"):
        Rows(table).extend(1, [1])
    with pytest.raises(ValueError, match="3 rows"):
        Rows(table).extend(3, [1, 2, 3], [1])
    rows = Rows(table)
    rows.add(1, 2, 3)
    with pytest.raises(ValueError, match="2 values"), store.transaction() as session:
        rows.send(session)
