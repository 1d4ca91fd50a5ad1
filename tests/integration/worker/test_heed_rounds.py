"""The duty that asks about payments: bounded rounds that go on, lose nobody and repeat nothing."""

import threading
from datetime import date
from typing import Any

import pytest
from make_book import (
    BOOK,
    World,
    assert_sound,
    beside,
    buy,
    dump,
    enrol,
    open_book,
    row,
    rows,
    until,
)
from make_paying import Rounds, decided, fails, settle

from fenqi.core.values.ids import AccountId
from fenqi.flows.heed import heed
from fenqi.store import paying
from fenqi.store.paying import Mark, Signal
from fenqi.store.pool import AlreadyThere, DatabaseGone, Store
from fenqi.worker import heed as heeding
from fenqi.worker.heed import heed_on
from fenqi.worker.rota import duties_of, run_round

COUNT = "SELECT COUNT(*) FROM decisions WHERE kind = 'repayment'"
DUTY = next(one for one in duties_of(None, assess_days=30) if one.name == "repayment")


@pytest.fixture
def world(store: Store) -> World:
    return open_book(store)


def people(world: World, count: int) -> list[AccountId]:
    """Return so many who owe three instalments, the first due on 10 February."""
    found = [enrol(world, f"p{number}") for number in range(count)]
    for account in found:
        buy(world, account, 300_000, "flat", 3)
    return found


def test_a_round_is_bounded_and_the_next_goes_on_in_the_stream_and_in_the_book(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(heeding, "PAGE_SIGNALS", 2)
    monkeypatch.setattr(heeding._Round, "__init__", _small(heeding._Round.__init__, pages=1))
    everybody = people(world, 5)
    for account in everybody:
        fails(world, account, "customer")
    settle(world)
    made, cursor, seen = 0, {}, []
    for _ in range(20):
        decided_now, cursor, is_whole = heed_on(world.ground, cursor)
        seen.append(decided_now)
        made += decided_now
        if is_whole:
            break
    assert (made, max(seen), is_whole) == (5, 2, True)
    until(world, date(2026, 2, 11))  # a day past due, and no event says so
    settle(world)
    seen.clear()
    for _ in range(20):
        decided_now, cursor, is_whole = heed_on(world.ground, cursor)
        seen.append(decided_now)
        if is_whole:
            break
    assert (sum(seen), max(seen), is_whole) == (5, 2, True)
    assert cursor["done"] == {BOOK: "2026-02-11"}
    assert heed_on(world.ground, cursor)[0] == 0
    assert_sound(world)


def _small(made: Any, *, pages: int) -> Any:
    def begin(self: Any, ground: Any, beat: Any) -> None:
        made(self, ground, beat, pages=pages)

    return begin


def test_what_a_round_did_before_it_died_is_not_done_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    people(world, 3)
    until(world, date(2026, 2, 11))
    settle(world)

    def dies(*_: object, **__: object) -> object:
        raise DatabaseGone(said="gone")

    # It dies after the page was kept, before anybody wrote down how far it came.
    real = heeding.heed_on
    monkeypatch.setattr("fenqi.worker.rota.heed_on", lambda *a, **k: (real(*a, **k), dies())[1])
    assert run_round(world.ground, DUTY, by="one", is_forced=True)
    assert row(world.store, COUNT) == 3
    state = dump(world.store)
    monkeypatch.setattr("fenqi.worker.rota.heed_on", real)
    assert run_round(world.ground, DUTY, by="two", is_forced=True)
    changed = {name for name, one in dump(world.store).items() if one != state[name]}
    assert changed <= {"duties"}


def test_an_account_that_falls_over_keeps_nobody_waiting(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    everybody = people(world, 6)
    until(world, date(2026, 2, 11))

    def falls(ground: Any, signals: Any) -> Any:
        if any(one.account_id == everybody[3] for one in signals):
            raise RuntimeError("poison")
        return heed(ground, signals)

    monkeypatch.setattr(heeding, "heed", falls)
    assert Rounds(world).run() == 5
    assert decided(world, everybody[3]) == []


def test_a_page_that_meets_another_program_is_tried_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    people(world, 1)
    until(world, date(2026, 2, 11))
    tries = []

    def meets(ground: Any, signals: Any) -> Any:
        tries.append(1)
        if len(tries) == 1:
            raise AlreadyThere(constraint="cases_open_by_cause")
        return heed(ground, signals)

    monkeypatch.setattr(heeding, "heed", meets)
    assert Rounds(world).run() == 1


def test_days_nobody_looked_on_are_made_up_for(world: World) -> None:
    (account,) = people(world, 1)
    rounds = Rounds(world)
    until(world, date(2026, 2, 13))
    assert rounds.run() == 1  # the bucket it crossed into and the day say the same
    until(world, date(2026, 2, 16))  # it was four days past due two days ago, and no event says so
    assert rounds.run() == 1
    until(world, date(2026, 2, 19))
    assert rounds.run() == 0
    assert [one[0] for one in decided(world, account)] == ["nudge", "approve"]


def test_an_event_of_a_transaction_that_is_open_still_is_not_passed_over(world: World) -> None:
    (account,) = people(world, 1)
    rounds = Rounds(world)
    assert rounds.run() == 0
    other = beside(world, world.store)
    begun, leave = threading.Event(), threading.Event()

    def slow() -> None:
        with other.store.transaction() as session:
            session.rows("SELECT pg_current_xact_id()")
            begun.set()
            assert leave.wait(60)

    thread = threading.Thread(target=slow)
    thread.start()
    assert begun.wait(60)
    fails(world, account, "customer")  # committed, but something older may still come
    decided_now, cursor, is_whole = heed_on(world.ground, rounds.cursor)
    assert (decided_now, is_whole) == (0, True)
    leave.set()
    thread.join(60)
    rounds.cursor = cursor
    assert rounds.run() == 1


def test_two_programs_at_once_decide_about_nobody_twice(world: World) -> None:
    everybody = people(world, 8)
    until(world, date(2026, 2, 11))
    other = beside(world, world.store)
    signals = [Signal(one) for one in everybody]
    made: list[Any] = []
    threads = [
        threading.Thread(target=lambda at=at: made.extend(heed(at.ground, signals)))
        for at in (world, other)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    assert sum(one.outcome is not None for one in made) == len(everybody)
    assert row(world.store, COUNT) == len(everybody)


def test_the_stream_and_the_last_decisions_are_found_by_their_indexes(world: World) -> None:
    with world.store.transaction() as session:
        session.run("SET LOCAL enable_seqscan = off")
        asked = {"transaction": "0", "account": paying.NOBODY, "number": 0, "most": 10}
        plan = session.rows("EXPLAIN " + paying.CHANGED, asked)
        assert any("events_of_paying" in line for (line,) in plan)
        assert not any("Sort" in line for (line,) in plan), plan
        plan = session.rows("EXPLAIN " + paying.LASTS, {"accounts": [paying.NOBODY]})
        assert any("decisions_of_paying" in line for (line,) in plan)


def test_a_page_names_each_account_once_with_its_latest_event(world: World) -> None:
    (account,) = people(world, 1)
    for _ in range(3):
        fails(world, account, "customer")
    settle(world)
    numbers = rows(
        world.store, "SELECT number FROM events WHERE kind = 'payment-failed' ORDER BY 1"
    )
    with world.store.transaction() as session:
        signals, mark, is_last = paying.changed(session, Mark(), 100)
        assert (signals, is_last) == ([Signal(account, numbers[-1][0])], True)
        assert paying.changed(session, mark, 100)[0] == []
        signals, mark, is_last = paying.changed(session, Mark(), 2)
        assert (signals, is_last) == ([Signal(account, numbers[1][0])], False)
