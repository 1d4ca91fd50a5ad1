"""Accounts as people read them: the list, page by page, and the plans of one. Nothing is locked."""

from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from fenqi.core.risk.response import ProtectionKind
from fenqi.core.values.ids import AccountId, PlanId
from fenqi.store import accounts
from fenqi.store.accounts import Account
from fenqi.store.pool import Session

LISTED_MAX = 1_000
PLANS_MAX = 1_000  # of one account, what is owed first


@dataclass(frozen=True, slots=True)
class Line:
    """An account in a list. `bucket` is that of its worst plan, as it was last closed."""

    account: Account
    person: str  # the reference its merchant knows the customer by
    bucket: int


@dataclass(frozen=True, slots=True)
class Wanted:
    """Which accounts are listed; None is any. `before` is the last account of the page before.

    `buckets` are the first and the last that the worst plan may be in.
    """

    book_id: str | None = None
    status: str | None = None
    under: ProtectionKind | None = None
    buckets: tuple[int, int] | None = None
    person: str | None = None
    before: UUID | None = None
    most: int = 50


# Ids rise with time, so the key is the order of a list and what tells its next page. Each condition
# stands in the statement only if it is asked, so that the database sees which index serves it.
LINES = """
SELECT a.account_id, p.reference, COALESCE((
    SELECT MAX(l.bucket) FROM plans AS l
    WHERE l.account_id = a.account_id AND l.state = 'active' AND l.oldest_due_on IS NOT NULL), 0)
FROM accounts AS a JOIN persons AS p USING (person_id)
WHERE a.kind = 'customer'
"""
NEWEST = " ORDER BY a.account_id DESC LIMIT %(most)s"
CONDITIONS = {
    "book_id": "a.book_id = %(book_id)s",
    # What a decision sees: an open account is frozen for as long as a freeze runs.
    "status": """CASE WHEN a.status = 'open' AND a.frozen_until > %(now)s THEN 'frozen'
        ELSE a.status END = %(status)s""",
    # Whose account it is, is found by the enrolments: of accounts nothing leads to a person.
    "person": """a.account_id IN (
        SELECT e.account_id FROM persons AS who, books AS b, enrolments AS e
        WHERE who.reference = %(person)s AND e.book_id = b.book_id
            AND e.person_id = who.person_id)""",
    "before": "a.account_id < %(before)s",
}
UNTIL = {
    ProtectionKind.HOLD: "a.held_until > %(now)s",
    ProtectionKind.FREEZE: "a.frozen_until > %(now)s",
    ProtectionKind.SMALLER_LIMIT: "a.ceiling_until > %(now)s",
    ProtectionKind.STEP_UP: "a.step_up_until > %(now)s",
}
LATE = """a.account_id IN (
    SELECT l.account_id FROM plans AS l WHERE l.state = 'active' AND l.oldest_due_on IS NOT NULL
    GROUP BY l.account_id HAVING MAX(l.bucket) BETWEEN %(least)s AND %(last)s)"""
ON_TIME = """NOT EXISTS (
    SELECT 1 FROM plans AS l
    WHERE l.account_id = a.account_id AND l.state = 'active' AND l.bucket > 0)"""


def listed(session: Session, wanted: Wanted, now: datetime) -> list[Line]:
    """Return customers' accounts, those opened last first.

    Errors: AccountMissing if nobody knows `before`.
    """
    if wanted.before is not None:
        accounts.refuse_unknown(session, wanted.before)
    least, last = wanted.buckets or (0, 0)
    asked = {
        "book_id": wanted.book_id,
        "status": wanted.status,
        "person": wanted.person,
        "before": wanted.before,
        "least": least,
        "last": last,
        "now": now,
        "most": min(wanted.most, LISTED_MAX),
    }
    rows = session.rows(_statement(wanted), asked)
    known = accounts.read(session, [AccountId(row[0]) for row in rows])
    return [Line(known[row[0]], row[1], row[2]) for row in rows]


def _statement(wanted: Wanted) -> str:
    conditions = [text for name, text in CONDITIONS.items() if getattr(wanted, name) is not None]
    if wanted.under is not None:
        conditions.append(UNTIL[wanted.under])
    if wanted.buckets is not None:
        conditions.append(LATE if wanted.buckets[0] else ON_TIME)
    return LINES + "".join(f" AND {one}" for one in conditions) + NEWEST


ONE = LINES + " AND a.account_id = %(account)s"


def read(session: Session, account_id: UUID) -> Line:
    """Return a customer's account. Errors: AccountMissing."""
    account = accounts.find(accounts.read(session, [AccountId(account_id)]), AccountId(account_id))
    ((_, person, bucket),) = session.rows(ONE, {"account": account_id})
    return Line(account, person, bucket)


@dataclass(frozen=True, slots=True)
class PlanLine:
    """A plan in a line; `bucket` as it was last closed. Units: minor units."""

    plan_id: PlanId
    product: str
    product_version: int
    count: int
    starts_on: date
    state: str
    bucket: int
    principal_minor: int
    principal_open_minor: int
    contested_on: date | None


PLANS = """
SELECT p.plan_id, p.product, p.product_version, p.count, p.starts_on, p.state, p.bucket,
    p.principal_minor, p.principal_open_minor, c.opened_on
FROM plans AS p LEFT JOIN contests AS c
    ON c.account_id = p.account_id AND c.plan_id = p.plan_id AND c.outcome IS NULL
WHERE p.account_id = %(account)s
ORDER BY p.oldest_due_on IS NULL, p.plan_id DESC LIMIT %(most)s
"""


def plans(session: Session, account_id: UUID) -> list[PlanLine]:
    """Return an account's plans: those on which something is owed, then those that ended."""
    rows = session.rows(PLANS, {"account": account_id, "most": PLANS_MAX})
    return [PlanLine(*row) for row in rows]
