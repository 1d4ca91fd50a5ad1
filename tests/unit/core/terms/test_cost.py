"""Yearly rates are solved to many digits, and the cost table names what may be charged."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from fenqi.core.terms.cash_flow import xirr
from fenqi.core.terms.cost import (
    CostBase,
    CostKind,
    RatePeriod,
    cost_table,
    digest,
    effective_annual,
    nominal_annual,
)
from fenqi.core.terms.product import LateRule
from fenqi.core.terms.root import RateNotFound, RateNotUnique
from fenqi.core.terms.schedule import signed_cost
from make import annuity, flat, product, terms


def test_a_flat_fee_of_half_a_percent_is_almost_eleven_percent_a_year() -> None:
    paid = [53_000] * 12
    assert nominal_annual(600_000, paid).quantize(Decimal("1e-5")) == Decimal("0.10896")
    assert effective_annual(600_000, paid).quantize(Decimal("1e-4")) == Decimal("0.1146")


def test_a_known_rate_comes_back_to_every_digit() -> None:
    assert nominal_annual(100, [0, 121]) == Decimal("1.2")  # 10 % a month
    assert effective_annual(100, [0, 121]) == Decimal("2.138428376721")
    assert xirr([(date(2027, 1, 1), -100), (date(2028, 1, 1), 118)]) == Decimal("0.18")


def test_nothing_paid_for_time_is_a_rate_of_exactly_zero() -> None:
    assert nominal_annual(300, [100, 100, 100]) == 0
    assert effective_annual(300, [100, 100, 100]) == 0
    assert str(nominal_annual(300, [0, 300])) == "0"


def test_less_paid_back_than_lent_is_a_negative_rate() -> None:
    monthly = nominal_annual(100, [0, 0, 74]) / 12
    assert monthly.quantize(Decimal("1e-12")) == Decimal("-0.095495830349")


@pytest.mark.parametrize(
    ("principal_minor", "amounts_minor"),
    [(100, []), (100, [0, 0]), (0, [10, 10]), (-100, [10]), (0, [0])],
)
def test_money_that_flows_one_way_has_no_rate(
    principal_minor: int, amounts_minor: list[int]
) -> None:
    with pytest.raises(RateNotFound):
        nominal_annual(principal_minor, amounts_minor)
    with pytest.raises(RateNotFound):
        effective_annual(principal_minor, amounts_minor)


def test_extreme_payments_are_still_solved() -> None:
    assert nominal_annual(1, [10**13]) == 12 * (10**13 - 1)
    assert nominal_annual(10**13, [1]) == Decimal("-11.9999999999988")
    assert nominal_annual(10**13, [0] * 59 + [10**13 + 1]) > 0


def test_dated_flows_need_no_order_and_no_base_day() -> None:
    flows = [
        (date(2008, 1, 1), -10_000),
        (date(2008, 3, 1), 2_750),
        (date(2008, 10, 30), 4_250),
        (date(2009, 2, 15), 3_250),
        (date(2009, 4, 1), 2_750),
    ]
    rate = xirr(flows)
    assert rate.quantize(Decimal("1e-12")) == Decimal("0.373362533519")
    assert xirr(flows[::-1]) == rate
    assert xirr([(on, -minor) for on, minor in flows]) == rate
    assert xirr([(on + timedelta(days=400), minor) for on, minor in flows]) == rate


def test_flows_of_one_day_count_together() -> None:
    day = date(2027, 1, 1)
    later = date(2028, 1, 1)
    assert xirr([(day, -150), (day, 50), (later, 110)]) == Decimal("0.1")
    with pytest.raises(RateNotFound):
        xirr([(day, -100), (day, 110)])
    with pytest.raises(RateNotFound):
        xirr([])


def test_flows_with_two_rates_are_refused_and_counted() -> None:
    start, year = date(2027, 1, 1), timedelta(days=365)
    flows = [(start, -100), (start + year, 360), (start + 2 * year, -275)]  # 10 % and 150 %
    with pytest.raises(RateNotUnique) as refused:
        xirr(flows)
    assert refused.value.fields == {"sign_changes": 2, "rates": 2}


def test_flows_that_turn_more_than_once_may_still_have_one_rate() -> None:
    start, year = date(2027, 1, 1), timedelta(days=365)
    lent_twice = [-1_000, 600, -1_000, 1_705]  # 1,000 is 500, 1,550 and 0 at 10 %
    flows = [(start + number * year, minor) for number, minor in enumerate(lent_twice)]
    assert xirr(flows) == Decimal("0.1")


def test_the_cost_table_names_the_fee_and_the_late_charge() -> None:
    plan = terms(flat(5_000), 600_000, 12)
    table = cost_table(plan)
    fee, late = table.lines
    assert (fee.kind, fee.rate_ppm, fee.rate_period) == (
        CostKind.FLAT_FEE,
        5_000,
        RatePeriod.INSTALMENT,
    )
    assert (fee.base, fee.is_contingent) == (CostBase.ORIGINAL_PRINCIPAL, False)
    assert (late.kind, late.is_contingent, late.amount_minor) == (CostKind.LATE_CHARGE, True, 0)
    assert (late.rate_ppm, late.grace_days, late.cap_ppm) == (500, 3, 240_000)
    assert table.cost_minor == fee.amount_minor == signed_cost(plan) == 36_000
    assert table.nominal_annual == nominal_annual(600_000, [53_000] * 12)
    assert table.effective_annual == effective_annual(600_000, [53_000] * 12)


def test_interest_is_named_with_its_base() -> None:
    plan = terms(annuity(), 100_000, 12)
    interest = cost_table(plan).lines[0]
    assert (interest.kind, interest.rate_period) == (CostKind.INTEREST, RatePeriod.YEAR)
    assert interest.base is CostBase.REMAINING_PRINCIPAL
    assert interest.amount_minor == signed_cost(plan)


def test_what_costs_nothing_has_no_line() -> None:
    free = cost_table(terms(product(), 100_000, 4))
    assert [line.kind for line in free.lines] == [CostKind.LATE_CHARGE]
    assert (free.cost_minor, free.nominal_annual, free.effective_annual) == (0, 0, 0)
    mild = product(late=LateRule(rate_ppm_per_day=0, grace_days=0, cap_ppm=0))
    assert cost_table(terms(mild, 100_000, 4)).lines == ()


def test_the_digest_is_the_same_on_every_machine() -> None:
    shown = "0a2a84c76bbc1bf2c0292fe363f635acbc6f47361b57caf366f5e3c573aa9017"
    assert digest(terms(flat(5_000), 600_000, 12)) == shown


def test_the_digest_tells_every_change_apart() -> None:
    plans = [
        terms(flat(5_000), 600_000, 12),
        terms(flat(5_000), 600_001, 12),
        terms(flat(5_000), 600_000, 6),
        terms(flat(5_000), 600_000, 12, first_due_on=date(2027, 1, 11)),
        terms(flat(5_000), 600_000, 12, starts_on=date(2026, 12, 6)),
        terms(flat(5_001), 600_000, 12),
        terms(flat(5_000, product_id="other"), 600_000, 12),
        terms(flat(5_000, late=LateRule(400, 3, 240_000)), 600_000, 12),
        terms(flat(5_000, late=LateRule(500, 4, 240_000)), 600_000, 12),
    ]
    assert len({digest(plan) for plan in plans}) == len(plans)
