"""Months keep their anchor day through short months and leap years."""

from datetime import date

import pytest

from fenqi.core.values.day import (
    add_months,
    days_after,
    days_between,
    month_day,
    month_end,
    next_month_day,
)


def test_the_thirty_first_comes_back_after_february() -> None:
    january = date(2027, 1, 31)
    assert [add_months(january, months) for months in (1, 2, 3)] == [
        date(2027, 2, 28),
        date(2027, 3, 31),
        date(2027, 4, 30),
    ]


def test_a_shortened_day_returns_to_its_anchor() -> None:
    assert add_months(date(2027, 2, 28), 1, anchor_day=31) == date(2027, 3, 31)


@pytest.mark.parametrize(
    ("start", "months", "day"),
    [
        (date(2027, 12, 15), 1, date(2028, 1, 15)),
        (date(2028, 1, 15), -1, date(2027, 12, 15)),
        (date(2027, 12, 31), 2, date(2028, 2, 29)),
        (date(2028, 2, 29), 12, date(2029, 2, 28)),
        (date(2028, 2, 29), 48, date(2032, 2, 29)),
    ],
)
def test_months_cross_years(start: date, months: int, day: date) -> None:
    assert add_months(start, months) == day


def test_a_month_end_is_its_last_day() -> None:
    assert month_end(date(2028, 2, 3)) == date(2028, 2, 29)
    assert month_end(date(2027, 12, 31)) == date(2027, 12, 31)
    assert month_day(2027, 4, 31) == date(2027, 4, 30)


@pytest.mark.parametrize(
    ("after", "day", "expected"),
    [
        (date(2027, 1, 9), 10, date(2027, 1, 10)),
        (date(2027, 1, 10), 10, date(2027, 2, 10)),
        (date(2027, 1, 31), 31, date(2027, 2, 28)),
        (date(2027, 2, 28), 31, date(2027, 3, 31)),
        (date(2027, 12, 31), 31, date(2028, 1, 31)),
    ],
)
def test_the_next_such_day_is_strictly_later(after: date, day: int, expected: date) -> None:
    assert next_month_day(after, day) == expected


def test_days_between_includes_both_ends() -> None:
    assert list(days_between(date(2027, 12, 31), date(2028, 1, 1))) == [
        date(2027, 12, 31),
        date(2028, 1, 1),
    ]
    assert list(days_between(date(2028, 1, 2), date(2028, 1, 1))) == []


def test_no_day_is_after_the_last_of_the_calendar() -> None:
    assert days_after(date(2027, 12, 30), 3) == date(2028, 1, 2)
    assert days_after(date(9999, 12, 30), 1) == days_after(date(9999, 12, 30), 9) == date.max
