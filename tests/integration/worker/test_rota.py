"""What fenqi does by itself: each duty in bounded rounds, by one program at a time, none lost."""

import json
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest
from click.testing import Result
from make_application import applied
from make_book import BOOK, World, beside, enrol, open_book, purchase, row, rows, until
from make_crowd import log_in, people, protections
from typer.testing import CliRunner

from fenqi.cli import app
from fenqi.core.risk.change import Subject
from fenqi.flows.assess import assess
from fenqi.flows.authorise import authorise
from fenqi.machine import DUTIES, HARMLESS, Config, DutiesSettingInvalid
from fenqi.store import duties
from fenqi.store.pool import DatabaseGone, Store
from fenqi.worker import assess as assessing
from fenqi.worker.assess import assess_book, assess_on
from fenqi.worker.rota import RETRY, RETRY_MAX, Duty, Rota, Round, duties_of, run_round

SECONDS_MAX = 240  # against what hangs
HOUR = timedelta(hours=1)


@pytest.fixture
def world(store: Store) -> World:
    return open_book(store)


@pytest.fixture
def other(database_url: str, world: World) -> Iterator[World]:
    store = Store.open(database_url)
    yield beside(world, store)
    store.close()


def standing(world: World, name: str) -> duties.Standing:
    with world.store.transaction() as session:
        return duties.find(session, name)


def wait_for(seen: Callable[[], bool]) -> None:
    beat = threading.Event()
    for _ in range(SECONDS_MAX * 20):
        if seen():
            return
        beat.wait(0.05)
    raise AssertionError("it did not happen in time")


def wait_with_the_clock(world: World, seen: Callable[[], bool]) -> None:
    """Wait while time goes by: a duty whose round was under way is due again only later."""

    def look() -> bool:
        world.clock.set(world.clock.now() + timedelta(seconds=1))
        return seen()

    wait_for(look)


def counting(name: str = "count", rounds: int = 3) -> tuple[Duty, list[Any]]:
    """A duty that counts on by its cursor, and has enough after some rounds."""
    seen: list[Any] = []

    def act(_: object, cursor: duties.Cursor, /, **__: object) -> Round:
        number = cursor.get("number", 0) + 1
        seen.append(number)
        return Round(10, {"number": number}, is_whole=number % rounds == 0)

    return Duty(name, act, HOUR), seen


def test_a_duty_goes_on_by_its_cursor_and_rests_once_all_is_done(world: World) -> None:
    duty, seen = counting()
    for _ in range(5):
        run_round(world.ground, duty, by="one")
        world.clock.set(world.clock.now() + timedelta(seconds=1))
    assert seen == [1, 2, 3]  # then it has an hour
    told = standing(world, duty.name)
    assert (told.touched, told.run_by, told.failures) == (30, "one", 0)
    assert told.good_at is not None
    world.clock.set(world.clock.now() + HOUR)
    assert run_round(world.ground, duty, by="two")
    assert (seen[-1], standing(world, duty.name).run_by) == (4, "two")


def test_one_program_at_a_time_runs_a_duty_and_another_goes_on_when_it_is_done(
    world: World, other: World
) -> None:
    inside, leave, done = threading.Event(), threading.Event(), []

    def act(_: object, cursor: duties.Cursor, /, **__: object) -> Round:
        done.append(dict(cursor))
        inside.set()
        assert leave.wait(SECONDS_MAX)
        return Round(1, {"by": "first"}, is_whole=False)

    duty = Duty("slow", act, HOUR)
    thread = threading.Thread(target=run_round, args=(world.ground, duty), kwargs={"by": "a"})
    thread.start()
    assert inside.wait(SECONDS_MAX)
    assert not run_round(other.ground, duty, by="b", is_forced=True)
    assert len(done) == 1
    leave.set()
    thread.join(SECONDS_MAX)
    world.clock.set(world.clock.now() + timedelta(seconds=1))
    assert run_round(other.ground, duty, by="b")
    assert done == [{}, {"by": "first"}]


def test_a_duty_that_fails_says_so_waits_longer_each_time_and_recovers(world: World) -> None:
    is_mended = False

    def act(*_: object, **__: object) -> Round:
        if not is_mended:
            raise ValueError("the income of Ann Sample is wrong")
        return Round(1, {}, is_whole=True)

    duty = Duty("odd", act, HOUR)
    waits = []
    for number in range(1, 13):
        assert run_round(world.ground, duty, by="one")
        told = standing(world, "odd")
        assert told.failures == number
        assert told.fault is not None
        assert told.fault.startswith("ValueError at test_rota.py:")
        assert told.due_at is not None
        waits.append(told.due_at - world.clock.now())
        assert not run_round(world.ground, duty, by="one")  # not yet
        world.clock.set(told.due_at)
    assert waits[:3] == [RETRY, 2 * RETRY, 4 * RETRY]
    assert waits[-1] == RETRY_MAX
    is_mended = True
    assert run_round(world.ground, duty, by="one")
    told = standing(world, "odd")
    assert (told.failures, told.fault, told.touched) == (0, None, 1)


def test_an_outage_of_one_duty_stops_no_other(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fall(*_: object, **__: object) -> object:
        raise MemoryError

    def hang(*_: object, **__: object) -> Round:
        assert is_over.wait(SECONDS_MAX)
        return Round(0, {}, is_whole=True)

    is_over = threading.Event()
    monkeypatch.setattr("fenqi.worker.rota.follow_on", fall)
    known = (*duties_of(None, assess_days=30), Duty("hangs", hang, HOUR))
    names = ("watch", "admit", "shadow", "hangs")
    with Rota(world.ground, known, names, by="one", look_seconds=0.02):
        wait_for(lambda: standing(world, "shadow").failures > 0)
        ring = people(world, 10)
        log_in(world, ring, "1.2.3.4")
        one = applied(world)
        wait_with_the_clock(world, lambda: protections(world)["hold"] == set(ring))
        state = "SELECT state FROM applications WHERE account_id = %(one)s"
        asked = {"one": one.application_id}
        wait_with_the_clock(world, lambda: row(world.store, state, **asked) == "offered")
        wait_with_the_clock(world, lambda: standing(world, "watch").good_at is not None)
        wait_with_the_clock(world, lambda: standing(world, "admit").touched == 1)
        is_over.set()


def test_a_duty_outlives_a_database_that_goes_away(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    duty, seen = counting(rounds=1)
    fails = [DatabaseGone(said="gone"), DatabaseGone(said="gone")]
    find = duties.find

    def sometimes(session: Any, name: str) -> duties.Standing:
        if fails:
            raise fails.pop()
        return find(session, name)

    monkeypatch.setattr(duties, "find", sometimes)
    with Rota(world.ground, (duty,), (duty.name,), by="one", look_seconds=0.01):
        wait_for(lambda: bool(seen))
    assert fails == []


def looked_at(world: World) -> list[tuple[Any, ...]]:
    sql = "SELECT kind, COUNT(*)::int FROM decisions GROUP BY kind ORDER BY kind"
    return rows(world.store, sql)


def test_a_book_is_assessed_in_rounds_once_and_again_after_some_of_its_days(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(assessing, "PAGE_ACCOUNTS", 3)
    monkeypatch.setattr(assessing, "PAGES_MAX", 2)
    people(world, 13)
    cursor: duties.Cursor = {}
    counts = []
    for _ in range(4):
        looked, cursor, is_whole = assess_on(world.ground, Subject.LIMIT, cursor, days=7)
        cursor = json.loads(json.dumps(cursor))  # as it is kept
        counts.append((looked, is_whole))
    assert counts == [(6, False), (6, False), (1, True), (0, True)]
    assert looked_at(world) == [("limit", 13)]
    # Asked by hand on the same day nobody is looked at twice.
    assess_book(world.ground, BOOK, Subject.LIMIT)
    assert looked_at(world) == [("limit", 13)]
    until(world, world.day + timedelta(days=6))
    assert assess_on(world.ground, Subject.LIMIT, cursor, days=7)[0] == 0
    until(world, world.day + timedelta(days=1))
    assert assess_on(world.ground, Subject.LIMIT, cursor, days=7)[0] == 6


def test_an_account_that_falls_over_does_not_stop_the_assessment_of_others(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    accounts = people(world, 9)

    def falls(ground: Any, commands: Any) -> Any:
        if any(one.account_id == accounts[4] for one in commands):
            raise RuntimeError("poison")
        return assess(ground, commands)

    monkeypatch.setattr(assessing, "assess", falls)
    found = assess_book(world.ground, BOOK, Subject.LIMIT)
    assert found["failed"] == 1
    assert sum(found.values()) == 9
    assert looked_at(world) == [("limit", 8)]


def test_settings_say_which_duties_run_and_what_may_harm_is_off_unless_named() -> None:
    assert Config.from_environment({}).duties == HARMLESS == ("watch", "admit", "shadow")
    given = {"FENQI_DUTIES": "watch, assess-limit", "FENQI_ASSESS_DAYS": "7"}
    config = Config.from_environment(given)
    assert (config.duties, config.assess_days) == (("watch", "assess-limit"), 7)
    for wrong in ({"FENQI_DUTIES": "watch,sleep"}, {"FENQI_ASSESS_DAYS": "0"}):
        with pytest.raises(DutiesSettingInvalid):
            Config.from_environment(wrong)
    assert set(DUTIES) == {"watch"} | {one.name for one in duties_of(None, assess_days=1)}


@pytest.fixture
def fenqi(database_url: str) -> Callable[..., Result]:
    environment = {"FENQI_DATABASE_URL": database_url, "COLUMNS": "160", "TERM": "dumb"}
    return lambda *words, **more: CliRunner().invoke(
        app, list(map(str, words)), env=environment | more
    )


def test_an_operator_runs_the_duties_and_reads_how_they_stand(
    world: World, fenqi: Callable[..., Result]
) -> None:
    never = fenqi("worker", "status")
    assert never.exit_code == 0, never.output
    assert never.output.count("never ran") == len(DUTIES)
    account = enrol(world, "bob")
    authorise(world.ground, [purchase(world, account, 100_000, "flat", 3)])
    applied(world)
    ran = fenqi("worker", "run", "--once", FENQI_DUTIES="admit,shadow,assess-limit")
    assert ran.exit_code == 0, ran.output
    told = json.loads(fenqi("worker", "status", "--json").output)
    by_name = {one["name"]: one for one in told["duties"]}
    assert [by_name[one]["touched"] for one in ("admit", "shadow", "assess-limit")] == [1, 0, 1]
    assert by_name["admit"]["good_at"]
    assert by_name["assess-price"]["good_at"] is None
    wrong = fenqi("worker", "run", FENQI_DUTIES="sleep")
    assert wrong.exit_code == 2
    assert "FENQI_DUTIES" in wrong.stderr

    # What failed too often waits for a person, and is named.
    ring = people(world, 10)
    log_in(world, ring, "1.2.3.4")
    with world.store.transaction() as session:
        session.run("UPDATE jobs SET state = 'dead'")
        session.run(
            "UPDATE applications SET state = 'received', decided_at = NULL, parked_at = %(now)s, "
            "failures = 3, fault = 'odd'",
            {"now": world.clock.now()},
        )
    said = fenqi("worker", "status").output
    assert "1 applications are parked" in said
    assert "1 suspicions of crowds failed too often" in said
    parked = fenqi("application", "parked")
    assert "after 3 tries: odd" in parked.output
    (one,) = json.loads(fenqi("application", "parked", "--json").output)
    again = fenqi("application", "retry", one["account_id"], "--by", "mei")
    assert again.exit_code == 0, again.output
    assert fenqi("application", "parked").output == "No application is parked.\n"
    assert fenqi("application", "retry", one["account_id"], "--by", "mei").exit_code == 2
    assert fenqi("worker", "retry").output == "1 suspicions wait again\n"
    assert "10 held" in fenqi("watch", "--once").output
