"""A contested purchase: nothing of it is claimed while that is open, and nothing is lost by it."""

from datetime import date
from uuid import UUID

import pytest
from make_book import (
    World,
    assert_sound,
    bill_split,
    buy,
    contested,
    deferred,
    done,
    end_early,
    enrol,
    key,
    noon,
    open_book,
    owed_to,
    pay,
    penalties,
    row,
    rows,
    state,
    until,
    used,
)

from fenqi.core.errors import FenqiError
from fenqi.core.servicing.contest import Finding
from fenqi.core.values.ids import AccountId, PlanId
from fenqi.flows.contest import (
    CloseContest,
    ContestClosed,
    close_contest,
    open_contest,
)
from fenqi.flows.defer import defer
from fenqi.flows.split_bill import split_bill
from fenqi.store.contests import ContestEnded, ContestMissing
from fenqi.store.plans import PlanContested, PlanHasNoOrder
from fenqi.store.pool import Store

OPENED = date(2026, 1, 5)  # statements are cut on the 1st and fall due on the 10th


@pytest.fixture
def world(store: Store) -> World:
    return open_book(store, opened=OPENED)


def contest(world: World, account: AccountId, plan: PlanId) -> UUID:
    answer = done(open_contest(world.ground, [contested(world, account, plan)])[0])
    return UUID(answer.contest_id)


def find(
    world: World, account: AccountId, contest_id: UUID, outcome: Finding
) -> ContestClosed | FenqiError:
    command = CloseContest(
        scope_id=str(account),
        key=key(world),
        actor="Li Wei",
        account_id=account,
        contest_id=contest_id,
        outcome=outcome,
        text="The courier was asked.",
        found_at=noon(world.day),
    )
    return close_contest(world.ground, [command])[0]


def due_days(world: World, plan: PlanId) -> list[date]:
    sql = "SELECT due_on FROM instalments WHERE plan_id = %(plan)s ORDER BY number"
    return [one for (one,) in rows(world.store, sql, plan=plan)]


def named(world: World) -> set[UUID]:
    """Return the plans that statements have named so far."""
    return {one for (one,) in rows(world.store, "SELECT DISTINCT plan_id FROM statement_lines")}


def test_nothing_is_claimed_while_a_purchase_is_contested(world: World) -> None:
    account = enrol(world)
    _, plan = buy(world, account, 60_000, "flat", 3)
    _, other = buy(world, account, 60_000, "flat", 6)
    until(world, date(2026, 2, 20))  # both are ten days overdue
    pay(world, account, 10_300)
    before = penalties(world, plan)
    contest(world, account, plan)
    assert_sound(world)
    until(world, date(2026, 3, 2))
    lines = rows(
        world.store, "SELECT plan_id FROM statement_lines WHERE statement_number = 2 ORDER BY 1"
    )
    assert {one for (one,) in lines} == {other}
    pay(world, account, 30_000)  # goes to the other one, what is above becomes credit
    assert row(world.store, "SELECT MAX(amount_minor) FROM operations WHERE kind = 'repay'") > 0
    sql = "SELECT COUNT(*) FROM operations WHERE plan_id = %(plan)s AND kind = 'repay'"
    paid = row(world.store, sql, plan=plan)
    until(world, date(2026, 9, 1))  # longer than after which a debt is written off
    assert state(world, plan) == "active"
    assert row(world.store, sql, plan=plan) == paid
    assert penalties(world, plan)[0] >= before[0]
    assert row(world.store, "SELECT bucket FROM plans WHERE plan_id = %(plan)s", plan=plan) == 0
    assert_sound(world)


def test_a_contest_that_is_not_upheld_gives_its_days_and_costs_nothing(world: World) -> None:
    account = enrol(world)
    _, plan = buy(world, account, 60_000, "flat", 3)
    until(world, date(2026, 2, 5))  # five days before the first is due
    opened = contest(world, account, plan)
    until(world, date(2026, 3, 5))
    closed = done(find(world, account, opened, Finding.NOT_UPHELD))
    assert (closed.days_given, closed.principal_minor) == (28, 0)
    assert due_days(world, plan) == [date(2026, 3, 10), date(2026, 4, 7), date(2026, 5, 8)]
    assert penalties(world, plan) == [0, 0, 0]
    assert_sound(world)
    until(world, date(2026, 3, 10))
    pay(world, account, 20_300)
    until(world, date(2026, 4, 3))
    assert named(world) == {plan}
    assert penalties(world, plan) == [0, 0, 0]
    assert_sound(world)
    until(world, date(2026, 4, 20))  # then it is late as ever
    pay(world, account, 100)
    assert penalties(world, plan)[1] > 0
    assert_sound(world)


def test_what_was_overdue_is_as_long_overdue_after_the_contest_as_before(world: World) -> None:
    account = enrol(world)
    _, plan = buy(world, account, 60_000, "flat", 3)
    until(world, date(2026, 2, 20))
    opened = contest(world, account, plan)
    charged = penalties(world, plan)
    until(world, date(2026, 3, 20))
    done(find(world, account, opened, Finding.NOT_UPHELD))
    assert penalties(world, plan) == charged
    assert due_days(world, plan)[0] == date(2026, 3, 10)  # ten days ago, as it was
    sql = "SELECT bucket, oldest_due_on FROM plans"
    assert row(world.store, sql) == (1, date(2026, 3, 10))
    assert_sound(world)
    until(world, date(2026, 5, 3))
    assert penalties(world, plan)[0] > charged[0]
    assert_sound(world)


def test_an_upheld_contest_undoes_the_purchase_and_gives_all_back(world: World) -> None:
    account = enrol(world)
    _, plan = buy(world, account, 60_000, "flat", 3)
    until(world, date(2026, 3, 2))
    pay(world, account, 20_300 + 200)  # the first instalment and a late charge
    assert penalties(world, plan)[0] > 0
    paid = 20_300 + 200 - owed_to(world, account)[0]
    opened = contest(world, account, plan)
    until(world, date(2026, 4, 20))
    closed = done(find(world, account, opened, Finding.UPHELD))
    assert (closed.principal_minor, closed.returned_minor) == (60_000, paid)
    assert used(world, account) == (0, 0)
    assert state(world, plan) == "closed"
    assert row(world.store, "SELECT SUM(open_minor)::bigint FROM instalments") == 0
    sql = "SELECT outcome, closed_by FROM contests"
    assert row(world.store, sql) == ("upheld", "Li Wei")
    assert row(world.store, "SELECT outcome FROM cases") == "confirmed"
    assert_sound(world)
    until(world, date(2026, 4, 24))
    assert owed_to(world, account)[1] == 0  # the money is on its way back
    assert_sound(world)


def test_whoever_contests_may_still_pay_early_and_has_it_back_if_upheld(world: World) -> None:
    account = enrol(world)
    _, plan = buy(world, account, 60_000, "flat", 3)
    until(world, date(2026, 2, 20))
    opened = contest(world, account, plan)
    until(world, date(2026, 3, 20))
    end_early(world, account, plan, 62_000)
    assert state(world, plan) == "closed"
    assert_sound(world)
    closed = done(find(world, account, opened, Finding.UPHELD))
    credit, returns = owed_to(world, account)
    assert closed.returned_minor == returns
    assert returns + credit == 62_000  # what the days given cost less by is credit
    assert_sound(world)


def test_what_is_contested_is_put_off_no_further_and_contested_once_at_a_time(
    world: World,
) -> None:
    account = enrol(world)
    buy(world, account, 60_000)
    _, plan = buy(world, account, 60_000, "flat", 3)
    until(world, date(2026, 2, 3))
    opened = contest(world, account, plan)
    (again,) = open_contest(world.ground, [contested(world, account, plan)])
    assert isinstance(again, PlanContested)
    (refused,) = defer(world.ground, [deferred(world, account, plan, 3)])
    assert isinstance(refused, PlanContested)
    # What is contested stays where it is, the rest of the statement may become a plan.
    split = done(split_bill(world.ground, [bill_split(world, account, 1, 60_000)])[0])
    child = PlanId(UUID(split.plan_id))
    (of_bill,) = open_contest(world.ground, [contested(world, account, child)])
    assert isinstance(of_bill, PlanHasNoOrder)
    assert isinstance(find(world, account, UUID(int=1), Finding.UPHELD), ContestMissing)
    done(find(world, account, opened, Finding.NOT_UPHELD))  # on the day it was opened
    assert isinstance(find(world, account, opened, Finding.UPHELD), ContestEnded)
    assert due_days(world, plan)[0] == date(2026, 2, 10)
    assert_sound(world)
