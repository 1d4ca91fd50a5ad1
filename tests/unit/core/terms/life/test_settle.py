"""Ending a plan early: quote and booking are one rule, and it leaves nothing."""

from datetime import date, timedelta

import pytest

from fenqi.core.terms.life import customer
from fenqi.core.terms.life.life import Life
from fenqi.core.terms.life.operations import AddCharge, Settle, Undo
from fenqi.core.terms.life.payoff import settle_quote
from fenqi.core.terms.life.refusal import OperationSenseless, OperationUntimely
from fenqi.core.terms.life.rules import SettlementRule
from fenqi.core.terms.life.state import Effect, Kind, Status
from fenqi.core.terms.product import Component, Settlement
from make_life import START, end_early, life_of, life_terms, next_one, pay, settled_by

INTEREST = Component.INTEREST
MID = date(2026, 3, 1)


def plan(method: Settlement = Settlement.BY_THE_DAY, **rules: object) -> Life:
    return life_of(life_terms(settlement=settled_by(method), **rules))


def columns(life: Life) -> tuple[int, int, int, int]:
    rows = life.view().rows
    due, paid = sum(sum(row.due) for row in rows), sum(sum(row.paid) for row in rows)
    return due, paid, sum(sum(row.relieved) for row in rows), life.view().open_minor


@pytest.mark.parametrize("method", list(Settlement))
@pytest.mark.parametrize("recalculates", [False, True])
def test_ending_on_the_day_of_purchase_costs_nothing(
    method: Settlement, *, recalculates: bool
) -> None:
    life = plan(method, recalculates=recalculates)
    quote = settle_quote(life, START)
    assert quote.amount_minor == 120_000
    end_early(life, START, quote.amount_minor)
    assert life.view().status is Status.CLOSED


@pytest.mark.parametrize("method", list(Settlement))
@pytest.mark.parametrize("recalculates", [False, True])
def test_paying_the_quote_leaves_zero_and_a_unit_less_is_refused(
    method: Settlement, *, recalculates: bool
) -> None:
    life = plan(method, recalculates=recalculates)
    pay(life, date(2026, 2, 15), 20_706)
    quote = settle_quote(life, MID)
    with pytest.raises(OperationUntimely) as refusal:
        end_early(life, MID, quote.amount_minor - 1)
    assert refusal.value.fields["quote"] == quote.amount_minor
    assert len(life.recorded) == 2
    end_early(life, MID, quote.amount_minor)
    view = life.view()
    assert (view.open_minor, view.overpaid_minor, view.status) == (0, 0, Status.CLOSED)
    due, paid, waived, _ = columns(life)
    assert due == paid + waived
    assert waived == (0 if recalculates else quote.saving_minor)
    assert quote.saving_minor > 1_000


def test_by_the_day_half_a_period_costs_half_its_interest() -> None:
    life = plan()
    quote = settle_quote(life, START + timedelta(days=15))  # of 31 days; 12.00 of interest in it
    assert quote.amount_minor == 120_000 + 1_200 * 15 // 31
    assert quote.method is Settlement.BY_THE_DAY


def test_the_saving_is_what_the_plan_would_still_have_cost() -> None:
    life = plan()
    quote = settle_quote(life, MID)
    assert quote.saving_minor == life.view().open_minor - quote.amount_minor


def test_cost_paid_ahead_counts_as_paid() -> None:
    life, unpaid_ahead = plan(), plan()
    for one in (life, unpaid_ahead):
        pay(one, date(2026, 1, 20), 20_706)
    pay(life, date(2026, 1, 21), 50_000)
    on = date(2026, 1, 25)
    ahead, plain = settle_quote(life, on), settle_quote(unpaid_ahead, on)
    assert ahead.amount_minor == plain.amount_minor - 50_000
    end_early(life, on, ahead.amount_minor)
    rows = life.view().rows
    assert life.view().open_minor == 0
    assert sum(row.paid[INTEREST] for row in rows) < 1_200
    money = next(one for one in life.view().transactions if one.kind is Kind.SETTLEMENT)
    back = [line for (_, effect), line in money.lines.items() if effect is Effect.PAID]
    assert sum(map(sum, back)) == ahead.amount_minor
    assert sum(line[INTEREST] for line in back) < 0


def test_all_paid_ahead_gives_unearned_cost_back_as_credit() -> None:
    life = plan()
    open_minor = life.view().open_minor
    pay(life, date(2026, 1, 20), open_minor - 1)
    quote = settle_quote(life, date(2026, 1, 25))
    assert quote.amount_minor == 0
    end_early(life, date(2026, 1, 25), 0)
    view = life.view()
    assert view.open_minor == 0
    assert view.overpaid_minor == quote.saving_minor - 1


def test_more_than_the_quote_is_overpaid() -> None:
    life = plan()
    quote = settle_quote(life, MID)
    end_early(life, MID, quote.amount_minor + 77)
    assert life.view().overpaid_minor == 77


def test_what_is_overdue_and_its_penalty_are_asked_for_in_full() -> None:
    life = plan()
    life.record(
        next_one(
            life,
            AddCharge,
            date(2026, 2, 20),
            name="late",
            is_penalty=True,
            due_on=date(2026, 2, 20),
            amount_minor=900,
        )
    )
    on = date(2026, 2, 25)
    without = settle_quote(plan(), on)
    assert settle_quote(life, on).amount_minor == without.amount_minor + 900


def test_a_fee_of_the_future_is_waived_and_its_charge_says_so() -> None:
    life = plan()
    life.record(
        next_one(
            life,
            AddCharge,
            date(2026, 2, 20),
            name="service",
            is_penalty=False,
            due_on=date(2026, 5, 20),
            amount_minor=900,
        )
    )
    on = date(2026, 2, 25)
    quote = settle_quote(life, on)
    assert quote.amount_minor == settle_quote(plan(), on).amount_minor
    end_early(life, on, quote.amount_minor)
    (charge,) = life.view().charges
    assert (charge.waived_minor, charge.open_minor) == (900, 0)


def test_a_quote_of_an_earlier_day_knows_nothing_of_later_payments() -> None:
    life = plan()
    before = settle_quote(life, MID)
    pay(life, date(2026, 3, 10), 10_000)
    assert settle_quote(life, MID) == before
    end_early(life, MID, before.amount_minor, booked_on=date(2026, 3, 12))
    assert life.view().overpaid_minor == 10_000


def test_a_quote_says_how_long_it_holds() -> None:
    rule = SettlementRule(holds_days=7)
    life = life_of(life_terms(settlement=rule))
    assert settle_quote(life, MID).holds_through == date(2026, 3, 8)
    assert settle_quote(plan(), MID).holds_through == MID


def test_while_a_quote_holds_its_amount_ends_the_plan() -> None:
    life = life_of(life_terms(settlement=SettlementRule(holds_days=7)))
    quote = settle_quote(life, MID)
    last, late = date(2026, 3, 8), date(2026, 3, 9)
    kept = customer.settlement(life, last, quoted_on=MID)
    assert (kept.amount_minor, kept.on, kept.booked_on) == (quote.amount_minor, MID, last)
    gone = customer.settlement(life, late, quoted_on=MID)
    assert (gone.amount_minor, gone.on) == (settle_quote(life, late).amount_minor, late)
    assert gone.amount_minor > kept.amount_minor
    life.record(kept)
    assert life.view().status is Status.CLOSED


def test_undone_it_never_happened() -> None:
    life, other = plan(), plan()
    end_early(life, MID, settle_quote(life, MID).amount_minor)
    life.record(next_one(life, Undo, MID, of=2))
    assert columns(life) == columns(other)
    assert not any(row.relieved[INTEREST] for row in life.view().rows)


def test_if_an_earlier_payment_bounces_the_money_is_a_plain_payment() -> None:
    life = plan()
    pay(life, date(2026, 2, 15), 20_706)
    quote = settle_quote(life, MID)
    end_early(life, MID, quote.amount_minor)
    life.record(next_one(life, Undo, date(2026, 3, 5), of=2))
    view = life.view()
    assert sum(sum(row.relieved) for row in view.rows) == 0
    assert sum(sum(row.paid) for row in view.rows) == quote.amount_minor
    assert view.status is Status.ACTIVE


def test_a_closed_plan_and_a_day_before_it_began_are_refused() -> None:
    life = plan()
    with pytest.raises(OperationSenseless):
        end_early(life, START - timedelta(days=1), 500_000)
    with pytest.raises(OperationUntimely):
        settle_quote(life, START - timedelta(days=1))
    end_early(life, MID, settle_quote(life, MID).amount_minor)
    with pytest.raises(OperationUntimely):
        life.record(next_one(life, Settle, MID, amount_minor=1))
    assert len(life.recorded) == 2
