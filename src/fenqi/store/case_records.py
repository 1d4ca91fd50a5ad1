"""Cases as people read them: the queue, and one case with its history, accounts and protections."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from fenqi.core.risk.application import UNCLEAR
from fenqi.store.cases import ENTRIES_MAX, CaseMissing, Entry
from fenqi.store.identities import Statement, of_case
from fenqi.store.pool import Session

ACCOUNTS_MAX = 1_000
PROTECTIONS_MAX = 2_000


@dataclass(frozen=True, slots=True)
class Line:
    """A case in the queue."""

    case_id: UUID
    book_id: str
    kind: str
    subject: str
    priority: int
    opened_at: datetime
    due_at: datetime
    assignee: str | None
    outcome: str | None
    accounts: int
    running: int  # protections that are not over


@dataclass(frozen=True, slots=True)
class Measure:
    """A protection that a case placed."""

    account_id: UUID
    protection_id: UUID
    kind: str
    reasons: tuple[str, ...]
    placed_by: str
    placed_at: datetime
    ends_at: datetime
    asked_until: datetime
    seconded_by: str | None
    ended_at: datetime | None
    finding: str | None


@dataclass(frozen=True, slots=True)
class Story:
    """One case with all that belongs to it."""

    line: Line
    cause: str
    about_case_id: UUID | None
    decision_id: UUID | None
    closed_by: str | None
    entries: tuple[Entry, ...]
    accounts: tuple[UUID, ...]
    measures: tuple[Measure, ...]
    currency: str  # of the book
    statements: tuple[Statement, ...] = ()  # of who it is, where that is what is looked at


# The key is the order of the list and what tells its next page. Among open cases it does not tell
# whether a case is closed: one that was closed since its page was read still has its place.
LINES = """
SELECT c.case_id, c.book_id, c.kind, c.subject, c.priority, c.opened_at, c.due_at, c.assignee,
    c.outcome,
    (SELECT COUNT(*) FROM case_accounts AS n WHERE n.case_id = c.case_id),
    (SELECT COUNT(*) FROM protections AS p
     WHERE p.case_id = c.case_id AND p.ended_at IS NULL AND p.ends_at > %(now)s)
FROM cases AS c
WHERE (%(all)s OR c.outcome IS NULL)
    AND (%(assignee)s::text IS NULL OR c.assignee = %(assignee)s)
    AND (%(account)s::uuid IS NULL OR EXISTS (
        SELECT 1 FROM case_accounts AS n
        WHERE n.account_id = %(account)s AND n.case_id = c.case_id))
    AND (%(case)s::uuid IS NULL OR c.case_id = %(case)s)
    AND (%(before)s::uuid IS NULL
        OR (%(all)s AND c.outcome IS NOT NULL, c.priority, c.due_at, c.case_id) > (
            SELECT %(all)s AND b.outcome IS NOT NULL, b.priority, b.due_at, b.case_id
            FROM cases AS b WHERE b.case_id = %(before)s))
ORDER BY %(all)s AND c.outcome IS NOT NULL, c.priority, c.due_at, c.case_id LIMIT %(most)s
"""
IS_THERE = "SELECT 1 FROM cases WHERE case_id = %(case)s"
REST = """
SELECT c.cause, c.about_case_id, c.decision_id, c.closed_by, b.currency
FROM cases AS c JOIN books AS b USING (book_id) WHERE c.case_id = %(case)s
"""
ENTRIES = """
SELECT number, kind, author, written_at, text, evidence FROM case_entries
WHERE case_id = %(case)s ORDER BY number LIMIT %(most)s
"""
ACCOUNTS = """
SELECT account_id FROM case_accounts WHERE case_id = %(case)s ORDER BY account_id LIMIT %(most)s
"""
MEASURES = """
SELECT account_id, protection_id, kind, reasons, placed_by, placed_at, ends_at, asked_until,
    seconded_by, ended_at, finding
FROM protections WHERE case_id = %(case)s ORDER BY account_id, protection_id LIMIT %(most)s
"""


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which cases are listed; open ones only unless `with_closed`.

    `before` is the last case of the page before.
    """

    assignee: str | None = None
    account_id: UUID | None = None
    with_closed: bool = False
    most: int = 50
    before: UUID | None = None


def queue(session: Session, wanted: Wanted, now: datetime) -> list[Line]:
    """Return cases, what is most urgent first. Errors: CaseMissing if `before` is none."""
    if wanted.before is not None and not session.rows(IS_THERE, {"case": wanted.before}):
        raise CaseMissing(case=wanted.before)
    return _lines(
        session,
        {
            "all": wanted.with_closed,
            "assignee": wanted.assignee,
            "account": wanted.account_id,
            "case": None,
            "before": wanted.before,
            "most": wanted.most,
            "now": now,
        },
    )


def read(session: Session, case_id: UUID, now: datetime) -> Story:
    """Return one case. Errors: CaseMissing."""
    asked: dict[str, object] = {"case": case_id, "now": now}
    any_one = {"all": True, "assignee": None, "account": None, "before": None, "most": 1}
    lines = _lines(session, asked | any_one)
    if not lines:
        raise CaseMissing(case=case_id)
    cause, about, decision, closed_by, currency = session.rows(REST, asked)[0]
    entries = session.rows(ENTRIES, asked | {"most": 2 * ENTRIES_MAX})
    accounts = session.rows(ACCOUNTS, asked | {"most": ACCOUNTS_MAX})
    measures = session.rows(MEASURES, asked | {"most": PROTECTIONS_MAX})
    is_unclear = any(name in row[-1] for row in entries for name in UNCLEAR)
    return Story(
        line=lines[0],
        cause=cause,
        about_case_id=about,
        decision_id=decision,
        closed_by=closed_by,
        entries=tuple(Entry(*row) for row in entries),
        accounts=tuple(one for (one,) in accounts),
        measures=tuple(_measure(row) for row in measures),
        currency=currency,
        statements=tuple(of_case(session, case_id)) if is_unclear else (),
    )


def _lines(session: Session, asked: Mapping[str, object]) -> list[Line]:
    return [Line(*row) for row in session.rows(LINES, asked)]


def _measure(row: Sequence[Any]) -> Measure:
    values: tuple[Any, ...] = (*row[:3], tuple(row[3]), *row[4:])
    return Measure(*values)
