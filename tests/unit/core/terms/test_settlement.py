"""What time has not earned: each method's own figures, and what it refuses."""

from decimal import Decimal
from fractions import Fraction

import pytest

from fenqi.core.terms.cash_flow import irr
from fenqi.core.terms.settlement import (
    SettlementInvalid,
    actuarial_unearned,
    rule_of_78_unearned,
    straight_line_unearned,
    uk_period_rate,
    uk_rebate,
)
from fenqi.core.values.rate import Rounding

HALF_UP = Rounding.HALF_UP
RATE = Decimal("0.01")


def rebate(settled_after: Fraction | int, *, repayments: tuple[tuple[int, int], ...]) -> int:
    return uk_rebate(
        credits_given=[(Fraction(0), 100_000)],
        repayments=[(Fraction(time), minor) for time, minor in repayments],
        settled_after=Fraction(settled_after),
        period_rate=RATE,
        rounding=HALF_UP,
    )


def test_a_flat_fee_settled_after_three_of_twelve_months_gives_the_known_rebates() -> None:
    # 6,000 in 12 x 530, a fee of 360 in all; the monthly rate is that of the 12 payments.
    rate = Fraction(irr([-600_000, *[53_000] * 12]))
    assert straight_line_unearned(36_000, left=9, whole=12, rounding=HALF_UP) == 27_000
    assert rule_of_78_unearned(36_000, left=9, count=12, rounding=HALF_UP) == 20_769
    assert actuarial_unearned([53_000] * 9, rate=rate, rounding=HALF_UP) == 20_955


def test_nothing_left_is_nothing_unearned_and_all_left_is_all() -> None:
    for method, whole in ((straight_line_unearned, "whole"), (rule_of_78_unearned, "count")):
        assert method(999, left=0, rounding=HALF_UP, **{whole: 12}) == 0
        assert method(999, left=12, rounding=HALF_UP, **{whole: 12}) == 999
    assert actuarial_unearned([], rate=Fraction(1, 100), rounding=HALF_UP) == 0


def test_the_rule_of_78_gives_the_first_of_twelve_months_12_parts_of_78() -> None:
    assert rule_of_78_unearned(7_800, left=11, count=12, rounding=HALF_UP) == 7_800 - 1_200


def test_at_a_rate_of_zero_no_payment_holds_interest() -> None:
    assert actuarial_unearned([100, 100], rate=Fraction(0), rounding=HALF_UP) == 0


def test_a_level_payments_interest_is_the_sum_less_its_worth() -> None:
    assert actuarial_unearned([12_100, 12_100], rate=Fraction(1, 10), rounding=HALF_UP) == 3_200


def test_rounding_is_the_callers() -> None:
    assert straight_line_unearned(1, left=1, whole=2, rounding=Rounding.DOWN) == 0
    assert straight_line_unearned(1, left=1, whole=2, rounding=Rounding.UP) == 1


@pytest.mark.parametrize(
    ("cost", "left", "whole"), [(-1, 1, 2), (1, -1, 2), (1, 3, 2), (1, 0, 0), (1, 0, -3)]
)
def test_time_that_is_no_part_of_the_whole_is_refused(cost: int, left: int, whole: int) -> None:
    with pytest.raises(SettlementInvalid):
        straight_line_unearned(cost, left=left, whole=whole, rounding=HALF_UP)
    with pytest.raises(SettlementInvalid):
        rule_of_78_unearned(cost, left=left, count=whole, rounding=HALF_UP)


@pytest.mark.parametrize(
    ("payments", "rate"), [([100, -1], Fraction(1, 10)), ([100], Fraction(-1, 10))]
)
def test_a_negative_payment_or_rate_is_refused(payments: list[int], rate: Fraction) -> None:
    with pytest.raises(SettlementInvalid):
        actuarial_unearned(payments, rate=rate, rounding=HALF_UP)


def test_the_british_period_rate_has_six_decimals() -> None:
    assert uk_period_rate(Decimal("0.14"), periods_per_year=12) == Decimal("0.010979")
    assert uk_period_rate(Decimal(0), periods_per_year=12) == 0
    assert uk_period_rate(Decimal("0.14"), periods_per_year=1) == Decimal("0.14")


@pytest.mark.parametrize(("rate", "periods"), [("-0.1", 12), ("0.1", 0)])
def test_a_british_rate_without_a_period_is_refused(rate: str, periods: int) -> None:
    with pytest.raises(SettlementInvalid):
        uk_period_rate(Decimal(rate), periods_per_year=periods)


def test_a_british_rebate_is_what_is_due_less_what_is_owed() -> None:
    # 1,000.00 for one payment of 1,030.00 after three periods, settled after one: 1,010.00 owed.
    assert rebate(1, repayments=((3, 103_000),)) == 2_000


def test_a_repayment_on_the_settlement_day_may_stand_on_either_side() -> None:
    on_the_day = rebate(1, repayments=((1, 51_000), (3, 52_000)))
    just_after = uk_rebate(
        credits_given=[(Fraction(0), 100_000)],
        repayments=[(Fraction(1), 51_000), (Fraction(3), 52_000)],
        settled_after=Fraction(999_999_999, 1_000_000_000),
        period_rate=RATE,
        rounding=HALF_UP,
    )
    assert on_the_day == just_after == 2_000


def test_a_rebate_is_never_below_zero() -> None:
    assert rebate(3, repayments=((3, 103_030),)) == 0
    assert rebate(2, repayments=((3, 90_000),)) == 0


def test_a_credit_given_after_the_settlement_is_refused() -> None:
    with pytest.raises(SettlementInvalid):
        uk_rebate(
            credits_given=[(Fraction(2), 100)],
            repayments=[],
            settled_after=Fraction(1),
            period_rate=RATE,
            rounding=HALF_UP,
        )
    with pytest.raises(SettlementInvalid):
        rebate(1, repayments=((1, -5),))
