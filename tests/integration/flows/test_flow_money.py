"""Money comes in: exact, short, over, early, pending, reversed, late and backdated."""

from datetime import date, timedelta

import pytest
from make_book import (
    assert_sound,
    balances,
    buy,
    end_early,
    enrol,
    kinds,
    open_book,
    opens,
    owed_to,
    pay,
    payment,
    penalties,
    row,
    rows,
    settlement,
    state,
    until,
    used,
    withdrawal,
)

from fenqi.core.terms.schedule import PrincipalOutOfRange
from fenqi.core.values.ids import PlanId
from fenqi.flows.receive import (
    MoneyState,
    ReceiptInvalid,
    ReceiptSettled,
    Received,
    receive,
)
from fenqi.flows.settle import PlanNotRunning, SettlementShort, settle
from fenqi.flows.withdraw import withdraw
from fenqi.store.plans import PlanMissing
from fenqi.store.pool import Store
from fenqi.store.receipts import ReceiptMissing
from make_founding import FUNDING

PENDING, FINAL, REVERSED = MoneyState.PENDING, MoneyState.FINAL, MoneyState.REVERSED
PART = 101_500  # of 300000 in three at 0.5 % a period


def test_a_part_pays_the_cost_first_and_the_rest_closes_the_instalment(store: Store) -> None:
    world = open_book(store)
    account = enrol(world)
    _, plan = buy(world, account, 300_000, "flat", 3)
    assert pay(world, account, 1_000).paid_minor == 1_000
    assert used(world, account) == (300_000, 0)
    assert pay(world, account, 49_000).paid_minor == 49_000
    assert used(world, account) == (251_500, 0)
    assert opens(world, plan) == [51_500, PART, PART]
    answer = pay(world, account, 51_500)
    assert (answer.paid_minor, answer.credit_minor) == (51_500, 0)
    assert opens(world, plan) == [0, PART, PART]
    assert used(world, account) == (200_000, 0)
    split = rows(
        store,
        "SELECT operation_number, principal_minor, fee_minor FROM allocations ORDER BY 1",
    )
    assert split == [(2, 0, 1_000), (3, 48_500, 500), (4, 51_500, 0)]
    assert_sound(world, plans=1)


def test_what_is_over_waits_as_credit_and_pays_what_falls_due_on_its_day(store: Store) -> None:
    world = open_book(store)
    account = enrol(world)
    _, plan = buy(world, account, 300_000, "flat", 3)
    answer = pay(world, account, 250_000)
    assert (answer.paid_minor, answer.credit_minor) == (PART, 148_500)
    assert owed_to(world, account) == (148_500, 0)
    lines = rows(store, "SELECT line, plan_id, amount_minor FROM receipt_lines ORDER BY 1")
    assert lines == [(1, plan, PART), (2, None, 148_500)]
    until(world, date(2026, 3, 10))
    assert owed_to(world, account) == (148_500, 0)
    until(world, date(2026, 3, 11))
    assert owed_to(world, account) == (47_000, 0)
    assert opens(world, plan) == [0, 0, PART]
    until(world, date(2026, 4, 11))
    assert opens(world, plan) == [0, 0, 54_500]
    assert owed_to(world, account) == (0, 0)
    assert kinds(world, account).count("credit-used") == 2
    assert pay(world, account, 54_500).credit_minor == 0  # within the days of grace
    assert state(world, plan) == "closed"
    found = balances(world)
    assert found["cash-settled"] == FUNDING + 304_500 - 300_000
    assert "credit-balance" not in found
    assert_sound(world, plans=1)


def test_two_plans_are_paid_oldest_due_first_with_their_late_charge(store: Store) -> None:
    world = open_book(store)
    account = enrol(world)
    _, second = buy(world, account, 40_000, "free4", 4)
    until(world, date(2026, 1, 20))
    _, first = buy(world, account, 50_000)
    until(world, date(2026, 2, 2))
    _, newest = buy(world, account, 30_000)  # due on 10 March
    until(world, date(2026, 2, 15))  # 5 days late; the fourth day and later count
    answer = pay(world, account, 61_000)
    # 10000 and 50000 of February with 5 and 25 of charge; then the oldest plan of March.
    assert answer == Received(answer.receipt_id, 61_000, 0)
    assert (opens(world, second)[0], opens(world, first)) == (0, [0])
    assert (penalties(world, second)[0], penalties(world, first)) == (5, [25])
    assert opens(world, second)[1] + opens(world, newest)[0] == 10_000 + 30_000 - 970
    assert used(world, account) == (30_000 + 30_000 - 970, 0)
    assert_sound(world, plans=3)


def test_several_payments_in_one_batch_are_counted_after_one_another(store: Store) -> None:
    world = open_book(store)
    account, other = enrol(world, "ann"), enrol(world, "bob")
    _, plan = buy(world, account, 10_000)
    buy(world, other, 500)
    commands = [
        payment(world, account, 4_000),
        payment(world, other, 500),
        payment(world, account, 0),
        payment(world, account, 5_000),
        payment(world, account, 5, state=REVERSED),
        payment(world, account, 2_500),
    ]
    answers = receive(world.ground, commands)
    told = [
        type(one) if not isinstance(one, Received) else (one.paid_minor, one.credit_minor)
        for one in answers
    ]
    assert told == [
        *((4_000, 0), (500, 0), ReceiptInvalid, (5_000, 0), ReceiptInvalid, (1_000, 1_500))
    ]
    assert receive(world.ground, commands)[0] == answers[0]
    assert state(world, plan) == "closed"
    assert owed_to(world, account) == (1_500, 0)
    assert_sound(world, plans=2)


def test_pending_money_frees_nothing_and_counts_from_its_day_once_final(store: Store) -> None:
    world = open_book(store)
    account = enrol(world)
    _, plan = buy(world, account, 100_000)
    until(world, date(2026, 2, 9))
    waiting = pay(world, account, 100_000, state=PENDING)
    assert (waiting.paid_minor, waiting.credit_minor) == (0, 0)
    assert used(world, account) == (100_000, 0)
    assert balances(world)["cash-in-transit"] == 100_000
    until(world, date(2026, 3, 5))
    # Asked for by the statement of 1 March; ten days on its way are excused, the pack's bound.
    assert penalties(world, plan) == [350]
    assert row(store, "SELECT bucket FROM plans") == 1
    done = pay(world, account, 100_000, state=FINAL, receipt=waiting.receipt_id)
    assert (done.paid_minor, done.credit_minor) == (100_000, 0)
    assert (penalties(world, plan), state(world, plan)) == ([0], "closed")
    assert used(world, account) == (0, 0)
    assert row(store, "SELECT bucket FROM plans") == 0
    days = row(store, "SELECT effective_on, booked_on FROM operations WHERE kind = 'repay'")
    assert days == (date(2026, 2, 9), date(2026, 3, 5))
    assert set(balances(world)) & {"cash-in-transit", "suspense", "receivable-penalty"} == set()
    assert_sound(world, plans=1)


def test_pending_money_that_pays_two_months_leaves_no_late_charge_on_either(store: Store) -> None:
    world = open_book(store)
    account = enrol(world)
    _, plan = buy(world, account, 300_000, "flat", 3)
    until(world, date(2026, 2, 9))
    waiting = pay(world, account, 2 * PART, state=PENDING)
    until(world, date(2026, 3, 25))
    pay(world, account, 2 * PART, state=FINAL, receipt=waiting.receipt_id)
    until(world, date(2026, 3, 26))
    # Had it been final at once, its rest would have been credit and paid March on its day.
    assert penalties(world, plan) == [0, 0, 0]
    assert opens(world, plan) == [0, 0, PART]
    assert owed_to(world, account) == (0, 0)
    assert_sound(world)


def test_pending_money_that_bounces_leaves_no_trace_in_the_balances(store: Store) -> None:
    world = open_book(store)
    account = enrol(world)
    _, plan = buy(world, account, 100_000)
    before = balances(world)
    waiting = pay(world, account, 70_000, state=PENDING)
    commands = [
        payment(world, account, 70_000, state=PENDING, receipt=waiting.receipt_id),
        payment(world, account, 70_000, state=REVERSED, receipt=waiting.receipt_id),
        payment(world, account, 70_000, state=FINAL, receipt=waiting.receipt_id),
        payment(world, account, 70_000, receipt="019b8c4f-d200-7004-b0b3-9bd17ed4d57b"),
    ]
    kinds_of_answer = [type(answer) for answer in receive(world.ground, commands)]
    assert kinds_of_answer == [ReceiptSettled, Received, ReceiptSettled, ReceiptMissing]
    assert balances(world) == before
    assert opens(world, plan) == [100_000]
    assert row(store, "SELECT state FROM receipts") == "reversed"
    assert_sound(world)


def test_a_payment_that_was_booked_late_takes_its_late_charge_away(store: Store) -> None:
    world = open_book(store)
    account = enrol(world)
    _, plan = buy(world, account, 100_000)
    until(world, date(2026, 3, 3))
    assert penalties(world, plan) == [800]
    answer = pay(world, account, 100_800, days_ago=19)  # 12 February: within the days of grace
    assert (answer.paid_minor, answer.credit_minor) == (100_000, 800)
    assert (penalties(world, plan), state(world, plan)) == ([0], "closed")
    sql = "SELECT amount_minor, is_derived FROM operations WHERE kind = 'late-charge' "
    charges = rows(store, sql + "ORDER BY number")
    assert charges == [(800, True), (-800, True)]
    assert "receivable-penalty" not in balances(world)
    assert_sound(world, plans=1)


def test_a_payment_dated_before_a_later_one_changes_who_paid_what_but_loses_nothing(
    store: Store,
) -> None:
    world = open_book(store)
    account = enrol(world)
    _, plan = buy(world, account, 100_000)
    until(world, date(2026, 3, 3))
    pay(world, account, 60_000)  # 18 days of charge first: 14 February to 2 March is 17 at 50
    assert penalties(world, plan) == [850]
    pay(world, account, 60_000, days_ago=22)  # 9 February, in time
    # Still owed were 40850, which now count from their day; the 59150 left of the principal cost
    # 17 days at 29.575 until the other payment came, and what that no longer pays is credit.
    assert penalties(world, plan) == [502]
    assert state(world, plan) == "closed"
    assert owed_to(world, account) == (120_000 - 100_502, 0)
    assert_sound(world, plans=1)


def test_settling_on_the_day_of_purchase_costs_nothing(store: Store) -> None:
    world = open_book(store)
    account = enrol(world)
    _, plan = buy(world, account, 300_000, "annuity18", 12)
    answer = end_early(world, account, plan, 300_000)
    cost = row(store, "SELECT cost_minor FROM plans")
    assert (answer.quote_minor, answer.waived_minor) == (300_000, cost)
    assert cost > 25_000
    assert set(opens(world, plan)) == {0}
    assert used(world, account) == (0, 0)
    assert set(balances(world)) == {"cash-settled", "funding", "merchant-payable"}
    assert_sound(world, plans=1)


def test_a_settlement_counts_the_running_period_by_the_day_and_keeps_what_is_over(
    store: Store,
) -> None:
    world = open_book(store)
    account = enrol(world)
    _, plan = buy(world, account, 300_000, "flat", 3)
    until(world, date(2026, 1, 23))
    short = settle(world.ground, [settlement(world, account, plan, 300_749)])[0]
    assert isinstance(short, SettlementShort)
    assert short.fields["quote_minor"] == 300_750
    answer = end_early(world, account, plan, 301_000)
    assert (answer.quote_minor, answer.waived_minor) == (300_750, 3_750)
    assert owed_to(world, account) == (250, 0)
    assert balances(world)["income-fee"] == -750  # a closed plan has earned what was paid
    until(world, date(2026, 4, 15))
    assert row(store, "SELECT COUNT(*) FROM statements") == 0
    assert_sound(world, plans=1)


def test_a_settlement_dated_back_pays_the_quote_of_its_own_day(store: Store) -> None:
    world = open_book(store)
    account = enrol(world)
    _, plan = buy(world, account, 300_000, "flat", 3)
    until(world, date(2026, 3, 2))  # a late charge of 812 stands on the statement of 1 March
    assert penalties(world, plan)[0] == 812
    days = (date(2026, 3, 2) - date(2026, 2, 10)).days
    answer = end_early(world, account, plan, 301_500, days_ago=days)
    assert answer.quote_minor == 301_500  # on the due day: the first fee whole, nothing of others
    assert (penalties(world, plan)[0], state(world, plan)) == (0, "closed")
    assert_sound(world, plans=1)


def test_only_a_running_plan_of_ones_own_can_be_settled(store: Store) -> None:
    world = open_book(store)
    account, other = enrol(world, "ann"), enrol(world, "bob")
    _, plan = buy(world, account, 1_000)
    commands = [
        settlement(world, other, plan, 1_000),
        settlement(world, account, PlanId(account), 1_000),
        settlement(world, account, plan, 1_000),
        settlement(world, account, plan, 1_000),
    ]
    answers = settle(world.ground, commands)
    assert [type(one) for one in answers[:2]] == [PlanMissing, PlanMissing]
    assert answers[2].quote_minor == 1_000  # type: ignore[union-attr]
    assert isinstance(answers[3], PlanNotRunning)
    assert row(store, "SELECT COUNT(*) FROM receipts") == 1
    assert_sound(world, plans=1)


@pytest.mark.parametrize("status", ["frozen", "closed"])
def test_a_stopped_account_can_always_pay_settle_and_return(store: Store, status: str) -> None:
    world = open_book(store)
    account = enrol(world)
    buy(world, account, 5_000)
    _, plan = buy(world, account, 7_000)
    with store.transaction() as session:
        session.run("UPDATE accounts SET status = %(to)s WHERE kind = 'customer'", {"to": status})
    assert pay(world, account, 1_000).paid_minor == 1_000
    until(world, world.day + timedelta(days=3))
    left = opens(world, plan)[0]
    assert end_early(world, account, plan, left).quote_minor == left
    kept = row(store, "SELECT status FROM accounts WHERE kind = 'customer'")
    assert kept == status
    assert_sound(world)


@pytest.mark.parametrize("amount_minor", [0, -1, 10**13 + 1, 10**18, 2**63, 10**30])
def test_money_that_nobody_can_mean_is_refused_and_books_nothing(
    store: Store, amount_minor: int
) -> None:
    world = open_book(store)
    account = enrol(world)
    answers = receive(
        world.ground, [payment(world, account, amount_minor), payment(world, account, 700)]
    )
    assert isinstance(answers[0], ReceiptInvalid)
    assert isinstance(answers[1], Received)
    assert answers[1].credit_minor == 700
    assert_sound(world)


@pytest.mark.parametrize("amount_minor", [10**13 + 1, 2**63, 10**30])
def test_no_plan_is_ended_with_more_than_any_plan_can_lend(store: Store, amount_minor: int) -> None:
    world = open_book(store)
    account = enrol(world)
    _, plan = buy(world, account, 300_000, "flat", 3)
    settled = settle(world.ground, [settlement(world, account, plan, amount_minor)])[0]
    withdrawn = withdraw(world.ground, [withdrawal(world, account, plan, amount_minor)])[0]
    assert isinstance(settled, PrincipalOutOfRange)
    assert isinstance(withdrawn, PrincipalOutOfRange)
    assert state(world, plan) == "active"
    assert_sound(world)
