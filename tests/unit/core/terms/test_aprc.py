"""The European rate: time counted back from the end, one rate, rounded once."""

from datetime import date
from decimal import Decimal
from fractions import Fraction

import pytest

from fenqi.core.terms.aprc import (
    Interval,
    IntervalPeriod,
    IntervalReversed,
    TimedAmount,
    eu_aprc,
    interval,
    printed,
    timed,
)
from fenqi.core.terms.cash_flow import AmountNotPositive
from fenqi.core.terms.root import RateNotFound, RateNotUnique

MONTH, YEAR, WEEK = IntervalPeriod.MONTH, IntervalPeriod.YEAR, IntervalPeriod.WEEK


def at(years: Fraction | int, amount_minor: int) -> TimedAmount:
    return TimedAmount(Fraction(years), amount_minor)


def test_a_year_at_a_tenth_more_is_ten_percent() -> None:
    assert eu_aprc(drawdowns=[at(0, 100)], repayments=[at(1, 110)]) == Decimal("0.1")


def test_half_a_year_compounds() -> None:
    rate = eu_aprc(drawdowns=[at(0, 100)], repayments=[at(Fraction(1, 2), 110)])
    assert rate == Decimal("0.21")


def test_free_credit_costs_zero_and_a_gift_costs_less() -> None:
    thirds = [at(Fraction(number, 12), 100) for number in (1, 2, 3)]
    assert eu_aprc(drawdowns=[at(0, 300)], repayments=thirds) == 0
    assert eu_aprc(drawdowns=[at(0, 310)], repayments=thirds) < 0


def test_a_charge_at_the_start_is_a_smaller_drawdown() -> None:
    paid = [at(0, 10), at(1, 1_100)]
    assert eu_aprc(drawdowns=[at(0, 1_000)], repayments=paid) == eu_aprc(
        drawdowns=[at(0, 990)], repayments=paid[1:]
    )


def test_credit_may_be_drawn_in_parts_between_repayments() -> None:
    drawn = [at(0, 1_000), at(2, 1_000)]
    assert eu_aprc(drawdowns=drawn, repayments=[at(1, 600), at(3, 1_705)]) == Decimal("0.1")


def test_money_that_has_two_rates_is_refused() -> None:
    drawn = [at(0, 100), at(2, 132)]
    with pytest.raises(RateNotUnique):
        eu_aprc(drawdowns=drawn, repayments=[at(1, 230)])


@pytest.mark.parametrize(
    ("drawn", "repaid"), [([], []), ([at(0, 5)], []), ([], [at(1, 5)]), ([at(0, 5)], [at(0, 9)])]
)
def test_money_that_flows_one_way_has_no_rate(
    drawn: list[TimedAmount], repaid: list[TimedAmount]
) -> None:
    with pytest.raises(RateNotFound):
        eu_aprc(drawdowns=drawn, repayments=repaid)


def test_an_amount_of_the_wrong_sign_is_refused() -> None:
    with pytest.raises(AmountNotPositive):
        eu_aprc(drawdowns=[at(0, 100)], repayments=[at(1, 120), at(2, -5)])


def test_dated_amounts_are_timed_from_the_first_drawdown() -> None:
    first = date(2012, 1, 12)
    assert timed([(first, 7), (date(2012, 3, 15), 8)], first_on=first, period=MONTH) == (
        at(0, 7),
        at(Fraction(2, 12) + Fraction(3, 365), 8),
    )


@pytest.mark.parametrize(
    ("start", "end", "period", "wanted"),
    [
        (date(2020, 2, 29), date(2021, 2, 28), YEAR, Interval(1, 1, 0, 0)),
        (date(2021, 2, 28), date(2024, 2, 29), YEAR, Interval(3, 1, 0, 0)),
        (date(2023, 12, 31), date(2024, 2, 29), MONTH, Interval(2, 12, 0, 0)),
        (date(2024, 1, 31), date(2024, 3, 1), MONTH, Interval(1, 12, 1, 365)),
        (date(2024, 3, 1), date(2025, 2, 28), YEAR, Interval(0, 1, 364, 366)),
        (date(2024, 5, 5), date(2024, 5, 5), MONTH, Interval(0, 12, 0, 0)),
        (date(2024, 5, 5), date(2024, 5, 18), WEEK, Interval(1, 52, 6, 366)),
    ],
)
def test_an_interval_is_whole_periods_back_from_its_end_and_odd_days(
    start: date, end: date, period: IntervalPeriod, wanted: Interval
) -> None:
    assert interval(start, end, period=period) == wanted


def test_the_year_of_the_odd_days_ends_on_the_day_the_periods_lead_back_to() -> None:
    assert interval(date(2013, 1, 12), date(2013, 2, 15), period=MONTH).days_in_year == 366
    assert interval(date(2013, 1, 12), date(2013, 4, 15), period=MONTH).days_in_year == 366
    assert interval(date(2014, 1, 12), date(2014, 2, 15), period=MONTH).days_in_year == 365


def test_an_interval_that_runs_backwards_is_refused() -> None:
    with pytest.raises(IntervalReversed) as refused:
        interval(date(2024, 1, 2), date(2024, 1, 1), period=MONTH)
    assert refused.value.fields == {"start": date(2024, 1, 2), "end": date(2024, 1, 1)}


@pytest.mark.parametrize(
    ("rate", "decimals", "text"),
    [
        ("0.03055", 2, "3.06"),
        ("0.03054", 1, "3.1"),
        ("0.03049", 1, "3.0"),
        ("0", 1, "0.0"),
        ("12.34567", 2, "1234.57"),
    ],
)
def test_a_rate_is_printed_in_percent_rounded_once(rate: str, decimals: int, text: str) -> None:
    assert printed(Decimal(rate), decimals=decimals) == text
