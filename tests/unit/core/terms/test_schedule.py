"""Signed terms become instalments; terms that make no sense are refused by name."""

from datetime import date

import pytest

from fenqi.core.terms.schedule import (
    PRINCIPAL_MINOR_MAX,
    CountNotOffered,
    DueDaysInvalid,
    PrincipalOutOfRange,
    Terms,
    schedule,
    signed_cost,
)
from fenqi.core.values.money import OddUnits
from fenqi.core.values.rate import Rounding
from make import FIRST_DUE, START, annuity, flat, product, terms


def test_a_free_plan_asks_for_the_principal_only() -> None:
    plan = terms(product(odd_units=OddUnits.EARLIEST), 10_003, 4)
    assert [due.amounts for due in schedule(plan)] == [
        (2_501, 0, 0, 0),
        (2_501, 0, 0, 0),
        (2_501, 0, 0, 0),
        (2_500, 0, 0, 0),
    ]
    assert signed_cost(plan) == 0


def test_each_instalment_runs_from_the_due_day_before_it() -> None:
    first, second = schedule(terms(product(), 100, 2))
    assert (first.number, first.starts_on, first.due_on) == (1, START, FIRST_DUE)
    assert (second.number, second.starts_on, second.due_on) == (2, FIRST_DUE, date(2027, 2, 10))


def test_a_flat_fee_is_rounded_once_and_split_like_the_principal() -> None:
    plan = terms(flat(7_500), 111_111, 6)  # the whole fee is 4999.995
    dues = schedule(plan)
    assert [due.amounts for due in dues[:2]] == [(18_521, 0, 835, 0), (18_518, 0, 833, 0)]
    assert [due.total_minor for due in dues] == [19_356] + [19_351] * 5
    assert signed_cost(plan) == 5_000


def test_a_level_payment_stays_level_until_the_last() -> None:
    dues = schedule(terms(annuity(180_000), 100_000, 12))
    assert {due.total_minor for due in dues[:-1]} == {9_168}
    assert dues[0].amounts == (7_668, 1_500, 0, 0)
    assert dues[-1].amounts == (9_031, 135, 0, 0)
    assert sum(due.amounts[0] for due in dues) == 100_000


def test_the_balance_after_a_row_is_the_published_one() -> None:
    dues = schedule(terms(annuity(82_500, rounding=Rounding.HALF_UP), 1_000_000, 6))
    assert dues[0].total_minor == 170_700
    assert dues[2].amounts == (166_085, 4_615, 0, 0)
    assert 1_000_000 - sum(due.amounts[0] for due in dues[:3]) == 505_139


def test_a_rate_of_zero_splits_equally() -> None:
    assert schedule(terms(annuity(0), 1_000, 3)) == schedule(terms(product(), 1_000, 3))


def test_a_period_is_a_month_whatever_its_days() -> None:
    short = terms(annuity(), 50_000, 3)
    long = terms(annuity(), 50_000, 3, first_due_on=date(2027, 3, 31))
    assert [due.amounts for due in schedule(short)] == [due.amounts for due in schedule(long)]


@pytest.mark.parametrize("rounding", list(Rounding))
@pytest.mark.parametrize("principal_minor", [1, 2, 5, 6, 7, 11, 13])
def test_a_tiny_principal_gives_no_negative_row(principal_minor: int, rounding: Rounding) -> None:
    dues = schedule(terms(annuity(180_000, rounding=rounding), principal_minor, 12))
    assert min(min(due.amounts) for due in dues) == 0
    assert sum(due.amounts[0] for due in dues) == principal_minor


def test_a_single_payment_carries_one_month_of_interest() -> None:
    assert schedule(terms(annuity(120_000), 100_000, 1))[0].amounts == (100_000, 1_000, 0, 0)


def test_a_count_that_is_not_offered_is_refused() -> None:
    with pytest.raises(CountNotOffered) as refusal:
        terms(product(counts=(3, 6)), 100, 4)
    assert refusal.value.fields == {"product": "sample", "count": 4, "offered": (3, 6)}


@pytest.mark.parametrize("principal_minor", [-1, 0, PRINCIPAL_MINOR_MAX + 1])
def test_a_principal_out_of_range_is_refused(principal_minor: int) -> None:
    with pytest.raises(PrincipalOutOfRange) as refusal:
        terms(product(), principal_minor, 3)
    assert refusal.value.fields["principal_minor"] == principal_minor


def test_the_largest_principal_is_scheduled_to_the_unit() -> None:
    dues = schedule(terms(annuity(), PRINCIPAL_MINOR_MAX, 24))
    assert sum(due.amounts[0] for due in dues) == PRINCIPAL_MINOR_MAX


@pytest.mark.parametrize(
    "due_on",
    [
        (FIRST_DUE,),  # one too few
        (FIRST_DUE, FIRST_DUE),
        (date(2027, 2, 10), FIRST_DUE),
        (START, FIRST_DUE),
    ],
)
def test_due_days_that_do_not_rise_are_refused(due_on: tuple[date, ...]) -> None:
    with pytest.raises(DueDaysInvalid):
        Terms(product=product(), count=2, principal_minor=100, starts_on=START, due_on=due_on)
