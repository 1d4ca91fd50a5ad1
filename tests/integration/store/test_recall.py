"""What decisions would have known is exactly what they recorded, whatever happened meanwhile."""

import dataclasses
import random
from datetime import timedelta

import numpy as np
import pytest
from make_application import hashed
from make_book import OPENED, World, done, enrol, key, open_book, pay, purchase, rows, until

from fenqi.core.risk.decision import DecisionKind
from fenqi.core.values.ids import AccountId
from fenqi.flows.assess import Assess, assess
from fenqi.flows.authorise import authorise
from fenqi.flows.observe import Observe, Told, observe
from fenqi.flows.verify import Verify, verify
from fenqi.store import policies, recall
from fenqi.store.pool import Store
from fenqi.store.recall import Moment

PEOPLE = 8
DAYS = 5
ROUNDS = 12  # of each day
RECORDED = """
SELECT d.account_id, d.as_of_number, d.decided_at, d.inputs, r.content -> 'inputs'
FROM decisions AS d JOIN rulebooks AS r USING (rulebook_id)
WHERE d.kind = %(kind)s AND r.content ->> 'judge' = 'policy' ORDER BY d.decision_id
"""


@pytest.fixture
def world(store: Store) -> World:
    """Return a book in which much happened, some of it in one batch, and clocks went back."""
    world = open_book(store)
    with store.transaction() as session:
        policies.install(session, world.clock.now())
    world = dataclasses.replace(world, ground=dataclasses.replace(world.ground, asks_policies=True))
    chance = random.Random(5)
    people = [enrol(world, f"p{place}", limit_minor=400_000) for place in range(PEOPLE)]
    for day in range(DAYS):
        until(world, OPENED + timedelta(days=7 * day))
        for _ in range(ROUNDS):
            step = chance.choice((0, 1, 60, 3_600, -1))
            world.clock.set(world.clock.now() + timedelta(seconds=step))
            act(world, chance, people)
    return world


def act(world: World, chance: random.Random, people: list[AccountId]) -> None:
    some = chance.sample(people, 4)
    some += some[:2]  # twice in one batch
    commands = [purchase(world, one, chance.choice((900, 30_000, 500_000))) for one in some]
    match chance.randrange(6):
        case 0 | 1:
            authorise(world.ground, commands)
        case 2:
            for one in some[:3]:
                tell(world, one, chance)
        case 3:
            pay(world, some[0], chance.choice((500, 20_000)))
        case 4:
            assess(
                world.ground,
                [Assess(scope_id=str(one), key=key(world), account_id=one) for one in some[:4]],
            )
        case _:
            verify(
                world.ground,
                [Verify(scope_id=str(one), key=key(world), account_id=one) for one in some[:1]],
            )


def tell(world: World, account: AccountId, chance: random.Random) -> None:
    now = world.clock.now()
    told = [
        Told("login", now - timedelta(minutes=chance.choice((0, 9))), {"ip": hashed("here")}),
        Told(
            *chance.choice(
                [
                    ("device-changed", now, {"device": hashed(f"d{chance.randrange(3)}")}),
                    ("phone-changed", now, {"phone": hashed(f"p{chance.randrange(3)}")}),
                    ("payment-failed", now, {"cause": chance.choice(("customer", "channel"))}),
                    ("basket", now, {"category": "gold", "amount_minor": 900}),
                ]
            )
        ),
    ]
    command = Observe(
        scope_kind="account",
        scope_id=str(account),
        key=key(world),
        account_id=account,
        facts=tuple(told),
    )
    done(observe(world.ground, [command])[0])


@pytest.mark.parametrize("events_at_once", [50_000, 7])
def test_what_is_computed_again_is_what_was_recorded(
    world: World, events_at_once: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recall, "EVENTS_MAX", events_at_once)
    monkeypatch.setattr(recall, "FACTS_MAX", 10 * events_at_once)
    compared = {}
    for kind in (DecisionKind.PURCHASE, DecisionKind.ACCESS, DecisionKind.LIMIT):
        found = rows(world.store, RECORDED, kind=kind.value)
        names = recall.told_of(kind, {}, found[0][4])
        places = [found[0][4].index(one) for one in names]
        recorded = [[inputs[place] for place in places] for *_, inputs, _ in found]
        moments = [Moment(*row[:3]) for row in found]
        with world.store.transaction() as session:
            again = recall.recall(session, names, moments)
        assert again.known.tolist() == [[one is not None for one in row] for row in recorded]
        assert again.values.tolist() == [[one or 0 for one in row] for row in recorded]
        compared[kind.value] = len(names), len(found)
        assert np.unique(again.values).size >= 3  # there was something to be told
    assert compared["purchase"][0] >= 20
    assert all(count > 20 for _, count in compared.values())
