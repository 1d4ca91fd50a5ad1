"""What the worker does by itself: how each duty stands, and which program runs it at the moment.

A round of a duty is run under an advisory lock held by a transaction that does nothing else but
write down, at its end, what the round came to. A program that dies frees the lock at once. One that
hangs gives no sign of life: the server itself ends a transaction that has been silent for
`SILENT_SECONDS_MAX`, so another program goes on from the duty's cursor, and whoever comes back from
a hang can no longer write over it. No clocks of two machines are compared.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from fenqi.store.pool import Session

ROOM = 0x6475_7479  # "duty": of two-part advisory locks the first, so nobody else meets them
DUTIES_MAX = 100
FAULT_CHARS_MAX = 500
# A round at work says so after each piece of work; no piece waits longer than this honestly: one
# lock (60 s), one connection (30 s), a bureau's answer.
SILENT_SECONDS_MAX = 120
Cursor = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Standing:
    """How a duty stands. `good_at` is the end of the last round that did not fail."""

    name: str
    cursor: Cursor
    begun_at: datetime | None
    ended_at: datetime | None
    good_at: datetime | None
    due_at: datetime | None
    touched: int
    failures: int
    fault: str | None
    run_by: str


LOCK = "SELECT pg_try_advisory_xact_lock(%(room)s, %(key)s)"
SILENCE = "SELECT set_config('idle_in_transaction_session_timeout', %(most)s, true)"


def own(session: Session, name: str, *, silent_seconds_max: float = SILENT_SECONDS_MAX) -> bool:
    """Return whether this transaction may run a duty; False if another does.

    It may until it ends, or until it was silent for so long; `beat` is a sign of life.
    """
    session.rows(SILENCE, {"most": f"{round(silent_seconds_max * 1000)}ms"})
    return session.rows(LOCK, {"room": ROOM, "key": _key(name)}) == [(True,)]


def _key(name: str) -> int:
    """Return the second part of a duty's lock."""
    return int.from_bytes(hashlib.sha256(name.encode()).digest()[:4], "big", signed=True)


BEAT = "SELECT 1"


def beat(session: Session) -> None:
    """Give a sign of life in the transaction that owns a duty.

    Errors: DatabaseGone if the duty was lost; then another program may be at it.
    """
    session.rows(BEAT)


COLUMNS = """
SELECT name, cursor, begun_at, ended_at, good_at, due_at, touched, failures, fault, run_by
FROM duties
"""
ONE = COLUMNS + "WHERE name = %(name)s"
ALL = COLUMNS + "ORDER BY name LIMIT %(most)s"


def find(session: Session, name: str) -> Standing:
    """Return how a duty stands; one that never ran stands at its beginning."""
    rows = session.rows(ONE, {"name": name})
    nothing: tuple[Any, ...] = (name, {}, None, None, None, None, 0, 0, None, "")
    return Standing(*(rows[0] if rows else nothing))


def every(session: Session) -> list[Standing]:
    """Return how all duties that ever ran stand."""
    return [Standing(*row) for row in session.rows(ALL, {"most": DUTIES_MAX})]


HELD = """
SELECT l.objid::bigint FROM pg_locks AS l
JOIN pg_database AS d ON d.oid = l.database AND d.datname = current_database()
WHERE l.locktype = 'advisory' AND l.classid::bigint = %(room)s AND l.objsubid = 2 AND l.granted
LIMIT %(most)s
"""


def held(session: Session, names: Sequence[str]) -> frozenset[str]:
    """Return which of some duties a program is at now.

    Nobody holds one and is silent for longer than `SILENT_SECONDS_MAX`: the server sees to that.
    """
    keys = {row[0] for row in session.rows(HELD, {"room": ROOM, "most": DUTIES_MAX})}
    return frozenset(one for one in names if _key(one) % 2**32 in keys)  # listed without a sign


BEGIN = """
INSERT INTO duties (name, begun_at, run_by) VALUES (%(name)s, %(now)s, %(by)s)
ON CONFLICT (name) DO UPDATE SET begun_at = EXCLUDED.begun_at, run_by = EXCLUDED.run_by
"""


def begin(session: Session, name: str, *, by: str, now: datetime) -> None:
    """Write down that a round begins, and which program runs it."""
    session.run(BEGIN, {"name": name, "now": now, "by": by})


END = """
UPDATE duties SET ended_at = %(now)s, good_at = %(now)s, due_at = %(due_at)s, failures = 0,
    fault = NULL, touched = touched + %(touched)s, cursor = %(cursor)s::jsonb
WHERE name = %(name)s
"""


def end(
    session: Session, name: str, cursor: Cursor, *, touched: int, due_at: datetime, now: datetime
) -> None:
    """Write down what a round came to, where the next goes on, and when."""
    told = {"cursor": json.dumps(cursor), "touched": touched, "due_at": due_at}
    session.run(END, {"name": name, "now": now} | told)


FAIL = """
UPDATE duties SET ended_at = %(now)s, due_at = %(due_at)s, failures = failures + 1,
    fault = %(fault)s
WHERE name = %(name)s
"""


def fail(session: Session, name: str, fault: str, *, due_at: datetime, now: datetime) -> None:
    """Write down that a round failed; the cursor stays where it was."""
    told = {"fault": fault[:FAULT_CHARS_MAX], "due_at": due_at}
    session.run(FAIL, {"name": name, "now": now} | told)
