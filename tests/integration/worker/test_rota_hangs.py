"""Who is killed loses its duty at once, who hangs soon, and who works long keeps it."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from make_application import SaidBureau, applied
from make_book import World, open_book
from make_crowd import people
from rich.console import Console

from fenqi.core.risk.change import Subject
from fenqi.report import duty as telling
from fenqi.report.language import Language, Speech
from fenqi.runtime import MovingClock
from fenqi.store import duties
from fenqi.store.duties import Cursor
from fenqi.store.pool import DatabaseGone, Store
from fenqi.worker import assess as assessing
from fenqi.worker.admit import admit
from fenqi.worker.assess import assess_on
from fenqi.worker.beat import Beat
from fenqi.worker.rota import LEFT_BEHIND_MAX, Duty, Rota, Round, run_round
from fenqi.worker.shadow import follow_on

SECONDS_MAX = 60
SILENT_SECONDS = 1.5
HOUR = timedelta(hours=1)
Program = subprocess.Popen[str]


@pytest.fixture
def world(store: Store) -> World:
    return open_book(store)


@pytest.fixture
def start(database_url: str) -> Iterator[Callable[[str], Program]]:
    """Starts a program that is inside a round of the duty `stuck`."""
    begun: list[Program] = []

    def one(how: str, seconds: float = SILENT_SECONDS) -> Program:
        words = [sys.executable, str(Path(__file__).with_name("stuck.py")), database_url, how]
        program = subprocess.Popen(
            [*words, str(seconds)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        begun.append(program)
        assert program.stdout is not None
        assert program.stdout.readline() == "inside\n"
        return program

    yield one
    for program in begun:
        program.kill()
        program.communicate()


def taking(taken: list[Cursor]) -> Duty:
    """The duty `stuck` as a program runs it that is well."""

    def act(_: object, cursor: Cursor, /, **__: object) -> Round:
        taken.append(cursor)
        return Round(1, {"by": "the next"}, is_whole=True)

    return Duty("stuck", act, HOUR)


def take(world: World, duty: Duty) -> float:
    """Try until the duty is had; return how many seconds that took."""
    begun = time.monotonic()
    while not run_round(world.ground, duty, by="next", is_forced=True):
        assert time.monotonic() - begun < SECONDS_MAX
        time.sleep(0.05)
    return time.monotonic() - begun


def standing(world: World, name: str = "stuck") -> duties.Standing:
    with world.store.transaction() as session:
        return duties.find(session, name)


def test_a_program_that_is_killed_loses_its_duty_at_once(
    world: World, start: Callable[..., Program]
) -> None:
    program, taken = start("hangs", 600.0), list[Cursor]()
    duty = taking(taken)
    assert not run_round(world.ground, duty, by="next", is_forced=True)
    os.kill(program.pid, signal.SIGKILL)
    assert take(world, duty) < 30  # not the ten minutes it might have been silent
    assert taken == [{}]


def test_a_program_that_hangs_loses_its_duty_soon_and_writes_nothing_when_it_comes_back(
    world: World, start: Callable[..., Program]
) -> None:
    program, taken = start("hangs"), list[Cursor]()
    take(world, taking(taken))
    said, _ = program.communicate("come back\n", timeout=SECONDS_MAX)
    assert said == "lost\n"
    told = standing(world)
    assert (told.cursor, told.touched, told.run_by) == ({"by": "the next"}, 1, "next")
    assert (told.failures, told.fault) == (0, None)


def test_a_program_that_is_stopped_in_the_middle_of_its_work_loses_its_duty_too(
    world: World, start: Callable[..., Program]
) -> None:
    program, taken = start("works"), list[Cursor]()
    os.kill(program.pid, signal.SIGSTOP)
    take(world, taking(taken))
    os.kill(program.pid, signal.SIGCONT)
    said, _ = program.communicate(timeout=SECONDS_MAX)  # its next sign of life tells it
    assert said == "lost\n"
    assert standing(world).cursor == {"by": "the next"}


def test_a_long_round_that_gives_signs_of_life_keeps_its_duty(
    world: World, start: Callable[..., Program]
) -> None:
    program, taken = start("works", 3.0), list[Cursor]()
    duty = taking(taken)
    until = time.monotonic() + 9.0  # three times as long as it may be silent
    while time.monotonic() < until:
        assert not run_round(world.ground, duty, by="next", is_forced=True)
        time.sleep(0.2)
    assert taken == []
    assert program.poll() is None


def test_a_round_that_hangs_is_followed_by_another_thread_of_the_same_program(
    world: World,
) -> None:
    leave, inside, ended = threading.Event(), threading.Event(), threading.Event()

    def act(_: object, cursor: Cursor, /, *, beat: Beat) -> Round:
        number = cursor.get("number", 0) + 1
        if not inside.is_set():
            inside.set()
            leave.wait(SECONDS_MAX)
            ended.set()
            return Round(100, {"number": 100}, is_whole=True)
        beat()
        return Round(1, {"number": number}, is_whole=False)

    duty = Duty("stuck", act, timedelta(0))
    rota = Rota(
        world.ground,
        (duty,),
        ("stuck",),
        by="one",
        look_seconds=0.02,
        silent_seconds_max=SILENT_SECONDS,
    )
    with rota:
        wait_for(lambda: standing(world).touched == 1)
        leave.set()
        assert ended.wait(SECONDS_MAX)
        for _ in range(3):
            before = standing(world).touched
            world.clock.set(world.clock.now() + timedelta(seconds=1))
            wait_for(lambda seen=before: standing(world).touched > seen)  # type: ignore[misc]
    assert standing(world).cursor["number"] == standing(world).touched < 100


def test_what_hangs_again_and_again_does_not_take_all_connections(world: World) -> None:
    leave, hung = threading.Event(), []

    def hang(*_: object, **__: object) -> Round:
        hung.append(1)
        leave.wait(SECONDS_MAX)
        return Round(0, {}, is_whole=True)

    known = tuple(Duty(f"stuck-{number}", hang, HOUR) for number in range(3))
    names = [one.name for one in known]
    begun = time.monotonic()
    with Rota(world.ground, known, names, by="one", look_seconds=0.02, silent_seconds_max=0.5):
        wait_for(lambda: len(hung) == len(known) + LEFT_BEHIND_MAX)
        while time.monotonic() - begun < 4:
            assert standing(world).touched == 0  # the database still answers others
            time.sleep(0.1)
        assert len(hung) == len(known) + LEFT_BEHIND_MAX
        leave.set()


@pytest.mark.parametrize(
    ("language", "said"),
    [
        (Language.ENGLISH, ("hangs: begun 5 min ago, no sign of life", "has not ended", "end it")),
        (Language.CHINESE, ("5 分钟前开始", "至今未结束", "请先结束它")),
    ],
)
def test_a_round_that_hangs_is_told_with_what_to_do(
    world: World, start: Callable[..., Program], language: Language, said: tuple[str, ...]
) -> None:
    start("hangs")
    wait_for(lambda: "stuck" not in telling.read(world.store, ["stuck"]).held)  # it lost the duty
    told = telling.read(world.store, ["stuck"])
    begun_at = standing(world).begun_at
    assert begun_at is not None
    clock = MovingClock(begun_at + timedelta(seconds=duties.SILENT_SECONDS_MAX))
    assert json.loads(telling.to_json(told, clock))["hangs"] == []
    clock.set(begun_at + timedelta(minutes=5, seconds=1))
    assert json.loads(telling.to_json(told, clock))["hangs"] == ["stuck"]
    console = Console(file=StringIO(), width=80, highlight=False, markup=False)
    telling.show(told, ["stuck"], clock, console, Speech(language))
    text = console.file.getvalue()  # type: ignore[attr-defined]
    assert max(len(line) for line in text.split("\n")) <= 80
    flat = "".join(text.split())  # a table folds its cells, Chinese has no spaces to fold at
    for one in said[1:]:
        assert "".join(one.split()) in flat
    assert "fenqiworkerrun" in flat
    console.width = 200
    telling.show(told, ["stuck"], clock, console, Speech(language))
    assert said[0] in console.file.getvalue()  # type: ignore[attr-defined]


def test_a_round_at_work_is_told_as_such_however_long_it_takes(
    world: World, start: Callable[..., Program]
) -> None:
    start("works", 600.0)
    told = telling.read(world.store, ["stuck", "other"])
    assert told.held == {"stuck"}
    begun_at = standing(world).begun_at
    assert begun_at is not None
    clock = MovingClock(begun_at + timedelta(hours=9))
    assert json.loads(telling.to_json(told, clock))["hangs"] == []
    console = Console(file=StringIO(), width=120)
    telling.show(told, [], clock, console, Speech(Language.ENGLISH))
    assert "at work" in console.file.getvalue()  # type: ignore[attr-defined]


def wait_for(seen: Callable[[], bool]) -> None:
    begun = time.monotonic()
    while not seen():
        assert time.monotonic() - begun < SECONDS_MAX
        time.sleep(0.05)


class Lost:
    """A duty that was lost: its next sign of life says so."""

    def __init__(self, after: int) -> None:
        self.left = after

    def __call__(self) -> None:
        self.left -= 1
        if self.left < 0:
            raise DatabaseGone(said="silent for too long")


def test_applications_are_decided_with_signs_of_life_and_stop_when_the_duty_is_lost(
    world: World,
) -> None:
    for number in range(4):
        applied(world, f"p{number}")
    beats: list[int] = []
    admit(world.ground, SaidBureau(), most=2, beat=lambda: beats.append(1))
    assert len(beats) == 3  # two answers, one batch
    with pytest.raises(DatabaseGone):
        admit(world.ground, SaidBureau(), beat=Lost(2))
    with world.store.transaction() as session:
        sql = "SELECT COUNT(*) FROM applications WHERE state = 'received'"
        assert session.rows(sql) == [(2,)]


def test_assessments_give_a_sign_of_life_each_page_and_stop_when_the_duty_is_lost(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(assessing, "PAGE_ACCOUNTS", 2)
    people(world, 6)
    with pytest.raises(DatabaseGone):
        assess_on(world.ground, Subject.LIMIT, {}, days=7, beat=Lost(2))
    with world.store.transaction() as session:
        sql = "SELECT COUNT(*) FROM decisions WHERE kind = 'limit'"
        assert session.rows(sql) == [(4,)]


def test_challengers_stop_when_the_duty_is_lost(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    pages: list[Any] = []

    def page(_: object, challenger: Any) -> int:
        pages.append(challenger)
        return 0

    monkeypatch.setattr("fenqi.worker.shadow.shadow", page)
    monkeypatch.setattr("fenqi.worker.shadow.shadows.running", lambda _: ["a", "b", "c"])
    with pytest.raises(DatabaseGone):
        follow_on(world.ground, beat=Lost(1))
    assert pages == ["a", "b"]
