"""What is not paid grows old, is written off, may still be recovered; income and losses follow."""

import itertools
from datetime import date, timedelta
from uuid import UUID

from make_book import (
    BOOK,
    assert_sound,
    balances,
    buy,
    enrol,
    give_back,
    kinds,
    open_book,
    opens,
    owed_to,
    pay,
    penalties,
    purchase,
    row,
    rows,
    state,
    told_of_last,
    until,
    used,
)

from fenqi.flows.authorise import Authorised, authorise
from fenqi.flows.refund import Refunded
from fenqi.store.pool import Store

DUE = date(2026, 2, 10)
WRITTEN_OFF = DUE + timedelta(days=180)


def test_an_unpaid_debt_crosses_every_bucket_is_written_off_and_recovered(store: Store) -> None:
    world = open_book(store)
    ann, bob, eve = (enrol(world, name) for name in ("ann", "bob", "eve"))
    _, plan = buy(world, ann, 90_000)
    order, goods = buy(world, bob, 90_000)
    _, running = buy(world, eve, 90_000, "flat", 3)
    until(world, WRITTEN_OFF)
    assert state(world, plan) == "active"
    until(world, WRITTEN_OFF + timedelta(days=1))
    charge = 177 * 45  # from the fourth day late to the last
    assert (state(world, plan), penalties(world, plan)) == ("written-off", [charge])
    assert state(world, running) == "written-off"
    assert used(world, ann) == (0, 0)
    found = balances(world)
    assert "receivable-principal" not in found
    assert "receivable-penalty" not in found
    assert "income-penalty" not in found  # never paid, never income
    assert row(store, "SELECT status FROM accounts WHERE account_id = %(a)s", a=ann) == "closed"
    (no,) = authorise(world.ground, [purchase(world, ann, 1)])
    assert no == Authorised("decline", [])
    assert told_of_last(world, ann) == ["account-closed", "payment-overdue"]

    # The claim goes on: what comes in is recovery, what was returned is owed no more.
    until(world, WRITTEN_OFF + timedelta(days=10))
    assert row(store, "SELECT bucket FROM plans WHERE plan_id = %(p)s", p=plan) == 7
    pay(world, ann, 50_000)
    assert balances(world)["recovery"] == -50_000
    assert state(world, plan) == "written-off"
    assert pay(world, ann, 40_000 + charge + 700).credit_minor == 700
    assert state(world, plan) == "closed"
    assert balances(world)["recovery"] == -90_000 - charge
    assert give_back(world, bob, order, 30_000) == Refunded(30_000, 0, 0, 0)
    claim = 60_000 + charge * 2 // 3
    assert pay(world, bob, claim).credit_minor == 0
    assert state(world, goods) == "closed"
    assert give_back(world, bob, order, 60_000) == Refunded(60_000, 0, claim, 0)
    assert owed_to(world, bob) == (0, claim)
    until(world, WRITTEN_OFF + timedelta(days=20))
    assert owed_to(world, bob) == (0, 0)

    crossed = rows(
        store,
        """
        SELECT from_bucket, to_bucket, booked_on FROM crossings WHERE plan_id = %(plan)s
        ORDER BY event_number
        """,
        plan=plan,
    )
    starts = [DUE + timedelta(days=days) for days in (1, 31, 61, 91, 121, 151, 181)]
    assert crossed == [
        *((number, number + 1, day) for number, day in enumerate(starts)),
        (7, 0, WRITTEN_OFF + timedelta(days=10)),
    ]
    until(world, date(2026, 9, 1))
    lost = rows(
        store,
        """
        SELECT to_state, SUM(plans)::int, SUM(principal_written_off_minor)::int
        FROM portfolio_months WHERE month_end = '2026-08-31' GROUP BY 1 ORDER BY 1
        """,
    )
    assert lost == [("closed", 2, 90_000), ("written-off", 1, 90_000)]
    assert_sound(world, accounts=3, plans=3)


def test_a_write_off_paid_back_dated_before_it_is_undone_as_far_as_the_money_reaches(
    store: Store,
) -> None:
    world = open_book(store)
    account = enrol(world)
    _, plan = buy(world, account, 90_000)
    until(world, WRITTEN_OFF + timedelta(days=5))
    pay(world, account, 90_000, days_ago=185)  # on the due day itself
    assert (state(world, plan), penalties(world, plan)) == ("closed", [0])
    found = balances(world)
    assert "recovery" not in found
    assert "receivable-penalty" not in found
    assert found["allowance"] + found.get("provision", 0) == 0  # nothing was lost after all
    assert owed_to(world, account) == (0, 0)
    assert_sound(world)


def test_a_late_charge_stops_at_its_cap(store: Store) -> None:
    world = open_book(store)
    account = enrol(world)
    _, plan = buy(world, account, 10_000)
    until(world, date(2026, 3, 2))
    assert penalties(world, plan) == [16 * 5]
    pay(world, account, 10_080 + 10)  # two more days
    assert state(world, plan) in ("closed", "active")
    assert sum(penalties(world, plan)) <= 2_400
    assert_sound(world)


def test_days_of_an_outage_count_for_nothing(store: Store) -> None:
    world = open_book(store)
    account, incident = enrol(world), UUID(int=5)
    _, plan = buy(world, account, 100_000)
    until(world, DUE)
    with store.transaction() as session:
        for day in range(11, 21):
            session.run(
                "INSERT INTO excused_days VALUES (%(book)s, %(day)s, %(incident)s)",
                {"book": BOOK, "day": date(2026, 2, day), "incident": incident},
            )
    until(world, date(2026, 2, 20))
    (yes,) = authorise(world.ground, [purchase(world, account, 1_000)])
    assert isinstance(yes, Authorised)
    assert yes.outcome == "approve"
    buckets = "SELECT bucket FROM plans WHERE plan_id = %(p)s"
    until(world, date(2026, 2, 21))
    assert row(store, buckets, p=plan) == 0
    until(world, date(2026, 2, 22))
    assert row(store, buckets, p=plan) == 1
    until(world, date(2026, 3, 2))
    assert penalties(world, plan) == [6 * 50]  # 24 February, the fourth counted day, to 1 March
    assert_sound(world)


def test_cost_becomes_income_with_time_and_stops_when_nobody_pays(store: Store) -> None:
    world = open_book(store)
    payer, sleeper = enrol(world, "payer"), enrol(world, "sleeper")
    buy(world, payer, 300_000, "flat", 12)
    buy(world, sleeper, 300_000, "flat", 12)
    income = []
    for month in range(2, 8):
        until(world, date(2026, month, 1))
        income.append(-balances(world)["income-fee"])
        until(world, date(2026, month, 10))
        pay(world, payer, 26_500)
    each = [  # whole periods so far, and the days of the running one, at 1500 a period
        1_500 * 26 // 36,
        1_500 + 1_500 * 18 // 28,
        2 * 1_500 + 1_500 * 21 // 31,
        3 * 1_500 + 1_500 * 20 // 30,
        4 * 1_500 + 1_500 * 21 // 31,
        5 * 1_500 + 1_500 * 20 // 30,
    ]
    assert income[:4] == [2 * one for one in each[:4]]
    # On 31 May the sleeper is 110 days late: nothing is earned beyond 90.
    assert income[4:] == [one + each[3] for one in each[4:]]
    assert_sound(world)


def test_the_allowance_follows_the_age_of_what_is_owed(store: Store) -> None:
    world = open_book(store)
    account = enrol(world)
    buy(world, account, 100_000)
    allowances = []
    for month in (2, 3, 4, 5, 6, 7, 8, 9):
        until(world, date(2026, month, 1))
        allowances.append(-balances(world).get("allowance", 0))
    # M0, M1 (18 days late), M2 (49), M3 (79), M4 (110), M5 (140), M6 (171), then written off.
    assert allowances == [1_000, 3_000, 15_000, 25_000, 50_000, 60_000, 75_000, 0]
    assert balances(world)["provision"] == 100_000
    assert_sound(world)


def test_buckets_of_a_plan_paid_up_in_between_are_noted_as_they_were(store: Store) -> None:
    world = open_book(store)
    account = enrol(world)
    _, plan = buy(world, account, 40_000, "free4", 4)
    until(world, date(2026, 3, 20))  # February 38 days late, March 10
    assert row(store, "SELECT bucket FROM plans") == 2
    owed = 10_000 + (date(2026, 3, 19) - date(2026, 2, 13)).days * 5
    pay(world, account, owed)
    assert opens(world, plan)[0] == 0
    crossings = rows(store, "SELECT from_bucket, to_bucket FROM crossings ORDER BY event_number")
    assert crossings == [(0, 1), (1, 2), (2, 1)]
    assert all(one[1] == other[0] for one, other in itertools.pairwise(crossings))
    assert kinds(world, account).count("bucket-crossed") == 2
    assert_sound(world)
