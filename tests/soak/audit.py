"""What must hold after every kill, asked of the database while nobody writes.

No fact that was acknowledged is lost or doubled; what the running program knows of an account's
features is, to the last unit, what numpy computes from all of its events; no day of an outage
counts against a customer (plans are replayed with these days); the books are clean.
"""

from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass

import numpy as np

from fenqi.core.risk.features.history import Asks, Fact, History, compute
from fenqi.core.risk.features.moment import moment_of
from fenqi.core.values.ids import AccountId
from fenqi.report.check import check
from fenqi.runtime import Runtime
from fenqi.store import accounts
from fenqi.store.pool import Session

LOOKED_AT = 12  # accounts whose features are computed both ways
PLANS = 200  # replayed; the whole book is at the end
ROWS_MAX = 1_000_000

TOLD = """
SELECT command_key, COUNT(*)::int FROM events
WHERE command_key LIKE 'told-%%' AND kind IN ('login', 'device-changed', 'phone-changed', 'basket',
    'payment-failed', 'complaint')
GROUP BY command_key LIMIT %(most)s
"""
DRAWN = """
SELECT account_id FROM accounts WHERE kind = 'customer' ORDER BY md5(account_id::text || %(mark)s)
LIMIT %(most)s
"""
EVENTS = """
SELECT account_id, number, kind, (EXTRACT(EPOCH FROM recorded_at) * 1000000)::bigint, payload
FROM events WHERE account_id = ANY(%(accounts)s) ORDER BY account_id, number LIMIT %(most)s
"""
# Days of outages that a person was told are excused, and are not.
UNEXCUSED = """
SELECT COUNT(*)::int FROM UNNEST(%(days)s::date[]) AS d (day)
WHERE NOT EXISTS (SELECT FROM excused_days AS x WHERE x.book_id = %(book)s AND x.day = d.day)
"""


@dataclass
class Audited:
    """What was looked at, and what was wrong with it."""

    facts: int = 0
    facts_lost: int = 0
    facts_doubled: int = 0
    features: int = 0
    features_wrong: int = 0
    outage_days: int = 0
    outage_days_counted: int = 0  # against customers, though a person was told that they are not
    check_findings: int = 0


def audit(
    runtime: Runtime,
    told: Mapping[str, int],
    outages: Collection[str],
    *,
    book_id: str,
    mark: str,
) -> dict[str, int]:
    """Return what was found.

    `told` is how many facts each acknowledged command had, `outages` the days that are excused.
    """
    found = Audited()
    _count_facts(runtime, told, found)
    _compare_features(runtime, mark, found)
    _ask_of_outages(runtime, outages, book_id, found)
    found.check_findings = len(check(runtime.store, PLANS).findings)
    return asdict(found)


def _count_facts(runtime: Runtime, told: Mapping[str, int], found: Audited) -> None:
    with runtime.store.transaction() as session:
        kept = dict(session.rows(TOLD, {"most": ROWS_MAX}))
    found.facts = sum(told.values())
    for key in told.keys() | kept.keys():
        more = kept.get(key, 0) - told.get(key, 0)
        found.facts_lost += max(0, -more)
        found.facts_doubled += max(0, more)


def _compare_features(runtime: Runtime, mark: str, found: Audited) -> None:
    """Compute features of some accounts as the program would now, and from their whole history."""
    trails = runtime.ground.trails
    names = [one.name for one in trails.features.features]
    moment = moment_of(runtime.clock.now())
    with runtime.store.transaction() as session:
        drawn = session.rows(DRAWN, {"mark": mark, "most": LOOKED_AT})
        chosen = [AccountId(one) for (one,) in drawn]
        locked = accounts.lock(session, chosen)
        followed = trails.follow(session, list(locked.values()))
        row = trails.row(names)
        live = [row(followed.of(locked[one]), moment) for one in chosen]
        history = _history(session, runtime, chosen, [locked[one].book.zone for one in chosen])
    asks = [(place, locked[one].event_count, moment) for place, one in enumerate(chosen)]
    again = compute(history, names, Asks(*np.array(asks, dtype=np.int64).T))
    for place, values in enumerate(live):
        wanted = np.where(again.known[place], again.values[place], -1).tolist()
        given = [-1 if one is None else one for one in values]
        found.features += len(names)
        found.features_wrong += sum(one != other for one, other in zip(given, wanted, strict=True))


def _history(
    session: Session, runtime: Runtime, chosen: list[AccountId], zones: list[str]
) -> History:
    places = {one: place for place, one in enumerate(chosen)}
    events = session.rows(EVENTS, {"accounts": chosen, "most": ROWS_MAX})
    facts = [Fact(places[account], *rest) for account, *rest in events]
    return History(runtime.ground.trails.features, facts, zones)


def _ask_of_outages(
    runtime: Runtime, outages: Collection[str], book_id: str, found: Audited
) -> None:
    with runtime.store.transaction() as session:
        asked = {"days": sorted(outages), "book": book_id}
        found.outage_days = len(outages)
        found.outage_days_counted = session.rows(UNEXCUSED, asked)[0][0]
