"""Day counts: which of them may be cut in two, and what a whole year is."""

from datetime import date
from fractions import Fraction

from hypothesis import given
from hypothesis import strategies as st

from fenqi.core.terms.day_count import DayCount, days_between, year_fraction
from fenqi.core.values.day import add_months

DAYS = st.dates(date(1980, 1, 1), date(2060, 12, 31))
THREE = st.lists(DAYS, min_size=3, max_size=3).map(sorted)
LAST = date(2061, 1, 1)
PERIOD = (date(2024, 1, 15), date(2024, 4, 15))
ADDITIVE = (DayCount.ACT_360, DayCount.ACT_365, DayCount.ACT_ACT_ISDA, DayCount.ACT_ACT_ICMA)


def years(convention: DayCount, start: date, end: date) -> Fraction:
    return year_fraction(convention, start, end, terminates_on=LAST, period=PERIOD)


@given(THREE, st.sampled_from(ADDITIVE))
def test_actual_years_are_the_sum_of_their_parts(days: list[date], convention: DayCount) -> None:
    start, middle, end = days
    whole = years(convention, start, end)
    assert whole == years(convention, start, middle) + years(convention, middle, end)


@given(THREE)
def test_months_of_thirty_days_are_the_sum_of_their_parts(days: list[date]) -> None:
    # Not true of bond basis and its American kin, whose last day depends on the first one.
    start, middle, end = days
    for convention in (DayCount.THIRTY_E_360, DayCount.THIRTY_E_360_ISDA):
        whole = days_between(convention, start, end, terminates_on=LAST)
        parts = days_between(convention, start, middle, terminates_on=LAST)
        parts += days_between(convention, middle, end, terminates_on=LAST)
        assert whole == parts


@given(DAYS, DAYS, st.sampled_from(DayCount))
def test_every_convention_is_near_the_calendar_and_never_negative(
    one: date, other: date, convention: DayCount
) -> None:
    start, end = sorted((one, other))
    found = years(convention, start, end)
    actual = Fraction((end - start).days, 365)
    assert found >= 0 or (end - start).days <= 1  # 30E/360: 30th to 31st is no day
    assert abs(found - actual) <= Fraction(4, 360) + actual * Fraction(6, 360)


@given(DAYS, st.integers(0, 20))
def test_whole_years_are_whole_where_the_convention_says_so(start: date, count: int) -> None:
    end = add_months(start, 12 * count)
    if (start.month, start.day) != (2, 29):
        assert years(DayCount.THIRTY_360, start, end) == count
        assert years(DayCount.THIRTY_E_360, start, end) == count
    if start.month != 2 or start.day < 28:
        assert years(DayCount.ACT_ACT_AFB, start, end) == count
        assert years(DayCount.THIRTY_360_US, start, end) == count
        assert years(DayCount.THIRTY_E_360_ISDA, start, end) == count


@given(DAYS, DAYS)
def test_more_time_is_never_fewer_days(one: date, other: date) -> None:
    start, end = sorted((one, other))
    for convention in (*ADDITIVE, DayCount.ACT_ACT_AFB):
        assert years(convention, date(1979, 5, 5), start) <= years(
            convention, date(1979, 5, 5), end
        )
