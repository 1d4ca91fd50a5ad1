"""A refund in every state of a signed plan: what was returned costs the customer nothing.

Before the capture there is no plan and the hold is released: tests/integration has that one.
"""

from dataclasses import replace
from datetime import date

import pytest

from fenqi.core.terms.allowances import DeferralRule
from fenqi.core.terms.life import customer
from fenqi.core.terms.life.life import Life
from fenqi.core.terms.life.operations import Disburse, Receive, WriteOff
from fenqi.core.terms.life.preview import preview
from fenqi.core.terms.life.refusal import OperationSenseless
from fenqi.core.terms.life.state import Effect, Status
from fenqi.core.terms.life.view import moved_back
from fenqi.core.terms.product import Product
from fenqi.core.terms.replay import life_terms as signed_terms
from make import annuity, flat, terms
from make_life import GENEROUS, figures, life_terms, next_one, pay, plan_of_bill, totals

START = date(2026, 12, 5)
FIRST_DUE = date(2027, 1, 10)
BILLED = date(2027, 1, 1)
BEFORE_DUE = date(2027, 1, 5)


def moved_by(life: Life, refund: Receive) -> int:
    return sum(moved_back(preview(life, refund).after, refund.number).values())


def plan(product: Product | None = None, amount_minor: int = 60_000, count: int = 6) -> Life:
    signed = signed_terms(terms(product or flat(), amount_minor, count))
    offered = replace(signed.rules, allowances=GENEROUS)
    life = Life(replace(signed, rules=offered))
    lent = Disburse(number=1, on=START, booked_on=START, amount_minor=amount_minor)
    life.record(lent)
    return life


def give_back(life: Life, on: date, amount_minor: int) -> None:
    operation = customer.refund(life, on, amount_minor)
    shown = preview(life, operation)
    life.record(operation)
    assert figures(life.view()) == figures(shown.after)
    assert totals(life.view())[0] == totals(life.view())[1]


def paid(life: Life) -> int:
    """Return what the customer has paid and did not get back."""
    view = life.view()
    received = sum(one.amount_minor for one in view.transactions if one.kind.value == "repayment")
    received += sum(one.amount_minor for one in view.transactions if one.kind.value == "settlement")
    return received - view.returned_minor - view.excess_minor


@pytest.mark.parametrize("product", [flat(), annuity()], ids=["flat", "annuity"])
def test_half_returned_before_the_bill_costs_half(product: Product) -> None:
    life, half = plan(product), plan(product, 30_000)
    give_back(life, date(2026, 12, 20), 30_000)
    assert life.view().open_minor == half.view().open_minor


def test_returned_after_billing_the_unbilled_instalments_go_first() -> None:
    life = plan()
    give_back(life, BEFORE_DUE, 30_000)
    rows = life.view().rows
    assert rows[0].open_minor == 10_300
    assert rows[-1].open_minor == 0


def test_all_returned_after_pay_off_gives_everything_back() -> None:
    life = plan()
    pay(life, FIRST_DUE, 10_300)
    life.record(customer.settlement(life, date(2027, 1, 20)))
    given = paid(life)
    assert given > 60_000
    give_back(life, date(2027, 2, 1), 60_000)
    assert life.view().returned_minor == given
    assert life.view().status is Status.CLOSED


def test_returned_after_a_bill_instalment_the_other_plan_is_refunded() -> None:
    life = plan()
    operation = customer.bill_instalment(life, BILLED, through=FIRST_DUE)
    bill = plan_of_bill(life_terms("0.10", 3), [operation])
    life.record(operation)
    refund = customer.refund(life, BEFORE_DUE, 60_000)
    moved_back = moved_by(life, refund)
    assert moved_back == 10_300 == bill.view().lent_minor
    give_back(life, BEFORE_DUE, 60_000)
    view = life.view()
    assert (view.open_minor, view.returned_minor) == (0, 0)
    assert sum(sum(row.moved) for row in view.rows) == 0
    (transaction,) = [one for one in view.transactions if one.number == refund.number]
    assert {effect for _, effect in transaction.lines} == {Effect.MOVED, Effect.RELIEVED}


def test_a_part_that_is_still_open_here_is_returned_here_first() -> None:
    life = plan()
    life.record(customer.bill_instalment(life, BILLED, through=FIRST_DUE))
    refund = customer.refund(life, BEFORE_DUE, 50_000)
    assert moved_by(life, refund) == 0
    give_back(life, BEFORE_DUE, 50_000)
    assert life.view().open_minor == 0


def test_what_was_moved_is_returned_before_what_was_paid() -> None:
    life = plan()
    pay(life, START, 10_300)
    moved = customer.bill_instalment(life, BILLED, through=date(2027, 2, 10))
    life.record(moved)
    refund = customer.refund(life, BEFORE_DUE, 60_000)
    assert moved_by(life, refund) == moved.amount_minor
    give_back(life, BEFORE_DUE, 60_000)
    assert life.view().returned_minor == 10_300


def test_returned_after_a_write_off_the_claim_falls() -> None:
    life = plan()
    life.record(next_one(life, WriteOff, date(2027, 12, 1)))
    give_back(life, date(2027, 12, 2), 60_000)
    assert life.view().claim_minor == 0


def test_a_deferrals_cost_falls_with_what_is_returned() -> None:
    life = plan()
    costly = replace(GENEROUS, deferral=DeferralRule(days_max=14, times_a_year=1, cost_ppm=10_000))
    life = Life(replace(life.terms, rules=replace(life.terms.rules, allowances=costly)))
    life.record(Disburse(number=1, on=START, booked_on=START, amount_minor=60_000))
    life.record(customer.deferral(life, BEFORE_DUE, days=7))
    assert [one.amount_minor for one in life.view().charges] == [103]
    give_back(life, date(2027, 1, 6), 30_000)
    half = 30_000 + 6 * 150 + 51
    assert life.view().open_minor == half
    give_back(life, date(2027, 1, 7), 30_000)
    assert life.view().open_minor == 0
    (charge,) = life.view().charges
    assert charge.open_minor == 0


def test_more_than_was_lent_is_refused_and_nothing_changes() -> None:
    life = plan()
    give_back(life, BEFORE_DUE, 40_000)
    before = figures(life.view())
    with pytest.raises(OperationSenseless) as refusal:
        life.record(customer.refund(life, BEFORE_DUE, 20_001))
    assert refusal.value.fields["lent"] == 20_000
    assert figures(life.view()) == before


def test_signed_plans_take_every_request_of_a_customer() -> None:
    for product in (flat(), annuity()):
        for ask in (
            lambda life: customer.deferral(life, BEFORE_DUE, days=7),
            lambda life: customer.due_day_change(life, BEFORE_DUE, day=25),
            lambda life: customer.extension(life, BEFORE_DUE, count=3, reviewed_by="officer"),
            lambda life: customer.bill_instalment(life, BEFORE_DUE, through=FIRST_DUE),
            lambda life: customer.withdrawal(life, date(2026, 12, 19)),
        ):
            life = plan(product)
            operation = ask(life)
            shown = preview(life, operation)
            life.record(operation)
            assert figures(life.view()) == figures(shown.after)
            assert totals(life.view())[0] == totals(life.view())[1]


def test_a_deferred_instalment_is_not_late_until_its_new_day() -> None:
    life, other = plan(), plan()
    life.record(customer.deferral(life, BEFORE_DUE, days=14))
    on = date(2027, 1, 20)
    assert other.view(on).rows[0].due[3] > 0
    assert life.view(on).rows[0].due[3] == 0
