"""Which statements may become plans, of what and how often: no debt is put off for ever."""

from datetime import date, datetime
from uuid import UUID

import pytest
from make_book import (
    World,
    as_owner,
    assert_sound,
    bill_split,
    buy,
    deferred,
    done,
    end_early,
    enrol,
    extended,
    open_book,
    owed_to,
    pay,
    row,
    rows,
    settlement,
    until,
    used,
    withdrawal,
)

from fenqi.core.errors import FenqiError
from fenqi.core.terms.life.refusal import OperationUntimely
from fenqi.core.values.ids import AccountId, PlanId
from fenqi.flows.defer import defer
from fenqi.flows.extend import extend
from fenqi.flows.settle import settle
from fenqi.flows.split_bill import BillSplit, split_bill
from fenqi.flows.withdraw import withdraw
from fenqi.store.pool import Store
from fenqi.store.splits import (
    BillMovedUsedUp,
    BillPlanNotOffered,
    BillsSplitUsedUp,
    TakesNoBills,
)

OPENED = date(2026, 1, 5)  # statements are cut on the 1st and fall due on the 10th


@pytest.fixture
def world(store: Store) -> World:
    return open_book(store, opened=OPENED)


def asked(
    world: World, account: AccountId, number: int, amount: int, product: str, count: int
) -> BillSplit | FenqiError:
    (answer,) = split_bill(
        world.ground, [bill_split(world, account, number, amount, product, count)]
    )
    return answer


def split(world: World, account: AccountId, number: int, amount: int) -> PlanId:
    answer = done(asked(world, account, number, amount, "flat", 3))
    return PlanId(UUID(answer.plan_id))


def plans_of(world: World) -> int:
    return int(row(world.store, "SELECT COUNT(*) FROM plans"))


@pytest.mark.parametrize(("product", "count"), [("unsplit", 1), ("free4", 4)])
def test_no_bill_is_put_off_for_nothing(world: World, product: str, count: int) -> None:
    account = enrol(world)
    buy(world, account, 60_000)
    until(world, date(2026, 2, 3))
    refused = asked(world, account, 1, 60_000, product, count)
    assert isinstance(refused, TakesNoBills)
    assert refused.fields == {"product": product, "offered": ["annuity18", "flat"]}
    assert plans_of(world) == 1
    assert_sound(world)


def test_a_bill_becomes_only_what_the_account_may_be_offered(world: World) -> None:
    account = enrol(world)
    buy(world, account, 60_000)
    until(world, date(2026, 2, 3))
    with as_owner(world.store) as session:
        assert session.run("UPDATE accounts SET price_grade = 1 WHERE kind = 'customer'")
    refused = asked(world, account, 1, 60_000, "flat", 3)
    assert isinstance(refused, BillPlanNotOffered)
    assert refused.fields == {"product": "flat", "offered": ["annuity18"]}
    done(asked(world, account, 1, 60_000, "annuity18", 3))
    assert_sound(world)


def test_a_year_has_so_many_bills_that_become_plans(world: World) -> None:
    account = enrol(world, statement_day=1)
    for month in range(2, 6):
        buy(world, account, 60_000)
        until(world, date(2026, month, 3))
        pay_plans(world, account)  # what earlier bills ask for is paid, the purchase is not
        split(world, account, month - 1, 60_000)
    buy(world, account, 60_000)
    until(world, date(2026, 6, 3))
    refused = asked(world, account, 5, 60_000, "flat", 3)
    assert isinstance(refused, BillsSplitUsedUp)
    assert refused.fields == {
        "product": "flat",
        "used": 4,
        "allowed": 4,
        "again_on": date(2027, 2, 3),
    }
    assert_sound(world)


def pay_plans(world: World, account: AccountId) -> None:
    """End every plan that a bill became."""
    sql = "SELECT plan_id FROM plans WHERE parent_plan_id IS NOT NULL AND state = 'active'"
    for (plan,) in rows(world.store, sql):
        end_early(world, account, plan, 70_000)


def test_what_was_moved_twice_is_paid(world: World) -> None:
    account = enrol(world)
    buy(world, account, 60_000)
    until(world, date(2026, 2, 3))
    first = split(world, account, 1, 60_000)
    until(world, date(2026, 3, 3))
    second = split(world, account, 2, 20_300)  # of the first plan, its first instalment
    until(world, date(2026, 4, 3))
    asks = rows(
        world.store,
        "SELECT plan_id, open_minor FROM instalments WHERE due_on = '2026-04-10' ORDER BY 2",
    )
    assert {plan for plan, _ in asks} == {first, second}
    third = split(world, account, 3, dict(asks)[first])  # what was moved twice stays where it is
    given = "SELECT COUNT(*) FROM bill_parts WHERE parent_plan_id = %(plan)s"
    assert row(world.store, given, plan=second) == 0
    for plan in (first, third):
        end_early(world, account, plan, 70_000)
    pay(world, account, dict(asks)[second])
    until(world, date(2026, 5, 3))
    left = row(
        world.store,
        "SELECT open_minor FROM instalments WHERE due_on = '2026-05-10' AND open_minor > 0",
    )
    refused = asked(world, account, 4, left, "flat", 3)
    assert isinstance(refused, BillMovedUsedUp)
    assert refused.fields == {"statement": 4, "product": "flat", "moved": 2, "allowed": 2}
    assert_sound(world)


def test_two_wishes_for_one_statement_in_one_batch_split_it_once(world: World) -> None:
    account = enrol(world)
    buy(world, account, 60_000)
    until(world, date(2026, 2, 3))
    wishes = [bill_split(world, account, 1, 60_000) for _ in range(2)]
    first, second = split_bill(world.ground, wishes)
    assert isinstance(first, BillSplit)
    assert isinstance(second, FenqiError)
    assert plans_of(world) == 2
    assert_sound(world)


PROTECTED = {
    "held": "UPDATE accounts SET held_until = %(later)s WHERE kind = 'customer'",
    "frozen": "UPDATE accounts SET frozen_until = %(later)s WHERE kind = 'customer'",
    "to be checked": "UPDATE accounts SET step_up_until = %(later)s WHERE kind = 'customer'",
    "above its limit": "UPDATE accounts SET limit_minor = 0 WHERE kind = 'customer'",
    "closed to purchases": "UPDATE accounts SET status = 'frozen' WHERE kind = 'customer'",
}


@pytest.mark.parametrize("how", PROTECTED)
def test_no_protection_stops_paying_later_paying_early_or_withdrawing(
    world: World, how: str
) -> None:
    account = enrol(world)
    buy(world, account, 60_000)
    _, long = buy(world, account, 60_000, "flat", 6)
    _, other = buy(world, account, 60_000, "flat", 12)
    until(world, date(2026, 2, 3))
    _, fresh = buy(world, account, 60_000, "flat", 3)
    with as_owner(world.store) as session:
        later = datetime.fromisoformat("2027-01-01T00:00:00+00:00")
        assert session.run(PROTECTED[how], {"later": later})
    done(withdraw(world.ground, [withdrawal(world, account, fresh, 60_000)])[0])
    done(defer(world.ground, [deferred(world, account, long, 5)])[0])
    done(extend(world.ground, [extended(world, account, long, 3)])[0])
    done(settle(world.ground, [settlement(world, account, other, 61_000)])[0])
    done(asked(world, account, 1, 60_000, "flat", 3))
    assert used(world, account)[0] > 0
    assert owed_to(world, account)[0] > 0
    assert_sound(world)


def test_what_is_overdue_becomes_no_plan(world: World) -> None:
    account = enrol(world)
    buy(world, account, 60_000)
    buy(world, account, 120_000, "flat", 6)
    until(world, date(2026, 3, 3))
    statement = row(world.store, "SELECT MAX(number) FROM statements")
    refused = asked(world, account, statement, 60_000 + 2 * 20_600, "flat", 3)
    assert isinstance(refused, OperationUntimely)
    assert refused.fields["reason"] == "something is overdue"
    assert_sound(world)
