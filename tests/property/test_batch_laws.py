"""The array twins equal the scalar to the minor unit, for all products and amounts."""

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from fenqi.core import ledger
from fenqi.core.errors import Invalid
from fenqi.core.servicing import ageing
from fenqi.core.terms import batch
from fenqi.core.terms.product import COST, Product, ScheduleKind
from fenqi.core.terms.replay import replay
from fenqi.core.terms.schedule import PRINCIPAL_MINOR_MAX, schedule
from fenqi.core.values.money import OddUnits
from fenqi.core.values.rate import Rounding, apply_ppm
from make import life, product, terms

DAYS = some.dates(date(2000, 1, 1), date(2040, 12, 31))


@some.composite
def products(draw: some.DrawFn) -> Product:
    kind = draw(some.sampled_from(ScheduleKind))
    rate = 0 if kind is ScheduleKind.FREE else draw(some.integers(0, 400_000))
    if kind is ScheduleKind.FLAT_FEE:
        rate //= 20
    return product(
        kind,
        rate_ppm=rate,
        rounding=draw(some.sampled_from(Rounding)),
        odd_units=draw(some.sampled_from(OddUnits)),
    )


principals = some.lists(
    some.one_of(
        some.integers(1, 200),
        some.integers(1, 10_000_000),
        some.integers(PRINCIPAL_MINOR_MAX - 1000, PRINCIPAL_MINOR_MAX),
    ),
    max_size=40,
)


@settings(max_examples=300)
@given(of=products(), count=some.integers(1, 60), lent=principals)
def test_schedules_equal_the_scalar_schedule(of: Product, count: int, lent: list[int]) -> None:
    found = batch.schedules(of, count, np.array(lent, dtype=np.int64))
    assert found.shape == (len(lent), count, 4)
    for amounts, principal in zip(found.tolist(), lent, strict=True):
        assert [tuple(row) for row in amounts] == [
            due.amounts for due in schedule(terms(of, principal, count))
        ]


@settings(max_examples=200)
@given(
    of=products(),
    count=some.integers(1, 24),
    lent=principals,
    discount_ppm=some.integers(0, 1_000_000),
)
def test_signing_many_plans_equals_the_replay_of_each_ones_first_operation(
    of: Product, count: int, lent: list[int], discount_ppm: int
) -> None:
    of = replace(of, merchant_discount_ppm=discount_ppm)
    signed = batch.sign(of, count, np.array(lent, dtype=np.int64))
    for place, principal in enumerate(lent):
        plan = terms(of, principal, count)
        fresh = replay(plan, life(plan), charged_through=plan.starts_on, excused=())
        posted = ledger.postings(plan, fresh, plan.starts_on)
        cost = sum(fresh.total("due", component) for component in COST)
        assert signed.cost_minor[place] == cost
        assert signed.discount_minor[place] == posted.get(ledger.DISCOUNT_TAKEN, 0)
        assert posted[ledger.PRINCIPAL_LENT] == principal
        assert plan.due_on[signed.first[place]] == fresh.oldest_claim_due_on
        for component, pair in ledger.COST_DEFERRED.items():
            assert signed.amounts[place, :, component].sum() == posted.get(pair, 0)
        assert posted.keys() <= {
            ledger.PRINCIPAL_LENT,
            ledger.DISCOUNT_TAKEN,
            *ledger.COST_DEFERRED.values(),
        }


@given(
    amounts=some.lists(some.integers(-PRINCIPAL_MINOR_MAX, PRINCIPAL_MINOR_MAX), max_size=30),
    ppm=some.integers(0, 2_000_000),
    rounding=some.sampled_from(Rounding),
)
def test_shares_equal_the_scalar(amounts: list[int], ppm: int, rounding: Rounding) -> None:
    found = batch.shares(np.array(amounts, dtype=np.int64), ppm, rounding)
    assert found.tolist() == [apply_ppm(one, ppm, rounding=rounding) for one in amounts]


@pytest.mark.parametrize("rounding", Rounding)
@pytest.mark.parametrize("rate_ppm", [180_000, 240_000, 120_000, 12, 999_999])
def test_a_run_of_principals_has_no_tie_that_goes_the_other_way(
    rounding: Rounding, rate_ppm: int
) -> None:
    of = product(ScheduleKind.ANNUITY, rate_ppm=rate_ppm, rounding=rounding)
    lent = np.arange(1, 4_000, dtype=np.int64)
    found = batch.schedules(of, 3, lent)
    for place in range(0, len(lent), 7):
        assert [tuple(row) for row in found[place].tolist()] == [
            due.amounts for due in schedule(terms(of, int(lent[place]), 3))
        ]


@given(
    on=DAYS,
    due=some.lists(some.one_of(some.none(), DAYS), max_size=30),
    bounds=some.sets(some.integers(1, 400), max_size=8).map(lambda more: (0, *sorted(more))),
    back=some.frozensets(some.integers(-30, 400), max_size=40),
)
def test_ageing_equals_the_scalar_ageing(
    on: date, due: list[date | None], bounds: tuple[int, ...], back: frozenset[int]
) -> None:
    excused = {on - timedelta(days=days) for days in back}
    due += [on - timedelta(days=days) for days in range(-3, 60, 3)]
    days = batch.days_past_due(np.array(due, dtype="datetime64[D]"), on, excused)
    expected = [ageing.days_past_due(day, on, excused) for day in due]
    assert days.tolist() == expected
    assert batch.buckets(days, bounds).tolist() == [
        ageing.bucket_of(late, bounds) for late in expected
    ]


@pytest.mark.parametrize(
    "wrong",
    [
        np.array([0], dtype=np.int64),
        np.array([PRINCIPAL_MINOR_MAX + 1], dtype=np.int64),
        np.array([[5]], dtype=np.int64),
        np.array([5.0]),
    ],
)
def test_an_array_out_of_range_or_shape_is_refused(wrong: np.ndarray) -> None:
    with pytest.raises(Invalid):
        batch.schedules(product(), 3, wrong)


def test_a_count_that_is_not_offered_is_refused() -> None:
    with pytest.raises(Invalid):
        batch.schedules(product(counts=(3,)), 4, np.array([5], dtype=np.int64))


def test_ageing_of_arrays_of_another_type_is_refused() -> None:
    with pytest.raises(batch.ShapeInvalid):
        batch.days_past_due(np.array(["2027-01-10"], dtype="datetime64[s]"), date(2027, 1, 11))
    with pytest.raises(batch.ShapeInvalid):
        batch.buckets(np.array([1.0]), (0, 30))
