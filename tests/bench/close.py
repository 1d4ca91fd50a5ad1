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

from fenqi.report.check import check
from fenqi.runtime import Config
from fenqi.store.pool import Store
from fenqi.store.programs import system_folder
from fenqi.store.server import Server
from fenqi.worker import close

YARDSTICK = Path(__file__).with_name("close_yardstick.sql")
STEPS = close.STEPS
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


def rows_of(url: str) -> dict[str, tuple[int, int]]:
    """Return, per table, how many rows it has and the sum of their digests."""
    found = {}
    with psycopg.connect(url) as connection:
        for table, columns in connection.execute(TABLES, {"traces": list(TRACES)}).fetchall():
            found[table] = connection.execute(
                f"SELECT COUNT(*), SUM(hashtextextended(ROW({columns})::text, 0)) FROM {table}"
            ).fetchone()
    return found


def one_round(url: str, book: str, *, is_first: bool) -> dict[str, object]:
    """Close the day both ways on fresh copies; return the seconds of each and their ratio."""
    ways: Mapping[str, Callable[[str], tuple[float, dict[str, float]]]] = {
        "yardstick": by_sql,
        "fenqi": by_fenqi,
    }
    names = {way: f"{book}_{way}" for way in ways}
    taken: dict[str, float] = {}
    steps: dict[str, float] = {}
    for way, work in ways.items():
        run(url, DROP.replace("{}", "{name}"), name=names[way])
        run(
            url, COPY.replace("{}", "{name}", 1).replace("{}", "{book}"), name=names[way], book=book
        )
        run(at(url, names[way]), "CHECKPOINT")
        taken[way], steps = work(at(url, names[way]))
        tell(f"  {way}: {taken[way]:.2f} s")
    if is_first:
        compare(url, names)
    for name in names.values():
        run(url, DROP.replace("{}", "{name}"), name=name)
    return {
        "yardstick_seconds": round(taken["yardstick"], 2),
        "fenqi_seconds": round(taken["fenqi"], 2),
        "ratio": round(taken["yardstick"] / taken["fenqi"], 2),
        "steps": {name: round(one, 3) for name, one in steps.items()},
    }


def compare(url: str, names: Mapping[str, str]) -> None:
    """Refuse a round in which one way wrote other rows, or books that do not agree."""
    ours, theirs = rows_of(at(url, names["fenqi"])), rows_of(at(url, names["yardstick"]))
    differ = [(table, ours[table], theirs[table]) for table in ours if ours[table] != theirs[table]]
    if differ:
        raise SystemExit(f"the two ways wrote different rows: {differ}")
    store = Store.open(at(url, names["fenqi"]))
    checked = check(store, sample=1000)
    store.close()
    if checked.findings:
        raise SystemExit(f"the books do not agree: {checked.findings[:5]}")
    tell(f"  the same rows both ways; {checked.accounts} accounts checked, no finding")


def main() -> None:
    words = argparse.ArgumentParser()
    words.add_argument("--plans", type=int, default=1_000_000)
    words.add_argument("--rounds", type=int, default=3)
    words.add_argument("--all-due", action="store_true")
    words.add_argument("--json", type=Path)
    asked = words.parse_args()
    given = Config.from_environment().data_folder
    folder = system_folder() / "bench" if given == system_folder() else given
    server = Server(folder / "postgres")
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
