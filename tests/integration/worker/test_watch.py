"""The watch answers at once, goes on after what fails, and shares its work with other programs."""

import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from make_book import BOOK, World, beside, open_book, row, rows, until
from make_crowd import log_in, people, protections

from fenqi.flows.protect import protect
from fenqi.store import duties, groups, scenes
from fenqi.store.pool import DatabaseGone, Store
from fenqi.worker import watch
from fenqi.worker.watch import TRIES_MAX, WAIT, WATCH, Watch, look, watch_once

SECONDS_MAX = 240  # against what hangs


@pytest.fixture
def world(store: Store) -> World:
    return open_book(store)


def wait_for(seen: Callable[[], bool]) -> None:
    beat = threading.Event()
    for _ in range(SECONDS_MAX * 20):
        if seen():
            return
        beat.wait(0.05)
    raise AssertionError("it did not happen in time")


@pytest.fixture
def other(database_url: str, world: World) -> Iterator[World]:
    store = Store.open(database_url)
    yield beside(world, store)
    store.close()


def test_two_watches_hold_every_ring_once(world: World, other: World) -> None:
    rings = [people(world, 10, f"ring-{number}") for number in range(4)]
    with Watch(world.ground), Watch(other.ground):
        for number, ring in enumerate(rings):
            log_in(world, ring, f"1.2.3.{number}")
        wait_for(lambda: len(protections(world)["hold"]) == 40)
    assert row(world.store, "SELECT COUNT(*) FROM protections") == 40
    assert row(world.store, "SELECT COUNT(*) FROM cases") == 4
    assert rows(world.store, "SELECT 1 FROM jobs WHERE state = 'waiting'") == []


def test_a_suspicion_that_always_fails_keeps_nobody_waiting_and_ends_dead(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    poison, ring = people(world, 10, "poison"), people(world, 10, "ring")
    log_in(world, poison, "9.9.9.9")
    (bad,) = {one for (one,) in rows(world.store, "SELECT payload->>'address' FROM jobs")}
    log_in(world, ring, "1.2.3.4")
    gather = scenes.gather

    def fail(session: object, rule: object, suspects: Any, now: object) -> object:
        if any(one.address.hex() == bad for one in suspects):
            raise RuntimeError("poison")
        return gather(session, rule, suspects, now)  # type: ignore[arg-type]

    monkeypatch.setattr("fenqi.store.scenes.gather", fail)
    for _ in range(2):
        look(world.ground)
    assert protections(world)["hold"] == set(ring)
    for _ in range(TRIES_MAX):
        world.clock.set(world.clock.now() + WAIT)
        look(world.ground)
    assert row(world.store, "SELECT state, attempts FROM jobs") == ("dead", TRIES_MAX)
    assert look(world.ground).suspicions == 0


def test_a_watch_outlives_a_database_that_goes_away(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ring = people(world, 10)
    log_in(world, ring, "1.2.3.4")
    fails = [DatabaseGone(said="gone"), MemoryError()]

    def sometimes(ground: object, **how: object) -> object:
        if fails:
            raise fails.pop()
        return protect(ground, **how)  # type: ignore[arg-type]

    monkeypatch.setattr(watch, "protect", sometimes)
    monkeypatch.setattr(watch, "AWAY_SECONDS", 0.01)
    with Watch(world.ground, pause_seconds=0.01):
        wait_for(lambda: len(protections(world)["hold"]) == 10)
    assert fails == []  # both were met, and outlived


def test_a_watch_is_woken_by_the_crowd_its_own_program_sees(world: World) -> None:
    ring = people(world, 10)
    with Watch(world.ground, pause_seconds=3_600):
        log_in(world, ring, "1.2.3.4")  # it has looked once, and would look again in an hour
        wait_for(lambda: len(protections(world)["hold"]) == 10)
    assert protections(world)["hold"] == set(ring)


def test_watching_once_answers_everything_that_is_there(world: World) -> None:
    rings = [people(world, 10, f"ring-{number}") for number in range(10)]
    for number, ring in enumerate(rings):
        log_in(world, ring, f"1.2.3.{number}", every=timedelta(seconds=1))
    found, over = watch_once(world.ground, by="one")
    assert (found.rings, found.held, over) == (10, 100, 0)
    with world.store.transaction() as session:
        told = duties.find(session, WATCH)
    assert (told.good_at, told.run_by) == (world.clock.now(), "one")
    assert told.touched == found.suspicions


def test_each_night_makes_the_groups_anew_and_asks_about_large_ones(world: World) -> None:
    farm, family = people(world, 10, "farm"), people(world, 3, "family")
    hour = timedelta(hours=1)
    log_in(world, farm, "here and there", every=hour, device="farm")  # never a crowd
    log_in(world, family, "home", every=hour, device="tablet")
    assert protections(world) == {"hold": set(farm[7:]), "freeze": set()}  # one device of many
    until(world, world.day + timedelta(days=1))
    sql = "SELECT account_id, group_id, size FROM link_groups ORDER BY account_id"
    least, first = min(farm), min(family)
    assert rows(world.store, sql) == [
        (one, least if one in farm else first, 10 if one in farm else 3)
        for one in sorted([*farm, *family])
    ]
    sql = "SELECT kind, subject, priority, cause FROM cases WHERE subject <> 'many-on-a-device'"
    assert rows(world.store, sql) == [("investigation", "linked-group", 2, f"group/{least}")]
    assert protections(world) == {"hold": set(), "freeze": set()}  # a person looks, nobody is held
    until(world, world.day + timedelta(days=2))
    sql = "SELECT COUNT(*), SUM(entry_count) FROM cases WHERE subject = 'linked-group'"
    assert row(world.store, sql) == (1, 1)
    with world.store.transaction() as session:
        later = world.day + timedelta(days=world.ground.crowd.links.decay_days + 1)
        assert groups.make(session, BOOK, later, world.ground.crowd.links) == []  # forgotten
    assert rows(world.store, "SELECT 1 FROM link_groups") == []
