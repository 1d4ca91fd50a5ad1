"""The American rate: unit-periods counted back, simple inside an odd fraction, nominal."""

from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest

from fenqi.core.terms.cash_flow import AmountNotPositive
from fenqi.core.terms.regz import (
    PaymentBeforeAdvance,
    UnitKind,
    UnitPeriod,
    UnitPeriodInvalid,
    UnitTime,
    regz_apr,
    regz_apr_of_single_payment,
    unit_time,
)
from fenqi.core.terms.root import RateNotFound, RateNotUnique

MONTH = UnitPeriod(UnitKind.MONTH)
START = date(2026, 1, 10)


def test_a_month_at_one_percent_is_twelve_percent_a_year() -> None:
    rate = regz_apr(advances=[(START, 100)], payments=[(date(2026, 2, 10), 101)], unit=MONTH)
    assert rate == Decimal("0.12")


def test_an_odd_fraction_bears_simple_interest() -> None:
    # One month and half a month of 30 days at 10 % a month: 1,000 x 1.1 x 1.05.
    rate = regz_apr(advances=[(START, 1_000)], payments=[(date(2026, 2, 25), 1_155)], unit=MONTH)
    assert rate == Decimal("1.2")


def test_free_credit_costs_zero() -> None:
    paid = [(date(2026, month, 10), 50) for month in (2, 3)]
    assert str(regz_apr(advances=[(START, 100)], payments=paid, unit=MONTH)) == "0"


def test_less_paid_back_than_lent_is_a_negative_rate() -> None:
    rate = regz_apr(advances=[(START, 100)], payments=[(date(2026, 2, 10), 99)], unit=MONTH)
    assert rate == Decimal("-0.12")


def test_several_advances_count_from_the_first() -> None:
    rate = regz_apr(
        advances=[(START, 1_000), (date(2026, 3, 10), 1_000)],
        payments=[(date(2026, 2, 10), 600), (date(2026, 4, 10), 1_705)],
        unit=MONTH,
    )
    assert rate == Decimal("1.2")  # 10 % a month


def test_money_with_two_rates_is_refused() -> None:
    with pytest.raises(RateNotUnique):
        regz_apr(
            advances=[(START, 100), (date(2026, 3, 10), 132)],
            payments=[(date(2026, 2, 10), 230)],
            unit=MONTH,
        )


@pytest.mark.parametrize(
    ("advances", "payments"),
    [([], []), ([(START, 5)], []), ([], [(START, 5)]), ([(START, 5)], [(START, 5)])],
)
def test_money_that_flows_one_way_has_no_rate(
    advances: list[tuple[date, int]], payments: list[tuple[date, int]]
) -> None:
    with pytest.raises(RateNotFound):
        regz_apr(advances=advances, payments=payments, unit=MONTH)


def test_a_payment_before_the_first_advance_is_refused_with_both_days() -> None:
    with pytest.raises(PaymentBeforeAdvance) as refused:
        regz_apr(advances=[(START, 100)], payments=[(date(2026, 1, 9), 101)], unit=MONTH)
    assert refused.value.fields == {"first_advance_on": START, "flow_on": date(2026, 1, 9)}


def test_a_payment_of_nothing_is_refused() -> None:
    with pytest.raises(AmountNotPositive):
        regz_apr(advances=[(START, 100)], payments=[(date(2026, 2, 10), 0)], unit=MONTH)


@pytest.mark.parametrize(
    ("start", "end", "unit", "wanted"),
    [
        (date(1978, 2, 23), date(1978, 3, 1), UnitPeriod(UnitKind.SEMIMONTH), (0, "6/15")),
        (date(1978, 2, 23), date(1978, 3, 16), UnitPeriod(UnitKind.SEMIMONTH), (1, "6/15")),
        (date(1978, 2, 23), date(1978, 4, 1), UnitPeriod(UnitKind.SEMIMONTH), (2, "6/15")),
        (date(1978, 5, 23), date(1978, 10, 1), UnitPeriod(UnitKind.MONTH, 3), (1, "39/90")),
        (date(1978, 1, 10), date(1978, 3, 1), UnitPeriod(UnitKind.MONTH, 2), (0, "52/60")),
        (date(1978, 3, 20), date(1978, 4, 21), UnitPeriod(UnitKind.WEEK), (4, "4/7")),
        (date(1978, 4, 3), date(1978, 4, 11), UnitPeriod(UnitKind.WEEK, 2), (0, "8/14")),
        (date(2024, 2, 28), date(2024, 3, 1), UnitPeriod(UnitKind.DAY), (2, "0")),
        (date(2024, 2, 29), date(2024, 3, 1), MONTH, (0, "1/30")),
        (date(2024, 1, 31), date(2024, 3, 1), MONTH, (1, "1/30")),
        (date(2023, 10, 26), date(2024, 11, 30), UnitPeriod(UnitKind.YEAR), (1, "35/365")),
        (date(2024, 1, 10), date(2025, 6, 10), UnitPeriod(UnitKind.YEAR), (1, "5/12")),
        (date(2024, 1, 10), date(2024, 1, 10), UnitPeriod(UnitKind.YEAR), (0, "0")),
    ],
)
def test_time_is_whole_units_back_from_the_later_day_and_a_fraction(
    start: date, end: date, unit: UnitPeriod, wanted: tuple[int, str]
) -> None:
    assert unit_time(start, end, unit=unit) == UnitTime(wanted[0], Fraction(wanted[1]))


def test_a_series_on_last_days_is_measured_from_last_day_to_last_day() -> None:
    start, end = date(2026, 1, 31), date(2026, 2, 28)
    assert unit_time(start, end, unit=MONTH) == UnitTime(0, Fraction(28, 30))
    assert unit_time(start, end, unit=MONTH, is_month_end_series=True) == UnitTime(1, Fraction(0))


@pytest.mark.parametrize(
    ("kind", "count"),
    [
        (UnitKind.MONTH, 0),
        (UnitKind.MONTH, 12),
        (UnitKind.WEEK, 53),
        (UnitKind.YEAR, 2),
        (UnitKind.SEMIMONTH, 2),
        (UnitKind.DAY, 7),
    ],
)
def test_a_unit_period_the_regulation_does_not_know_is_refused(kind: UnitKind, count: int) -> None:
    with pytest.raises(UnitPeriodInvalid):
        UnitPeriod(kind, count)


def test_each_kind_has_its_number_a_year() -> None:
    assert [
        UnitPeriod(UnitKind.DAY).per_year,
        UnitPeriod(UnitKind.WEEK, 4).per_year,
        UnitPeriod(UnitKind.SEMIMONTH).per_year,
        UnitPeriod(UnitKind.MONTH, 5).per_year,
        UnitPeriod(UnitKind.YEAR).per_year,
    ] == [365, 13, 24, Fraction(12, 5), 1]


def test_a_single_payment_has_its_term_as_unit_period() -> None:
    rate = regz_apr_of_single_payment
    assert rate(advance_minor=1_000, payment_minor=1_044, months=6) == Decimal("0.088")
    assert rate(advance_minor=1_000, payment_minor=1_010, days=73) == Decimal("0.05")
    assert rate(advance_minor=100, payment_minor=121, months=24) == Decimal("0.1")


def test_a_single_payment_after_more_than_a_year_has_simple_interest_in_the_rest() -> None:
    rate = regz_apr_of_single_payment(advance_minor=1_000, payment_minor=1_155, months=18)
    assert rate == Decimal("0.1")  # 1,000 x 1.1 x 1.05


@pytest.mark.parametrize(
    ("months", "days"), [(None, None), (6, 180), (0, None), (None, 0), (None, 366), (-1, None)]
)
def test_a_single_payments_term_is_months_or_days_of_one_year(
    months: int | None, days: int | None
) -> None:
    with pytest.raises(UnitPeriodInvalid):
        regz_apr_of_single_payment(advance_minor=100, payment_minor=110, months=months, days=days)
