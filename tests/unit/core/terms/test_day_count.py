"""Day counts at leap years and month ends, and what they refuse."""

from datetime import date
from fractions import Fraction

import pytest

from fenqi.core.terms.day_count import DayCount, DayCountInvalid, days_between, year_fraction

JANUARY_31, FEBRUARY_28, FEBRUARY_29 = date(2024, 1, 31), date(2023, 2, 28), date(2024, 2, 29)
MARCH_31 = date(2024, 3, 31)


def test_actual_conventions_count_each_day() -> None:
    for convention in (DayCount.ACT_360, DayCount.ACT_365, DayCount.ACT_ACT_ISDA):
        assert days_between(convention, JANUARY_31, MARCH_31) == 60
    assert year_fraction(DayCount.ACT_360, JANUARY_31, MARCH_31) == Fraction(60, 360)
    assert year_fraction(DayCount.ACT_365, JANUARY_31, MARCH_31) == Fraction(60, 365)


def test_a_leap_year_is_more_than_a_year_over_365_and_one_over_itself() -> None:
    start, end = date(2024, 1, 1), date(2025, 1, 1)
    assert year_fraction(DayCount.ACT_365, start, end) == Fraction(366, 365)
    assert year_fraction(DayCount.ACT_ACT_ISDA, start, end) == 1
    assert year_fraction(DayCount.ACT_ACT_AFB, start, end) == 1


@pytest.mark.parametrize(
    ("convention", "start", "end", "days"),
    [
        (DayCount.THIRTY_360, JANUARY_31, MARCH_31, 60),
        (DayCount.THIRTY_360, FEBRUARY_28, date(2023, 3, 31), 33),
        (DayCount.THIRTY_360, JANUARY_31, FEBRUARY_29, 29),
        (DayCount.THIRTY_360_US, FEBRUARY_28, date(2023, 3, 31), 30),
        (DayCount.THIRTY_360_US, FEBRUARY_28, FEBRUARY_29, 360),
        (DayCount.THIRTY_360_US, date(2024, 2, 28), MARCH_31, 33),
        (DayCount.THIRTY_E_360, date(2024, 1, 15), JANUARY_31, 15),
        (DayCount.THIRTY_E_360, FEBRUARY_28, FEBRUARY_29, 361),
    ],
)
def test_a_month_of_thirty_days_treats_its_end_as_its_convention_says(
    convention: DayCount, start: date, end: date, days: int
) -> None:
    assert days_between(convention, start, end) == days
    assert year_fraction(convention, start, end) == Fraction(days, 360)


def test_the_contracts_last_day_keeps_its_number_in_february() -> None:
    convention = DayCount.THIRTY_E_360_ISDA
    assert days_between(convention, JANUARY_31, FEBRUARY_29, terminates_on=MARCH_31) == 30
    assert days_between(convention, JANUARY_31, FEBRUARY_29, terminates_on=FEBRUARY_29) == 29


def test_what_a_convention_needs_is_asked_for() -> None:
    with pytest.raises(DayCountInvalid) as refused:
        days_between(DayCount.THIRTY_E_360_ISDA, JANUARY_31, FEBRUARY_29)
    assert refused.value.fields["needs"] == "terminates_on"
    with pytest.raises(DayCountInvalid) as refused:
        year_fraction(DayCount.ACT_ACT_ICMA, JANUARY_31, FEBRUARY_29)
    assert refused.value.fields["needs"] == "period"


@pytest.mark.parametrize("convention", list(DayCount))
def test_no_time_is_no_days_and_time_does_not_run_backwards(convention: DayCount) -> None:
    more = {"terminates_on": MARCH_31, "period": (date(2024, 1, 1), date(2024, 7, 1))}
    day = date(2024, 3, 15)
    assert year_fraction(convention, day, day, **more) == 0  # type: ignore[arg-type]
    with pytest.raises(DayCountInvalid):
        year_fraction(convention, day, date(2024, 3, 14), **more)  # type: ignore[arg-type]


def test_centuries_are_a_slip_of_the_pen() -> None:
    with pytest.raises(DayCountInvalid):
        days_between(DayCount.ACT_365, date(1, 1, 1), date(9999, 12, 31))


def test_the_last_day_of_the_calendar_is_counted() -> None:
    whole = year_fraction(DayCount.ACT_ACT_ISDA, date(9999, 1, 1), date(9999, 12, 31))
    assert whole == Fraction(364, 365)


def test_years_counted_back_from_28_february_lead_to_a_29th() -> None:
    assert year_fraction(DayCount.ACT_ACT_AFB, FEBRUARY_29, date(2025, 2, 28)) == 1
    a_day_more = year_fraction(DayCount.ACT_ACT_AFB, date(2024, 2, 28), date(2025, 2, 28))
    assert a_day_more == 1 + Fraction(1, 365)
    less_than_a_year = year_fraction(DayCount.ACT_ACT_AFB, date(2024, 1, 1), date(2024, 2, 28))
    assert less_than_a_year == Fraction(58, 365)


def test_a_payment_period_divides_its_part_of_the_year() -> None:
    period = (date(2024, 1, 15), date(2024, 7, 15))
    icma = DayCount.ACT_ACT_ICMA
    assert year_fraction(icma, *period, period=period) == Fraction(1, 2)
    long_first = year_fraction(icma, date(2023, 1, 15), date(2024, 7, 15), period=period)
    assert long_first == Fraction(3, 2)
    later = year_fraction(icma, date(2025, 1, 15), date(2025, 7, 15), period=period)
    assert later == Fraction(1, 2)


def test_payment_periods_between_last_days_go_on_between_last_days() -> None:
    quarter = (date(1999, 11, 30), date(2000, 2, 29))
    years = year_fraction(
        DayCount.ACT_ACT_ICMA, date(1999, 11, 30), date(2000, 4, 30), period=quarter
    )
    assert years == Fraction(91, 91 * 4) + Fraction(61, 92 * 4)


@pytest.mark.parametrize(
    "period",
    [
        (date(2024, 1, 15), date(2024, 1, 15)),
        (date(2024, 1, 15), date(2024, 2, 20)),
        (date(2024, 7, 15), date(2024, 1, 15)),
    ],
)
def test_a_payment_period_that_is_not_whole_months_is_refused(period: tuple[date, date]) -> None:
    with pytest.raises(DayCountInvalid) as refused:
        year_fraction(DayCount.ACT_ACT_ICMA, JANUARY_31, FEBRUARY_29, period=period)
    assert refused.value.fields["needs"] == "months"
