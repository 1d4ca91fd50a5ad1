"""Whatever was signed: instalments sum to principal and cost, and no amount is negative (M2)."""

from datetime import date, timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from fenqi.core.servicing.statement import Cycle, due_days
from fenqi.core.terms.cost import digest, nominal_annual
from fenqi.core.terms.product import Component, Product, ScheduleKind
from fenqi.core.terms.schedule import PRINCIPAL_MINOR_MAX, Terms, schedule, signed_cost
from fenqi.core.values.money import CURRENCIES, Currency, OddUnits, decimal_text
from fenqi.core.values.rate import Rounding, apply_ppm
from make import annuity, flat, product, terms

COUNTS = st.integers(1, 60)
# Small amounts are where rounding bites; large ones are where digits run out.
PRINCIPALS = st.one_of(st.integers(1, 500), st.integers(1, PRINCIPAL_MINOR_MAX))
PRODUCTS = st.builds(
    product,
    st.sampled_from(ScheduleKind),
    rate_ppm=st.one_of(st.just(0), st.integers(1, 500_000)),
    rounding=st.sampled_from(Rounding),
    odd_units=st.sampled_from(OddUnits),
)
DAYS = st.dates(date(2019, 1, 1), date(2040, 12, 31))


def paid(plan: Terms) -> list[int]:
    return [due.total_minor for due in schedule(plan)]


@given(PRODUCTS, PRINCIPALS, COUNTS)
def test_the_instalments_sum_to_principal_and_cost(of: Product, principal: int, count: int) -> None:
    plan = terms(of, principal, count)
    dues = schedule(plan)
    assert sum(due.amounts[Component.PRINCIPAL] for due in dues) == principal
    assert sum(paid(plan)) == principal + signed_cost(plan)
    assert all(amount >= 0 for due in dues for amount in due.amounts)
    assert not any(due.amounts[Component.PENALTY] for due in dues)


@given(
    st.sampled_from([OddUnits.FIRST, OddUnits.EARLIEST, OddUnits.LAST]),
    st.integers(0, 500_000),
    PRINCIPALS,
    COUNTS,
    st.sampled_from(Rounding),
)
def test_a_flat_fee_is_the_rate_rounded_once(
    odd_units: OddUnits, rate_ppm: int, principal: int, count: int, rounding: Rounding
) -> None:
    of = flat(rate_ppm, odd_units=odd_units, rounding=rounding)
    whole = apply_ppm(principal, rate_ppm * count, rounding=rounding)
    assert signed_cost(terms(of, principal, count)) == whole


@given(PRODUCTS, PRINCIPALS, PRINCIPALS, COUNTS)
def test_a_smaller_purchase_costs_no_more(of: Product, one: int, other: int, count: int) -> None:
    low, high = sorted((one, other))
    # Each row of a level payment rounds its own interest, which may add a unit a row.
    slack = count if of.kind is ScheduleKind.ANNUITY else 0
    assert signed_cost(terms(of, low, count)) <= signed_cost(terms(of, high, count)) + slack


@given(st.integers(1, 400_000), st.integers(10**9, PRINCIPAL_MINOR_MAX), COUNTS)
def test_a_level_payment_is_level_and_bears_its_rate(
    rate_ppm: int, principal: int, count: int
) -> None:
    plan = terms(annuity(rate_ppm), principal, count)
    *level, last = paid(plan)
    assert len(set(level)) <= 1
    assert not level or abs(last - level[0]) <= 2 * count + 2
    solved = nominal_annual(principal, paid(plan))
    assert abs(solved - Decimal(rate_ppm).scaleb(-6)) < Decimal("1e-6")


@given(st.integers(1, 400_000), PRINCIPALS, COUNTS)
def test_interest_falls_as_the_balance_does(rate_ppm: int, principal: int, count: int) -> None:
    interest = [
        due.amounts[Component.INTEREST]
        for due in schedule(terms(annuity(rate_ppm), principal, count))
    ]
    assert interest == sorted(interest, reverse=True)


@given(PRODUCTS, PRINCIPALS, DAYS, st.integers(1, 31), st.integers(1, 27), COUNTS)
def test_statement_days_make_valid_terms_at_any_month_end(
    of: Product, principal: int, bought_on: date, statement_day: int, wait: int, count: int
) -> None:
    cycle = Cycle(statement_day=statement_day, due_after_days=wait)
    plan = Terms(
        product=of,
        count=count,
        principal_minor=principal,
        starts_on=bought_on,
        due_on=due_days(cycle, bought_on, count),
    )
    dues = schedule(plan)
    assert [due.number for due in dues] == list(range(1, count + 1))
    assert [due.starts_on for due in dues] == [bought_on, *plan.due_on[:-1]]
    # Only amounts and counts decide the amounts; the calendar never does.
    assert [due.amounts for due in dues] == [
        due.amounts for due in schedule(terms(of, principal, count))
    ]


@given(
    PRODUCTS,
    PRINCIPALS,
    COUNTS,
    st.sampled_from([CURRENCIES[code] for code in ("JPY", "CNY", "KWD")]),
)
def test_the_printed_instalments_sum_to_the_printed_total(
    of: Product, principal: int, count: int, currency: Currency
) -> None:
    plan = terms(of, principal, count)
    printed = sum(Decimal(decimal_text(minor, currency)) for minor in paid(plan))
    total = decimal_text(principal + signed_cost(plan), currency)
    assert printed == Decimal(total)


@given(PRODUCTS, PRINCIPALS, COUNTS, DAYS, st.integers(1, 90))
def test_equal_terms_have_equal_digests(
    of: Product, principal: int, count: int, starts_on: date, wait: int
) -> None:
    def signed() -> Terms:
        first = starts_on + timedelta(days=wait)
        return terms(of, principal, count, starts_on=starts_on, first_due_on=first)

    assert digest(signed()) == digest(signed())
