"""An operation that is refused, breaks a law or fails leaves the life as it was."""

from datetime import date
from typing import Any

import pytest

from fenqi.core.errors import Broken
from fenqi.core.terms.life import life as lives
from fenqi.core.terms.life import step as steps
from fenqi.core.terms.life.life import Life
from fenqi.core.terms.life.operations import AddCharge, Operation, Receipt, Receive, Undo
from fenqi.core.terms.life.walk import Walk
from fenqi.core.terms.product import Component
from random_lives import lend, receive, terms

TODAY = date(2024, 2, 1)
FEE = AddCharge(
    number=3,
    on=TODAY,
    booked_on=TODAY,
    name="fee",
    is_penalty=False,
    due_on=TODAY,
    amount_minor=100,
)


@pytest.fixture
def life() -> Life:
    life = lend(terms("0.12", recalculates=True), 120_000)
    receive(life, date(2024, 1, 20), 5_000)
    return life


def state(life: Life) -> Any:
    seen = life.view(TODAY)
    return (
        [(row.due, row.paid, row.met_on) for row in seen.rows],
        [(one.name, one.parts, one.balance_minor, one.is_replayed) for one in seen.transactions],
        seen.overpaid_minor,
        life.recorded[:],
    )


def losing_principal(walk: Walk, _: Operation) -> None:
    walk.rows[-1].due[Component.PRINCIPAL] -= 1


def asking_too_little(walk: Walk, _: Operation) -> None:
    row = walk.rows[0]
    row.paid[Component.PRINCIPAL] = row.due[Component.PRINCIPAL] + row.due[Component.INTEREST] + 1


def failing_half_way(walk: Walk, _: Operation) -> None:
    walk.rows[0].due[Component.FEE] = 1
    raise StopIteration


@pytest.mark.parametrize("rule", [losing_principal, asking_too_little, failing_half_way])
def test_what_fails_leaves_no_trace(life: Life, monkeypatch: pytest.MonkeyPatch, rule: Any) -> None:
    before = state(life)
    with monkeypatch.context() as patched:
        patched.setitem(steps.RULES, AddCharge, rule)
        with pytest.raises((Broken, StopIteration)):
            life.record(FEE)
    assert state(life) == before
    life.record(FEE)
    assert state(life) != before


def test_principal_that_is_lost_has_its_name(life: Life, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patched:
        patched.setitem(steps.RULES, AddCharge, losing_principal)
        with pytest.raises(Broken) as refused:
            life.record(FEE)
    assert refused.value.fields["invariant"] == "principal-due-is-lent-or-credited"
    assert refused.value.fields["lent_minor"] == 120_000


BACKDATED = Receive(
    number=3, on=date(2024, 1, 10), booked_on=TODAY, receipt=Receipt.REPAYMENT, amount_minor=900
)


@pytest.mark.parametrize(
    "operation", [FEE, BACKDATED, Undo(number=3, on=TODAY, booked_on=TODAY, of=2)]
)
def test_what_breaks_a_law_after_it_counted_leaves_no_trace(
    life: Life, monkeypatch: pytest.MonkeyPatch, operation: Operation
) -> None:
    def broken(_: Walk) -> None:
        raise Broken(invariant="none")

    before, untouched = state(life), life.copy()
    with monkeypatch.context() as patched:
        patched.setattr(lives, "hold", broken)
        with pytest.raises(Broken):
            life.record(operation)
    assert state(life) == before
    life.record(operation)
    untouched.record(operation)
    assert state(life) == state(untouched)


def test_a_view_stays_as_it_was_when_a_charge_takes_its_overpayment() -> None:
    life = lend(terms("0.12"), 120_000)
    receive(life, TODAY, 200_000)
    shown = life.view(TODAY).transactions[-1]
    overpaid = shown.overpaid_minor
    life.record(FEE)
    assert shown.overpaid_minor == overpaid
    assert life.view(TODAY).transactions[-1].overpaid_minor == overpaid - 100
