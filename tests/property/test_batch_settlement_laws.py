"""The array twins of the early settlement equal the scalar to the minor unit, life by life."""

from collections import defaultdict
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some

from fenqi.core.errors import Invalid
from fenqi.core.terms import batch
from fenqi.core.terms.batch import settlement
from fenqi.core.terms.operation import OperationKind
from fenqi.core.terms.product import LateRule
from fenqi.core.terms.replay import settle_quote
from fenqi.core.terms.schedule import PRINCIPAL_MINOR_MAX
from fenqi.core.terms.settlement import earned_minor
from histories import PRODUCTS, History, days_of, excused_days, histories
from make import START, annuity, flat, later, life, pay, product, refund, terms

DAYS = some.dates(date(2000, 1, 1), date(2040, 12, 31))
REPAYMENTS = (OperationKind.REPAY,)


def lives(histories_of: Sequence[History], *, padding: int = 0) -> batch.Lives:
    """Return lives of one product and count as arrays."""
    plans = [one.terms for one in histories_of]
    width = max(len(one.operations) - 1 for one in histories_of) + padding
    shape = len(plans), width
    kind, amounts = np.full(shape, -1, dtype=np.int8), np.zeros(shape, dtype=np.int64)
    effective_on = np.full(shape, "NaT", dtype="datetime64[D]")
    for place, one in enumerate(histories_of):
        for column, step in enumerate(one.operations[1:]):
            kind[place, column] = batch.KINDS.index(step.kind)
            effective_on[place, column] = step.effective_on
            amounts[place, column] = step.amount_minor
    return batch.Lives(
        product=plans[0].product,
        count=plans[0].count,
        principal_minor=np.array([plan.principal_minor for plan in plans], dtype=np.int64),
        starts_on=np.array([plan.starts_on for plan in plans], dtype="datetime64[D]"),
        due_on=np.array([plan.due_on for plan in plans], dtype="datetime64[D]"),
        kind=kind,
        effective_on=effective_on,
        amount_minor=amounts,
    )


def scalar_quotes(
    histories_of: Sequence[History], on: date, excused: Collection[date]
) -> list[int]:
    return [settle_quote(one.terms, one.operations, on, excused=excused) for one in histories_of]


@settings(max_examples=200)
@given(
    some.data(),
    some.one_of(histories(), histories(REPAYMENTS)),
    some.integers(0, 2),
)
def test_the_quote_of_any_life_equals_the_scalar(
    choose: some.DataObject, history: History, padding: int
) -> None:
    on = choose.draw(days_of(history.terms))
    found = batch.settle_quotes(lives([history], padding=padding), on, excused=history.excused)
    assert found.tolist() == [history.quote(on)]


@settings(max_examples=150)
@given(
    some.data(),
    PRODUCTS.flatmap(
        lambda of: some.lists(histories(REPAYMENTS, some.just(of)), min_size=1, max_size=6)
    ),
)
def test_quotes_of_many_lives_equal_the_scalar(
    choose: some.DataObject, several: list[History]
) -> None:
    longest = max((one.terms for one in several), key=lambda plan: plan.due_on[-1])
    on, excused = choose.draw(days_of(longest)), choose.draw(excused_days(longest))
    alike = defaultdict(list)
    for one in several:
        alike[one.terms.count].append(one)
    for group in alike.values():
        found = batch.settle_quotes(lives(group), on, excused=excused)
        assert found.tolist() == scalar_quotes(group, on, excused)


def test_repayments_are_not_handed_to_the_scalar_and_a_refund_is(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    handed: list[int] = []

    def counted(plan: object, operations: Sequence[object], on: date, **more: object) -> int:
        handed.append(len(operations))
        return settle_quote(plan, operations, on, **more)  # type: ignore[arg-type]

    monkeypatch.setattr(settlement, "settle_quote", counted)
    plan = terms(flat(), 600_000, 12)
    on = later(plan.due_on[4], 20)
    simple = [(), (pay(plan.due_on[0], 40_000),), (pay(on, 9), pay(plan.due_on[1], 100_000))]
    whole = [History(plan, life(plan, *steps), frozenset(), on) for steps in simple]
    assert batch.settle_quotes(lives(whole), on).tolist() == scalar_quotes(whole, on, ())
    assert handed == []
    mixed = [*whole, History(plan, life(plan, refund(START, 5)), frozenset(), on)]
    assert batch.settle_quotes(lives(mixed), on).tolist() == scalar_quotes(mixed, on, ())
    assert handed == [2]
    # What happens after the day of the quote does not count, whatever it is.
    batch.settle_quotes(lives([History(plan, life(plan, refund(on, 5)), frozenset(), on)]), START)
    assert handed == [2]


def test_late_charges_too_large_for_64_bits_go_to_the_scalar() -> None:
    dear = LateRule(rate_ppm_per_day=2_000_000_000, grace_days=0, cap_ppm=2_000_000_000)
    for of in (flat(late=dear), annuity(2_000_000_000, late=dear), product(late=dear)):
        plans = [terms(of, principal, 6) for principal in (1, 700_000, PRINCIPAL_MINOR_MAX)]
        for days in (0, 1, 100, 5_000):
            on = later(START, days)
            whole = [History(plan, life(plan), frozenset(), on) for plan in plans]
            expected = scalar_quotes(whole, on, ())
            if max(expected) < 2**63:
                assert batch.settle_quotes(lives(whole), on).tolist() == expected
                continue
            with pytest.raises(batch.AmountsOutOfRange):
                batch.settle_quotes(lives(whole), on)


@pytest.mark.parametrize("grace_days", [0, 1, 3])
@pytest.mark.parametrize("pattern", [(), (1,), (0, 1), (1, 2, 4), (3,), (4, 5), (-1, 0, 9, 40)])
def test_excused_days_prolong_the_grace_as_the_scalar_prolongs_it(
    grace_days: int, pattern: tuple[int, ...]
) -> None:
    rule = LateRule(rate_ppm_per_day=20_000, grace_days=grace_days, cap_ppm=1_000_000)
    plan = terms(flat(late=rule), 600_000, 3)
    excused = {later(plan.due_on[0], days) for days in pattern}
    one = History(plan, life(plan, pay(later(plan.due_on[0], 7), 100)), frozenset(), START)
    for days in range(-1, 45):
        on = later(plan.due_on[0], days)
        found = batch.settle_quotes(lives([one]), on, excused=excused)
        assert found.tolist() == scalar_quotes([one], on, excused)


def test_repayments_far_above_what_is_owed_leave_nothing_to_pay() -> None:
    plan = terms(flat(), 600_000, 3)
    for much in (2**62, 2**62 + 1):
        steps = [pay(later(START, days), much) for days in range(4)]
        one = History(plan, life(plan, *steps), frozenset(), START)
        assert batch.settle_quotes(lives([one]), plan.due_on[1]).tolist() == [0]


def test_a_repayment_below_zero_or_before_the_start_is_refused_as_the_scalar_refuses_it() -> None:
    plan = terms(product(), 100, 2)
    for step in (pay(later(START, 1), -1), pay(later(START, -1), 1)):
        one = lives([History(plan, life(plan, step), frozenset(), START)])
        with pytest.raises(Invalid) as refused:
            batch.settle_quotes(one, plan.due_on[0])
        assert refused.value.code == "operation-senseless"


def test_a_day_before_the_start_is_refused_as_the_scalar_refuses_it() -> None:
    plan = terms(product(), 100, 2)
    one = lives([History(plan, life(plan), frozenset(), START)])
    with pytest.raises(Invalid) as refused:
        batch.settle_quotes(one, later(START, -1))
    assert refused.value.code == "operation-senseless"


def test_no_lives_have_no_quotes() -> None:
    plan = terms(product(), 100, 2)
    nobody = lives([History(plan, life(plan), frozenset(), START)]).of(np.zeros(1, dtype=np.bool_))
    assert batch.settle_quotes(nobody, START).shape == (0,)


@pytest.mark.parametrize(
    "changed",
    [
        {"principal_minor": np.array([1.0])},
        {"principal_minor": np.array([[5]])},
        {"starts_on": np.array(["NaT"], dtype="datetime64[D]")},
        {"due_on": np.array([["2027-01-10"]], dtype="datetime64[D]")},
        {"kind": np.array([[99]], dtype=np.int8)},
        {"kind": np.array([[-1]], dtype=np.int8)},
        {"effective_on": np.array([["NaT"]], dtype="datetime64[D]")},
        {"amount_minor": np.array([[1, 2]])},
    ],
)
def test_lives_that_do_not_fit_together_are_refused(changed: dict[str, object]) -> None:
    plan = terms(product(), 100, 2)
    fitting = lives([History(plan, life(plan, pay(START, 7)), frozenset(), START)])
    with pytest.raises(batch.ShapeInvalid):
        replace(fitting, **changed)  # type: ignore[arg-type]


@given(
    on=DAYS,
    parts=some.lists(
        some.tuples(some.integers(0, PRINCIPAL_MINOR_MAX), DAYS, some.integers(1, 3650)),
        max_size=30,
    ),
)
def test_earned_cost_equals_the_scalar(on: date, parts: list[tuple[int, date, int]]) -> None:
    rows = [(amount, start, start + timedelta(days=length)) for amount, start, length in parts]
    found = batch.earned(
        np.array([row[0] for row in rows], dtype=np.int64),
        np.array([row[1] for row in rows], dtype="datetime64[D]"),
        np.array([row[2] for row in rows], dtype="datetime64[D]"),
        on,
    )
    assert found.tolist() == [earned_minor(*row, on) for row in rows]


@given(
    parts=some.lists(
        some.tuples(some.integers(0, PRINCIPAL_MINOR_MAX), DAYS, some.integers(1, 3650), DAYS),
        max_size=30,
    ),
)
def test_cost_earned_by_a_day_of_each_ones_own_equals_the_scalar(
    parts: list[tuple[int, date, int, date]],
) -> None:
    rows = [(part[0], part[1], part[1] + timedelta(days=part[2]), part[3]) for part in parts]
    amounts = np.array([row[0] for row in rows], dtype=np.int64)
    days = [np.array([row[n] for row in rows], dtype="datetime64[D]") for n in (1, 2, 3)]
    assert batch.earned(amounts, *days).tolist() == [earned_minor(*row) for row in rows]


def test_earned_cost_of_arrays_of_another_shape_is_refused() -> None:
    days = np.array([START], dtype="datetime64[D]")
    with pytest.raises(batch.ShapeInvalid):
        batch.earned(np.array([5, 6]), days, days + 30, START)
