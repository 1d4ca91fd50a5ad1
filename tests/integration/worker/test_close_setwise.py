"""What the close writes set-wise is what it would write plan by plan."""

import dataclasses
import random
from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from make_book import (
    World,
    assert_sound,
    bill_split,
    day_changed,
    deferred,
    dump,
    enrol,
    extended,
    open_book,
    pay,
    purchase,
    returned,
    row,
    until,
)

from fenqi.core.errors import FenqiError
from fenqi.core.servicing.ageing import bucket_of, days_past_due
from fenqi.core.values.ids import AccountId, PlanId
from fenqi.flows.authorise import authorise
from fenqi.flows.change_due_day import change_due_day
from fenqi.flows.defer import defer
from fenqi.flows.extend import extend
from fenqi.flows.refund import refund
from fenqi.flows.split_bill import BillDiffers, split_bill
from fenqi.store import accounts, billing, books, closes, crossings, earning, plans
from fenqi.store.booking import Booking
from fenqi.store.closes import Task
from fenqi.store.ground import Ground
from fenqi.store.pool import Store
from fenqi.worker import close

PRODUCTS = (("unsplit", 1), ("flat", 3), ("free4", 4), ("annuity18", 6))
ROUNDS = 14
PEOPLE = 24
EXCUSE = """
INSERT INTO excused_days SELECT book_id, unnest(%(days)s::date[]), %(incident)s FROM books
"""
NAMED = """
SELECT account_id, plan_id FROM plans
WHERE account_id = ANY(%(accounts)s::uuid[]) AND (
    unbilled_due_on <= %(due_on)s AND unbilled_due_on > %(horizon)s
    OR is_rearranged AND unbilled_due_on <= %(named)s AND unbilled_due_on > %(horizon)s
    OR oldest_due_on < %(day)s AND oldest_due_on > %(horizon)s AND state = 'active'
)
ORDER BY account_id, plan_id
"""
OWING = """
SELECT account_id, plan_id FROM plans
WHERE account_id = ANY(%(accounts)s::uuid[]) AND oldest_due_on < %(day)s
ORDER BY account_id, plan_id
"""
EARNING = """
SELECT account_id, plan_id FROM plans
WHERE account_id = ANY(%(accounts)s::uuid[]) AND is_earning AND recognised_through < %(day)s
    AND (oldest_due_on IS NULL OR oldest_due_on > %(non_accrual)s)
ORDER BY account_id, plan_id
"""
DAYS_BACK = 400
SET_WISE = (
    (billing, "cut_in_time"),
    (billing, "to_replay"),
    (crossings, "cross"),
    (earning, "recognise_in_time"),
    (earning, "to_replay"),
)


def live(store: Store, seed: int) -> World:
    """Live half a year: many buy again and again, some pay late, some never, some return goods.

    Some ask for a deferral, another due day, more instalments, or a plan for their statement.
    """
    world = open_book(store)
    chance = random.Random(seed)
    people = [enrol(world, f"p{n}", statement_day=chance.randint(1, 31)) for n in range(PEOPLE)]
    outage = [world.day + timedelta(days=chance.randint(30, 150)) for _ in range(6)]
    with store.transaction() as session:
        session.run("SET LOCAL ROLE NONE")
        session.run(EXCUSE, {"days": sorted(set(outage)), "incident": UUID(int=seed)})
    orders: list[Any] = []
    begun: list[tuple[AccountId, PlanId]] = []
    for _ in range(ROUNDS):
        for person in people:
            if chance.random() < 0.6:
                command = purchase(
                    world, person, chance.randint(300, 90_000), *chance.choice(PRODUCTS)
                )
                (answer,) = authorise(world.ground, [command])
                if not isinstance(answer, FenqiError) and answer.order_id:
                    orders.append((person, UUID(answer.order_id)))
                    begun.append((person, PlanId(UUID(str(answer.plan_id)))))
        for person in chance.sample(people[2:], 9):  # the first two never pay
            pay(world, person, chance.randint(500, 70_000), days_ago=chance.choice((0, 0, 0, 2)))
        asking = [one for one in begun if one[0] in people[PEOPLE // 2 :]]
        for person, plan in chance.sample(asking, min(4, len(asking))):
            ask(world, person, plan, chance.randint(0, 3), chance.randint(1, 10))
        for person, order in chance.sample(orders, min(2, len(orders))):
            refund(world.ground, [returned(world, person, order, chance.randint(100, 9_000))])
        until(world, world.day + timedelta(days=chance.randint(6, 17)))
    return world


def ask(world: World, person: AccountId, plan: PlanId, what: int, number: int) -> None:
    """Ask for something; it may well be refused."""
    if what == 0:
        defer(world.ground, [deferred(world, person, plan, number)])
    elif what == 1:
        change_due_day(world.ground, [day_changed(world, person, plan, 3 * number)])
    elif what == 2:
        extend(world.ground, [extended(world, person, plan, number)])
    else:
        sql = "SELECT statement_count FROM accounts WHERE account_id = %(person)s"
        latest = row(world.store, sql, person=person)
        (refused,) = split_bill(world.ground, [bill_split(world, person, latest, 0)])
        if isinstance(refused, BillDiffers):  # it says what is asked for
            asked = refused.fields["asked_minor"]
            split_bill(world.ground, [bill_split(world, person, latest, asked)])  # type: ignore[arg-type] # an int


def age_plan_by_plan(ground: Ground, task: Task) -> int:
    """Twin of the step `age`: every plan that may turn is replayed and asked for its bucket."""
    booking, crossed = Booking(ground), 0
    with ground.store.transaction() as session:
        book = books.read(session, task.book_id)
        if not closes.is_open(session, task, book):
            return 0
        days = [task.day - timedelta(days=number) for number in range(1, DAYS_BACK)]
        for page in closes.owing_since(session, book, task, days):
            keys = plans.keys_of(session.rows(OWING, {"accounts": page, "day": task.day}))
            locked = accounts.lock(session, {account for account, _ in keys})
            for record in plans.load(session, keys, ground.catalogue).values():
                late = days_past_due(
                    record.projection().oldest_claim_due_on, task.day, book.excused
                )
                bucket = bucket_of(late, record.pack.bucket_bounds)
                if bucket == record.bucket:
                    continue
                happening = booking.event(
                    locked[record.account_id],
                    "bucket-crossed",
                    payload={
                        "plan_id": record.plan_id,
                        "from": record.bucket,
                        "to": bucket,
                        "due_on": record.projection().oldest_claim_due_on,
                    },
                )
                booking.age(happening, record, bucket)
                crossed += 1
        booking.write(session)
        closes.finish(session, task, crossed, booking.now)
    return crossed


def replay_everything(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the two set-wise steps replay every plan instead."""
    steps = [
        dataclasses.replace(step, flow=age_plan_by_plan) if step.name == "age" else step
        for step in close.STEPS
    ]
    monkeypatch.setattr(close, "STEPS", tuple(steps))
    monkeypatch.setattr(
        billing,
        "to_replay",
        lambda session, page, cut: plans.keys_of(session.rows(NAMED, cut.asked(page))),
    )
    monkeypatch.setattr(billing, "cut_in_time", lambda *_: 0)
    monkeypatch.setattr(
        earning,
        "to_replay",
        lambda session, page, month: plans.keys_of(session.rows(EARNING, month.asked(page))),
    )
    monkeypatch.setattr(earning, "recognise_in_time", lambda *_: 0)


def count(monkeypatch: pytest.MonkeyPatch) -> dict[str, int]:
    """Count what the set-wise steps do from now on."""
    counted = {}
    for room, name in SET_WISE:
        own, key = getattr(room, name), f"{room.__name__}.{name}"
        counted[key] = 0

        def counting(*asked: Any, own: Any = own, key: str = key) -> Any:
            found = own(*asked)
            counted[key] += found if isinstance(found, int) else len(found)
            return found

        monkeypatch.setattr(room, name, counting)
    return counted


@pytest.mark.parametrize("seed", [1, 2])
def test_the_same_lives_closed_set_wise_and_plan_by_plan_leave_the_same_tables(
    copied: Callable[[str], str], template: str, seed: int
) -> None:
    dumps = []
    for is_set_wise in (True, False):
        with pytest.MonkeyPatch.context() as monkeypatch:
            if not is_set_wise:
                replay_everything(monkeypatch)
            counted = count(monkeypatch)
            store = Store.open(copied(template))
            world = live(store, seed)
            assert_sound(world)
            dumps.append(dump(store))
            store.close()
            if is_set_wise:
                assert min(counted.values()) > 20, counted
            else:
                assert [one for one in counted if not counted[one]] == [
                    "fenqi.store.billing.cut_in_time",
                    "fenqi.store.crossings.cross",
                    "fenqi.store.earning.recognise_in_time",
                ]
    assert dumps[0] == dumps[1]
    assert dumps[0]["statements"][0] > 60
    assert dumps[0]["bill_parts"][0] > 3
