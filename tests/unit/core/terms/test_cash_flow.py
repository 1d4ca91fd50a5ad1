"""Rates of return: exact where they can be, refused where there is none or more than one."""

from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction

import pytest

from fenqi.core.terms.cash_flow import (
    AmountNotPositive,
    discount_factor,
    irr,
    require_positive,
    sign_changes,
    xirr,
)
from fenqi.core.terms.root import RateNotFound, RateNotUnique, WhenSeveral


def test_one_payment_after_one_period_is_its_own_rate() -> None:
    assert irr([-100, 110]) == Decimal("0.1")
    assert irr([100, -110]) == Decimal("0.1")


def test_a_rate_may_be_zero_or_below() -> None:
    assert str(irr([-100, 40, 60])) == "0"
    assert irr([-100, 0, 81]) == Decimal("-0.1")


def test_the_first_amount_may_come_late() -> None:
    assert irr([0, 0, -100, 125]) == Decimal("0.25")


@pytest.mark.parametrize("amounts", [[], [0, 0], [100], [-1, -2], [0, 5, 7]])
def test_amounts_of_one_sign_have_no_rate(amounts: list[int]) -> None:
    with pytest.raises(RateNotFound) as refused:
        irr(amounts)
    assert refused.value.fields == {"reason": "money flows one way only"}


def test_amounts_whose_worth_never_reaches_zero_have_no_rate() -> None:
    with pytest.raises(RateNotFound):
        irr([100, -100, 100])


@pytest.mark.parametrize(
    ("amounts", "turns", "rates"),
    [
        ([-100, 230, -132], 2, 2),  # 10 % and 20 %
        ([-1_000, 3_600, -4_310, 1_716], 3, 3),  # 10 %, 20 % and 30 %
    ],
)
def test_two_or_three_rates_are_counted_and_refused(
    amounts: list[int], turns: int, rates: int
) -> None:
    with pytest.raises(RateNotUnique) as refused:
        irr(amounts)
    assert refused.value.fields == {"sign_changes": turns, "rates": rates}


@pytest.mark.parametrize(
    ("amounts", "rate"),
    [
        ([-100, 230, -132], "0.1000"),  # 10 % and 20 %
        ([-100, 100, 0, -7], "-0.0833"),
        ([-50, 105, 10, -80, 10], "0.0886"),
    ],
)
def test_a_spreadsheets_choice_is_the_rate_nearest_to_zero(amounts: list[int], rate: str) -> None:
    found = irr(amounts, when_several=WhenSeveral.NEAREST_TO_ZERO)
    assert found.quantize(Decimal("1e-4")) == Decimal(rate)


def test_dated_money_with_two_rates_may_be_given_the_nearest_too() -> None:
    start, year = date(2027, 1, 1), timedelta(days=365)
    flows = [(start, -100), (start + year, 230), (start + 2 * year, -132)]
    assert xirr(flows, when_several=WhenSeveral.NEAREST_TO_ZERO) == Decimal("0.1")
    with pytest.raises(RateNotUnique):
        xirr(flows)


def test_a_loan_drawn_in_two_parts_has_its_one_rate() -> None:
    assert irr([-1_000, 600, -1_000, 1_705]) == Decimal("0.1")


def test_times_may_be_fractions() -> None:
    half_year = discount_factor([(Fraction(0), -100), (Fraction(1, 2), 110)])
    assert (1 / half_year - Decimal("1.21")).copy_abs() < Decimal("1e-27")
    assert discount_factor([(0, -100), (1, 110)]) == discount_factor(
        [(Fraction(7, 3), -100), (Fraction(10, 3), 110)]
    )


def test_a_leap_year_is_366_of_365_days() -> None:
    one_day_more = xirr([(date(2024, 1, 1), -100), (date(2025, 1, 1), 110)])
    assert Decimal("0.0997") < one_day_more < Decimal("0.1")


def test_a_very_dear_and_a_very_cheap_loan_are_both_solved() -> None:
    assert irr([-1, 10**9]) == Decimal(10**9 - 1)
    assert irr([-(10**9), 1]) == Decimal("-0.999999999")


def test_turns_are_counted_between_neighbours() -> None:
    assert [sign_changes(row) for row in ([], [1], [-1, 1], [-1, 1, 1, -1, 1])] == [0, 0, 1, 3]


@pytest.mark.parametrize("amount", [0, -1])
def test_an_amount_that_is_not_positive_is_named(amount: int) -> None:
    with pytest.raises(AmountNotPositive) as refused:
        require_positive([5, amount])
    assert refused.value.fields == {"amount_minor": amount}
