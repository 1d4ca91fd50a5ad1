"""What customers ask for, from the command to the books, and the closes of the days after."""

from datetime import date, timedelta
from uuid import UUID

import pytest
from make_book import (
    World,
    as_owner,
    assert_sound,
    bill_split,
    buy,
    day_changed,
    deferred,
    done,
    end_early,
    enrol,
    extended,
    give_back,
    open_book,
    owed_to,
    pay,
    row,
    rows,
    until,
    used,
    withdrawal,
)

from fenqi.core.errors import Conflict, Invalid, Missing
from fenqi.core.terms.life.refusal import OperationSenseless, OperationUntimely
from fenqi.core.values.ids import PlanId
from fenqi.flows.change_due_day import change_due_day
from fenqi.flows.defer import defer
from fenqi.flows.extend import extend
from fenqi.flows.split_bill import BillDiffers, split_bill
from fenqi.flows.withdraw import withdraw
from fenqi.report.check import check
from fenqi.store import views
from fenqi.store.pool import Store
from fenqi.store.splits import BillTooSmall, StatementPast
from fenqi.store.statements import StatementMissing

OPEN_ON = """
    SELECT COALESCE(SUM(open_minor), 0)::bigint FROM instalments WHERE due_on = %(day)s
"""
OPENED = date(2026, 1, 5)  # statements are cut on the 1st and fall due on the 10th


@pytest.fixture
def world(store: Store) -> World:
    return open_book(store, opened=OPENED)


def due_days(world: World, plan: PlanId) -> list[date]:
    sql = "SELECT due_on FROM instalments WHERE plan_id = %(plan)s ORDER BY number"
    return [one for (one,) in rows(world.store, sql, plan=plan)]


def open_of(world: World, plan: PlanId) -> list[int]:
    sql = "SELECT open_minor FROM instalments WHERE plan_id = %(plan)s ORDER BY number"
    return [one for (one,) in rows(world.store, sql, plan=plan)]


def named(world: World, number: int) -> list[tuple[date, int]]:
    """Return the due days and amounts on a statement."""
    sql = """
        SELECT due_on, principal_minor + interest_minor + fee_minor + penalty_minor
        FROM statement_lines WHERE statement_number = %(number)s ORDER BY line
    """
    return rows(world.store, sql, number=number)


def events(world: World, kind: str) -> list[dict[str, object]]:
    sql = "SELECT payload FROM events WHERE kind = %(kind)s ORDER BY account_id, number"
    return [one for (one,) in rows(world.store, sql, kind=kind)]


def test_a_deferred_instalment_falls_due_later_and_costs_nothing(world: World) -> None:
    account = enrol(world)
    _, plan = buy(world, account, 30_000, "flat", 3)
    until(world, date(2026, 2, 5))
    granted = done(defer(world.ground, [deferred(world, account, plan, 10)])[0])
    assert (granted.cost_minor, granted.due_on[0]) == (0, "2026-02-20")
    assert due_days(world, plan) == [date(2026, 2, 20), date(2026, 3, 10), date(2026, 4, 10)]
    told = row(world.store, "SELECT topic FROM outbox WHERE topic = 'customer'")
    assert told == "customer"
    assert_sound(world)
    until(world, date(2026, 2, 21))  # paid on its new day, it was never late
    pay(world, account, 10_150, days_ago=1)
    until(world, date(2026, 3, 1))
    assert open_of(world, plan) == [0, 10_150, 10_150]
    assert_sound(world)


def test_a_deferred_instalment_that_stays_unpaid_is_late_from_its_new_day(world: World) -> None:
    account = enrol(world)
    _, plan = buy(world, account, 30_000, "flat", 3)
    until(world, date(2026, 2, 5))
    done(defer(world.ground, [deferred(world, account, plan, 10)])[0])
    until(world, date(2026, 3, 2))
    sql = "SELECT bucket, oldest_due_on FROM plans"
    assert row(world.store, sql) == (1, date(2026, 2, 20))
    assert [on for on, _ in named(world, 2)] == [date(2026, 2, 20), date(2026, 3, 10)]
    until(world, date(2026, 9, 1))
    assert row(world.store, "SELECT state FROM plans") == "written-off"
    assert_sound(world)


def test_what_is_deferred_before_its_statement_is_named_by_it_still(world: World) -> None:
    account = enrol(world)
    _, plan = buy(world, account, 30_000, "flat", 3)
    until(world, date(2026, 1, 20))
    done(defer(world.ground, [deferred(world, account, plan, 10)])[0])
    until(world, date(2026, 2, 2))
    assert named(world, 1) == [(date(2026, 2, 20), 10_150)]
    assert row(world.store, "SELECT billed_count, unbilled_due_on FROM plans") == (
        1,
        date(2026, 3, 10),
    )
    assert_sound(world)


def test_a_third_deferral_in_a_year_is_refused_and_leaves_nothing(world: World) -> None:
    account = enrol(world)
    _, plan = buy(world, account, 120_000, "flat", 12)
    for month in (2, 3):
        until(world, date(2026, month, 5))
        done(defer(world.ground, [deferred(world, account, plan, 3)])[0])
        until(world, date(2026, month, 13))
        pay(world, account, 10_600)
    until(world, date(2026, 4, 5))
    (refused,) = defer(world.ground, [deferred(world, account, plan, 3)])
    assert isinstance(refused, OperationUntimely)
    assert refused.fields["reason"] == "as often as a year allows"
    assert len(events(world, "instalment-deferred")) == 2
    assert_sound(world)


@pytest.mark.parametrize(
    ("days", "cost", "refusal"),
    [(11, 0, Invalid), (0, 0, Invalid), (5, 1, Invalid), (-5, 0, Invalid)],
)
def test_a_deferral_that_makes_no_sense_is_refused(
    world: World, days: int, cost: int, refusal: type[Exception]
) -> None:
    account = enrol(world)
    _, plan = buy(world, account, 30_000, "flat", 3)
    (refused,) = defer(world.ground, [deferred(world, account, plan, days, cost_minor=cost)])
    assert isinstance(refused, refusal)
    (missing,) = defer(world.ground, [deferred(world, account, PlanId(account), 3)])
    assert isinstance(missing, Missing)
    assert events(world, "instalment-deferred") == []


def test_all_that_is_to_come_moves_to_another_day_and_statements_follow(world: World) -> None:
    account = enrol(world)
    _, plan = buy(world, account, 40_000, "free4", 4)
    until(world, date(2026, 1, 20))
    done(change_due_day(world.ground, [day_changed(world, account, plan, 25)])[0])
    assert due_days(world, plan) == [date(2026, month, 25) for month in (2, 3, 4, 5)]
    until(world, date(2026, 2, 2))
    assert named(world, 1) == [(date(2026, 2, 25), 10_000)]
    for number, month in enumerate((2, 3, 4, 5), start=1):
        until(world, date(2026, month, 25))
        pay(world, account, 10_000)
        assert named(world, number) == [(date(2026, month, 25), 10_000)]
    until(world, date(2026, 6, 3))
    assert row(world.store, "SELECT state, bucket FROM plans") == ("closed", 0)
    assert row(world.store, "SELECT COUNT(*) FROM statements") == 4
    assert_sound(world)


def test_an_extended_plan_asks_for_less_at_once_and_ends_later(world: World) -> None:
    account = enrol(world)
    _, plan = buy(world, account, 60_000, "annuity18", 3)
    whole = sum(open_of(world, plan))
    until(world, date(2026, 2, 5))
    granted = done(extend(world.ground, [extended(world, account, plan, 3)])[0])
    assert granted.cost_minor == 0
    assert due_days(world, plan) == [date(2026, month, 10) for month in (2, 3, 4, 5, 6, 7)]
    assert sum(open_of(world, plan)) == whole
    assert_sound(world)
    for month in range(2, 8):
        until(world, date(2026, month, 10))
        pay(world, account, open_of(world, plan)[month - 2])
        assert_sound(world)
    until(world, date(2026, 8, 2))
    assert row(world.store, "SELECT state, principal_open_minor FROM plans") == ("closed", 0)
    assert row(world.store, "SELECT COUNT(*) FROM statements") == 6
    assert used(world, account) == (0, 0)
    assert_sound(world)


def test_a_payment_found_later_takes_the_added_instalments_away_again(world: World) -> None:
    account = enrol(world)
    _, plan = buy(world, account, 60_000, "flat", 3)
    until(world, date(2026, 2, 5))
    done(extend(world.ground, [extended(world, account, plan, 2)])[0])
    until(world, date(2026, 3, 2))
    assert len(named(world, 2)) == 2  # what is overdue, and what falls due next
    end_early(world, account, plan, 70_000, days_ago=26)
    assert row(world.store, "SELECT state FROM plans") == "closed"
    assert open_of(world, plan) == [0] * 5
    assert_sound(world)


def test_nobody_has_reviewed_it_so_nothing_is_extended(world: World) -> None:
    account = enrol(world)
    _, plan = buy(world, account, 60_000, "flat", 3)
    (refused,) = extend(world.ground, [extended(world, account, plan, 2, reviewed_by=" ")])
    assert isinstance(refused, OperationSenseless)
    assert refused.fields["reason"] == "nobody has reviewed it"


def test_a_statement_becomes_a_plan_and_nothing_is_lent_twice(world: World) -> None:
    account = enrol(world)
    _, first = buy(world, account, 60_000)
    _, second = buy(world, account, 120_000, "flat", 6)
    until(world, date(2026, 2, 3))
    before = used(world, account)
    asked = 60_000 + 20_600
    split = done(split_bill(world.ground, [bill_split(world, account, 1, asked, "flat", 3)])[0])
    assert split.due_on == ["2026-03-10", "2026-04-10", "2026-05-10"]
    assert used(world, account) == (before[0] + 600, 0)  # the fee became principal
    sql = "SELECT plan_id, state FROM plans WHERE parent_plan_id IS NOT NULL"
    assert [str(one[0]) for one in rows(world.store, sql)] == [split.plan_id]
    assert open_of(world, first) == [0]
    assert open_of(world, second)[0] == 0
    lent = "SELECT SUM(amount_minor)::bigint FROM transfers WHERE credit = 'merchant-payable'"
    assert row(world.store, lent) == 180_000
    assert_sound(world)
    until(world, date(2026, 3, 2))
    assert [on for on, _ in named(world, 2)] == [date(2026, 3, 10)] * 2
    while world.day < date(2026, 7, 20):
        until(world, world.day + timedelta(days=1))
        if world.day.day == 10 and (due := row(world.store, OPEN_ON, day=world.day)):
            pay(world, account, due)
    assert {one for (one,) in rows(world.store, "SELECT state FROM plans")} == {"closed"}
    assert used(world, account) == (0, 0)
    assert owed_to(world, account) == (0, 0)
    assert_sound(world)


def test_what_became_of_a_bill_belongs_to_the_month_of_the_purchase(world: World) -> None:
    account = enrol(world)
    buy(world, account, 60_000)
    until(world, date(2026, 2, 3))
    done(split_bill(world.ground, [bill_split(world, account, 1, 60_000, "flat", 3)])[0])
    until(world, date(2026, 4, 20))  # nothing of it was paid
    with world.store.transaction() as session:
        found = views.vintages(session, "book", date(2026, 4, 19))
    assert [(one.vintage, one.stage, one.plans, one.principal_minor) for one in found] == [
        (OPENED.replace(day=1), "lent", 1, 60_000),
        (OPENED.replace(day=1), "over-30", 1, 60_000),
    ]
    assert_sound(world)


TAMPERED = {
    "less was given over than was lent": (
        "UPDATE bill_parts SET amount_minor = amount_minor - 1",
        {"M2 bill instalments"},
    ),
    "nobody knows who gave it over": ("DELETE FROM bill_parts", {"M2 bill instalments"}),
    "it was paid, not moved": (
        "UPDATE changed_instalments SET principal_paid_minor = principal_moved_minor,"
        " principal_moved_minor = 0 WHERE principal_moved_minor > 0",
        {"M8 instalment 1"},
    ),
    "it was moved and is owed still": (
        "UPDATE changed_instalments SET open_minor = principal_moved_minor,"
        " principal_moved_minor = 0 WHERE principal_moved_minor > 0",
        {"M1 control accounts", "M8 instalment 1"},
    ),
    "an instalment falls due on another day": (
        "UPDATE changed_instalments SET due_on = due_on + 1 WHERE due_on = '2026-02-20'",
        {"M8 instalment 1"},
    ),
    "a deferral was longer": (
        "UPDATE operations SET parameters = parameters || '{\"days\": 9}' WHERE kind = 'defer'",
        {
            *("M8 instalment 1", "M8 instalment 2", "M8 oldest claim"),
            "M8 ledger from income-fee to deferred-income",
        },
    ),
    "rows that were moved pass for signed ones": (
        "UPDATE plans SET is_rearranged = FALSE WHERE is_rearranged",
        {"M2 instalments", "M8 rows other than signed"},
    ),
}


@pytest.mark.parametrize("what", TAMPERED)
def test_the_nightly_check_finds_what_was_changed_behind_its_back(world: World, what: str) -> None:
    account = enrol(world)
    other = enrol(world, "ben")
    buy(world, account, 60_000)
    _, plan = buy(world, other, 30_000, "flat", 3)
    until(world, date(2026, 2, 3))
    done(split_bill(world.ground, [bill_split(world, account, 1, 60_000, "flat", 3)])[0])
    done(defer(world.ground, [deferred(world, other, plan, 10)])[0])
    assert_sound(world)
    change, found = TAMPERED[what]
    with as_owner(world.store) as session:
        assert session.run(change)
    assert {one.what for one in check(world.store).findings} == found


def test_a_refund_reaches_what_another_plan_took_over(world: World) -> None:
    account = enrol(world)
    order, _ = buy(world, account, 60_000)
    until(world, date(2026, 2, 3))
    bill = bill_split(world, account, 1, 60_000, "flat", 3)
    child = PlanId(UUID(done(split_bill(world.ground, [bill])[0]).plan_id))
    refunded = give_back(world, account, order, 60_000)
    assert (refunded.principal_minor, refunded.returned_minor) == (60_000, 0)
    assert open_of(world, child) == [0, 0, 0]
    assert used(world, account) == (0, 0)
    assert_sound(world)
    assert row(world.store, "SELECT MAX(state) FROM plans") == "closed"


def test_what_was_paid_on_a_bill_comes_back_when_its_goods_do(world: World) -> None:
    account = enrol(world)
    order, _ = buy(world, account, 60_000)
    until(world, date(2026, 2, 3))
    done(split_bill(world.ground, [bill_split(world, account, 1, 60_000, "flat", 3)])[0])
    until(world, date(2026, 3, 10))
    pay(world, account, 20_300)
    refunded = give_back(world, account, order, 60_000)
    assert refunded.returned_minor == 20_300
    assert owed_to(world, account) == (0, 20_300)
    assert_sound(world)
    until(world, date(2026, 3, 13))
    assert owed_to(world, account) == (0, 0)
    assert_sound(world)


def test_a_payment_on_its_way_while_the_bill_was_split_is_the_customers_credit(
    world: World,
) -> None:
    account = enrol(world)
    buy(world, account, 120_000, "flat", 6)
    until(world, date(2026, 2, 5))
    done(split_bill(world.ground, [bill_split(world, account, 1, 20_600, "flat", 3)])[0])
    until(world, date(2026, 2, 6))
    pay(world, account, 5_000, days_ago=3)  # received before the split, told after it
    assert_sound(world)
    credit, _ = owed_to(world, account)
    until(world, date(2026, 3, 11))
    assert owed_to(world, account)[0] <= credit
    assert_sound(world)


def test_a_bill_is_refused_when_it_is_not_what_was_shown(world: World) -> None:
    account = enrol(world)
    buy(world, account, 60_000)
    until(world, date(2026, 2, 3))

    def asked(number: int, amount: int) -> object:
        (answer,) = split_bill(world.ground, [bill_split(world, account, number, amount)])
        return type(answer)

    assert asked(7, 60_000) is StatementMissing
    assert asked(1, 59_999) is BillDiffers
    pay(world, account, 59_500)
    assert asked(1, 500) is BillTooSmall
    pay(world, account, 500)
    assert asked(1, 0) is BillTooSmall
    buy(world, account, 70_000)
    until(world, date(2026, 3, 2))
    assert asked(1, 60_000) is StatementPast
    until(world, date(2026, 3, 11))
    assert asked(2, 70_000) is OperationSenseless  # its days are past
    assert_sound(world)


def test_who_withdraws_pays_what_was_used_and_no_fee(world: World) -> None:
    account = enrol(world)
    _, fee = buy(world, account, 60_000, "flat", 6)
    _, interest = buy(world, account, 60_000, "annuity18", 6)
    until(world, OPENED + timedelta(days=7))
    (short,) = withdraw(world.ground, [withdrawal(world, account, fee, 59_999)])
    assert isinstance(short, Conflict)
    (ended,) = withdraw(world.ground, [withdrawal(world, account, fee, 60_100)])
    assert (done(ended).quote_minor, done(ended).credit_minor) == (60_000, 100)
    assert done(ended).saving_minor == 1_800
    (used_up,) = withdraw(world.ground, [withdrawal(world, account, interest, 60_175)])
    assert done(used_up).quote_minor == 60_000 + 900 * 7 // 36  # of its first month
    assert used(world, account) == (0, 0)
    assert_sound(world)
    until(world, date(2026, 2, 3))
    assert row(world.store, "SELECT COUNT(*) FROM statements") == 0
    assert_sound(world)


def test_after_the_days_of_the_pack_nobody_can_withdraw(world: World) -> None:
    account = enrol(world)
    _, plan = buy(world, account, 60_000, "flat", 6)
    until(world, OPENED + timedelta(days=8))
    (refused,) = withdraw(world.ground, [withdrawal(world, account, plan, 70_000)])
    assert isinstance(refused, OperationUntimely)
    assert refused.fields["reason"] == "the days to withdraw are over"


def test_requests_sent_again_get_their_first_answer(world: World) -> None:
    account = enrol(world)
    _, plan = buy(world, account, 60_000, "flat", 6)
    command = deferred(world, account, plan, 5)
    first, copy = defer(world.ground, [command, command])
    assert first == copy == defer(world.ground, [command])[0]
    assert len(events(world, "instalment-deferred")) == 1
    assert_sound(world)
