"""Laws of extensions, deferrals and other due days, in whatever state a plan is.

It may be paid ahead, overdue, drawn down several times, re-aged, or hold money nobody owed.
"""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import assume, given
from hypothesis import strategies as st

from fenqi.core.errors import Conflict, Invalid
from fenqi.core.terms.allowances import Allowances, DeferralRule, DueDayRule, ExtensionRule
from fenqi.core.terms.life.life import Life
from fenqi.core.terms.life.operations import (
    AddCharge,
    AddPeriods,
    Disburse,
    MoveDueDay,
    Operation,
    ReAge,
    Receive,
    Undo,
)
from fenqi.core.terms.life.payoff import payoff_minor
from fenqi.core.terms.life.view import View
from fenqi.core.terms.product import Component
from random_lives import REQUESTS, TERMS, Told, lives, offered, receive

PRINCIPAL = Component.PRINCIPAL
OFTEN = 10  # times a year
ALLOWANCES = st.builds(
    Allowances,
    deferral=st.builds(
        DeferralRule, st.just(14), st.just(OFTEN), cost_ppm=st.sampled_from([0, 10_000])
    ),
    due_day=st.just(DueDayRule(OFTEN)),
    extension=st.builds(
        ExtensionRule, st.just(12), st.just(OFTEN), cost_ppm_per_period=st.sampled_from([0, 5_000])
    ),
)
OFFERED = st.builds(
    lambda agreed, allowances: replace(agreed, rules=replace(agreed.rules, allowances=allowances)),
    TERMS,
    ALLOWANCES,
)
KINDS = (Receive, Receive, Disburse, AddCharge, ReAge, AddPeriods, MoveDueDay, *REQUESTS)
STATES = lives(KINDS, OFFERED)
ASKED = st.sampled_from(REQUESTS)


def asked(data: st.DataObject, told: Told, kind: type[Operation]) -> tuple[Life, Operation]:
    """Return a life in which something was asked for; what is refused plays no part."""
    life = told.life()
    try:
        request = offered(data.draw, life, told.today, kind)
        life.record(request)
    except (Conflict, Invalid):
        assume(False)
    return life, request


def stands(seen: View) -> tuple[Any, ...]:
    rows = [
        (row.kind, row.starts_on, row.due_on, row.due, row.paid, row.relieved) for row in seen.rows
    ]
    charges = [(one.number, one.amount_minor, one.open_minor, one.row_key) for one in seen.charges]
    return rows, charges, seen.overpaid_minor, seen.open_minor, seen.status


@given(STATES, ASKED, st.data())
def test_principal_due_is_what_was_lent_and_no_part_is_below_zero(
    told: Told, kind: type[Operation], data: st.DataObject
) -> None:
    life, _ = asked(data, told, kind)
    seen = life.view(told.today)
    assert seen.total("due", PRINCIPAL) == seen.lent_minor
    for row in seen.rows:
        assert min(row.open(component) for component in Component) >= 0
        assert 0 <= row.in_advance_minor + row.late_minor <= sum(row.paid)
        assert (row.met_on is None) == row.is_open


@given(STATES, ASKED, st.integers(0, 60), st.data())
def test_the_pay_off_ends_the_plan(
    told: Told, kind: type[Operation], days: int, data: st.DataObject
) -> None:
    life, _ = asked(data, told, kind)
    on = told.today + timedelta(days=days)
    amount, overpaid = payoff_minor(life, on), life.view(on).overpaid_minor
    assume(amount)
    receive(life, on, amount)
    seen = life.view(on)
    assert (seen.open_minor, seen.overpaid_minor) == (0, overpaid)


@given(STATES, ASKED, st.data())
def test_what_was_asked_for_and_undone_never_happened(
    told: Told, kind: type[Operation], data: st.DataObject
) -> None:
    life, request = asked(data, told, kind)
    number = len(life.recorded) + 1
    life.record(Undo(number=number, on=told.today, booked_on=told.today, of=request.number))
    assert stands(life.view(told.today)) == stands(told.life().view(told.today))


@given(STATES, ASKED, st.data())
def test_time_costs_what_was_disclosed_and_no_more_but_interest(
    told: Told, kind: type[Operation], data: st.DataObject
) -> None:
    life, request = asked(data, told, kind)
    before, after = told.life().view(told.today), life.view(told.today)
    assume(request.on == told.today)  # what counts later is laid out, or a share of, what it finds
    cost = getattr(request, "cost_minor", 0)
    more = after.total("due", Component.FEE) - before.total("due", Component.FEE)
    assert more <= cost
    if not life.walk.recalculates:
        owed = [seen.open_minor - seen.overpaid_minor for seen in (before, after)]
        assert owed[1] <= owed[0] + cost


@given(STATES, ASKED, st.integers(1, 10**6), st.data())
def test_money_never_raises_what_is_open(
    told: Told, kind: type[Operation], amount_minor: int, data: st.DataObject
) -> None:
    life, _ = asked(data, told, kind)
    before = life.view(told.today).open_minor
    receive(life, told.today, amount_minor)
    assert life.view(told.today).open_minor <= before


@given(STATES, ASKED, st.data())
def test_charges_add_up_to_what_rows_ask_for_in_fees(
    told: Told, kind: type[Operation], data: st.DataObject
) -> None:
    life, _ = asked(data, told, kind)
    seen = life.view(told.today)
    fees = [one for one in seen.charges if one.component is Component.FEE]
    assert sum(one.amount_minor for one in fees) == seen.total("due", Component.FEE)
    assert sum(one.paid_minor for one in fees) == seen.total("paid", Component.FEE)
