"""Facts about things that several accounts share: who was seen with an identifier, and how many.

Two batches that store a fact of one identifier at the same moment would each miss the other's; so a
batch locks the identifiers it names until it ends, and the tenth login surely sees nine. Accounts
are locked before identifiers, and nothing that another batch may hold after them.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import NamedTuple

from fenqi.core.risk.features.declaration import Condition, FeatureSet
from fenqi.core.values.ids import AccountId
from fenqi.store.columns import pack
from fenqi.store.pool import Session
from fenqi.store.rows import Table

LOCKS_MAX = 512  # identifiers locked one by one; a batch that names more locks all of them
LOCK_ALL = 0x6665_6E71_6900  # "fenqi", of the locks of this kind

IDENTIFIER_FACTS = Table(
    "identifier_facts",
    "identifier_hash bytea, identifier_kind word, occurred_at timestamptz, account_id uuid,"
    "event_number bigint",
)

LOCK_SHARED = "SELECT pg_advisory_xact_lock_shared(%(all)s)"
LOCK_ALONE = "SELECT pg_advisory_xact_lock(%(all)s)"
LOCK_EACH = """
SELECT pg_advisory_xact_lock(k) FROM UNNEST(%(keys)s::bigint[]) AS k
"""


def lock_identifiers(session: Session, hashes: Collection[bytes]) -> None:
    """Keep other batches from storing facts of these identifiers until this transaction ends.

    The locks lie in the server's memory, which is bounded: a batch with very many takes one lock
    that excludes all others.
    """
    if not hashes:
        return
    alone = len(hashes) > LOCKS_MAX
    session.ask(LOCK_ALONE if alone else LOCK_SHARED, {"all": LOCK_ALL})
    if not alone:
        # In one order, so that no two batches wait for each other.
        keys = sorted({int.from_bytes(one[:8], "big", signed=True) for one in hashes})
        session.ask(LOCK_EACH, {"keys": pack("bigint", keys)})


SEE = """
INSERT INTO presences AS p (identifier_hash, account_id, seen_at)
SELECT h, a, %(now)s FROM UNNEST(%(hashes)s::bytea[], %(accounts)s::uuid[]) AS k (h, a)
ON CONFLICT (identifier_hash, account_id) DO UPDATE
    SET seen_at = GREATEST(p.seen_at, EXCLUDED.seen_at)
"""
# Of an identifier that crowds of accounts share no more rows are read than its cap.
COUNT = """
SELECT k.place, (
    SELECT COUNT(*) FROM (
        SELECT FROM presences AS p
        WHERE p.identifier_hash = k.hash AND p.seen_at > k.since LIMIT k.cap
    ) AS seen
)
FROM UNNEST(%(hashes)s::bytea[], %(since)s::timestamptz[], %(caps)s::bigint[]) WITH ORDINALITY
    AS k (hash, since, cap, place)
"""


class Measure(NamedTuple):
    """What is counted over the accounts of an identifier. Units: `window` in microseconds."""

    name: str
    window: int
    cap: int


Measures = Mapping[str, Sequence[tuple[Measure, tuple[Condition, ...]]]]  # by identifier kind


def measures(features: FeatureSet, kind: str) -> Measures:
    """Return what is counted when a fact of a kind is stored, and on which conditions."""
    found: dict[str, list[tuple[Measure, tuple[Condition, ...]]]] = {}
    for one in features.measures:
        stream = features.streams[one.stream]
        if kind in stream.kinds:
            measure = Measure(one.name, one.window or 0, one.cap)
            found.setdefault(one.key.value, []).append((measure, stream.conditions))
    return found


class Presence(NamedTuple):
    """An account is seen with an identifier now, whose accounts are counted."""

    account_id: AccountId
    identifier: bytes
    measure: Measure


Counts = dict[tuple[bytes, str], int]  # by identifier and the measure's name


def see(session: Session, presences: Sequence[Presence], now: datetime) -> Counts:
    """Note who is seen now, and return how many accounts each identifier has in each window.

    The identifiers are locked. All of the batch are counted, and whatever was stored before even
    if its clock was ahead.
    """
    if not presences:
        return {}
    pairs = sorted({(one.identifier, one.account_id) for one in presences})
    order = sorted({(one.identifier, one.measure) for one in presences})
    measures = [measure for _, measure in order]
    with session.pipeline():
        session.run(
            SEE,
            {
                "now": now,
                "hashes": pack("bytea", [one for one, _ in pairs]),
                "accounts": pack("uuid", [account for _, account in pairs]),
            },
        )
        rows = session.ask(
            COUNT,
            {
                "hashes": pack("bytea", [one for one, _ in order]),
                "since": pack(
                    "timestamptz", [now - timedelta(microseconds=one.window) for one in measures]
                ),
                "caps": pack("bigint", [one.cap for one in measures]),
            },
        )
    return {
        (identifier, measure.name): count
        for (identifier, measure), count in zip(order, _in_place(rows()), strict=True)
    }


def _in_place(rows: list[tuple[int, int]]) -> list[int]:
    return [count for _, count in sorted(rows)]


KNOWN_KEYS = "SELECT fingerprint FROM identity_keys ORDER BY since LIMIT 100"
ADD_KEY = """
INSERT INTO identity_keys (fingerprint, since) VALUES (%(fingerprint)s, %(now)s)
ON CONFLICT DO NOTHING
"""


def known_keys(session: Session) -> list[str]:
    """Return the fingerprints of the keys that have sealed identity values here."""
    return [row[0] for row in session.rows(KNOWN_KEYS)]


def add_key(session: Session, fingerprint: str, now: datetime) -> None:
    """Note that a key seals identity values from now on."""
    session.run(ADD_KEY, {"fingerprint": fingerprint, "now": now})
