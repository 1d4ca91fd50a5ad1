"""Features of a batch of purchases by trails, against SQL over the same events; facts per second.

    python tests/bench/facts.py [--rounds 5] [--accounts 5000] [--seconds 5] [--json FILE]

The yardstick is what one would write without trails: one statement that computes the same features
for a batch of 100 accounts from their events, over their index. Both give the same rows, which is
checked for every batch. Trails are warm (kept by this program) or cold (read from the events); both
are also told as processor time of their own thread. Facts are logins told through the desk, from
addresses of their own and all from one address, durable.
"""

import argparse
import json
import random
import statistics
import sys
import threading
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psycopg
from authorise import LOAD

from bench import add_cost_table, folder
from fenqi.core.errors import FenqiError
from fenqi.core.risk.features.moment import moment_of
from fenqi.core.values.ids import AccountId
from fenqi.desk import Desk
from fenqi.flows.found import Found, found
from fenqi.flows.observe import Observe, Told
from fenqi.machine import Config
from fenqi.runtime import Runtime
from fenqi.store import accounts as account_rows
from fenqi.store.ground import Ground
from fenqi.store.server import Server
from fenqi.store.trails import Trails

BATCH = 100
BATCHES = 30  # a round
EVENTS_EACH = 40  # of an account over 180 days
CALLERS = 128
BOOK = "facts"
FEATURES = (
    "purchases_1h",
    "purchases_24h",
    "purchases_7d",
    "purchases_30d",
    "purchase_amount_24h",
    "purchase_amount_30d",
    "purchase_amount_max_90d",
    "merchants_30d",
    "declines_24h",
    "payments_90d",
    "payments_late_180d",
    "partial_payment_share_180d",
    "largest_payment_365d",
    "refunds_90d",
    "days_since_first_purchase",
)
EVENTS = """
INSERT INTO events (account_id, number, schema_version, kind, actor, occurred_at, recorded_at,
    booked_on, effective_on, payload)
SELECT a.account_id, n, 1,
    (ARRAY['purchase-captured', 'purchase-captured', 'receipt-final', 'purchase-declined',
           'purchase-refunded', 'statement-cut', 'income-recognised', 'receipt-final'])[1 + n %% 8],
    'bench', t.at, t.at, t.at::date, t.at::date,
    jsonb_build_object('amount_minor', 1000 + n * 37, 'merchant', 'm' || n %% 5,
        'overdue_days', n %% 3, 'is_partial', n %% 2)
FROM accounts AS a CROSS JOIN generate_series(1, %(each)s) AS n
CROSS JOIN LATERAL (
    SELECT %(now)s::timestamptz - make_interval(secs => (%(each)s - n + 0.5) * 15552000 / %(each)s
        - (hashtext(a.account_id::text) %% 3600)) AS at
) AS t
WHERE a.kind = 'customer'
"""
COUNTED = """
UPDATE accounts SET event_count = %(each)s WHERE kind = 'customer' AND event_count = 0
"""
SQL = """
SELECT k.place,
    COUNT(*) FILTER (WHERE bought AND e.recorded_at > %(now)s - interval '1 hour'),
    COUNT(*) FILTER (WHERE bought AND e.recorded_at > %(now)s - interval '24 hours'),
    COUNT(*) FILTER (WHERE bought AND e.recorded_at > %(now)s - interval '7 days'),
    COUNT(*) FILTER (WHERE bought AND e.recorded_at > %(now)s - interval '30 days'),
    COALESCE(SUM(amount) FILTER (WHERE bought AND e.recorded_at > %(now)s - interval '24 hours'),
        0)::bigint,
    COALESCE(SUM(amount) FILTER (WHERE bought AND e.recorded_at > %(now)s - interval '30 days'),
        0)::bigint,
    MAX(amount) FILTER (WHERE bought AND e.recorded_at > %(now)s - interval '90 days'),
    COUNT(DISTINCT e.payload->>'merchant')
        FILTER (WHERE bought AND e.recorded_at > %(now)s - interval '30 days'),
    COUNT(*) FILTER (WHERE e.kind = 'purchase-declined'
        AND e.recorded_at > %(now)s - interval '24 hours'),
    COUNT(*) FILTER (WHERE paid AND e.recorded_at > %(now)s - interval '90 days'),
    COUNT(*) FILTER (WHERE paid AND (e.payload->>'overdue_days')::int >= 1
        AND e.recorded_at > %(now)s - interval '180 days'),
    COUNT(*) FILTER (WHERE paid AND (e.payload->>'is_partial')::int = 1
        AND e.recorded_at > %(now)s - interval '180 days') * 1000000
        / NULLIF(COUNT(*) FILTER (WHERE paid AND e.recorded_at > %(now)s - interval '180 days'), 0),
    MAX(amount) FILTER (WHERE paid AND e.recorded_at > %(now)s - interval '365 days'),
    COUNT(*) FILTER (WHERE e.kind = 'purchase-refunded'
        AND e.recorded_at > %(now)s - interval '90 days'),
    EXTRACT(EPOCH FROM %(now)s - MIN(e.recorded_at) FILTER (WHERE bought))::bigint / 86400
FROM UNNEST(%(accounts)s::uuid[]) WITH ORDINALITY AS k (account_id, place)
JOIN events AS e USING (account_id)
CROSS JOIN LATERAL (SELECT (e.payload->>'amount_minor')::bigint AS amount,
    e.kind IN ('purchase-authorised', 'purchase-captured') AND e.payload->>'was_held' IS NULL
        AS bought,
    e.kind IN ('receipt-final', 'plan-settled') AS paid) AS v
GROUP BY k.place ORDER BY k.place
"""


class Bench:
    """One database with accounts and their events."""

    def __init__(self, runtime: Runtime, url: str, accounts: int) -> None:
        self.runtime, self.url = runtime, url
        self.now = datetime.now(UTC)
        self.chance = random.Random(1)
        self._load(accounts)

    def _load(self, count: int) -> None:
        ground, today = self.runtime.ground, self.now.date()
        founding = Found(
            book_id=BOOK,
            legal_entity="Facts Ltd",
            currency="CNY",
            zone="UTC",
            opened_on=today,
        )
        found(ground, founding)
        with psycopg.connect(self.url, autocommit=True) as connection:
            costs = add_cost_table(connection, ground.catalogue)
            asked = {"n": count, "book": BOOK, "day": today, "costs": costs}
            asked["pack"] = ground.catalogue.pack("cn").version
            connection.execute(LOAD, asked)
            connection.execute(EVENTS, {"each": EVENTS_EACH, "now": self.now})
            connection.execute(COUNTED, {"each": EVENTS_EACH})
            connection.execute("VACUUM ANALYZE")
            rows = connection.execute("SELECT account_id FROM accounts WHERE kind = 'customer'")
            self.accounts = [AccountId(one) for (one,) in rows]

    def by_trails(self, ground: Ground, batch: list[AccountId]) -> tuple[list[Any], float, float]:
        """Return the features of a batch, the seconds they took, and those of this thread."""
        row, moment = ground.trails.row(FEATURES), moment_of(self.now)
        with ground.store.transaction() as session:
            locked = account_rows.lock(session, batch)
            held = [locked[one] for one in batch]
            begun, own = time.perf_counter(), time.thread_time()
            followed = ground.trails.follow(session, held)
            values = [row(followed.of(one), moment) for one in held]
            own, spent = time.thread_time() - own, time.perf_counter() - begun
        return values, spent, own

    def by_sql(self, batch: list[AccountId]) -> tuple[list[Any], float]:
        """Return the same by SQL, and the seconds they took."""
        asked = {"accounts": batch, "now": self.now}
        with self.runtime.store.transaction() as session:
            begun = time.perf_counter()
            rows = session.rows(SQL, asked)
            return [list(one[1:]) for one in rows], time.perf_counter() - begun

    def ground(self, trails: Trails) -> Ground:
        own = self.runtime.ground
        return Ground(own.store, own.clock, own.ids, own.catalogue, trails=trails)

    def round(self) -> dict[str, float]:
        """Return microseconds an account: warm trails, cold ones, SQL; of trails also their own."""
        warm = self.ground(Trails())
        spent = dict.fromkeys(("warm", "cold", "sql", "warm_own", "cold_own"), 0.0)
        batches = [self.chance.sample(self.accounts, BATCH) for _ in range(BATCHES)]
        for batch in batches:
            cold, seconds, own = self.by_trails(self.ground(Trails(warm.trails.features)), batch)
            spent["cold"] += seconds
            spent["cold_own"] += own
            wanted, seconds = self.by_sql(batch)
            spent["sql"] += seconds
            self.by_trails(warm, batch)
            values, seconds, own = self.by_trails(warm, batch)
            spent["warm"] += seconds
            spent["warm_own"] += own
            assert values == wanted
            assert cold == wanted
        return {name: 1e6 * one / BATCH / BATCHES for name, one in spent.items()}


class Tellers:
    """Callers who tell logins in a closed loop."""

    def __init__(self, desk: Desk, accounts: list[AccountId], run: str) -> None:
        self._desk, self._accounts, self._run = desk, accounts, run
        self._chance = random.Random(2)
        self._lock = threading.Lock()
        self._sent = 0
        self._running = 0
        self._idle = threading.Event()
        self._until = 0.0
        self._is_hot = False
        self.latencies: list[float] = []

    def tell(self, seconds: float, *, is_hot: bool) -> tuple[float, float, float]:
        """Return facts per second, the 99th of 100 latencies in ms, processor time a fact in us."""
        self.latencies, self._is_hot = [], is_hot
        self._idle.clear()
        begun, worked = time.perf_counter(), time.process_time()
        self._until, self._running = begun + seconds, CALLERS
        for _ in range(CALLERS):
            self._send()
        self._idle.wait()
        ordered = sorted(self.latencies)
        speed = len(ordered) / (time.perf_counter() - begun)
        own = 1e6 * (time.process_time() - worked) / len(ordered)
        return speed, 1000 * ordered[len(ordered) * 99 // 100], own

    def _send(self) -> None:
        with self._lock:
            self._sent += 1
            number = self._sent
            account = self._chance.choice(self._accounts)
        address = 7 if self._is_hot else number
        said = {"ip": f"{address:064x}", "device": f"{account.int % 2**64:064x}"}
        fact = Told(kind="login", happened_at=datetime.now(UTC), said=said)
        command = Observe(
            scope_id=str(account),
            key=f"{self._run}-{number}",
            account_id=account,
            facts=(fact,),
        )
        at = time.perf_counter()

        def told(answer: object) -> None:
            assert not isinstance(answer, FenqiError), answer
            now = time.perf_counter()
            self.latencies.append(now - at)
            if now < self._until:
                self._send()
                return
            with self._lock:
                self._running -= 1
                if not self._running:
                    self._idle.set()

        self._desk.send(command, told)


def main() -> None:
    words = argparse.ArgumentParser()
    words.add_argument("--rounds", type=int, default=5)
    words.add_argument("--accounts", type=int, default=5_000)
    words.add_argument("--seconds", type=float, default=5)
    words.add_argument("--json", type=Path)
    chosen = words.parse_args()
    config = Config(data_folder=folder("facts"))
    Server(config.database_folder).wipe()
    with Runtime.open(config, stop_after=True) as runtime:
        bench = Bench(runtime, Server(config.database_folder).url, chosen.accounts)
        rounds = [bench.round() for _ in range(chosen.rounds)]
        speeds: dict[str, list[tuple[float, float, float]]] = {"apart": [], "hot": []}
        with Desk(runtime.ground) as desk:
            tellers = Tellers(desk, bench.accounts, str(runtime.ids.new()))
            tellers.tell(1, is_hot=False)
            for _ in range(chosen.rounds):
                speeds["apart"].append(tellers.tell(chosen.seconds, is_hot=False))
                speeds["hot"].append(tellers.tell(chosen.seconds, is_hot=True))
    ratios = [one["sql"] / one["warm"] for one in rounds]

    def middle(values: list[float]) -> float:
        return round(statistics.median(values), 1)

    result = {
        "bench": f"{len(FEATURES)} features of a batch of {BATCH} accounts",
        "target": 5,
        "ratio_median": middle(ratios),
        "ratio_min": round(min(ratios), 1),
        "ratio_max": round(max(ratios), 1),
        "warm_us_per_account": middle([one["warm"] for one in rounds]),
        "warm_own_us_per_account": middle([one["warm_own"] for one in rounds]),
        "cold_us_per_account": middle([one["cold"] for one in rounds]),
        "cold_own_us_per_account": middle([one["cold_own"] for one in rounds]),
        "sql_us_per_account": middle([one["sql"] for one in rounds]),
        "facts_per_second": middle([one for one, _, _ in speeds["apart"]]),
        "facts_p99_ms": middle([one for _, one, _ in speeds["apart"]]),
        "facts_own_us": middle([one for _, _, one in speeds["apart"]]),
        "facts_of_one_address_per_second": middle([one for one, _, _ in speeds["hot"]]),
        "facts_of_one_address_p99_ms": middle([one for _, one, _ in speeds["hot"]]),
        "facts_of_one_address_own_us": middle([one for _, _, one in speeds["hot"]]),
    }
    text = json.dumps(result, indent=2)
    if chosen.json:
        chosen.json.write_text(text + "\n")
    sys.stdout.write(text + "\n")


if __name__ == "__main__":
    main()
