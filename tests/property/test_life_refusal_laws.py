"""Laws of what is refused: it leaves no trace, and money that comes in never is.

That a rule of the engine would break a law of `laws` is no refusal: `lives` lets it through, so
every law that draws a life would fail.
"""

from datetime import timedelta
from decimal import Decimal
from itertools import permutations
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fenqi.core.errors import Conflict, FenqiError, Invalid
from fenqi.core.terms.amortise.settings import Interval, Settings, Unit
from fenqi.core.terms.life.life import Life
from fenqi.core.terms.life.operations import Disburse, Operation, Receive
from fenqi.core.terms.life.payoff import payoff_minor
from fenqi.core.terms.life.rules import Future, LifeRules, Processing
from fenqi.core.terms.life.step import walk_through
from fenqi.core.terms.life.terms import LifeTerms
from fenqi.core.terms.life.view import View
from fenqi.core.terms.product import Component
from random_lives import (
    AS_LENT,
    DEFAULT_ORDER,
    EVERYTHING,
    STARTS,
    Told,
    allocation,
    lives,
    offered,
    receive,
)

LONG_STEPS = 12  # whoever pays ahead and falls behind later needs some


def everything(seen: View) -> tuple[Any, ...]:
    """Return all that is shown, by value."""
    rows = [
        (
            (row.key, row.kind, row.starts_on, row.due_on, row.met_on),
            (row.due, row.paid, row.relieved, row.written_off, row.moved, row.credited),
            (row.in_advance_minor, row.late_minor, row.recovered_minor, row.late_charge_minor),
        )
        for row in seen.rows
    ]
    transactions = [
        (
            (one.name, one.on, one.amount_minor, one.parts, one.overpaid_minor),
            (one.balance_minor, one.lines, one.is_reversed, one.is_replayed),
        )
        for one in seen.transactions
    ]
    charges = [(one.number, one.open_minor, one.row_key) for one in seen.charges]
    amounts = (seen.lent_minor, seen.overpaid_minor, seen.excess_minor, seen.returned_minor)
    return rows, transactions, charges, amounts, seen.status


def refused(life: Life, operation: Operation) -> FenqiError | None:
    """Return why an operation is refused, if it is."""
    try:
        life.record(operation)
    except (Invalid, Conflict) as why:
        return why
    return None


@given(lives(), st.sampled_from(EVERYTHING), st.integers(0, 60), st.data())
def test_whatever_is_refused_leaves_all_as_it_was(
    told: Told, kind: type[Operation], days: int, data: st.DataObject
) -> None:
    life = told.life()
    today = told.today + timedelta(days=days)
    before = [everything(life.view(on)) for on in (told.today, today)]
    operation = offered(data.draw, life, today, kind)
    why = refused(life, operation)
    if why is None:
        return
    assert why.fields  # it says with which values
    assert [everything(life.view(on)) for on in (told.today, today)] == before
    assert tuple(life.recorded) == told.operations
    again = told.life()  # and whatever comes next does what it would have done
    for one in (life, again):
        receive(one, today, 1_000)
    assert everything(life.view(today)) == everything(again.view(today))


@given(lives([Receive], AS_LENT, steps_max=LONG_STEPS), st.integers(0, 60), st.data())
def test_a_repayment_is_never_refused_wherever_money_goes(
    told: Told, days: int, data: st.DataObject
) -> None:
    life = told.life()
    on = told.today + timedelta(days=days)
    opens = [row.open_minor for row in life.view(on).rows if row.is_open]
    amount_minor = data.draw(st.sampled_from([*opens, life.walk.lent_minor, 1]))
    before = life.view(on)
    receive(life, on, amount_minor)
    seen = life.view(on)
    assert seen.open_minor <= before.open_minor
    paid = sum(sum(row.paid) for row in seen.rows) + seen.overpaid_minor
    came_in = sum(one.amount_minor for one in seen.transactions if one.is_receipt)
    assert paid == came_in


@given(lives([Receive], AS_LENT, steps_max=LONG_STEPS), st.integers(0, 60))
def test_the_pay_off_closes_with_zero_wherever_money_went(told: Told, days: int) -> None:
    life = told.life()
    on = told.today + timedelta(days=days)
    amount = payoff_minor(life, on)
    if amount:
        receive(life, on, amount)
    seen = life.view(on)
    assert seen.open_minor == 0
    assert seen.overpaid_minor == 0 or not amount


@pytest.mark.parametrize("future", Future)
@pytest.mark.parametrize("order", list(permutations(DEFAULT_ORDER)))
def test_the_pay_off_closes_with_zero_also_where_principal_is_paid_before_interest(
    order: tuple[Component, ...], future: Future
) -> None:
    """Principal in equal parts can close all rows at once; the interest gone by is still paid."""
    agreed = LifeTerms(
        LifeRules(Processing.VERTICAL, {}, allocation(order, future), recalculates=True),
        Settings(Interval(15, Unit.DAYS), Decimal("0.12"), digits=2),
        3,
        submitted_on=STARTS[0],
    )
    life = Life(agreed)
    lent = Disburse(number=1, on=STARTS[0], booked_on=STARTS[0], amount_minor=10_000)
    life.record(lent)
    on = STARTS[0] + timedelta(days=8)
    amount = payoff_minor(life, on)
    assert amount == 10_026
    receive(life, on, amount)
    seen = life.view(on)
    assert (seen.open_minor, seen.overpaid_minor) == (0, 0)
    assert seen.total("paid", Component.INTEREST) == 26


@given(lives())
def test_what_is_kept_after_each_operation_is_what_a_replay_of_all_gives(told: Told) -> None:
    life = told.life()
    counted = life._ordered
    anew = walk_through(told.terms, counted, undone=life._undone)
    assert [(row.due_on, row.due, row.paid, row.credited) for row in anew.rows] == [
        (row.due_on, row.due, row.paid, row.credited) for row in life.walk.rows
    ]
    assert anew.overpaid_minor == life.walk.overpaid_minor
