"""Callers in a closed loop, in programs of their own that work on one database.

One interpreter runs one thread at a time, so a machine runs as many programs as it has cores, like
any server of requests in Python; here each with its callers and a desk. Any of them may meet any
account; by default a customer is always sent to the same one, as by a proxy that hashes who asks.
"""

import array
import dataclasses
import gc
import os
import random
import threading
import time
from datetime import UTC, datetime
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any
from uuid import UUID

import psycopg

from fenqi.core.errors import FenqiError
from fenqi.core.values.ids import AccountId, MerchantId
from fenqi.desk import WRITERS, Desk
from fenqi.flows.authorise import Authorise
from fenqi.machine import Config
from fenqi.runtime import Runtime
from fenqi.store.server import Server

BOOK = "bench"
CALLERS = 256  # of all programs together
CUSTOMERS = "SELECT account_id FROM accounts WHERE kind = 'customer' AND book_id = %s"
PROCESSES = get_context("spawn")


class Purchases:
    """Makes purchases of accounts drawn from many. Thread-safe."""

    def __init__(self, accounts: list[AccountId], merchant: MerchantId) -> None:
        self._accounts = accounts
        self._merchant = merchant
        self._shop = str(merchant)
        self._program = os.getpid()
        self._chance = random.Random(self._program)
        self._number = 0
        self._lock = threading.Lock()

    def next(self) -> Authorise:
        """Return the next one."""
        with self._lock:
            self._number += 1
            number = self._number
            account = self._chance.choice(self._accounts)
        return Authorise(
            scope_kind="merchant",
            scope_id=self._shop,
            key=f"{self._program}-{number}",
            account_id=account,
            merchant_id=self._merchant,
            merchant_order=f"order-{number}",
            amount_minor=1000 + number % 100_000,
            product="flat",
            count=6,
            placed_at=datetime.now(UTC),
            capture_now=True,
        )


class Callers:
    """Some callers: each sends its next purchase when its last is answered. Latencies in s."""

    def __init__(self, desk: Desk, purchases: Purchases) -> None:
        self._desk = desk
        self._purchases = purchases
        self._lock = threading.Lock()
        self._until = 0.0
        self._running = 0
        self._idle = threading.Event()
        self._failed: list[BaseException] = []
        self.latencies: list[float] = []

    def run(self, count: int, seconds: float) -> float:
        """Let so many callers send purchases; return commands per second."""
        self.latencies = []
        self._idle.clear()
        start = time.perf_counter()
        self._until = start + seconds
        self._running = count
        for _ in range(count):
            self._send()
        self._idle.wait()
        if self._failed:
            raise self._failed[0]
        return len(self.latencies) / (time.perf_counter() - start)

    def _send(self) -> None:
        at = time.perf_counter()
        self._desk.send(self._purchases.next(), lambda answer: self._next(at, answer))

    def _next(self, at: float, answer: Any) -> None:
        now = time.perf_counter()
        self.latencies.append(now - at)
        if isinstance(answer, FenqiError):
            self._failed.append(answer)
        elif answer.outcome != "approve":
            self._failed.append(RuntimeError(f"declined: {answer}"))
        if now < self._until and not self._failed:
            self._send()
            return
        with self._lock:
            self._running -= 1
            if not self._running:
                self._idle.set()


@dataclasses.dataclass(frozen=True)
class Round:
    """What programs did in one round. Units: `seconds` of processor time, sorted `latencies`."""

    speed: float
    seconds: float
    latencies: list[float]


class Programs:
    """Some programs with their callers, until the end of a `with`."""

    def __init__(
        self,
        count: int,
        config: Config,
        merchant: MerchantId,
        *,
        judge: bool,
        anywhere: bool = False,
    ) -> None:
        self._pipes: list[Connection[Any, Any]] = []
        self._processes = []
        callers = CALLERS // count
        writers = 1 if count > 1 else WRITERS
        for place in range(count):
            ours, theirs = PROCESSES.Pipe()
            part = None if anywhere else (place, count)
            asked = (theirs, config, merchant, callers, writers, judge, part)
            process = PROCESSES.Process(target=_program, args=asked, daemon=True)
            process.start()
            theirs.close()
            self._pipes.append(ours)
            self._processes.append(process)
        for pipe in self._pipes:
            pipe.recv()

    def run(self, seconds: float) -> Round:
        """Let all callers send purchases. Errors: EOFError if a program failed."""
        for pipe in self._pipes:
            pipe.send(seconds)
        told = [pipe.recv() for pipe in self._pipes]
        latencies = sorted(one for _, _, part in told for one in array.array("d", part))
        return Round(sum(one[0] for one in told), sum(one[1] for one in told), latencies)

    def __enter__(self) -> "Programs":
        return self

    def __exit__(self, *_: object) -> None:
        for pipe in self._pipes:
            pipe.close()
        for process in self._processes:
            process.join()


def customers(url: str) -> list[AccountId]:
    """Return the accounts of the bench's book."""
    with psycopg.connect(url) as connection:
        found = connection.execute(CUSTOMERS, [BOOK]).fetchall()
    return [AccountId(UUID(int=row[0].int)) for row in found]


def _program(
    pipe: Any,
    config: Config,
    merchant: MerchantId,
    count: int,
    writers: int,
    judge: bool,
    part: tuple[int, int] | None,
) -> None:
    """Work on the accounts of a part, or on all, for as long as the other end of the pipe asks."""
    with Runtime.open(config) as runtime:
        accounts = customers(Server(config.database_folder).url)
        if part is not None:
            accounts = [one for one in accounts if one.int % part[1] == part[0]]
        gc.freeze()  # ids of the bench are no part of the program
        ground = dataclasses.replace(runtime.ground, asks_policies=not judge)
        with Desk(ground, writers=writers) as desk:
            callers = Callers(desk, Purchases(accounts, merchant))
            pipe.send(None)
            while True:
                try:
                    seconds = pipe.recv()
                except EOFError:
                    return
                began = time.process_time()
                speed = callers.run(count, seconds)
                spent = time.process_time() - began
                pipe.send((speed, spent, array.array("d", callers.latencies).tobytes()))
