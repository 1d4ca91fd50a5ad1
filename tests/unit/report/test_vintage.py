"""Vintages: months are counted by the calendar, curves only rise, a running month is not told."""

from datetime import date

import pytest

from fenqi.report.vintage import build, last_month_end, months_between
from fenqi.store.views import VintageSum

JANUARY, MARCH = date(2026, 1, 1), date(2026, 3, 1)


@pytest.mark.parametrize(
    ("day", "end"),
    [
        (date(2026, 1, 31), date(2026, 1, 31)),
        (date(2026, 1, 30), date(2025, 12, 31)),
        (date(2028, 3, 1), date(2028, 2, 29)),
    ],
)
def test_the_last_month_end_is_the_day_itself_or_before_it(day: date, end: date) -> None:
    assert last_month_end(day) == end


def test_months_on_book_are_calendar_months() -> None:
    assert months_between(date(2025, 12, 1), date(2026, 1, 31)) == 1
    assert months_between(date(2026, 1, 31), date(2025, 12, 31)) == -1


def test_a_curve_adds_up_what_got_there_first_in_each_month() -> None:
    sums = [
        VintageSum(JANUARY, "lent", 0, 4, 1_000),
        VintageSum(JANUARY, "over-30", 2, 1, 100),
        VintageSum(JANUARY, "over-30", 3, 1, 50),
        VintageSum(MARCH, "lent", 0, 1, 500),
        VintageSum(MARCH, "written-off", 1, 1, 500),
    ]
    january, march = build(sums, date(2026, 4, 30))
    assert (january.plans, january.lent_minor) == (4, 1_000)
    assert january.over_30_days_minor == (0, 0, 100, 150)
    assert january.over_90_days_minor == january.written_off_minor == (0, 0, 0, 0)
    assert march.written_off_minor == (0, 500)


def test_plans_of_a_running_month_have_no_curve_yet() -> None:
    (vintage,) = build([VintageSum(MARCH, "lent", 0, 1, 500)], date(2026, 2, 28))
    assert vintage.over_30_days_minor == ()
