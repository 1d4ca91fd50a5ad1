"""The day close of a large book, against the simplest set-based SQL that writes the same rows.

    python tests/bench/close.py [--plans 1000000] [--rounds 3] [--all-due] [--json FILE]

Each round closes one day twice, on two fresh copies of one database: by `close_through`, and by
`close_yardstick.sql`. Both commit durably. After the first round every row of every table is
compared; what may differ is only the hour of writing and the close's own record of its steps.
"""

import argparse
import dataclasses
import json
import statistics
import sys
import time
from collections import defaultdict
from collections.abc import Callable, Mapping
from pathlib import Path

import psycopg
from big_book import BOOK, COPY, DAY, DROP, at, big_book, ground_of, run, run_script

from bench import folder
from fenqi.report.check import plan_differences
from fenqi.store import audit, catalogue, plans
from fenqi.store.pool import Store
from fenqi.store.server import Server
from fenqi.worker import close

YARDSTICK = Path(__file__).with_name("close_yardstick.sql")
STEPS = close.STEPS
RANGES_CHECKED = 10  # of a thousand accounts each
WARM = (
    "accounts",
    "plans",
    "changed_instalments",
)  # read once, so that no way pays for a cold disk
TRACES = ("recorded_by", "finished_at", "occurred_at", "recorded_at", "not_before")
TABLES = """
SELECT c.relname, string_agg(quote_ident(a.attname), ', ' ORDER BY a.attnum)
FROM pg_class AS c JOIN pg_attribute AS a ON a.attrelid = c.oid
WHERE c.relkind = 'r' AND c.relnamespace = 'public'::regnamespace AND a.attnum > 0
    AND NOT a.attisdropped AND a.attname <> ALL(%(traces)s)
    AND c.relname NOT IN ('migrations', 'close_steps')
GROUP BY c.relname ORDER BY c.relname
"""


def tell(words: str) -> None:
    sys.stderr.write(f"{time.strftime('%H:%M:%S')} {words}\n")


def by_fenqi(url: str) -> tuple[float, dict[str, float]]:
    """Close the day as production does; return seconds in all and per step."""
    seconds: dict[str, float] = defaultdict(float)

    def timed(step: close.Step) -> close.Step:
        def flow(ground, task):  # type: ignore[no-untyped-def] # as the step's own
            start = time.perf_counter()
            touched = step.flow(ground, task)
            seconds[step.name] += time.perf_counter() - start
            return touched

        return dataclasses.replace(step, flow=flow)

    close.STEPS = tuple(timed(step) for step in STEPS)
    store = Store.open(url)
    ground = ground_of(store, DAY)
    start = time.perf_counter()
    closed = close.close_through(ground, BOOK, DAY)
    whole = time.perf_counter() - start
    store.close()
    tell(f"  touched {dict(closed.touched)}")
    return whole, dict(seconds)


def by_sql(url: str) -> tuple[float, dict[str, float]]:
    """Close the day by hand-written SQL in one transaction."""
    with psycopg.connect(url) as connection:
        start = time.perf_counter()
        run_script(connection, YARDSTICK, day=DAY)
        connection.commit()
        return time.perf_counter() - start, {}


def rows_written(url: str, since: int) -> dict[str, tuple[int, ...]]:
    """Return, per table, how many rows it has, how many are newer, and the sum of their digests."""
    found = {}
    with psycopg.connect(url) as connection:
        for table, columns in connection.execute(TABLES, {"traces": list(TRACES)}).fetchall():
            found[table] = connection.execute(
                f"SELECT COUNT(*), COUNT(digest), COALESCE(SUM(digest), 0) FROM ("
                f"SELECT CASE WHEN xmin::text::bigint >= {since} "
                f"THEN hashtextextended(ROW({columns})::text, 0) END AS digest FROM {table}) AS t"
            ).fetchone()
    return found


def one_round(url: str, book: str, *, is_first: bool) -> dict[str, object]:
    """Close the day both ways, each on a fresh copy; return the seconds and their ratio.

    One copy at a time: two would push each other out of the machine's memory.
    """
    ways: Mapping[str, Callable[[str], tuple[float, dict[str, float]]]] = {
        "yardstick": by_sql,
        "fenqi": by_fenqi,
    }
    name = f"{book}_copy"
    taken: dict[str, float] = {}
    steps: dict[str, float] = {}
    written = []
    for way, work in ways.items():
        run(url, DROP.replace("{}", "{name}"), name=name)
        run(url, COPY.replace("{}", "{name}", 1).replace("{}", "{book}"), name=name, book=book)
        since = begin(at(url, name))
        taken[way], steps = work(at(url, name))
        tell(f"  {way}: {taken[way]:.2f} s")
        if is_first:
            written.append(rows_written(at(url, name), since))
    if is_first:
        differ = [(one, rows, written[1][one]) for one, rows in written[0].items()]
        differ = [one for one in differ if one[1] != one[2]]
        if differ:
            raise SystemExit(f"the two ways wrote different rows: {differ}")
        check_some(at(url, name))
        tell(f"  the same {sum(one[1] for one in written[0].values())} rows both ways")
    run(url, DROP.replace("{}", "{name}"), name=name)
    return {
        "yardstick_seconds": round(taken["yardstick"], 2),
        "fenqi_seconds": round(taken["fenqi"], 2),
        "ratio": round(taken["yardstick"] / taken["fenqi"], 2),
        "steps": {name: round(one, 3) for name, one in steps.items()},
    }


def begin(url: str) -> int:
    """Bring a copy to the state every way begins in; return the first transaction that is new."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CHECKPOINT")
        for table in WARM:
            connection.execute(f"SELECT COUNT(*) FROM {table}")
        (since,) = connection.execute("SELECT pg_current_xact_id()::text::bigint").fetchone()
        return since


def check_some(url: str) -> None:
    """Refuse books that do not agree: some ranges of accounts, and the plans of each replayed."""
    store = Store.open(url)
    with store.transaction() as session:
        known = catalogue.load(session)
        findings = [*audit.compare_days(session, BOOK)]
        after: audit.Range | None = None
        for _ in range(RANGES_CHECKED):
            after = audit.next_range(session, BOOK, after)
            if after is None:
                break
            findings += audit.compare(session, after)
            keys = audit.plans_of(session, after)
            records = plans.load(session, keys, known)
            for key, stored in audit.stored(session, keys).items():
                findings += plan_differences(records[key], stored)
    store.close()
    if findings:
        raise SystemExit(f"the books do not agree: {findings[:5]}")


def main() -> None:
    words = argparse.ArgumentParser()
    words.add_argument("--plans", type=int, default=1_000_000)
    words.add_argument("--rounds", type=int, default=3)
    words.add_argument("--all-due", action="store_true")
    words.add_argument("--json", type=Path)
    asked = words.parse_args()
    server = Server(folder("close") / "postgres")
    is_ours = server.start()
    try:
        tell(f"a book of {asked.plans} plans; loaded once, which takes some minutes")
        book = big_book(server.url, asked.plans, all_due=asked.all_due)
        rounds = []
        for number in range(asked.rounds):
            tell(f"round {number + 1}")
            rounds.append(one_round(server.url, book, is_first=number == 0))
    finally:
        if is_ours:
            server.stop()
    ratios = [float(str(one["ratio"])) for one in rounds]
    result = {
        "bench": f"day close of {asked.plans} plans, {'all' if asked.all_due else '1 in 36'} due",
        "median_ratio_to_sql": statistics.median(ratios),
        "spread": [min(ratios), max(ratios)],
        "rounds": rounds,
    }
    sys.stdout.write(json.dumps(result, indent=1) + "\n")
    if asked.json:
        asked.json.write_text(json.dumps(result, indent=1) + "\n")


if __name__ == "__main__":
    main()
