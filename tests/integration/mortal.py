"""A program that can die at any of its round trips to the database.

The driver waits for the server in one place, `Connection.wait`; a moment is counted before and
after each such wait. Nothing in the program knows of it, and a new statement has its own.
To die is to be cut from the server and never to run again: `Death` passes every handler.
"""

import os
import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Generic, TypeVar
from urllib.parse import urlsplit, urlunsplit

import psycopg
from make_book import World, reopen
from psycopg.pq import TransactionStatus
from psycopg_pool import ConnectionPool

from fenqi.store import pool
from fenqi.store.pool import Store

R = TypeVar("R")

AFTER_COMMIT = "after the commit"
WAIT_SECONDS_MAX = 240  # against what hangs
ARE_THERE = "SELECT FROM pg_stat_activity WHERE pid = ANY(%(pids)s) LIMIT 1"


class Death(BaseException):
    """The program ends here: no handler for errors stops it."""


@dataclass
class Fate:
    """Counts the moments of one life and ends it at the `at`-th. It begins when told.

    `on_commit` is told of each commit, before the answer to it comes back.
    """

    at: int | None = None
    on_commit: Callable[[], object] | None = None
    moments: list[str] = field(default_factory=list)
    is_begun: bool = False
    is_dead: bool = False

    def moment(self, name: str, connection: psycopg.Connection[Any]) -> None:
        if not self.is_begun:
            return
        self.moments.append(name)
        if name == AFTER_COMMIT and self.on_commit is not None:
            self.on_commit()
        if len(self.moments) == self.at:
            self.is_dead = True
            with socket.socket(fileno=os.dup(connection.fileno())) as line:
                line.shutdown(socket.SHUT_RDWR)
            raise Death(name)


class MortalConnection(psycopg.Connection[Any]):
    """A connection whose every wait for the server is two moments of a life."""

    fate: Fate | None = None
    waits_for = "a statement"

    def wait(self, *arguments: Any, **words: Any) -> Any:
        if self.fate is None:
            return super().wait(*arguments, **words)
        if self.fate.is_dead:
            raise psycopg.OperationalError("the program is dead")
        self.fate.moment(f"before {self.waits_for}", self)
        answer = super().wait(*arguments, **words)
        self.fate.moment(f"after {self.waits_for}", self)
        return answer

    def commit(self) -> None:
        if self.info.transaction_status is TransactionStatus.IDLE:
            return  # the pool commits once more what is committed
        self.waits_for = "the commit"
        try:
            super().commit()
        finally:
            self.waits_for = "a statement"

    @contextmanager
    def pipeline(self) -> Iterator[psycopg.Pipeline]:
        try:
            with super().pipeline() as line:
                yield line
        except psycopg.Error as fault:
            if self.fate is not None and self.fate.is_dead:
                raise Death("in a pipeline") from fault  # the driver's tidying up hides ours
            raise


@dataclass(frozen=True)
class Life(Generic[R]):
    """How a life went: its moments, what was answered if it did not end before, and where."""

    moments: list[str]
    answer: R | None
    ended: str | None

    @property
    def commits(self) -> int:
        return self.moments.count(AFTER_COMMIT)


def live(
    url: str,
    day: date,
    act: Callable[[World], R],
    at: int | None = None,
    *,
    on_commit: Callable[[], object] | None = None,
) -> Life[R]:
    """Start the program on a database, with the same ids and hour each time, and let it act."""
    fate = Fate(at, on_commit)
    pids: list[int] = []

    def configure(connection: MortalConnection) -> None:
        pool._prepare(connection)
        pids.append(connection.info.backend_pid)
        connection.fate = fate

    try:
        return _live(url, day, act, fate, configure)
    finally:
        _wait_until_gone(url, pids)


def _live(
    url: str,
    day: date,
    act: Callable[[World], R],
    fate: Fate,
    configure: Callable[[MortalConnection], None],
) -> Life[R]:
    with ConnectionPool(
        url, connection_class=MortalConnection, min_size=1, max_size=2, configure=configure
    ) as connections:
        world = reopen(Store(connections), day)
        fate.is_begun = True
        try:
            answer = act(world)
        except Death:
            return Life(fate.moments, None, fate.moments[-1])
        finally:
            fate.is_begun = False
        return Life(fate.moments, answer, None)


WATCHERS: dict[str, "psycopg.Connection[Any]"] = {}  # one for each server, beside its databases


def _wait_until_gone(url: str, pids: list[int]) -> None:
    """Wait until the server has noticed that a program has ended, and let go what that had locked.

    It does so at once, but for what others skip where it is locked that may be a moment too late.
    """
    beside = urlunsplit(urlsplit(url)._replace(path="/postgres"))
    if beside not in WATCHERS:
        WATCHERS[beside] = psycopg.connect(beside, autocommit=True)
    until = time.monotonic() + WAIT_SECONDS_MAX
    while WATCHERS[beside].execute(ARE_THERE, {"pids": pids}).fetchone() is not None:
        assert time.monotonic() < until, "a program that ended is still there"
        time.sleep(0.001)
