"""Laws of the days that a contest gives: nothing is lost, none of the days counts."""

from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from fenqi.core.terms.life.view import View
from fenqi.core.terms.operation import Contested, Operation, OperationKind
from fenqi.core.terms.product import Component, Product
from fenqi.core.terms.replay import replay
from fenqi.core.terms.schedule import Terms
from make import annuity, flat, life, pay, terms

STARTS_ON = date(2026, 1, 5)
LONG = 200  # days after the start on which anything is looked at, at most


def days(least: int, most: int) -> st.SearchStrategy[int]:
    return st.integers(min_value=least, max_value=most)


def contested(operations: list[Operation], on: date, count: int, told_on: date) -> list[Operation]:
    """Return the operations with a contest that began on a day and took so many."""
    kind, number = OperationKind.CONTEST, len(operations) + 1
    return [*operations, Operation(number, kind, on, told_on, 0, Contested(count))]


def seen(plan: Terms, operations: list[Operation], through: date) -> View:
    return replay(plan, operations, charged_through=through)


def penalties(view: View) -> list[int]:
    return [row.due[Component.PENALTY] for row in view.rows]


@given(
    product=st.sampled_from([flat(), annuity()]),
    paid=st.integers(min_value=0, max_value=300_000),
    began=days(0, LONG),
    took=days(1, LONG),
    after=days(0, 60),
)
def test_as_many_days_are_left_or_overdue_as_when_it_was_contested(
    product: Product, paid: int, began: int, took: int, after: int
) -> None:
    plan = terms(product, 300_000, 3)
    on = plan.starts_on + timedelta(days=began)
    steps = [pay(on, paid)] if paid else []
    operations = life(plan, *steps)
    ended = on + timedelta(days=took)
    later = ended + timedelta(days=after)
    gave = seen(plan, contested(operations, on, took, ended), later)
    plain = seen(plan, operations, later - timedelta(days=took))
    shift = timedelta(days=took)
    for row, was in zip(gave.rows, plain.rows, strict=True):
        moved = shift if was.is_open else timedelta(0)
        assert row.due_on in (was.due_on + moved, was.due_on + shift)
        assert row.contract_open_minor == was.contract_open_minor
    # What was late before is charged no more than it was; the grace begins anew at most.
    assert all(new <= old for new, old in zip(penalties(gave), penalties(plain), strict=True))


@given(began=days(0, LONG), took=days(1, LONG))
def test_no_day_of_a_contest_is_charged(began: int, took: int) -> None:
    plan = terms(flat(), 300_000, 3)
    on = plan.starts_on + timedelta(days=began)
    operations, ended = life(plan), on + timedelta(days=took)
    gave = seen(plan, contested(operations, on, took, ended), ended - timedelta(days=1))
    before = seen(plan, operations, on - timedelta(days=1))
    assert penalties(gave) == penalties(before)


@given(took=days(1, LONG), amount=st.integers(min_value=1, max_value=120_000))
def test_a_contest_of_what_is_paid_gives_nothing(took: int, amount: int) -> None:
    plan = terms(flat(), amount, 3)
    on = plan.starts_on + timedelta(days=1)
    operations = life(plan, pay(on, seen(plan, life(plan), on).open_minor))
    gave = seen(plan, contested(operations, on, took, on), on)
    plain = seen(plan, operations, on)
    assert [(row.due_on, row.due) for row in gave.rows] == [
        (row.due_on, row.due) for row in plain.rows
    ]
    assert gave.status is plain.status
