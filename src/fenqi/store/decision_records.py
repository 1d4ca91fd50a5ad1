"""Decisions as they were kept, read back whole: a record names nothing that is elsewhere."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from fenqi.core.errors import Missing
from fenqi.core.risk.record import Record, Rulebook
from fenqi.core.values.ids import AccountId
from fenqi.store.pool import Session

LISTED_MAX = 1000


class DecisionMissing(Missing):
    """No such decision."""

    code = "decision-missing"


COLUMNS = """
SELECT d.decision_id, d.account_id, d.kind, d.outcome, d.effects, d.reasons, d.points, d.hits,
    d.inputs, m.offers, d.would_change, d.as_of_number, d.regime, d.decided_at, d.booked_on,
    d.latency_us, COALESCE(a.currency, b.currency), r.rulebook_id, r.kind, r.name, r.version,
    r.content
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
    """Which decisions are listed; None is any."""

    since: datetime | None = None
    account_id: AccountId | None = None
    kind: str | None = None
    outcome: str | None = None
    most: int = 50


LIST = """
SELECT decision_id, account_id, kind, outcome, effects, reasons, policy, policy_version, decided_at
FROM decisions
WHERE (%(since)s::timestamptz IS NULL OR decided_at >= %(since)s::timestamptz)
    AND (%(account_id)s::uuid IS NULL OR account_id = %(account_id)s::uuid)
    AND (%(kind)s::text IS NULL OR kind = %(kind)s::text)
    AND (%(outcome)s::text IS NULL OR outcome = %(outcome)s::text)
ORDER BY decided_at DESC, decision_id DESC LIMIT %(most)s
"""


def listed(session: Session, wanted: Wanted) -> list[Line]:
    """Return the latest decisions of a kind, outcome or account, the latest first."""
    rows = session.rows(
        LIST,
        {
            "since": wanted.since,
            "account_id": wanted.account_id,
            "kind": wanted.kind,
            "outcome": wanted.outcome,
            "most": min(wanted.most, LISTED_MAX),
        },
    )
    return [
        Line(row[0], AccountId(row[1]), row[2], row[3], tuple(row[4]), tuple(row[5]), *row[6:])
        for row in rows
    ]
