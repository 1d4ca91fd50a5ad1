"""Requests of plans on which other things happened before: charges, refunds, moved days."""

from dataclasses import replace
from datetime import date

import pytest

from fenqi.core.terms.allowances import Allowances, DeferralRule, ExtensionRule
from fenqi.core.terms.amortise.settings import Unit
from fenqi.core.terms.life import customer
from fenqi.core.terms.life.life import Life
from fenqi.core.terms.life.operations import (
    AddPeriods,
    MoveDueDay,
    ReAge,
    ReAgeInterest,
    Receipt,
)
from fenqi.core.terms.life.payoff import payoff_minor
from fenqi.core.terms.life.rules import Excess, Refund
from fenqi.core.terms.product import Component
from make_life import GENEROUS, life_of, life_terms, next_one, pay

SOON = date(2026, 1, 20)
PRICED = Allowances(
    deferral=DeferralRule(days_max=14, times_a_year=2, cost_ppm=10_000),
    extension=ExtensionRule(count_max=12, times_a_year=2, cost_ppm_per_period=5_000),
)
FEE, PRINCIPAL = Component.FEE, Component.PRINCIPAL


def extend(life: Life, count: int, on: date = SOON) -> None:
    life.record(customer.extension(life, on, count=count, reviewed_by="officer"))


def test_a_refund_lets_off_the_charges_of_the_rows_it_relieves() -> None:
    """Two requests are priced; each row's relief is of its own charge first."""
    life = life_of(life_terms(allowances=PRICED, refund=Refund.NEVER_LENT))
    life.record(customer.deferral(life, SOON, days=7))
    extend(life, 2)
    pay(life, SOON, 60_000, receipt=Receipt.MERCHANT_REFUND)
    seen = life.view()
    for row in seen.rows:
        waived = sum(one.waived_minor for one in seen.charges if one.row_key == row.key)
        assert waived == row.relieved[FEE]


def test_a_moved_due_day_moves_the_rows_of_an_extension_too() -> None:
    life = life_of(life_terms(allowances=GENEROUS))
    extend(life, 2)
    moved = date(2026, 3, 20)
    life.record(next_one(life, MoveDueDay, date(2026, 3, 15), booked_on=SOON, to=moved))
    rows = life.view().rows
    assert [row.due_on for row in rows[1:]] == [date(2026, month, 20) for month in range(3, 10)]
    assert [row.starts_on for row in rows[1:]] == [row.due_on for row in rows[:-1]]


def test_what_a_refund_gives_back_of_early_money_was_not_paid_early() -> None:
    terms = life_terms("0", refund=Refund.NEVER_LENT, excess=Excess.OF_ACCOUNT)
    life = life_of(terms)
    pay(life, SOON, 120_000)
    pay(life, SOON, 10_000, receipt=Receipt.MERCHANT_REFUND)
    last = life.view().rows[-1]
    assert (last.paid[PRINCIPAL], last.in_advance_minor) == (10_000, 10_000)


def test_a_row_that_asks_for_nothing_is_met_on_the_day_it_was_made() -> None:
    life = life_of(life_terms(allowances=GENEROUS, recalculates=True, count=3), 3)
    extend(life, 5)  # more rows than minor units
    for row in life.view().rows:
        assert row.met_on == (None if row.is_open else SOON)
    pay(life, SOON, payoff_minor(life, SOON))
    assert life.view().open_minor == 0


def test_a_charge_that_a_re_age_shares_out_is_asked_for_once() -> None:
    life = life_of(life_terms(allowances=PRICED))
    life.record(customer.deferral(life, SOON, days=7))
    (charge,) = life.view().charges
    re_age = next_one(
        life,
        ReAge,
        SOON,
        every=1,
        unit=Unit.MONTHS,
        starts_on=date(2026, 2, 20),
        count=3,
        interest=ReAgeInterest.EQUAL_PAYABLE,
    )
    life.record(re_age)
    assert life.view().total("due", FEE) == charge.amount_minor


@pytest.mark.parametrize("interest", ReAgeInterest)
def test_rounded_shares_take_no_more_than_there_is(interest: ReAgeInterest) -> None:
    """Of 9.400 in seven rows of whole units each is rounded up, so the last ones ask for less."""
    terms = life_terms(allowances=GENEROUS, digits=3, count=3)
    life = life_of(replace(terms, interest=replace(terms.interest, multiple=1)), 9_400)
    extend(life, 3)
    life.record(next_one(life, AddPeriods, SOON, count=7))
    assert all(min(row.due) >= 0 for row in life.view().rows)
    again = next_one(
        life,
        ReAge,
        SOON,
        every=1,
        unit=Unit.MONTHS,
        starts_on=date(2026, 2, 20),
        count=16,
        interest=interest,
    )
    life.record(again)
    seen = life.view()
    assert all(min(row.due) >= 0 for row in seen.rows)
    assert seen.total("due", PRINCIPAL) == 9_400
