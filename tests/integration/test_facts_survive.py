"""Facts and features survive kill -9 of program and server, to the last unit.

A program tells facts, buys and pays under load and writes down every feature it sees. It and its
server are killed in turn and started again; then what all its lives saw is computed again from the
stored events as a history.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from uuid import UUID

import numpy as np
import pytest

from fenqi.core.risk.features.history import Asks, Fact, History, compute
from fenqi.machine import Config
from fenqi.runtime import Runtime
from fenqi.store.features import shipped
from fenqi.store.server import Server

KILLS = ("program", "server", "program", "server")
LIFE_LINES = 100  # of new output between two kills
SECONDS_MAX = 400  # against what hangs
EVENTS = """
SELECT account_id, number, kind, (EXTRACT(EPOCH FROM recorded_at) * 1000000)::bigint, payload
FROM events WHERE account_id IN (SELECT account_id FROM accounts WHERE kind = 'customer')
ORDER BY account_id, number
"""
TOLD = """
SELECT command_key, COUNT(*) FROM events
WHERE kind IN ('login', 'device-changed', 'basket') GROUP BY command_key
"""


class Watched:
    """The program, its server, and what it said."""

    def __init__(self, folder: Path) -> None:
        self.config = Config(data_folder=folder / "watched")
        self.server = Server(self.config.database_folder)
        self.folder = folder
        self.lives = 0
        self.day = datetime.now(UTC).date()  # of all its lives, also of one after midnight
        self.start()

    def start(self) -> None:
        self.lives += 1
        observer = Path(__file__).with_name("observer.py")
        words = [observer, self.config.data_folder, self.lives, self.day]
        self.output = self.folder / f"life-{self.lives}.jsonl"
        with self.output.open("w") as said, (self.folder / "errors.log").open("a") as errors:
            self.program = subprocess.Popen(
                [sys.executable, *map(str, words)], stdout=said, stderr=errors
            )

    def live(self) -> None:
        """Wait until the program has said so much more."""
        wanted, until = self.said() + LIFE_LINES, time.monotonic() + SECONDS_MAX
        while self.said() < wanted:
            assert self.program.poll() is None, (self.folder / "errors.log").read_text()[-3000:]
            assert time.monotonic() < until, (self.folder / "errors.log").read_text()[-3000:]
            time.sleep(0.02)

    def said(self) -> int:
        return self.output.read_bytes().count(b"\n")

    def kill(self, what: str) -> None:
        if what == "program":
            self.end()
            self.start()
            return
        postmaster = self.server.status().pid
        assert postmaster is not None
        os.kill(postmaster, signal.SIGKILL)
        done = subprocess.run(
            [sys.executable, "-m", "fenqi", "db", "start"],
            env=os.environ | {"FENQI_DATA": str(self.config.data_folder)},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr

    def end(self) -> None:
        self.program.kill()
        self.program.wait()

    def lines(self, what: str) -> list[list[Any]]:
        found = []
        for number in range(1, self.lives + 1):
            for line in (self.folder / f"life-{number}.jsonl").read_text().splitlines():
                with suppress(json.JSONDecodeError):  # the last line of a life may be half
                    found += [one for name, one in json.loads(line).items() if name == what]
        return found


@pytest.fixture
def watched(private_folder: Path) -> Iterator[Watched]:
    folder = private_folder / "facts"
    folder.mkdir(mode=0o755)
    one = Watched(folder)
    yield one
    one.end()
    one.server.stop()


@pytest.mark.skipif(
    bool(os.environ.get("FENQI_DATABASE_URL")), reason="a server that is given is not killed"
)
def test_no_fact_is_lost_and_every_feature_was_exact(watched: Watched) -> None:
    for what in KILLS:
        watched.live()
        watched.kill(what)
    watched.live()
    watched.end()
    with Runtime.open(watched.config) as runtime, runtime.store.transaction() as session:
        events, told = session.rows(EVENTS), dict(session.rows(TOLD))
    answered = [key for kind, key in watched.lines("answered") if kind == "observe"]
    assert len(answered) > 100
    assert watched.lines("refused") == []
    assert {key: told.get(key) for key in answered} == dict.fromkeys(answered, 3)
    assert set(told.values()) == {3}  # of what was never answered all or nothing is there
    assert_exact(watched.lines("seen"), events)


def assert_exact(seen: list[list[Any]], events: list[tuple[Any, ...]]) -> None:
    places = {account: place for place, account in enumerate({one[0] for one in events})}
    facts = [Fact(places[account], *rest) for account, *rest in events]
    history = History(shipped(), facts, ["UTC"] * len(places))
    names = [one.name for one in shipped().features]
    asked = [(places[UUID(account)], number, moment) for account, number, moment, _ in seen]
    assert len(asked) > 50
    found = compute(history, names, Asks(*np.array(asked, dtype=np.int64).T))
    for place, (_, _, _, live) in enumerate(seen):
        values = np.where(found.known[place], found.values[place], -1).tolist()
        assert [-1 if one is None else one for one in live] == values, asked[place]
    assert len({json.dumps(live) for *_, live in seen}) > 30
