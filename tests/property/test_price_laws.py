"""A plan at a share of its product's price is a plan of a product that costs that share."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from fenqi.core.ledger import postings
from fenqi.core.terms import batch
from fenqi.core.terms.cost import cost_table, digest
from fenqi.core.terms.operation import Operation, OperationKind
from fenqi.core.terms.pack import check_product
from fenqi.core.terms.product import PriceOutOfRange, Product, ScheduleKind
from fenqi.core.terms.replay import replay, settle_quote
from fenqi.core.terms.schedule import (
    PRINCIPAL_MINOR_MAX,
    PriceNotCheaper,
    check_price,
    schedule,
    signed_cost,
)
from fenqi.core.values.money import OddUnits
from fenqi.core.values.rate import PPM, Rounding
from fenqi.store.catalogue import from_files
from make import product, terms

COUNTS = some.integers(1, 60)
PRICES = some.one_of(some.sampled_from([0, 1, 500_000, 999_999, PPM]), some.integers(0, PPM))
PRINCIPALS = some.one_of(some.integers(1, 500), some.integers(1, PRINCIPAL_MINOR_MAX))
RATES = some.integers(0, 400_000)
KINDS = some.sampled_from([ScheduleKind.FLAT_FEE, ScheduleKind.ANNUITY])
ROUNDINGS = some.sampled_from(Rounding)
ODD_UNITS = some.sampled_from(OddUnits)


@some.composite
def pairs(draw: some.DrawFn) -> tuple[Product, Product]:
    """Return a product at a price, and a product whose file lists that price."""
    kind, rate, price = draw(KINDS), draw(RATES), draw(PRICES)
    how: dict[str, Any] = {"rounding": draw(ROUNDINGS), "odd_units": draw(ODD_UNITS)}
    listed = product(kind, rate_ppm=rate, **how)
    return listed.at(price), product(kind, rate_ppm=rate * price // PPM, **how)


@given(pairs(), PRINCIPALS, COUNTS)
def test_its_schedule_cost_table_and_yearly_rates_are_that_products(
    pair: tuple[Product, Product], principal: int, count: int
) -> None:
    priced, plain = (terms(one, principal, count) for one in pair)
    assert schedule(priced) == schedule(plain)
    assert cost_table(priced) == cost_table(plain)
    lent = np.array([principal], dtype=np.int64)
    assert (batch.schedules(pair[0], count, lent) == batch.schedules(pair[1], count, lent)).all()


@given(pairs(), some.integers(1, 10_000_000), COUNTS, some.integers(0, 400), some.data())
def test_its_life_settlement_and_postings_are_that_products(
    pair: tuple[Product, Product],
    principal: int,
    count: int,
    days: int,
    data: some.DataObject,
) -> None:
    priced, plain = (terms(one, principal, count) for one in pair)
    whole = sum(due.total_minor for due in schedule(priced))
    begun = priced.starts_on
    on = begun + timedelta(days=days)
    paid = data.draw(some.integers(0, whole - 1))
    happened = [Operation(1, OperationKind.DISBURSE, begun, begun, principal)]
    if paid:
        happened.append(Operation(2, OperationKind.REPAY, on, on, paid))
    one, other = (replay(each, happened, charged_through=on) for each in (priced, plain))
    assert str(one) == str(other)  # every field of every row and transaction
    assert postings(priced, one, on) == postings(plain, other, on)
    assert settle_quote(priced, happened, on) == settle_quote(plain, happened, on)


@given(KINDS, RATES, ROUNDINGS, ODD_UNITS, PRINCIPALS, COUNTS, PRICES)
def test_it_never_costs_more_than_listed_or_is_refused(
    kind: ScheduleKind,
    rate: int,
    rounding: Rounding,
    odd_units: OddUnits,
    principal: int,
    count: int,
    price: int,
) -> None:
    listed = product(kind, rate_ppm=rate, rounding=rounding, odd_units=odd_units)
    plan = terms(listed.at(price), principal, count)
    cost, most = signed_cost(plan), signed_cost(terms(listed, principal, count))
    try:
        check_price(plan.frame, principal, listed)
        assert cost <= most
    except PriceNotCheaper:
        assert kind is ScheduleKind.ANNUITY
        # A unit of each row and of the level payment; so an order shipped in small parts, each
        # of them a plan, stays that near to what the listed price would have come to.
        assert most < cost <= most + 2 * count
    if price == 0:
        assert cost == 0


@given(RATES, some.integers(10**6, PRINCIPAL_MINOR_MAX), some.integers(1, 24), ROUNDINGS)
def test_a_tenth_off_is_granted_on_every_purchase_of_size(
    rate: int, principal: int, count: int, rounding: Rounding
) -> None:
    listed = product(ScheduleKind.ANNUITY, rate_ppm=rate, rounding=rounding)
    check_price(terms(listed.at(900_000), principal, count).frame, principal, listed)


@given(KINDS, some.integers(1, 400_000), PRINCIPALS, COUNTS, PRICES, PRICES)
def test_what_was_shown_tells_its_price(
    kind: ScheduleKind, rate: int, principal: int, count: int, one: int, other: int
) -> None:
    listed = product(kind, rate_ppm=rate)
    digests = [digest(terms(listed.at(price), principal, count)) for price in (one, other)]
    assert (digests[0] == digests[1]) == (one == other)


@given(KINDS, RATES, some.one_of(some.integers(max_value=-1), some.integers(PPM + 1)))
def test_no_product_is_sold_above_its_price_or_below_nothing(
    kind: ScheduleKind, rate: int, price: int
) -> None:
    with pytest.raises(PriceOutOfRange):
        product(kind, rate_ppm=rate).at(price)


@settings(max_examples=50)
@given(PRICES)
def test_whatever_the_price_the_caps_of_every_pack_are_kept(price: int) -> None:
    known = from_files()
    for pack in known.packs.values():
        for one in known.products.values():
            check_product(one.at(price), pack)


@given(KINDS, RATES, PRICES)
def test_only_fee_and_interest_are_a_price(kind: ScheduleKind, rate: int, price: int) -> None:
    listed = product(kind, rate_ppm=rate)
    priced = listed.at(price)
    same: dict[str, Any] = {
        "fee_ppm_per_period": listed.fee_ppm_per_period,
        "interest_ppm_per_year": listed.interest_ppm_per_year,
        "price_ppm": PPM,
    }
    assert replace(priced, **same) == listed
    assert priced.at(price) is priced
    assert listed.at(price) == priced
