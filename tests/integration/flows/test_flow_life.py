"""Any life of a book keeps the promises: seeded random commands and closes over months."""

import random
from datetime import timedelta

import pytest
from make_book import (
    World,
    assert_sound,
    dump,
    enrol,
    open_book,
    payment,
    purchase,
    returned,
    row,
    rows,
    settlement,
    shipment,
    until,
    used,
)

from fenqi.core.errors import Conflict, FenqiError
from fenqi.core.values.ids import AccountId, OrderId, PlanId
from fenqi.flows.authorise import authorise
from fenqi.flows.capture import capture
from fenqi.flows.receive import MoneyState, receive
from fenqi.flows.refund import refund
from fenqi.flows.settle import settle
from fenqi.store.commands import Command
from fenqi.store.pool import Store

PRODUCTS = (("unsplit", 1), ("flat", 3), ("flat", 12), ("free4", 4), ("annuity18", 6))
FLOWS = {
    "authorise": authorise,
    "capture": capture,
    "receive": receive,
    "refund": refund,
    "settle": settle,
}
ROUNDS = 50
SILENT_AFTER = 8  # rounds, after which two people are never heard of again


class Chance:
    """Draws the next commands of a book's people from a seed."""

    def __init__(self, world: World, people: list[AccountId], seed: int) -> None:
        self.world = world
        self.people = people
        self.random = random.Random(seed)

    def amount(self) -> int:
        return int(10 ** self.random.uniform(2, 5.3))

    def days_ago(self) -> int:
        return self.random.choice((0, 0, 0, 1, 5, 20, 45))

    def command(self, person: AccountId) -> Command | None:
        draw = self.random.random()
        if draw < 0.35:
            product, count = self.random.choice(PRODUCTS)
            is_taken = self.random.random() < 0.7
            amount = self.amount()
            return purchase(self.world, person, amount, product, count, capture_now=is_taken)
        if draw < 0.65:
            return self.money(person)
        found = rows(
            self.world.store,
            """
            SELECT o.order_id, o.amount_minor, p.plan_id, p.principal_minor
            FROM orders AS o LEFT JOIN plans AS p USING (account_id, order_id)
            WHERE o.account_id = %(person)s ORDER BY 1, 3
            """,
            person=person,
        )
        if not found:
            return None
        order, amount, plan, lent = self.random.choice(found)
        if draw < 0.75:
            part = self.random.choice((amount, amount // 2, amount // 3 + 1))
            return shipment(self.world, person, OrderId(order), part)
        if draw < 0.92 or plan is None:
            part = self.random.choice((amount, amount // 2, amount // 7 + 1))
            days_ago = self.days_ago()
            return returned(self.world, person, OrderId(order), part, days_ago=days_ago)
        asked = self.random.choice((lent, lent + lent // 5, lent // 2))
        return settlement(self.world, person, PlanId(plan), max(1, asked), days_ago=self.days_ago())

    def money(self, person: AccountId) -> Command:
        waiting = rows(
            self.world.store,
            "SELECT receipt_id, amount_minor FROM receipts "
            "WHERE account_id = %(person)s AND state = 'pending' ORDER BY 1",
            person=person,
        )
        if waiting and self.random.random() < 0.5:
            receipt, amount = waiting[0]
            state = self.random.choice((MoneyState.FINAL, MoneyState.FINAL, MoneyState.REVERSED))
            return payment(self.world, person, amount, state=state, receipt=str(receipt))
        state = self.random.choice((MoneyState.FINAL, MoneyState.FINAL, MoneyState.PENDING))
        return payment(self.world, person, self.amount(), days_ago=self.days_ago(), state=state)


@pytest.mark.parametrize("seed", [1, 2])
def test_any_life_of_a_book_keeps_its_promises(store: Store, seed: int) -> None:
    world = open_book(store, seed=seed)
    people = [
        enrol(world, f"p{n}", limit_minor=400_000, statement_day=day)
        for n, day in enumerate((1, 9, 15, 22, 28, 31))
    ]
    chance = Chance(world, people, seed)
    told: dict[str, list[object]] = {}
    for number in range(ROUNDS):
        batches: dict[str, list[Command]] = {}
        if number == SILENT_AFTER:
            batches["authorise"] = [purchase(world, one, 30_000) for one in people[4:]]
        for _ in range(chance.random.randint(1, 14)):
            active = people[: 4 if number > SILENT_AFTER else 6]
            command = chance.command(chance.random.choice(active))
            if command is not None:
                batches.setdefault(command.kind, []).append(command)
        for kind, commands in batches.items():
            answers = FLOWS[kind](world.ground, commands)  # type: ignore[operator] # by its kind
            told.setdefault(kind, []).extend(answers)
            kept = [one for one in answers if not isinstance(one, FenqiError)]
            again = FLOWS[kind](world.ground, commands)  # type: ignore[operator]
            assert [one for one in again if not isinstance(one, FenqiError)] == kept, f"{seed=}"
        for person in people:
            used(world, person)
        until(world, world.day + timedelta(days=chance.random.choice((1, 3, 5, 9))))
    until(world, world.day + timedelta(days=30))
    booked = {kind: sum(not isinstance(a, FenqiError) for a in told[kind]) for kind in FLOWS}
    assert sum(booked.values()) > 200, f"{seed=}: {booked}"
    assert min(booked.values()) > 0, f"{seed=}: {booked}"
    refused = [one for answers in told.values() for one in answers if isinstance(one, FenqiError)]
    assert {type(one).__mro__[1] for one in refused} == {Conflict}, f"{seed=}"
    assert row(store, "SELECT COUNT(*) FROM plans WHERE state = 'written-off'") > 0
    assert_sound(world)


def test_commands_sent_again_a_month_later_change_nothing(store: Store) -> None:
    world = open_book(store)
    person = enrol(world)
    chance = Chance(world, [person], 11)
    commands = [chance.command(person) for _ in range(10)]
    for command in commands:
        if command is not None:
            FLOWS[command.kind](world.ground, [command])  # type: ignore[operator]
    until(world, world.day + timedelta(days=40))
    before = dump(store)
    for command in commands:  # every command once more, after all that
        if command is not None and not isinstance(
            FLOWS[command.kind](world.ground, [command])[0],  # type: ignore[operator]
            FenqiError,
        ):
            assert dump(store) == before
    assert_sound(world)
