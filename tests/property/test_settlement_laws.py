"""Settling early: unearned cost falls to nothing, and the methods keep their order."""

from decimal import Decimal, localcontext
from fractions import Fraction
from itertools import pairwise

from hypothesis import assume, given
from hypothesis import strategies as st

from fenqi.core.terms.root import SOLVING
from fenqi.core.terms.schedule import level_payment
from fenqi.core.terms.settlement import (
    actuarial_unearned,
    rule_of_78_unearned,
    straight_line_unearned,
    uk_period_rate,
    uk_rebate,
)
from fenqi.core.values.rate import PPM, Rounding

COST = st.integers(0, 10**12)
COUNT = st.integers(1, 120)
ROUNDING = st.sampled_from(Rounding)
HALF_UP = Rounding.HALF_UP


@given(COST, COUNT)
def test_what_each_period_earns_under_the_rule_of_78_sums_to_the_cost(
    cost: int, count: int
) -> None:
    left = [
        rule_of_78_unearned(cost, left=left, count=count, rounding=HALF_UP)
        for left in range(count, -1, -1)
    ]
    earned = [before - after for before, after in pairwise(left)]
    assert sum(earned) == cost
    assert all(later <= sooner + 2 for sooner, later in pairwise(earned))


@given(COST, COUNT, ROUNDING, st.data())
def test_unearned_cost_falls_with_the_time_left(
    cost: int, count: int, rounding: Rounding, data: st.DataObject
) -> None:
    left = data.draw(st.integers(0, count - 1))
    for method, whole in ((straight_line_unearned, "whole"), (rule_of_78_unearned, "count")):
        fewer, more = (
            method(cost, left=one, rounding=rounding, **{whole: count}) for one in (left, left + 1)
        )
        assert 0 <= fewer <= more <= cost


@given(COST, COUNT, st.data())
def test_the_rule_of_78_never_gives_back_more_than_the_straight_line(
    cost: int, count: int, data: st.DataObject
) -> None:
    left = data.draw(st.integers(0, count))
    straight = straight_line_unearned(cost, left=left, whole=count, rounding=HALF_UP)
    assert rule_of_78_unearned(cost, left=left, count=count, rounding=HALF_UP) <= straight


@given(st.integers(10**4, 10**9), st.integers(2, 60), st.integers(1, 360_000), st.data())
def test_paying_the_actuarial_amount_leaves_what_the_schedule_says(
    principal: int, count: int, rate_ppm: int, data: st.DataObject
) -> None:
    """Looking ahead at the payments left equals looking back over those made."""
    left = data.draw(st.integers(0, count - 1))
    payment = level_payment(principal, count, interest_ppm_per_year=rate_ppm, rounding=HALF_UP)
    rate = Fraction(rate_ppm, 12 * PPM)
    unearned = actuarial_unearned([payment] * left, rate=rate, rounding=HALF_UP)
    balance = Fraction(principal)
    for _ in range(count - left):
        balance = balance * (1 + rate) - payment
    # The payment is rounded by half a unit at most, and each such half grows until the end.
    grown = count * (1 + rate) ** count
    assert abs(payment * left - unearned - balance) <= grown / 2 + 1


@given(
    st.integers(10**4, 10**8),
    st.integers(1, 120),
    st.integers(0, 100),
    st.fractions(0, 1, max_denominator=31),
    st.data(),
)
def test_a_british_settlement_never_asks_for_more_than_is_still_due(
    credit: int, count: int, percent: int, part: Fraction, data: st.DataObject
) -> None:
    paid = data.draw(st.integers(0, count - 1))
    assume(part < 1)
    rate = uk_period_rate(Decimal(percent) / 100, periods_per_year=12)
    with localcontext(SOLVING):
        worth = sum((1 + rate) ** -number for number in range(1, count + 1))
        instalment = int(credit / worth) + 1
    rebate = uk_rebate(
        credits_given=[(Fraction(0), credit)],
        repayments=[(Fraction(number), instalment) for number in range(1, count + 1)],
        settled_after=paid + part,
        period_rate=rate,
        rounding=HALF_UP,
    )
    due, cost = (count - paid) * instalment, count * instalment - credit
    # Instalments are rounded up by a unit at most; what that overpays comes back with its charge.
    overpaid = count * (1 + rate) ** count
    assert 0 <= rebate <= min(due, cost) + overpaid
