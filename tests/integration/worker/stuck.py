"""A program that runs one round of a duty: it hangs in it, or works on and on.

Words: the database's URL, `hangs` or `works`, and how many seconds it may be silent. It says
"inside" once it is in the round, and at its end whether the round was written down.
"""

import sys
import time
from datetime import timedelta

from fenqi.machine import SystemClock
from fenqi.runtime import Ids
from fenqi.store import catalogue
from fenqi.store.duties import Cursor
from fenqi.store.ground import Ground
from fenqi.store.pool import DatabaseGone, Store
from fenqi.worker.beat import Beat
from fenqi.worker.rota import Duty, Round, run_round

WORK_SECONDS = 600


def say(word: str) -> None:
    sys.stdout.write(f"{word}\n")
    sys.stdout.flush()


def hangs(_: Ground, cursor: Cursor, /, **__: object) -> Round:
    """Wait until somebody writes a line to this program, without a sign of life."""
    say("inside")
    sys.stdin.readline()
    return Round(100, {"by": "the one that hung", "from": dict(cursor)}, is_whole=False)


def works(_: Ground, _cursor: Cursor, /, *, beat: Beat) -> Round:
    """Work for long, with signs of life."""
    say("inside")
    until = time.monotonic() + WORK_SECONDS
    while time.monotonic() < until:
        beat()
        time.sleep(0.05)
    return Round(1, {}, is_whole=True)


if __name__ == "__main__":
    url, how, seconds = sys.argv[1:]
    store, clock = Store.open(url), SystemClock()
    with store.transaction() as session:
        known = catalogue.load(session)
    ground = Ground(store, clock, Ids(clock), known)
    duty = Duty("stuck", {"hangs": hangs, "works": works}[how], timedelta(seconds=10))
    try:
        run_round(ground, duty, by=how, is_forced=True, silent_seconds_max=float(seconds))
        say("written")
    except DatabaseGone:
        say("lost")
    store.close()
