"""How late a debt is: days past due, buckets, and what turns today."""

from datetime import date

import pytest

from fenqi.core.servicing.ageing import bucket_of, days_past_due, due_days_turning

DUE = date(2027, 1, 10)
BOUNDS = (0, 30, 60, 90)


def test_nothing_owed_is_never_late() -> None:
    assert days_past_due(None, DUE, ()) == 0


def test_the_due_day_is_day_zero() -> None:
    lateness = [days_past_due(DUE, date(2027, 1, day), ()) for day in (9, 10, 11, 20)]
    assert lateness == [0, 0, 1, 10]


def test_excused_days_do_not_count() -> None:
    excused = {date(2027, 1, 10), date(2027, 1, 12), date(2027, 1, 20), date(2027, 1, 21)}
    assert days_past_due(DUE, date(2027, 1, 12), excused) == 1
    assert days_past_due(DUE, date(2027, 1, 20), excused) == 8


@pytest.mark.parametrize(
    ("days", "bucket"), [(0, 0), (1, 1), (30, 1), (31, 2), (60, 2), (90, 3), (91, 4), (999, 4)]
)
def test_a_bucket_ends_on_its_upper_bound(days: int, bucket: int) -> None:
    assert bucket_of(days, BOUNDS) == bucket


def test_one_due_day_turns_on_an_ordinary_day() -> None:
    assert due_days_turning(5, date(2027, 1, 15), ()) == [DUE]


def test_nothing_turns_on_an_excused_day() -> None:
    assert due_days_turning(5, date(2027, 1, 15), {date(2027, 1, 15)}) == []


def test_due_days_before_an_excused_day_turn_together() -> None:
    # A debt due on the 9th or the 10th is one day late on the 11th if the 10th does not count.
    assert due_days_turning(1, date(2027, 1, 11), {DUE}) == [DUE, date(2027, 1, 9)]
