"""Statements: what they name, when they are cut, and that they never change."""

from datetime import date

from make_book import (
    World,
    assert_sound,
    buy,
    enrol,
    give_back,
    open_book,
    opens,
    pay,
    rows,
    until,
)

from fenqi.store.pool import Store

PART = 101_500  # of 300000 in three at 0.5 % a period


def statements(world: World) -> list[tuple[object, ...]]:
    """Return (number, cut on, due on, total, overdue) of each."""
    sql = "SELECT number, cut_on, due_on, total_minor, overdue_minor FROM statements ORDER BY 1, 2"
    return rows(world.store, sql)


def lines(world: World, number: int) -> list[tuple[object, ...]]:
    """Return (instalment, due on, principal, interest, fee, penalty) of a statement's lines."""
    return rows(
        world.store,
        """
        SELECT instalment_number, due_on, principal_minor, interest_minor, fee_minor, penalty_minor
        FROM statement_lines WHERE statement_number = %(number)s ORDER BY line
        """,
        number=number,
    )


def test_a_statement_names_what_falls_due_and_the_next_what_is_overdue_with_its_charge(
    store: Store,
) -> None:
    world = open_book(store)
    account = enrol(world)
    buy(world, account, 300_000, "flat", 3)
    until(world, date(2026, 2, 1))
    assert statements(world) == []
    until(world, date(2026, 2, 2))
    february, march = date(2026, 2, 10), date(2026, 3, 10)
    assert statements(world) == [(1, date(2026, 2, 1), february, PART, 0)]
    assert lines(world, 1) == [(1, february, 100_000, 0, 1_500, 0)]
    every = "SELECT * FROM statements ORDER BY account_id, number"
    first = rows(store, every), lines(world, 1)
    until(world, date(2026, 3, 2))
    late = 16 * PART * 500 // 1_000_000  # 14 February to 1 March
    assert late == 812
    assert statements(world)[1] == (2, date(2026, 3, 1), march, 2 * PART + late, PART + late)
    assert lines(world, 2) == [
        (1, february, 100_000, 0, 1_500, late),
        (2, march, 100_000, 0, 1_500, 0),
    ]
    pay(world, account, 2 * PART + late)
    until(world, date(2026, 4, 2))
    # One more day of charge lay between the statement and the payment: it is asked for now.
    assert statements(world)[2][3] == PART + sum(opens(world, plan_of(world))[:2])
    assert (
        rows(store, "SELECT * FROM statements ORDER BY account_id, number")[:1],
        lines(world, 1),
    ) == first
    assert_sound(world, plans=1)


def plan_of(world: World) -> object:
    return rows(world.store, "SELECT plan_id FROM plans")[0][0]


def test_what_is_paid_before_the_cut_is_not_on_the_statement(store: Store) -> None:
    world = open_book(store)
    account = enrol(world)
    buy(world, account, 300_000, "flat", 3)
    until(world, date(2026, 2, 1))
    pay(world, account, PART)
    until(world, date(2026, 2, 28))
    assert statements(world) == []
    pay(world, account, 40_000)
    until(world, date(2026, 3, 2))
    assert statements(world) == [
        (1, date(2026, 3, 1), date(2026, 3, 10), PART - 40_000, 0)  # on the day of the cut too
    ]
    assert lines(world, 1) == [(2, date(2026, 3, 10), 61_500, 0, 0, 0)]
    assert_sound(world)


def test_what_is_refunded_after_the_cut_is_missing_on_the_next_statement_only(
    store: Store,
) -> None:
    world = open_book(store)
    account = enrol(world)
    order, plan = buy(world, account, 300_000, "flat", 3)
    until(world, date(2026, 2, 5))
    give_back(world, account, order, 150_000)
    assert opens(world, plan) == [PART, 50_750, 0]
    until(world, date(2026, 2, 10))
    pay(world, account, PART)
    until(world, date(2026, 3, 2))
    assert statements(world) == [
        (1, date(2026, 2, 1), date(2026, 2, 10), PART, 0),
        (2, date(2026, 3, 1), date(2026, 3, 10), 50_750, 0),
    ]
    assert_sound(world)


def test_the_thirty_first_is_the_last_day_of_a_shorter_month(store: Store) -> None:
    world = open_book(store)
    last, middle = enrol(world, "last", statement_day=31), enrol(world, "mid", statement_day=30)
    until(world, date(2026, 1, 31))
    buy(world, last, 40_000, "free4", 4)  # on the statement day itself: goes to the next
    buy(world, middle, 1_000)
    until(world, date(2026, 3, 1))
    both = [(1, date(2026, 2, 28), date(2026, 3, 9))] * 2
    assert [one[:3] for one in statements(world)] == both
    for day in (date(2026, 3, 9), date(2026, 4, 9), date(2026, 5, 9)):
        until(world, day)
        pay(world, last, 10_000)
    until(world, date(2026, 6, 1))
    cut = rows(
        store,
        "SELECT cut_on, due_on, total_minor FROM statements WHERE account_id = %(one)s ORDER BY 1",
        one=last,
    )
    assert cut == [
        (date(2026, 2, 28), date(2026, 3, 9), 10_000),
        (date(2026, 3, 31), date(2026, 4, 9), 10_000),
        (date(2026, 4, 30), date(2026, 5, 9), 10_000),
        (date(2026, 5, 31), date(2026, 6, 9), 10_000),
    ]
    assert_sound(world)


def test_one_statement_gathers_all_plans_of_an_account_and_accounts_do_not_mix(
    store: Store,
) -> None:
    world = open_book(store)
    ann, bob = enrol(world, "ann"), enrol(world, "bob", statement_day=2)
    for amount in (1_000, 2_000, 4_000):
        buy(world, ann, amount)
        buy(world, bob, amount * 10)
    until(world, date(2026, 2, 2))
    assert statements(world) == [(1, date(2026, 2, 1), date(2026, 2, 10), 7_000, 0)]
    until(world, date(2026, 2, 3))
    assert statements(world)[1] == (1, date(2026, 2, 2), date(2026, 2, 11), 70_000, 0)
    notices = rows(store, "SELECT COUNT(*) FROM outbox WHERE topic = 'notice'")
    assert notices == [(2,)]
    assert_sound(world, plans=6)
