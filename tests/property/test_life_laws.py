"""Laws of a life in the engine: nothing is lost or charged twice, and a replay forgets nothing."""

import random
from dataclasses import asdict, replace
from datetime import date, timedelta
from typing import Any

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from fenqi.core.terms.amortise import events
from fenqi.core.terms.life.life import Life
from fenqi.core.terms.life.operations import (
    AddPeriods,
    Receipt,
    Receive,
    RefundCredit,
    Undo,
    WriteOff,
)
from fenqi.core.terms.life.payoff import payoff_minor
from fenqi.core.terms.life.refusal import OperationSenseless, OperationUntimely
from fenqi.core.terms.life.state import Kind, Status
from fenqi.core.terms.life.view import View
from fenqi.core.terms.product import Component
from random_lives import AS_LENT, MONEY, PAID_IN, Told, lives, plain, receive

OUTGOING = (Kind.CHARGEBACK, Kind.CREDIT_REFUND)
RECOGNISED = (Kind.ACCRUAL, Kind.ACCRUAL_ADJUSTMENT, Kind.ACCRUAL_ACTIVITY)


def rows(seen: View) -> list[Any]:
    return [
        (row.kind, row.starts_on, row.due_on, row.due, row.paid, row.relieved, row.written_off)
        for row in seen.rows
    ]


def moved(seen: View) -> list[Any]:
    """Return what every transaction that stands came to; what was recognised is history."""
    return [
        (one.number, one.kind, one.on, one.amount_minor, one.parts, one.overpaid_minor)
        for one in seen.transactions
        if not one.is_reversed and one.kind not in RECOGNISED
    ]


def everything(seen: View) -> tuple[Any, ...]:
    charges = [(one.number, one.amount_minor, one.open_minor) for one in seen.charges]
    return rows(seen), moved(seen), charges, seen.overpaid_minor, seen.status


def offer(life: Life, on: date, amount_minor: int, receipt: Receipt, **more: date) -> None:
    """Let money in, but no refund above what was lent, which is refused."""
    lent_minor, refunds = life.walk.lent_minor, (Receipt.MERCHANT_REFUND, Receipt.PAYOUT_REFUND)
    before = sum(one.amount_minor for one in life.recorded if _is_of(one, refunds))
    assume(receipt not in refunds or before + amount_minor <= lent_minor)
    receive(life, on, amount_minor, receipt, **more)


def _is_of(operation: Any, receipts: tuple[Receipt, ...]) -> bool:
    return isinstance(operation, Receive) and operation.receipt in receipts


@given(lives())
def test_what_was_due_is_paid_relieved_written_off_or_open(told: Told) -> None:
    for row in told.seen().rows:
        for component in Component:
            gone = (row.paid[component], row.relieved[component], row.written_off[component])
            assert min(gone) >= 0
            assert row.open(component) >= 0
        assert 0 <= row.in_advance_minor + row.late_minor <= sum(row.paid)


@given(lives())
def test_principal_due_is_what_was_lent_and_what_was_put_back(told: Told) -> None:
    seen = told.seen()
    due = sum(row.due[Component.PRINCIPAL] for row in seen.rows)
    put_back = sum(
        one.parts[Component.PRINCIPAL]
        for one in seen.transactions
        if one.kind in OUTGOING and not one.is_reversed
    )
    assert due == seen.lent_minor + put_back


@given(lives())
def test_all_money_that_came_in_is_somewhere(told: Told) -> None:
    seen = told.seen()
    for one in seen.transactions:
        if one.is_receipt and not one.is_reversed:
            assert sum(one.parts) + one.overpaid_minor == one.amount_minor
            assert min(*one.parts, one.overpaid_minor) >= 0


@given(lives(), st.sampled_from(PAID_IN), st.integers(0, 10**6))
def test_money_never_raises_what_is_open(told: Told, receipt: Receipt, amount_minor: int) -> None:
    life = told.life()
    before = life.view(told.today)
    offer(life, told.today, amount_minor, receipt)
    assert life.view(told.today).open_minor <= before.open_minor


@given(lives(), st.integers(0, 60))
def test_the_pay_off_ends_the_plan(told: Told, days: int) -> None:
    life = told.life()
    on = told.today + timedelta(days=days)
    amount, overpaid = payoff_minor(life, on), life.view(on).overpaid_minor
    assume(amount)
    receive(life, on, amount)
    seen = life.view(on)
    assert (seen.open_minor, seen.overpaid_minor) == (0, overpaid)
    assert seen.status in (Status.CLOSED, Status.WRITTEN_OFF, Status.OVERPAID)


@given(lives(), st.sampled_from(PAID_IN), st.integers(1, 10**6), st.integers(0, 60))
def test_what_is_undone_never_happened(
    told: Told, receipt: Receipt, amount_minor: int, back: int
) -> None:
    life = told.life()
    before = life.view(told.today)
    number = len(told.operations) + 1
    on = max(told.terms.submitted_on, told.today - timedelta(days=back))
    offer(life, on, amount_minor, receipt, booked_on=told.today)
    life.record(Undo(number=number + 1, on=told.today, booked_on=told.today, of=number))
    assert everything(life.view(told.today)) == everything(before)


@given(lives([Receive]), st.randoms(use_true_random=False))
def test_the_order_of_recording_does_not_matter(told: Told, chance: random.Random) -> None:
    lent, *receipts = told.operations
    by_day = {one.on: one for one in receipts}  # those of one day count in the order recorded
    shuffled = list(by_day.values())
    chance.shuffle(shuffled)
    states = []
    for ordered in (list(by_day.values()), shuffled):
        life = Life(told.terms)
        for number, one in enumerate([lent, *ordered], start=1):
            life.record(replace(one, number=number, booked_on=told.today))
        states.append(rows(life.view(told.today)))
    assert states[0] == states[1]


@given(lives([Receive], plain()), st.integers(1, 60), st.integers(1, 50_000))
def test_who_pays_earlier_never_owes_more(told: Told, days: int, amount_minor: int) -> None:
    late = told.today + timedelta(days=days)
    owed, roundings = [], 0
    for on in (told.today, late):
        life = told.life()
        receive(life, on, amount_minor, booked_on=late)
        seen = life.view(late)
        owed.append(seen.open_minor - seen.overpaid_minor)
        roundings = len(seen.rows)  # interest is rounded row by row
    assert owed[0] <= owed[1] + roundings


@given(lives(), st.integers(-5, 5))
def test_what_is_refused_leaves_no_trace(told: Told, of: int) -> None:
    life = told.life()
    before, number = everything(life.view(told.today)), len(told.operations) + 1
    common: dict[str, Any] = {"on": told.today, "booked_on": told.today}
    for senseless in (
        Undo(number=number, of=number + of if of >= 0 else of, **common),
        RefundCredit(number=number, amount_minor=10**12, **common),
        AddPeriods(number=number, count=0, **common),
        WriteOff(number=number + 1, **common),
    ):
        with pytest.raises((OperationSenseless, OperationUntimely)):
            life.record(senseless)
    assert everything(life.view(told.today)) == before


@given(lives())
def test_looking_changes_nothing(told: Told) -> None:
    life = told.life()
    first = everything(life.view(told.today))
    life.view(told.today + timedelta(days=100))
    assert everything(life.view(told.today)) == first


@given(lives())
def test_nothing_of_no_amount_happens(told: Told) -> None:
    life = told.life()
    before = everything(life.view(told.today))
    receive(life, told.today, 0)
    assert everything(life.view(told.today)) == before


@given(lives())
def test_what_the_model_has_kept_is_what_deriving_it_anew_gives(told: Told) -> None:
    model = told.life().walk.model
    assume(model is not None)
    assert model is not None
    model.settle()
    kept, totals = [period.outcome for period in model.periods], model.totals()
    anew = model.copy()
    for period in anew.periods:
        period.is_stale = True
    anew.settle()
    assert [period.outcome for period in anew.periods] == kept
    assert anew.totals() == totals


@given(st.one_of(lives(), lives(agreed=AS_LENT), lives(MONEY, plain())))
def test_what_was_expected_may_be_taken_step_by_step(told: Told) -> None:
    at_once = told.life()
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(events, "is_expected", lambda *_: False)
        by_steps = told.life()
    assert asdict(by_steps.view(told.today)) == asdict(at_once.view(told.today))
    model, other = at_once.walk.model, by_steps.walk.model
    if model is not None and other is not None:
        model.settle()
        assert [one.outcome for one in other.periods] == [one.outcome for one in model.periods]
