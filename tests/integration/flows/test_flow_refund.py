"""Goods come back: in every state of the plan the customer pays nothing for what was returned."""

from datetime import date

import pytest
from make_book import (
    assert_sound,
    balances,
    buy,
    end_early,
    enrol,
    give_back,
    hold,
    instalments,
    kinds,
    open_book,
    opens,
    owed_to,
    pay,
    penalties,
    returned,
    row,
    rows,
    ship,
    state,
    until,
    used,
)

from fenqi.flows.refund import Refunded, refund
from fenqi.store.orders import OrderMissing
from fenqi.store.pool import Store
from fenqi.store.returns import RefundAboveOrder

# A purchase of 300000 in three: each instalment 100000 and a fee of 1500, due on the tenth of
# February, March and April.
PART = 101_500


def test_what_is_only_held_is_released(store: Store) -> None:
    world = open_book(store)
    account = enrol(world)
    order = hold(world, account, 90_000)
    assert give_back(world, account, order, 40_000) == Refunded(0, 0, 0, 40_000)
    assert used(world, account) == (0, 50_000)
    assert give_back(world, account, order, 50_000) == Refunded(0, 0, 0, 50_000)
    assert used(world, account) == (0, 0)
    assert row(store, "SELECT hold_expires_on FROM orders") is None
    assert kinds(world, account).count("hold-released") == 2
    assert_sound(world, plans=0)


def test_what_is_held_is_released_before_what_was_shipped_is_taken_back(store: Store) -> None:
    world = open_book(store)
    account = enrol(world)
    order = hold(world, account, 90_000)
    ship(world, account, order, 20_000)
    ship(world, account, order, 40_000)
    assert give_back(world, account, order, 80_000) == Refunded(50_000, 0, 0, 30_000)
    plans = rows(store, "SELECT principal_minor, principal_open_minor FROM plans ORDER BY plan_id")
    assert plans == [(20_000, 10_000), (40_000, 0)]  # the newest plan first
    assert used(world, account) == (10_000, 0)
    assert_sound(world, plans=2)


def test_before_the_bill_the_last_instalments_fall_away_with_their_cost(store: Store) -> None:
    world = open_book(store)
    account = enrol(world)
    order, plan = buy(world, account, 300_000, "flat", 3)
    assert give_back(world, account, order, 100_000) == Refunded(100_000, 1_500, 0, 0)
    assert opens(world, plan) == [PART, PART, 0]
    assert used(world, account) == (200_000, 0)
    assert give_back(world, account, order, 200_000) == Refunded(200_000, 3_000, 0, 0)
    assert opens(world, plan) == [0, 0, 0]
    assert state(world, plan) == "closed"
    assert set(balances(world)) == {"cash-settled", "funding"}
    assert_sound(world, plans=1)


def test_after_the_bill_an_unpaid_purchase_vanishes_and_the_statement_stays(store: Store) -> None:
    world = open_book(store)
    account = enrol(world)
    order, plan = buy(world, account, 300_000, "flat", 3)
    until(world, date(2026, 2, 3))
    statement = rows(store, "SELECT * FROM statements")
    lines = rows(store, "SELECT * FROM statement_lines")
    assert statement[0][4] == PART
    assert give_back(world, account, order, 300_000) == Refunded(300_000, 4_500, 0, 0)
    until(world, date(2026, 4, 12))
    assert rows(store, "SELECT * FROM statements") == statement
    assert rows(store, "SELECT * FROM statement_lines") == lines
    assert state(world, plan) == "closed"
    assert used(world, account) == (0, 0)
    assert_sound(world)


def test_after_payment_the_money_and_its_cost_go_back_and_are_paid_out(store: Store) -> None:
    world = open_book(store)
    account = enrol(world)
    order, plan = buy(world, account, 300_000, "flat", 3)
    until(world, date(2026, 2, 10))
    pay(world, account, PART)
    cash = balances(world)["cash-settled"]
    assert give_back(world, account, order, 250_000) == Refunded(250_000, 3_750, 50_750, 0)
    assert opens(world, plan) == [0, 0, 0]
    assert owed_to(world, account) == (0, 50_750)
    until(world, date(2026, 2, 11))
    assert owed_to(world, account) == (0, 0)
    assert balances(world)["cash-settled"] == cash - 50_750
    assert kinds(world, account)[-1] == "refund-paid"
    assert give_back(world, account, order, 50_000).returned_minor == 50_750  # all of it in the end
    until(world, date(2026, 3, 1))  # nothing is provided for any more either
    found = balances(world)
    assert found["cash-settled"] == found["funding"] * -1
    assert set(found) == {"cash-settled", "funding"}
    stored = rows(
        store, "SELECT amount_minor, cost_relieved_minor, returned_minor FROM refunds ORDER BY 1"
    )
    assert stored == [(50_000, 750, 50_750), (250_000, 3_750, 50_750)]
    assert_sound(world, plans=1)


def test_after_a_payoff_what_was_paid_for_the_goods_goes_back(store: Store) -> None:
    world = open_book(store)
    account = enrol(world)
    order, plan = buy(world, account, 300_000, "flat", 3)
    until(world, date(2026, 1, 23))  # 18 of the 36 days to the first due day
    assert end_early(world, account, plan, 300_750).waived_minor == 3_750
    assert give_back(world, account, order, 100_000) == Refunded(100_000, 250, 100_250, 0)
    assert give_back(world, account, order, 200_000) == Refunded(200_000, 500, 200_500, 0)
    assert owed_to(world, account) == (0, 300_750)
    assert state(world, plan) == "closed"
    assert_sound(world, plans=1)


def test_a_return_dated_before_the_delay_takes_the_late_charge_on_it_away(store: Store) -> None:
    world = open_book(store)
    account = enrol(world)
    order, plan = buy(world, account, 100_000)
    until(world, date(2026, 3, 2))  # the statement of 1 March asks for 16 days at 50
    assert penalties(world, plan) == [800]
    assert give_back(world, account, order, 60_000, days_ago=25) == Refunded(60_000, 0, 0, 0)
    assert penalties(world, plan) == [320 + 20 - 20]
    pay(world, account, 40_320)
    assert opens(world, plan) == [0]
    assert state(world, plan) == "closed"
    charges = "SELECT amount_minor FROM operations WHERE kind = 'late-charge' ORDER BY number"
    assert rows(store, charges)[:2] == [(800,), (-480,)]
    assert_sound(world, plans=1)


@pytest.mark.parametrize("is_first_of_batch", [True, False])
def test_no_more_comes_back_than_was_bought(store: Store, is_first_of_batch: bool) -> None:
    world = open_book(store)
    account, other = enrol(world, "ann"), enrol(world, "bob")
    order, _ = buy(world, account, 1_000)
    commands = [returned(world, account, order, 600), returned(world, account, order, 401)]
    if not is_first_of_batch:
        commands = [*commands[:1], *commands[:1], commands[1]]
    answers = refund(world.ground, commands)
    assert answers[0] == Refunded(600, 0, 0, 0)
    assert isinstance(answers[-1], RefundAboveOrder)
    wrong = [
        returned(world, account, order, 0),
        returned(world, account, order, -1),
        returned(world, other, order, 1),
    ]
    kinds_of_refusal = [type(answer) for answer in refund(world.ground, wrong)]
    assert kinds_of_refusal == [RefundAboveOrder, RefundAboveOrder, OrderMissing]
    assert used(world, account) == (400, 0)
    assert_sound(world, plans=1)


def test_the_lender_gives_earned_cost_back_with_the_goods(store: Store) -> None:
    world = open_book(store)
    account = enrol(world)
    order, plan = buy(world, account, 300_000, "flat", 3)
    until(world, date(2026, 2, 1))
    assert balances(world)["income-fee"] == -1_083  # 26 of 36 days of the first 1500
    give_back(world, account, order, 300_000)
    found = balances(world)
    assert "income-fee" not in found
    assert "deferred-income" not in found
    assert [one[2] for one in instalments(world, plan)] == [1_500] * 3  # as signed, and relieved
    assert_sound(world)


def test_after_a_write_off_goods_still_go_back_and_nothing_is_claimed_for_them(
    store: Store,
) -> None:
    world = open_book(store)
    account = enrol(world)
    order, plan = buy(world, account, 300_000, "flat", 3)
    until(world, date(2026, 3, 2))
    pay(world, account, PART + 3_000)
    until(world, date(2026, 10, 1))
    assert state(world, plan) == "written-off"
    pay(world, account, 40_000)  # a recovery
    paid = PART + 43_000 - owed_to(world, account)[0]
    refunded = give_back(world, account, order, 300_000)
    assert (refunded.principal_minor, refunded.returned_minor) == (300_000, paid)
    assert penalties(world, plan) == [0, 0, 0]
    assert state(world, plan) == "closed"
    assert_sound(world)
