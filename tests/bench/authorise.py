"""Authorise + capture through the desk, against pgbench TPC-B on the same server.

    python tests/bench/authorise.py [--rounds 5] [--seconds 20] [--json FILE] [--alone]
        [--programs N] [--anywhere] [--judge] [--flow]

Closed loop: 256 callers, each sends its next purchase when the last one is answered, in as many
programs as the machine has cores, or as many as `--programs` says (`callers.py`); a customer is
sent to the same one each time, with `--anywhere` to any. Rounds
alternate between the yardstick and fenqi, so a neighbour's load falls on both. Beside the speed it
tells what a purchase costs, in microseconds of processor time and bytes of the log, and the ratio
of the processor times of both. A busy machine disturbs these less: there the yardstick's eighteen
processes are given more of it than the two threads and two backends of ours. `--alone` leaves out
the yardstick. Purchases are decided by the shipped policy over all its features; with `--judge` by
the built-in judge, as before there were policies. With `--flow` nothing races: it tells what a
purchase costs in batches through the flow, on one connection, which two versions run by turns on
any machine can be compared by.
"""

import argparse
import dataclasses
import json
import os
import statistics
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import psycopg
from callers import BOOK, Programs, Purchases, Round, customers
from psycopg.conninfo import conninfo_to_dict

from bench import add_cost_table, folder
from fenqi.core.values.ids import MerchantId
from fenqi.flows.authorise import authorise
from fenqi.flows.found import Found, enlist, found
from fenqi.machine import Config
from fenqi.runtime import Runtime, wipe_database
from fenqi.store.ground import Ground
from fenqi.store.programs import wheel_programs
from fenqi.store.server import Server

ACCOUNTS = 200_000
SCALE = 50
CLIENTS = 16
BATCH, BATCHES, WARMING = 110, 80, 60  # of `--flow`: purchases in one, those measured, before them

LOAD = """
WITH fresh AS (
    SELECT gen_random_uuid() AS a, gen_random_uuid() AS p, n FROM generate_series(1, %(n)s) AS n
), persons AS (
    INSERT INTO persons SELECT p, 'bench/' || n FROM fresh
), opened AS (
    INSERT INTO accounts (account_id, book_id, kind, person_id, slice, currency, status, opened_on,
        agreement_version, cost_table, statement_day, limit_minor)
    SELECT a, %(book)s, 'customer', p, n %% 64, 'CNY', 'open', %(day)s, 1, %(costs)s, 1 + n %% 28,
        10^12
    FROM fresh RETURNING account_id
)
INSERT INTO agreements SELECT account_id, 1, %(day)s, 'cn', %(pack)s, %(costs)s FROM opened
"""


def tpcb(url: str, seconds: float) -> float:
    """Return pgbench's TPC-B transactions per second."""
    done = subprocess.run(
        [
            *pgbench(url),
            "-M",
            "prepared",
            "-c",
            str(CLIENTS),
            "-j",
            "2",
            "-T",
            str(int(seconds)),
        ],
        env=environment(url),
        capture_output=True,
        text=True,
        check=True,
    )
    line = next(line for line in done.stdout.splitlines() if line.startswith("tps"))
    return float(line.split()[2])


def pgbench(url: str) -> list[str]:
    parts = conninfo_to_dict(url)
    tool = Path(programs_folder()) / "pgbench"
    words = ["-h", parts["host"], "-p", parts["port"], "-U", parts["user"], "pgbench"]
    return [str(tool), *[str(word) for word in words]]


def programs_folder() -> str:
    return str(wheel_programs(18))


def environment(url: str) -> dict[str, str]:
    return os.environ | {"PGPASSWORD": str(conninfo_to_dict(url)["password"])}


class Costs:
    """What ran up since it was built: the server's processor time and log, the yardstick's own.

    It begins with a checkpoint, so that nobody pays for the pages another has changed before.
    """

    def __init__(self, url: str, postmaster: int) -> None:
        self._connection = psycopg.connect(url, autocommit=True)
        self._connection.execute("CHECKPOINT")
        self._postmaster = postmaster
        self._before = self._read()

    def each(self, purchases: int) -> dict[str, float]:
        """Return what one of so many purchases cost since the last call. Units: in the names."""
        before, self._before = self._before, self._read()
        return {
            name: round((now - before[name]) / purchases, 1) for name, now in self._before.items()
        }

    def _read(self) -> dict[str, float]:
        self._connection.execute("SELECT pg_stat_force_next_flush()")
        asked = "SELECT wal_bytes, wal_records, wal_fpi FROM pg_stat_wal"
        log = self._connection.execute(asked).fetchone() or (0, 0, 0)
        times = os.times()
        return {
            "children_us": 1e6 * (times.children_user + times.children_system),
            "server_us": 1e6 * self._server_seconds(),
            "log_bytes": float(log[0]),
            "log_records": float(log[1]),
            "log_page_images": float(log[2]),
        }

    def _server_seconds(self) -> float:
        """Return processor time of the server's processes, with those that ended."""
        words = Path(f"/proc/{self._postmaster}/stat").read_text().rpartition(")")[2].split()
        ticks = int(words[13]) + int(words[14])  # of children it has waited for
        for file in Path("/proc").glob("[0-9]*/stat"):
            try:
                words = file.read_text().rpartition(")")[2].split()
            except OSError:
                continue  # it has ended
            if int(words[1]) == self._postmaster:
                ticks += int(words[11]) + int(words[12])
        return ticks / os.sysconf("SC_CLK_TCK")


def through_flow(ground: Ground, purchases: Purchases, postmaster: int) -> dict[str, float]:
    """Return what a purchase of a batch costs this thread and the server: lower tenths, medians."""
    files = [
        file.parent / "schedstat"
        for file in Path("/proc").glob("[0-9]*/stat")
        if int(file.read_text().rpartition(")")[2].split()[1]) == postmaster
    ]

    def served_ns() -> int:
        return sum(int(file.read_text().split()[0]) for file in files if file.exists())

    python, server = [], []
    for _ in range(BATCHES):
        commands = [purchases.next() for _ in range(BATCH)]
        served, began = served_ns(), time.thread_time_ns()
        authorise(ground, commands)
        python.append((time.thread_time_ns() - began) / BATCH / 1000)
        server.append((served_ns() - served) / BATCH / 1000)
    told = {"python_us": sorted(python), "server_us": sorted(server)}
    return {
        f"{name}_{what}": round(costs[len(costs) * place // 100], 1)
        for name, costs in told.items()
        for what, place in (("lower_tenth", 10), ("median", 50))
    }


def main() -> None:
    words = argparse.ArgumentParser()
    words.add_argument("--rounds", type=int, default=5)
    words.add_argument("--seconds", type=float, default=20)
    words.add_argument("--programs", type=int, default=len(os.sched_getaffinity(0)))
    words.add_argument("--anywhere", action="store_true")
    words.add_argument("--json", type=Path)
    words.add_argument("--alone", action="store_true")
    words.add_argument("--judge", action="store_true")
    words.add_argument("--flow", action="store_true")
    chosen = words.parse_args()
    config = Config(data_folder=folder("authorise"))
    wipe_database(config)  # each run meets the same database, whatever ran before, and when
    with Runtime.open(config, stop_after=True) as runtime:
        url = Server(config.database_folder).url
        prepare_yardstick(url)
        merchant = prepare_book(runtime, url)
        postmaster = Server(config.database_folder).status().pid or 0
        if chosen.flow:
            ground = dataclasses.replace(runtime.ground, asks_policies=not chosen.judge)
            purchases = Purchases(customers(url), merchant)
            for _ in range(WARMING):
                authorise(ground, [purchases.next() for _ in range(BATCH)])
            for _ in range(chosen.rounds):
                sys.stdout.write(f"{through_flow(ground, purchases, postmaster)}\n")
            return
        rounds = []
        with Programs(
            *(chosen.programs, config, merchant), judge=chosen.judge, anywhere=chosen.anywhere
        ) as programs:
            programs.run(2)
            for number in range(chosen.rounds):
                before, yardstick = 0.0, dict.fromkeys(("server_us", "children_us"), 0.0)
                if not chosen.alone:
                    costs = Costs(url, postmaster)
                    before = tpcb(url, chosen.seconds)
                    yardstick = costs.each(round(before * chosen.seconds))
                costs = Costs(url, postmaster)
                done = programs.run(chosen.seconds)
                rounds.append(told(before, yardstick, done, costs.each(len(done.latencies))))
                sys.stderr.write(f"round {number + 1}: {rounds[-1]}\n")
    ratios = [float(str(one["ratio"])) for one in rounds]
    result = {
        "bench": f"authorise + capture, 256 callers, programs: {chosen.programs}",
        "decided_by": "judge" if chosen.judge else "policy",
        "programs": chosen.programs,
        "median_ratio_to_tpcb": statistics.median(ratios),
        "spread": [min(ratios), max(ratios)],
        "rounds": rounds,
    }
    sys.stdout.write(json.dumps(result, indent=1) + "\n")
    if chosen.json:
        chosen.json.write_text(json.dumps(result, indent=1) + "\n")


def told(
    before: float, yardstick: dict[str, float], done: Round, each: dict[str, float]
) -> dict[str, object]:
    """Return what is told of a round; `before` are the yardstick's transactions per second."""
    count = len(done.latencies)
    each = {"python_us": round(1e6 * done.seconds / count, 1), **each}
    tpcb_us = yardstick["server_us"] + yardstick["children_us"] if before else 0
    spent = each["python_us"] + each["server_us"]
    return {
        "tpcb_per_second": round(before),
        "purchases_per_second": round(done.speed),
        "ratio": round(done.speed / before, 2) if before else 0,
        "p50_ms": round(1000 * done.latencies[count // 2], 1),
        "p99_ms": round(1000 * done.latencies[count * 99 // 100], 1),
        "tpcb_us": tpcb_us,
        "ratio_of_processor_time": round(tpcb_us / spent, 2),
        "each": each,
    }


def prepare_book(runtime: Runtime, url: str) -> MerchantId:
    """Make a book with accounts and a shop, unless it is there; return the shop."""
    day = datetime.now(UTC).date()
    asked = Found(book_id=BOOK, legal_entity="Bench", currency="CNY", zone="UTC", opened_on=day)
    found(runtime.ground, asked)
    merchant = enlist(runtime.ground, BOOK, ["shop"])["shop"]
    if not customers(url):
        with psycopg.connect(url) as connection:
            costs = add_cost_table(connection, runtime.ground.catalogue)
            pack = runtime.ground.catalogue.pack("cn").version
            book = {"n": ACCOUNTS, "book": BOOK, "day": day, "costs": costs, "pack": pack}
            connection.execute(LOAD, book)
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("VACUUM ANALYZE")
    return merchant


def prepare_yardstick(url: str) -> None:
    """Make the yardstick's tables, unless they are there whole."""
    order = [*pgbench(url), "-i", "-q", "-s", str(SCALE)]
    with psycopg.connect(url, autocommit=True) as connection:
        if not connection.execute("SELECT 1 FROM pg_database WHERE datname = 'pgbench'").fetchone():
            connection.execute("CREATE DATABASE pgbench")
    try:
        tpcb(url, 1)
    except subprocess.CalledProcessError:
        subprocess.run(order, env=environment(url), check=True, capture_output=True)


if __name__ == "__main__":
    main()
