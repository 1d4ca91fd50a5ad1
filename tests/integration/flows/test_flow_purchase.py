"""Accounts are opened, purchases decided, held, shipped in parts, and holds come to their end."""

from datetime import date, timedelta
from uuid import UUID

from make_book import (
    OPENED,
    assert_sound,
    balances,
    buy,
    enrol,
    enrol_command,
    hold,
    instalments,
    kinds,
    open_book,
    pay,
    purchase,
    row,
    rows,
    ship,
    shipment,
    told_of_last,
    until,
    used,
)

from fenqi.core.servicing.statement import CycleInvalid
from fenqi.core.terms.pack import CapBroken
from fenqi.core.terms.schedule import CountNotOffered, PrincipalOutOfRange
from fenqi.core.values.ids import AccountId
from fenqi.flows.authorise import Authorised, authorise
from fenqi.flows.capture import CaptureAboveHold, Captured, capture
from fenqi.flows.enrol import Enrolled, LimitInvalid
from fenqi.flows.enrol import enrol as enrol_all
from fenqi.store.accounts import AccountMissing, AlreadyEnrolled
from fenqi.store.books import BookMissing
from fenqi.store.catalogue import ProductMissing
from fenqi.store.pool import Store
from make_founding import FUNDING


def test_an_application_opens_an_account_with_agreement_cost_table_and_cycle(store: Store) -> None:
    world = open_book(store)
    account = enrol(world, "ann", limit_minor=70_000, statement_day=31)
    found = row(
        store,
        """
        SELECT status, limit_minor, statement_day, currency, opened_on, slice, event_count,
            principal_open_minor + held_minor + credit_minor + refunds_payable_minor
        FROM accounts WHERE kind = 'customer'
        """,
    )
    assert found == ("open", 70_000, 31, "CNY", OPENED, account.int % 64, 1, 0)
    lines = rows(store, "SELECT cost_line, rate_ppm, rate_period FROM cost_lines ORDER BY 1")
    assert lines == [
        ("flat-fee", 5_000, "instalment"),
        ("interest", 180_000, "year"),
        ("late-charge", 500, "day"),
    ]
    assert rows(store, "SELECT version, agreed_on, pack FROM agreements") == [(1, OPENED, "cn")]
    assert rows(store, "SELECT from_on, statement_day FROM cycles") == [(OPENED, 31)]
    assert kinds(world, account) == ["account-opened"]
    assert_sound(world, accounts=1, plans=0)


def test_a_batch_of_applications_opens_the_sound_ones_only(store: Store) -> None:
    world = open_book(store)
    enrol(world, "known")
    commands = [
        enrol_command(world, "ann"),
        enrol_command(world, "ann"),
        enrol_command(world, "known"),
        enrol_command(world, "bob", limit_minor=-1),
        enrol_command(world, "bob", statement_day=32),
        enrol_command(world, "bob", limit_minor=0),
    ]
    answers = enrol_all(world.ground, commands)
    assert [type(answer) for answer in answers] == [
        *(Enrolled, AlreadyEnrolled, AlreadyEnrolled, LimitInvalid, CycleInvalid, Enrolled)
    ]
    assert enrol_all(world.ground, commands[:1]) == answers[:1]
    assert row(store, "SELECT COUNT(*) FROM persons") == 3
    lost = type(commands[0])(
        scope_id="x", key="x", book_id="x", person_reference="x", limit_minor=1, statement_day=1
    )
    assert isinstance(enrol_all(world.ground, [lost])[0], BookMissing)
    assert_sound(world, accounts=3)


def test_a_purchase_taken_at_once_is_a_plan_a_receivable_and_the_merchants_money(
    store: Store,
) -> None:
    world = open_book(store)
    account = enrol(world)
    _, plan = buy(world, account, 300_001, "flat", 3)
    # The whole fee of 1.5 % is 4500; odd units of both go first.
    assert instalments(world, plan) == [
        (101_501, 100_001, 1_500, 0),
        (101_500, 100_000, 1_500, 0),
        (101_500, 100_000, 1_500, 0),
    ]
    due = row(store, "SELECT due_on FROM plans")
    assert due == [date(2026, 2, 10), date(2026, 3, 10), date(2026, 4, 10)]
    assert used(world, account) == (300_001, 0)
    assert balances(world) == {
        "cash-settled": FUNDING,
        "funding": -FUNDING,
        "receivable-principal": 300_001,
        "merchant-payable": -300_001,
        "receivable-fee": 4_500,
        "deferred-income": -4_500,
    }
    operation = row(store, "SELECT kind, amount_minor, is_derived FROM operations")
    assert operation == ("disburse", 300_001, False)
    assert row(store, "SELECT agreement_version, cost_line FROM plans") == (1, "flat-fee")
    told = rows(store, "SELECT topic, event_number FROM outbox ORDER BY 2")
    assert told == [("merchant", 2)]
    assert_sound(world, plans=1)


def test_a_merchants_discount_is_kept_back_and_free_plans_cost_the_buyer_nothing(
    store: Store,
) -> None:
    world = open_book(store)
    account = enrol(world)
    _, plan = buy(world, account, 100_003, "free4", 4)
    assert [one[:2] for one in instalments(world, plan)] == [
        (25_001, 25_001),
        (25_001, 25_001),
        (25_001, 25_001),
        (25_000, 25_000),
    ]
    found = balances(world)
    assert found["income-merchant-discount"] == -3_000  # 3 %: 3000.09
    assert found["merchant-payable"] == -97_003
    assert "deferred-income" not in found
    assert_sound(world)


def test_a_decline_tells_every_reason_and_keeps_its_inputs(store: Store) -> None:
    world = open_book(store)
    account = enrol(world, limit_minor=100_000)
    buy(world, account, 80_000)
    until(world, date(2026, 2, 11))  # due on the tenth
    (late,) = authorise(world.ground, [purchase(world, account, 20_001)])
    assert late == Authorised("decline", [])  # why is told to the customer alone
    assert told_of_last(world, account) == ["payment-overdue", "limit-exceeded"]
    with store.transaction() as session:
        session.run("UPDATE accounts SET status = 'frozen' WHERE kind = 'customer'")
    (frozen,) = authorise(world.ground, [purchase(world, account, 20_000)])
    assert frozen == Authorised("decline", [])
    assert told_of_last(world, account) == ["account-frozen", "payment-overdue"]
    decided = rows(
        store,
        "SELECT outcome, reasons, inputs, policy, policy_version, regime FROM decisions "
        "ORDER BY decision_id",
    )
    assert [one[0] for one in decided] == ["approve", "decline", "decline"]
    assert decided[1][1:] == (
        ["payment-overdue", "limit-exceeded"],
        [0, 100_000, 80_000, 1, 20_001, 0],  # open, limit, used, overdue days, amount, not held
        "starter",
        2,
        "normal",
    )
    assert row(store, "SELECT COUNT(*) FROM orders") == 1
    assert kinds(world, account)[-2:] == ["purchase-declined"] * 2
    assert used(world, account) == (80_000, 0)
    assert_sound(world, plans=1)


def test_what_makes_no_sense_is_refused_in_its_place_in_the_batch(store: Store) -> None:
    world = open_book(store)
    account = enrol(world)
    commands = [
        purchase(world, account, 0),
        purchase(world, account, -5),
        purchase(world, account, 1_000, "flat", 5),
        purchase(world, account, 1_000, "gold", 1),
        purchase(world, account, 10, "flat", 24),  # a cent of fee on ten cents
        purchase(world, AccountId(UUID(int=1)), 1_000),
        purchase(world, account, 1_000),
    ]
    answers = authorise(world.ground, commands)
    assert [type(answer) for answer in answers] == [
        PrincipalOutOfRange,
        PrincipalOutOfRange,
        CountNotOffered,
        ProductMissing,
        CapBroken,
        AccountMissing,
        Authorised,
    ]
    assert row(store, "SELECT COUNT(*) FROM decisions") == 1
    assert_sound(world, plans=1)


def test_a_hold_is_shipped_in_parts_each_a_plan_of_its_own(store: Store) -> None:
    world = open_book(store)
    account = enrol(world, limit_minor=100_000)
    order = hold(world, account, 90_000, "flat", 3)
    assert used(world, account) == (0, 90_000)
    assert "receivable-principal" not in balances(world)  # a hold is not a receivable
    first = ship(world, account, order, 60_000)
    assert first.held_minor == 30_000
    until(world, date(2026, 2, 2))  # past the first statement day
    with store.transaction() as session:
        session.run("UPDATE accounts SET status = 'frozen' WHERE kind = 'customer'")
    answers = capture(
        world.ground,
        [
            shipment(world, account, order, 30_001),
            shipment(world, account, order, 20_000),
            shipment(world, account, order, 10_001),
            shipment(world, account, order, 10_000),
            shipment(world, account, order, 1),
            shipment(world, account, order, 0),
        ],
    )
    assert [type(answer) for answer in answers] == [
        *(CaptureAboveHold, Captured, CaptureAboveHold, Captured, CaptureAboveHold),
        CaptureAboveHold,
    ]
    assert used(world, account) == (90_000, 0)
    plans = rows(store, "SELECT principal_minor, due_on[1] FROM plans ORDER BY plan_id")
    assert plans == [
        (60_000, date(2026, 2, 10)),
        (20_000, date(2026, 3, 10)),
        (10_000, date(2026, 3, 10)),
    ]
    whole = row(store, "SELECT captured_minor, released_minor, hold_expires_on FROM orders")
    assert whole == (90_000, 0, None)
    assert_sound(world, plans=3)


def test_a_hold_ends_on_its_day_and_gives_back_what_was_not_shipped(store: Store) -> None:
    world = open_book(store)
    account = enrol(world, limit_minor=50_000)
    order = hold(world, account, 50_000)
    ship(world, account, order, 20_000)
    ends_on = OPENED + timedelta(days=30)
    assert row(store, "SELECT hold_expires_on FROM orders") == ends_on
    until(world, ends_on)
    assert used(world, account) == (20_000, 30_000)
    until(world, ends_on + timedelta(days=1))
    assert used(world, account) == (20_000, 0)
    assert kinds(world, account).count("hold-expired") == 1
    (late,) = capture(world.ground, [shipment(world, account, order, 1)])
    assert isinstance(late, CaptureAboveHold)
    (again,) = authorise(world.ground, [purchase(world, account, 30_000)])
    assert isinstance(again, Authorised)
    assert again.outcome == "approve"
    assert_sound(world, plans=2)


def test_paying_gives_the_limit_back_and_a_cut_limit_stops_only_new_purchases(
    store: Store,
) -> None:
    world = open_book(store)
    account = enrol(world, limit_minor=100_000)
    order = hold(world, account, 40_000)
    buy(world, account, 60_000)
    with store.transaction() as session:
        session.run("UPDATE accounts SET limit_minor = 50_000 WHERE kind = 'customer'")
    ship(world, account, order, 40_000)
    assert used(world, account) == (100_000, 0)
    (no,) = authorise(world.ground, [purchase(world, account, 1)])
    pay(world, account, 50_001)
    (yes,) = authorise(world.ground, [purchase(world, account, 1)])
    assert isinstance(no, Authorised)
    assert isinstance(yes, Authorised)
    assert (no.outcome, yes.outcome) == ("decline", "approve")
    assert used(world, account) == (50_000, 0)
    assert_sound(world)
