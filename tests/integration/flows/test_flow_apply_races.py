"""What was received while one waited is counted: its moment is after that of the other."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any
from uuid import UUID

import pytest
from make_application import SaidBureau, applied
from make_book import World, beside, done, key, open_book, row

from fenqi.core.values.ids import AccountId
from fenqi.flows.sign import Sign, StepUpNeeded, sign
from fenqi.store import applications, persons
from fenqi.store.pool import Store
from fenqi.worker.admit import admit


def before(monkeypatch: pytest.MonkeyPatch, module: Any, happens: Callable[[], None]) -> None:
    """Let something happen in another program while the next to lock waits for it."""
    lock, waits = module.lock, [True]

    def waiting(*arguments: Any) -> Any:
        if waits.pop() if waits else False:
            happens()
        return lock(*arguments)

    monkeypatch.setattr(module, "lock", waiting)


@pytest.fixture
def world(store: Store) -> World:
    return open_book(store)


@pytest.fixture
def other(world: World, database_url: str) -> Any:
    opened = Store.open(database_url)
    yield beside(world, opened)
    opened.close()


def test_an_application_that_waited_counts_those_it_waited_for(
    world: World, other: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def happens() -> None:
        world.clock.set(world.clock.now() + timedelta(seconds=1))
        applied(other, "ann")

    before(monkeypatch, persons, happens)
    received = applied(world, "ann")
    count = "SELECT applications_24h FROM applications WHERE account_id = %(one)s"
    assert row(world.store, count, one=received.application_id) == 2


def test_whoever_signs_while_the_fifth_application_comes_needs_the_check(
    world: World, other: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    received, *_ = [applied(world, "ann") for _ in range(4)]
    offer = done(admit(world.ground, SaidBureau())[received.application_id])

    def happens() -> None:
        world.clock.set(world.clock.now() + timedelta(seconds=1))
        applied(other, "ann")

    before(monkeypatch, applications, happens)
    command = Sign(
        scope_id=received.application_id,
        key=key(world),
        account_id=AccountId(UUID(received.application_id)),
        cost_table=str(offer.cost_table),
    )
    assert isinstance(sign(world.ground, [command])[0], StepUpNeeded)
