"""Decisions as they were kept, read back whole: a record names nothing that is elsewhere.

Lists of them are read page by page along keys; nothing here scans the table.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from fenqi.core.errors import Missing
from fenqi.core.risk.consequence import Telling
from fenqi.core.risk.decision import DecisionKind
from fenqi.core.risk.record import APPROVE, Record, Rulebook
from fenqi.core.values.ids import AccountId
from fenqi.store.decisions import floor
from fenqi.store.pool import Session

LISTED_MAX = 1000


class DecisionMissing(Missing):
    """No such decision."""

    code = "decision-missing"


COLUMNS = """
SELECT d.decision_id, d.account_id, d.kind, d.outcome, d.effects, d.reasons, d.points, d.hits,
    d.inputs, m.offers, d.would_change, d.as_of_number, d.regime, d.decided_at, d.booked_on,
    d.latency_us, COALESCE(a.currency, b.currency), r.rulebook_id, r.kind, r.name, r.version,
    r.content, d.telling
FROM decisions AS d JOIN rulebooks AS r USING (rulebook_id) LEFT JOIN menus AS m USING (menu_id)
    LEFT JOIN accounts AS a USING (account_id)
    -- Of somebody who applied there may be no account.
    LEFT JOIN applications AS p USING (account_id) LEFT JOIN books AS b ON b.book_id = p.book_id
"""
ONE = COLUMNS + "WHERE d.decision_id = %(decision_id)s"


def read(session: Session, decision_id: UUID) -> Record:
    """Return one decision with its rulebook. Errors: DecisionMissing."""
    rows = session.rows(ONE, {"decision_id": decision_id})
    if not rows:
        raise DecisionMissing(decision=decision_id)
    return record_of(rows[0])


def record_of(row: Sequence[Any]) -> Record:
    """Return the record of a row of `COLUMNS`."""
    return Record(
        decision_id=row[0],
        account_id=row[1],
        kind=row[2],
        outcome=row[3],
        effects=tuple(row[4]),
        reasons=tuple(row[5]),
        points=row[6],
        hits=tuple(row[7]),
        inputs=tuple(row[8]),
        offers=tuple(row[9] or ()),
        would_change=row[10],
        as_of_number=row[11],
        regime=row[12],
        decided_at=row[13].isoformat(),
        booked_on=row[14].isoformat(),
        latency_us=row[15],
        currency=row[16],
        rulebook=Rulebook(*row[17:22]),
        telling=Telling(row[22]),
    )


@dataclass(frozen=True, slots=True)
class Line:
    """One decision in a list."""

    decision_id: UUID
    account_id: AccountId
    kind: str
    outcome: str
    effects: tuple[str, ...]
    reasons: tuple[str, ...]
    policy: str
    policy_version: int
    decided_at: datetime


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which decisions are listed; None is any. `before` is the last of the page before."""

    since: datetime | None = None
    account_id: AccountId | None = None
    kind: str | None = None
    outcome: str | None = None
    before: UUID | None = None
    most: int = 50


# Ids rise with time, so the key is the order of a list and what tells its next page. Each condition
# stands in the statement only if it is asked, so that the database sees which index serves it.
LINES = """
SELECT decision_id, account_id, kind, outcome, effects, reasons, policy, policy_version, decided_at
FROM decisions WHERE """
CONDITIONS = {
    "before": "decision_id < %(before)s",
    "since": "decision_id >= %(since_id)s AND decided_at >= %(since)s",
    "outcome": "outcome = %(outcome)s",
    "kind": "kind = %(kind)s",
}
# What a partial index is for is said word for word.
NOT_APPROVED = "outcome <> 'approve'"
NO_PURCHASE = "kind <> 'purchase'"
PURCHASE = "kind = 'purchase'"
ANY = "TRUE"
NEWEST = " ORDER BY decision_id DESC LIMIT %(most)s"
# An account's purchases are named by its events; its other decisions have an index of their own.
OF_ACCOUNT = "account_id = %(account_id)s"
NAMED = """account_id = %(account_id)s AND decision_id = ANY(ARRAY(
    SELECT (payload ->> 'decision_id')::uuid FROM events
    WHERE account_id = %(account_id)s AND kind LIKE 'purchase-%%' AND payload ? 'decision_id'
))"""


def listed(session: Session, wanted: Wanted) -> list[Line]:
    """Return the latest decisions of a kind, outcome or account, the latest first.

    The next page begins before the last line of this one (`Wanted.before`).
    """
    asked = {
        "since": wanted.since,
        "since_id": floor(wanted.since) if wanted.since else None,
        "account_id": wanted.account_id,
        "kind": wanted.kind,
        "outcome": wanted.outcome,
        "before": wanted.before,
        "most": min(wanted.most, LISTED_MAX),
    }
    rows = session.rows(statement(wanted), asked)
    return [
        Line(row[0], AccountId(row[1]), row[2], row[3], tuple(row[4]), tuple(row[5]), *row[6:])
        for row in rows
    ]


def statement(wanted: Wanted) -> str:
    """Return the statement that lists what is wanted."""
    conditions = [text for name, text in CONDITIONS.items() if getattr(wanted, name) is not None]
    if wanted.outcome not in (None, APPROVE):
        conditions.append(NOT_APPROVED)
    is_purchase = wanted.kind == DecisionKind.PURCHASE
    if wanted.account_id is None:
        if wanted.kind is not None and not is_purchase:
            conditions.append(NO_PURCHASE)
        return LINES + " AND ".join(conditions or [ANY]) + NEWEST
    sources = {True: [NAMED, PURCHASE], False: [OF_ACCOUNT, NO_PURCHASE]}
    if wanted.kind is not None:
        return LINES + " AND ".join(conditions + sources[is_purchase]) + NEWEST
    parts = [LINES + " AND ".join(conditions + one) + NEWEST for one in sources.values()]
    return f"({parts[0]}) UNION ALL ({parts[1]}){NEWEST}"
