"""The array twins of the allocation equal the scalar to the minor unit."""

from datetime import date, timedelta
from typing import Any
from uuid import UUID

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as some
from numpy.typing import NDArray

from fenqi.core.errors import Invalid
from fenqi.core.servicing.allocation import Debt, allocate
from fenqi.core.terms import batch
from fenqi.core.terms.schedule import PRINCIPAL_MINOR_MAX
from fenqi.core.values.ids import PlanId
from fenqi.core.values.money import take_in_order

TODAY = date(2027, 3, 10)
MINOR = some.one_of(
    some.integers(0, 20),
    some.integers(0, 100_000),
    some.integers(PRINCIPAL_MINOR_MAX - 3, PRINCIPAL_MINOR_MAX),
)
DEBTS = some.lists(
    some.builds(
        Debt,
        plan_id=some.integers(1, 4).map(lambda number: PlanId(UUID(int=number))),
        due_on=some.integers(-4, 4).map(lambda days: TODAY + timedelta(days=days)),
        claim_minor=MINOR,
        is_written_off=some.booleans(),
    ),
    max_size=9,
).map(lambda debts: sorted(debts, key=lambda debt: debt.plan_id))
ACCOUNTS = some.lists(some.tuples(MINOR, DEBTS), max_size=8)


def arrays(
    accounts: list[tuple[int, list[Debt]]], width: int
) -> tuple[batch.Minor, batch.Minor, batch.Days, NDArray[np.bool_]]:
    shape = len(accounts), width
    claims = np.zeros(shape, dtype=np.int64)
    due_on = np.full(shape, "NaT", dtype="datetime64[D]")
    written_off = np.zeros(shape, dtype=bool)
    for place, (_, debts) in enumerate(accounts):
        for column, debt in enumerate(debts):
            claims[place, column] = debt.claim_minor
            due_on[place, column] = debt.due_on
            written_off[place, column] = debt.is_written_off
    return np.array([one[0] for one in accounts], dtype=np.int64), claims, due_on, written_off


@settings(max_examples=300)
@given(accounts=ACCOUNTS, padding=some.integers(0, 2))
def test_allocations_equal_the_scalar(accounts: list[tuple[int, list[Debt]]], padding: int) -> None:
    width = max((len(debts) for _, debts in accounts), default=0) + padding
    found = batch.allocations(*arrays(accounts, width), TODAY)
    assert found.taken_minor.shape == (len(accounts), width)
    for place, (amount, debts) in enumerate(accounts):
        parts: dict[PlanId, int] = {}
        for debt, taken in zip(debts, found.taken_minor[place].tolist(), strict=False):
            if taken:
                parts[debt.plan_id] = parts.get(debt.plan_id, 0) + taken
        assert (parts, found.rest_minor[place]) == allocate(amount, debts, TODAY)
        assert not found.taken_minor[place, len(debts) :].any()


@given(
    of=some.integers(0, 8).flatmap(
        lambda parts: some.lists(
            some.tuples(MINOR, some.lists(MINOR, min_size=parts, max_size=parts)), max_size=8
        ).map(lambda rows: (parts, rows))
    )
)
def test_takings_in_order_equal_the_scalar(of: tuple[int, list[tuple[int, list[int]]]]) -> None:
    parts, rows = of
    found = batch.takes(
        np.array([amount for amount, _ in rows], dtype=np.int64),
        np.array([row for _, row in rows], dtype=np.int64).reshape(len(rows), parts),
    )
    assert found.tolist() == [take_in_order(amount, row) for amount, row in rows]


def test_a_written_off_claim_is_paid_after_a_younger_running_debt() -> None:
    due_on = np.array([[TODAY - timedelta(days=90), TODAY]], dtype="datetime64[D]")
    claims, given_up = np.array([[50, 70]]), np.array([[True, False]])
    found = batch.allocations(np.array([100]), claims, due_on, given_up, TODAY)
    assert found.taken_minor.tolist() == [[30, 70]]
    assert found.rest_minor.tolist() == [0]


@pytest.mark.parametrize("place", range(4))
def test_arrays_that_do_not_fit_together_are_refused(place: int) -> None:
    debts = [Debt(PlanId(UUID(int=1)), TODAY, 5, is_written_off=False)]
    fitting: list[Any] = list(arrays([(7, debts)], 1))
    for wrong in (fitting[place][None], fitting[place].astype("datetime64[s]")):
        changed = [*fitting]
        changed[place] = wrong
        money, claims, due_on, written_off = changed
        with pytest.raises(batch.ShapeInvalid):
            batch.allocations(money, claims, due_on, written_off, TODAY)


@pytest.mark.parametrize(("amount", "claim"), [(-1, 5), (5, -1), (2**62 + 1, 5), (5, 2**62 + 1)])
def test_amounts_below_zero_or_too_large_to_sum_are_refused(amount: int, claim: int) -> None:
    days = np.array([[TODAY]], dtype="datetime64[D]")
    with pytest.raises(Invalid):
        batch.allocations(np.array([amount]), np.array([[claim]]), days, np.array([[False]]), TODAY)
