"""The day close: each step once, whatever crashes, and nobody else's rows touched (M4)."""

import itertools
import os
import random
import threading
import time
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from typing import Any
from uuid import UUID

import psycopg
import pytest
from copies import copy, drop
from make_book import (
    BOOK,
    World,
    assert_sound,
    beside,
    buy,
    dump,
    enrol,
    give_back,
    noon,
    open_book,
    pay,
    payment,
    purchase,
    reopen,
    row,
    rows,
    until,
)
from make_eve import EVE, TOUCHED, close_eve

from fenqi.core.errors import FenqiError
from fenqi.desk import Desk
from fenqi.flows.age import age
from fenqi.flows.authorise import authorise
from fenqi.flows.receive import MoneyState
from fenqi.store import accounts, billing, closes, crossings, earning, orders, plans
from fenqi.store.accounts import AccountMissing
from fenqi.store.books import BookMissing
from fenqi.store.closes import DayNotOpen, Task
from fenqi.store.pool import Store
from fenqi.worker.close import (
    CATCH_UP_DAYS_MAX,
    STEPS,
    BookBusy,
    CloseOrderBroken,
    DayTooFar,
    check_order,
    close_through,
)

SECONDS_MAX = 240  # against what hangs


@pytest.fixture
def eve(copied: Callable[[str], str], eve_database: str) -> Iterator[Callable[[], World]]:
    """Makes books that stand on the eve, each in a database of its own."""
    made: list[Store] = []

    def make() -> World:
        made.append(Store.open(copied(eve_database)))
        return reopen(made[-1], EVE)

    yield make
    for store in made:
        store.close()


def test_every_step_of_the_eve_does_its_work(eve: Callable[[], World]) -> None:
    world = eve()
    touched = close_eve(world)
    assert touched.pop("turn") > 10
    assert touched.pop("measure") > 3
    assert touched.pop("link") == 0  # nobody was seen with anything
    assert touched == {
        "release": 1,
        "collect": 1,
        "bill": 1,
        "age": 1,  # late goes into M1; saver paid in time, lost stays in M6 for its last day
        "write-off": 1,
        "recognise": 1,
        "remit-refunds": 1,
        "remit-merchants": 1,
        "provide": 1,
    }
    house = rows(world.store, "SELECT kind FROM events WHERE booked_on = %(eve)s", eve=EVE)
    assert len(house) > 8
    assert_sound(world, accounts=11, plans=9)


def test_a_day_closed_twice_changes_nothing(eve: Callable[[], World]) -> None:
    world = eve()
    close_eve(world)
    once = dump(world.store)
    again = close_through(world.ground, BOOK, EVE)
    assert (again.days, sum(again.touched.values())) == ((), 0)
    for step in STEPS:  # not even a step called by hand
        for slice_ in (0, 1):
            task = Task(BOOK, EVE, slice_, step.name)
            if step.is_sliced or slice_ == 0:
                assert step.flow(world.ground, task) == 0
    assert dump(world.store) == once


def test_only_those_to_whom_something_happens_are_locked_loaded_or_written(
    eve: Callable[[], World], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = eve()
    names = dict(
        rows(
            world.store, "SELECT account_id, reference FROM accounts JOIN persons USING (person_id)"
        )
    )
    seen: dict[str, set[str]] = {"lock": set(), "load": set()}
    lock, lock_page, load = accounts.lock, accounts.lock_page, plans.load

    def watched_lock(session: Any, ids: Any) -> Any:
        seen["lock"] |= {names.get(one, "house") for one in ids}
        return lock(session, ids)

    def watched_lock_page(session: Any, page: Any, book_id: str) -> None:
        seen["lock"] |= {names[UUID(one)] for one in page.strip("{}").split(",")}
        lock_page(session, page, book_id)

    def watched_load(session: Any, keys: Any, known: Any) -> Any:
        seen["load"] |= {names[account] for account, _ in keys}
        return load(session, keys, known)

    monkeypatch.setattr(accounts, "lock", watched_lock)
    monkeypatch.setattr(accounts, "lock_page", watched_lock_page)
    monkeypatch.setattr(plans, "load", watched_load)
    versions = """
        SELECT 'a', account_id, xmin::text FROM accounts
        UNION ALL SELECT 'p', account_id, xmin::text FROM plans
        UNION ALL SELECT 'i', account_id, xmin::text FROM changed_instalments
    """
    before = set(rows(world.store, versions))
    close_eve(world)
    written = {names.get(one, "house") for _, one, _ in set(rows(world.store, versions)) - before}
    assert seen["lock"] == {*TOUCHED, "house"}
    assert seen["load"] == {"lost", "saver", "fee"}  # the others are written set-wise
    assert written == {*TOUCHED, "house"}

    close_through(world.ground, BOOK, EVE + timedelta(days=1))
    seen["lock"].clear()
    seen["load"].clear()
    before = set(rows(world.store, versions))
    quiet = close_through(world.ground, BOOK, EVE + timedelta(days=2))  # three debts grow older
    assert sum(quiet.touched.values()) == 0
    assert seen["load"] == set()
    assert seen["lock"] == {"house"}
    assert set(rows(world.store, versions)) == before


def test_two_programs_closing_one_day_at_once_come_to_the_same_books(
    eve: Callable[[], World],
) -> None:
    whole, world = eve(), eve()
    close_eve(whole)
    stumbled: list[BaseException] = []
    gate = threading.Barrier(3)

    def close() -> None:
        gate.wait()
        try:
            close_eve(world)
        except FenqiError as fault:
            stumbled.append(fault)

    threads = [threading.Thread(target=close) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(stumbled) < 3  # at most all but one meet the other's finished step
    assert all(isinstance(fault, BookBusy) for fault in stumbled), stumbled
    close_eve(world)
    assert dump(world.store) == dump(whole.store)


def test_a_skipped_week_is_caught_up_day_by_day(eve: Callable[[], World]) -> None:
    daily, skipped = eve(), eve()
    told: list[date] = []
    last = EVE + timedelta(days=12)  # "unbilled" and "returns" have statement days in between
    for number in range(13):
        close_through(daily.ground, BOOK, EVE + timedelta(days=number))
    closed = close_through(skipped.ground, BOOK, last, on_day=told.append)
    assert closed.days == tuple(told) == tuple(EVE + timedelta(days=n) for n in range(13))
    assert closed.touched["bill"] > 1
    assert dump(skipped.store) == dump(daily.store)
    steps = rows(skipped.store, "SELECT day, COUNT(*) FROM close_steps GROUP BY day ORDER BY day")
    assert steps[-13:] == [(day, 20) for day in told]
    assert_sound(skipped)


def test_past_days_are_closed_already_and_far_ones_a_typing_mistake(
    eve: Callable[[], World],
) -> None:
    world = eve()
    before = dump(world.store)
    assert close_through(world.ground, BOOK, EVE - timedelta(days=1)).days == ()
    assert close_through(world.ground, BOOK, date(1999, 1, 1)).days == ()
    with pytest.raises(DayTooFar) as refusal:
        close_through(world.ground, BOOK, EVE + timedelta(days=CATCH_UP_DAYS_MAX + 1))
    assert refusal.value.fields["open_day"] == EVE
    with pytest.raises(BookMissing):
        close_through(world.ground, "nowhere", EVE)
    for day in (EVE - timedelta(days=400), EVE + timedelta(days=1)):
        with pytest.raises(DayNotOpen):
            age(world.ground, Task(BOOK, day, 0, "age"))
    assert dump(world.store) == before


def test_the_order_of_the_steps_is_checked() -> None:
    check_order(STEPS)
    for step in STEPS:
        others = [one for one in STEPS if one is not step]
        for need in step.needs:
            place = next(n for n, one in enumerate(others) if one.name == need)
            with pytest.raises(CloseOrderBroken) as refusal:
                check_order([*others[:place], step, *others[place:]])
            assert refusal.value.fields["step"] == step.name
            assert need in refusal.value.fields["needs"]  # type: ignore[operator]
    with pytest.raises(CloseOrderBroken):
        check_order(STEPS[1:-1] + STEPS[:1][:0] + STEPS[-1:])  # "release" was forgotten
    chance = random.Random(4)
    for _ in range(200):
        shuffled = chance.sample(STEPS, len(STEPS))
        names = [step.name for step in shuffled]
        is_sound = all(
            names.index(need) < place for place, step in enumerate(shuffled) for need in step.needs
        )
        if is_sound:
            check_order(shuffled)
        else:
            with pytest.raises(CloseOrderBroken):
                check_order(shuffled)


def test_every_step_is_needed_by_the_turn_of_the_day() -> None:
    needs = {step.name: set(step.needs) for step in STEPS}
    reached = set(needs["turn"])
    for _ in STEPS:
        reached |= {need for name in reached for need in needs[name]}
    assert reached == {step.name for step in STEPS} - {"turn"}


def test_a_broken_order_closes_nothing(
    eve: Callable[[], World], monkeypatch: pytest.MonkeyPatch
) -> None:
    world = eve()
    before = dump(world.store)
    monkeypatch.setattr("fenqi.worker.close.STEPS", tuple(reversed(STEPS)))
    with pytest.raises(CloseOrderBroken):
        close_eve(world)
    assert dump(world.store) == before


def _same_life(store: Store, slices: int) -> dict[str, tuple[int, str]]:
    """Live two months with twenty people and return what is in the books."""
    world = open_book(store, slices=slices)
    chance = random.Random(3)
    people = [enrol(world, f"p{n}", statement_day=1 + n % 28) for n in range(20)]
    for _ in range(10):
        for person in people:
            command = purchase(
                world, person, chance.randint(1_000, 90_000), *chance.choice(PRODUCTS)
            )
            authorise(world.ground, [command])
        for person in chance.sample(people, 10):
            pay(world, person, chance.randint(500, 60_000))
        until(world, world.day + timedelta(days=6))
    assert_sound(world)
    found = dict(dump(store))
    for table in ("books", "close_steps"):  # they tell the slices apart, and nothing else may
        del found[table]
    return found


PRODUCTS = (("unsplit", 1), ("flat", 3), ("free4", 4), ("annuity18", 6))


def test_the_number_of_slices_makes_no_difference_to_the_books(
    server_url: str, template: str
) -> None:
    found = []
    for slices in (1, 7):
        name = f"fenqi_slices_{os.getpid()}_{slices}"
        store = Store.open(copy(server_url, template, name))
        try:
            found.append(_same_life(store, slices))
        finally:
            store.close()
            drop(server_url, name)
    assert found[0] == found[1]
    assert found[0]["statements"][0] > 20


def test_slices_share_all_accounts_without_overlap() -> None:
    for slices in range(1, 65):
        bounds = [Task(BOOK, EVE, number, "age").bounds(slices) for number in range(slices)]
        assert bounds[0][0] == 0
        assert bounds[-1][1] == 64
        assert all(one[1] == other[0] for one, other in itertools.pairwise(bounds))
        assert all(first < last for first, last in bounds)


def test_what_is_booked_while_a_day_closes_lands_in_an_open_day(store: Store) -> None:
    world = open_book(store)
    people = [enrol(world, f"p{n}", statement_day=5 + n) for n in range(8)]
    stop = threading.Event()
    answers: list[Any] = []

    def buy_and_pay(desk: Desk, mine: list[Any]) -> None:
        while not stop.is_set():
            waiting = [desk.submit(purchase(world, one, 100, "flat", 3)) for one in mine]
            waiting += [desk.submit(payment(world, one, 50)) for one in mine]
            waiting += [desk.submit(payment(world, mine[0], 9, state=MoneyState.PENDING))]
            answers.extend(future.result(SECONDS_MAX) for future in waiting)

    with Desk(world.ground) as desk:
        threads = [
            threading.Thread(target=buy_and_pay, args=(desk, people[n::2])) for n in range(2)
        ]
        for thread in threads:
            thread.start()
        for _ in range(30):  # over a month end and many statement days
            until(world, world.day + timedelta(days=1))
            enough = len(answers) + 2 * 9 + 1  # of rounds two at most had begun before
            limit = time.monotonic() + SECONDS_MAX
            while len(answers) < enough:
                assert time.monotonic() < limit
                time.sleep(0.001)
        stop.set()
        for thread in threads:
            thread.join(SECONDS_MAX)
    days = row(store, "SELECT COUNT(DISTINCT booked_on) FROM operations WHERE kind = 'disburse'")
    assert days >= 30
    assert_sound(world)


def test_merchants_are_paid_once_for_the_day_before_and_pay_back_what_was_returned(
    store: Store,
) -> None:
    world = open_book(store)
    account = enrol(world)
    order, _ = buy(world, account, 100_000)  # discount 0.6 %
    remitted = """
        SELECT booked_on, debit, amount_minor FROM transfers
        WHERE merchant_id IS NOT NULL AND 'cash-settled' IN (debit, credit) ORDER BY booked_on
    """
    opened = world.day
    until(world, opened + timedelta(days=1))
    assert rows(store, remitted) == []
    give_back(world, account, order, 100_000)
    until(world, opened + timedelta(days=4))
    assert rows(store, remitted) == [
        (opened + timedelta(days=1), "merchant-payable", 99_400),
        (opened + timedelta(days=2), "cash-settled", 99_400),
    ]
    assert_sound(world)


# Each query of the close that looks for its work, with what it is asked on an ordinary day.
QUERIES = {
    "bill": (closes.TO_BILL, {"statement_days": [14], "due_on": 9, "named": 39, "horizon": -400}),
    "age": (closes.OWING_SINCE, {"due_days": [0, -1, -31]}),
    "write-off": (closes.TO_WRITE_OFF, {"due_on": -180, "horizon": -211}),
    "recognise": (closes.TO_RECOGNISE, {"non_accrual": -90}),
    "collect": (closes.IN_CREDIT, {}),
    "release": (orders.EXPIRED, {}),
}
# What the set-wise steps ask of a page of accounts they have locked.
OF_PAGES = {
    "to replay": (billing.TO_REPLAY, {"due_on": 9, "named": 39, "horizon": -400}),
    "cut": (billing.CUT, {"due_on": 9, "horizon": -400}),
    "cross": (crossings.CROSS, {"due_days": [0, -1, -31]}),
    "to replay at month end": (earning.TO_REPLAY, {"non_accrual": -90}),
    "earned": (earning.PARTS, {"nobody": earning.NOBODY}),
}
# An old book: most of its plans are paid, and nearly every instalment has a row of its own.
GROWN_OLD = """
UPDATE plans SET state = 'closed', oldest_due_on = NULL, unbilled_due_on = NULL
WHERE product = 'unsplit' AND principal_minor % 20 <> 0
"""
SOMETHING_HAPPENED = """
INSERT INTO changed_instalments (account_id, plan_id, number, starts_on, due_on, open_minor,
    principal_due_minor, interest_due_minor, fee_due_minor)
SELECT account_id, plan_id, number, starts_on, due_on, open_minor, principal_due_minor,
    interest_due_minor, fee_due_minor
FROM instalments
WHERE open_minor = principal_due_minor + interest_due_minor + fee_due_minor
"""
SEVERAL = {"packs": ["cn"] * 3, "versions": [1] * 3, "buckets": [0, 1, 2]}


def test_the_close_finds_its_work_on_indexes_however_many_plans_there_are(
    store: Store, database_url: str
) -> None:
    world = open_book(store)
    people = [enrol(world, f"p{n}", statement_day=1 + n % 28) for n in range(280)]
    for number in range(20):
        product = ("flat", 12) if number == 7 else ("unsplit", 1)
        commands = [
            purchase(world, one, 1_000 + n, *product, capture_now=number != 3 or n > 20)
            for n, one in enumerate(people)
        ]
        authorise(world.ground, commands)
    for one in people[:5]:
        pay(world, one, 900_000)
    assert row(store, "SELECT COUNT(*) FROM plans") > 5_000
    with psycopg.connect(database_url, autocommit=True) as connection:
        assert connection.execute(SOMETHING_HAPPENED).rowcount > 5_000
        assert connection.execute(GROWN_OLD).rowcount > 4_000
        connection.execute("VACUUM (FULL, ANALYZE)")
        day = world.day + timedelta(days=9)
        for step, (query, asked) in (QUERIES | OF_PAGES).items():
            parameters: dict[str, Any] = {"book_id": BOOK, "day": day, "first": 0, "last": 32}
            parameters |= {"accounts": people[::10], "now": noon(day)} | SEVERAL
            for name, value in asked.items():
                if name == "due_days":
                    value = [day + timedelta(days=one) for one in value]
                elif isinstance(value, int):
                    value = day + timedelta(days=value)
                parameters[name] = value
            lines = connection.execute(f"EXPLAIN {query}", parameters).fetchall()
            plan = "\n".join(line for (line,) in lines)
            assert "Seq Scan on plans" not in plan, f"{step}:\n{plan}"
            assert "Seq Scan on orders" not in plan, f"{step}:\n{plan}"
            assert "Seq Scan on changed_instalments" not in plan, f"{step}:\n{plan}"


def test_a_book_of_strangers_is_left_alone(store: Store) -> None:
    world = open_book(store)
    other = open_book(store, book_id="other", seed=5)
    account = enrol(world)
    buy(world, account, 10_000)
    close_through(other.ground, "other", world.day + timedelta(days=60))
    assert row(store, "SELECT COUNT(*) FROM statements") == 0
    assert row(store, "SELECT business_date FROM books WHERE book_id = 'book'") == world.day
    until(world, world.day + timedelta(days=60))
    assert row(store, "SELECT COUNT(*) FROM statements") > 0
    lines = "SELECT COUNT(*) FROM ledger_days WHERE book_id = 'other'"
    assert row(store, lines) == 1  # its funding
    with pytest.raises(AccountMissing):
        accounts.find({}, account)
    assert beside(world, store).day == world.day
    assert_sound(world)
