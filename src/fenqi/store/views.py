"""Read-only queries of the report: sums and counts of one book, and its few largest debts.

Ledger figures come from the closed days' totals plus the lines of the open day, so their cost does
not grow with the number of lines. Every figure can be asked for as it stood at the end of a day.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from uuid import UUID

from fenqi.core.values.ids import AccountId
from fenqi.store.pool import Session

PAIRS_MAX = 400  # a chart of 20 accounts has 380 pairs
MONTH_ROWS_MAX = 480_000  # of a hundred years
BUCKETS_MAX = 100
REASONS_MAX = 1_000
LATE_ACCOUNTS_SHOWN = 10

SNAPSHOT = "SET TRANSACTION ISOLATION LEVEL REPEATABLE READ, READ ONLY"


def snapshot(session: Session) -> None:
    """Let all queries of this transaction see one state; the transaction's first statement."""
    session.run(SNAPSHOT)


@dataclass(frozen=True, slots=True)
class PairSum:
    """What moved from one account of the chart to another. Units: minor units."""

    debit: str
    credit: str
    amount_minor: int
    lines: int


LEDGER_SUMS = """
SELECT debit, credit, SUM(amount_minor)::bigint, SUM(lines)::bigint
FROM (
    SELECT debit, credit, amount_minor, lines FROM ledger_days
    WHERE book_id = %(book_id)s AND day <= %(as_of)s
    UNION ALL
    SELECT t.debit, t.credit, t.amount_minor, 1
    FROM transfers AS t
    JOIN accounts AS a USING (account_id)
    JOIN books AS b USING (book_id)
    WHERE a.book_id = %(book_id)s AND t.booked_on >= b.business_date AND t.booked_on <= %(as_of)s
) AS lines
GROUP BY debit, credit ORDER BY debit, credit LIMIT %(most)s
"""


def ledger_sums(session: Session, book_id: str, as_of: date) -> list[PairSum]:
    """Return the ledger's totals from its first day through `as_of`, by pair."""
    rows = session.rows(LEDGER_SUMS, {"book_id": book_id, "as_of": as_of, "most": PAIRS_MAX})
    return [PairSum(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class MonthSum:
    """What moved in the closed days of one month. `month` is its first day."""

    month: date
    debit: str
    credit: str
    amount_minor: int


LEDGER_MONTHS = """
SELECT date_trunc('month', day)::date, debit, credit, SUM(amount_minor)::bigint
FROM ledger_days WHERE book_id = %(book_id)s AND day <= %(as_of)s
GROUP BY 1, 2, 3 ORDER BY 1, 2, 3 LIMIT %(most)s
"""


def ledger_months(session: Session, book_id: str, as_of: date) -> list[MonthSum]:
    """Return what moved in each month's closed days through `as_of`, by pair."""
    rows = session.rows(LEDGER_MONTHS, {"book_id": book_id, "as_of": as_of, "most": MONTH_ROWS_MAX})
    return [MonthSum(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class BucketSum:
    """The active plans in one bucket of days past due. Units: minor units."""

    bucket: int
    plans: int
    principal_open_minor: int


BUCKETS_NOW = """
SELECT p.bucket, COUNT(*), SUM(p.principal_open_minor)::bigint
FROM plans AS p JOIN accounts AS a USING (account_id)
WHERE a.book_id = %(book_id)s AND p.state = 'active'
GROUP BY p.bucket ORDER BY p.bucket LIMIT %(most)s
"""
# A plan was active on a day if its receivables had a balance then; its bucket was that of its
# last crossing. Both are append-only, so the past can be read as it stood.
STOOD_THEN = """
WITH owed AS (
    SELECT t.account_id, t.plan_id,
        SUM(t.amount_minor * ((t.debit = 'receivable-principal')::int
            - (t.credit = 'receivable-principal')::int)) AS principal_minor
    FROM transfers AS t JOIN accounts AS a USING (account_id)
    WHERE a.book_id = %(book_id)s AND t.booked_on <= %(as_of)s AND t.plan_id IS NOT NULL
    GROUP BY t.account_id, t.plan_id
    HAVING SUM(t.amount_minor * ((t.debit LIKE 'receivable-%%')::int
        - (t.credit LIKE 'receivable-%%')::int)) <> 0
), crossed AS (
    SELECT DISTINCT ON (account_id, plan_id) account_id, plan_id, to_bucket
    FROM crossings WHERE booked_on <= %(as_of)s
    ORDER BY account_id, plan_id, event_number DESC
)
"""
BUCKETS_THEN = (
    STOOD_THEN
    + """
SELECT COALESCE(to_bucket, 0), COUNT(*), SUM(principal_minor)::bigint
FROM owed LEFT JOIN crossed USING (account_id, plan_id)
GROUP BY 1 ORDER BY 1 LIMIT %(most)s
"""
)


def buckets(session: Session, book_id: str, as_of: date, *, is_now: bool) -> list[BucketSum]:
    """Return the active plans by bucket: as they stand, or as they stood at the end of a day."""
    statement = BUCKETS_NOW if is_now else BUCKETS_THEN
    rows = session.rows(statement, {"book_id": book_id, "as_of": as_of, "most": BUCKETS_MAX})
    return [BucketSum(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class LateAccount:
    """An account with plans past due: its worst bucket and what those plans owe of principal."""

    account_id: AccountId
    plans: int
    bucket: int
    principal_open_minor: int


LATE_NOW = """
SELECT p.account_id, COUNT(*), MAX(p.bucket), SUM(p.principal_open_minor)::bigint
FROM plans AS p JOIN accounts AS a USING (account_id)
WHERE a.book_id = %(book_id)s AND p.state = 'active' AND p.bucket > 0
GROUP BY p.account_id ORDER BY 4 DESC, 3 DESC, 2 DESC, 1 LIMIT %(most)s
"""
LATE_THEN = (
    STOOD_THEN
    + """
SELECT account_id, COUNT(*), MAX(to_bucket), SUM(principal_minor)::bigint
FROM owed JOIN crossed USING (account_id, plan_id)
WHERE to_bucket > 0
GROUP BY account_id ORDER BY 4 DESC, 3 DESC, 2 DESC, 1 LIMIT %(most)s
"""
)


def largest_late(session: Session, book_id: str, as_of: date, *, is_now: bool) -> list[LateAccount]:
    """Return the accounts with the largest principal past due, largest first."""
    statement = LATE_NOW if is_now else LATE_THEN
    asked = {"book_id": book_id, "as_of": as_of, "most": LATE_ACCOUNTS_SHOWN}
    return [LateAccount(*row) for row in session.rows(statement, asked)]


@dataclass(frozen=True, slots=True)
class VintageSum:
    """What became of one month's plans in one month of their life, told by `stage`.

    `lent` is told once, in month 0; `over-30`, `over-90` and `written-off` in the month in which a
    plan got there first, with the principal it still owed then. Units: minor units.
    """

    vintage: date  # the first day of the month the plans began in
    stage: str
    months_on_book: int
    plans: int
    principal_minor: int


# A plan that took over a bill lends nothing anew; what becomes of it belongs to the month its first
# parent began in. M2 begins at 31 days past due and M4 at 91. A plan that skips a bucket counts in
# both.
VINTAGES = """
WITH begun AS (
    SELECT p.account_id, p.plan_id,
        date_trunc('month', COALESCE(r.starts_on, p.starts_on))::date AS vintage,
        p.principal_minor, p.parent_plan_id IS NULL AS is_lent
    FROM plans AS p
    JOIN accounts AS a USING (account_id)
    JOIN operations AS o USING (account_id, plan_id)
    LEFT JOIN plans AS r ON r.account_id = p.account_id AND r.plan_id = p.parent_plan_id
    WHERE a.book_id = %(book_id)s AND o.number = 1 AND o.booked_on <= %(through)s
), reached AS (
    (SELECT DISTINCT ON (account_id, plan_id, s.stage)
        account_id, plan_id, s.stage, c.booked_on, c.principal_open_minor AS principal_minor
    FROM begun JOIN crossings AS c USING (account_id, plan_id)
    JOIN (VALUES ('over-30', 2), ('over-90', 4)) AS s (stage, bucket) ON c.to_bucket >= s.bucket
    WHERE c.booked_on <= %(through)s
    ORDER BY account_id, plan_id, s.stage, c.event_number)
    UNION ALL
    SELECT account_id, plan_id, 'written-off', o.booked_on, SUM(t.amount_minor)
    FROM begun JOIN operations AS o USING (account_id, plan_id)
    JOIN transfers AS t USING (account_id, plan_id)
    WHERE o.kind = 'write-off' AND o.booked_on <= %(through)s
        AND t.event_number = o.cause_number
        AND t.debit = 'allowance' AND t.credit = 'receivable-principal'
    GROUP BY account_id, plan_id, o.booked_on
)
SELECT vintage, 'lent', 0, COUNT(*), SUM(principal_minor)::bigint FROM begun WHERE is_lent
GROUP BY vintage
UNION ALL
SELECT b.vintage, r.stage,
    (12 * (EXTRACT(YEAR FROM r.booked_on) - EXTRACT(YEAR FROM b.vintage))
        + EXTRACT(MONTH FROM r.booked_on) - EXTRACT(MONTH FROM b.vintage))::int,
    COUNT(*), SUM(r.principal_minor)::bigint
FROM begun AS b JOIN reached AS r USING (account_id, plan_id)
GROUP BY 1, 2, 3
ORDER BY 1, 2, 3 LIMIT %(most)s
"""


def vintages(session: Session, book_id: str, through: date) -> list[VintageSum]:
    """Return what was booked through a day about the plans of each month, oldest first."""
    asked = {"book_id": book_id, "through": through, "most": MONTH_ROWS_MAX}
    return [VintageSum(*row) for row in session.rows(VINTAGES, asked)]


@dataclass(frozen=True, slots=True)
class PortfolioSum:
    """The plans that went from one place to another in the month that ended on `month_end`.

    `from_state` is `new` for plans begun within that month: they were in no bucket before.
    """

    month_end: date
    from_state: str
    from_bucket: int
    to_state: str
    to_bucket: int
    plans: int
    principal_minor: int
    principal_open_minor: int
    principal_written_off_minor: int


PORTFOLIO = """
SELECT month_end, from_state, from_bucket, to_state, to_bucket, SUM(plans)::bigint,
    SUM(principal_minor)::bigint, SUM(principal_open_minor)::bigint,
    SUM(principal_written_off_minor)::bigint
FROM portfolio_months WHERE book_id = %(book_id)s AND month_end <= %(as_of)s
GROUP BY 1, 2, 3, 4, 5 ORDER BY 1, 2, 3, 4, 5 LIMIT %(most)s
"""


def portfolio(session: Session, book_id: str, as_of: date) -> list[PortfolioSum]:
    """Return the month ends' portfolios through `as_of`, oldest first."""
    rows = session.rows(PORTFOLIO, {"book_id": book_id, "as_of": as_of, "most": MONTH_ROWS_MAX})
    return [PortfolioSum(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class DecidedSum:
    """Decisions about purchases that one rulebook made.

    `is_made` if the purchase was made, `is_reviewed` if a person was asked to look at it,
    `is_cooler` if the menu it was chosen from was shorter.
    """

    rulebook_id: UUID
    is_made: bool
    is_reviewed: bool
    is_cooler: bool
    decisions: int


DECIDED = """
SELECT d.rulebook_id, o.order_id IS NOT NULL, w.is_reviewed, w.is_cooler, COUNT(*)
FROM decisions AS d
JOIN accounts AS a USING (account_id)
LEFT JOIN orders AS o ON o.account_id = d.account_id AND o.decision_id = d.decision_id
CROSS JOIN LATERAL (
    SELECT COALESCE(BOOL_OR(effect LIKE 'review%%'), FALSE) AS is_reviewed,
        COALESCE(BOOL_OR(effect LIKE 'cooler-menu%%'), FALSE) AS is_cooler
    FROM UNNEST(d.effects) AS effect
) AS w
WHERE a.book_id = %(book_id)s AND d.kind = 'purchase' AND d.booked_on <= %(as_of)s
GROUP BY 1, 2, 3, 4 ORDER BY 1, 2, 3, 4 LIMIT %(most)s
"""


def decided(session: Session, book_id: str, as_of: date) -> list[DecidedSum]:
    """Return the purchase decisions by rulebook and by what became of them."""
    rows = session.rows(DECIDED, {"book_id": book_id, "as_of": as_of, "most": REASONS_MAX})
    return [DecidedSum(*row) for row in rows]


@dataclass(frozen=True, slots=True)
class StoppedSum:
    """Purchases that were not made then; `reason` is empty in the row of all.

    `course` is `decline`, `step-up` (a check first) or `other-plan` (another plan is to be chosen).
    """

    course: str
    reason: str
    purchases: int


# One may have up to four reasons, so the reasons' counts may exceed the purchases'.
STOPPED = """
SELECT COALESCE(e.payload ->> 'course', 'decline'), COALESCE(r.reason, ''), COUNT(*)
FROM events AS e
JOIN accounts AS a USING (account_id)
CROSS JOIN LATERAL (
    SELECT NULL AS reason UNION ALL SELECT jsonb_array_elements_text(e.payload -> 'reasons')
) AS r
WHERE a.book_id = %(book_id)s AND e.kind IN ('purchase-declined', 'purchase-paused')
    AND e.booked_on <= %(as_of)s
GROUP BY 1, 2 ORDER BY 1, 2 LIMIT %(most)s
"""


def stopped(session: Session, book_id: str, as_of: date) -> list[StoppedSum]:
    """Return the purchases that were not made, by their course and by the reasons told."""
    rows = session.rows(STOPPED, {"book_id": book_id, "as_of": as_of, "most": REASONS_MAX})
    return [StoppedSum(*row) for row in rows]


TOLD = """
SELECT e.account_id, e.number, e.command_key, e.payload -> 'reasons'
FROM events AS e JOIN accounts AS a USING (account_id)
WHERE a.book_id = %(book_id)s AND e.kind IN ('purchase-declined', 'purchase-paused')
    AND (e.account_id, e.number) > (%(account_id)s, %(number)s)
ORDER BY e.account_id, e.number LIMIT %(most)s
"""
TOLD_PAGE = 10_000
NOBODY = UUID(int=0)


def why_stopped(session: Session, book_id: str) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Yield the key of each purchase that was not made when it was asked for, and why not."""
    account_id, number = NOBODY, 0
    while True:
        place = {"account_id": account_id, "number": number}
        page = session.rows(TOLD, {"book_id": book_id, "most": TOLD_PAGE, **place})
        for _, _, key, reasons in page:
            yield key, tuple(reasons)
        if len(page) < TOLD_PAGE:
            return
        account_id, number = page[-1][:2]


@dataclass(frozen=True, slots=True)
class Told:
    """One thing a customer is told: the event, and what is said of it."""

    kind: str
    at: datetime
    booked_on: date
    payload: Mapping[str, Any]


# What takes something from a customer, and what becomes of their appeals.
OF_HARM = (
    "purchase-declined",
    "purchase-paused",
    "limit-cut",
    "limit-kept",
    "price-raised",
    "protection-placed",
    "step-up-asked",
    "application-referred",
    "application-declined",
    "appeal-opened",
    "appeal-closed",
)
TOLD_MAX = 200
TOLD_TO = """
SELECT e.kind, e.recorded_at, e.booked_on, COALESCE(o.told, e.payload)
FROM outbox AS o JOIN events AS e ON e.account_id = o.account_id AND e.number = o.event_number
WHERE o.account_id = %(account)s AND o.topic = 'customer' AND e.kind = ANY(%(kinds)s::text[])
ORDER BY e.number DESC LIMIT %(most)s
"""


def told(session: Session, account_id: UUID) -> list[Told]:
    """Return what a customer was told of harm and appeals, the latest first."""
    asked = {"account": account_id, "kinds": list(OF_HARM), "most": TOLD_MAX}
    return [Told(*row) for row in session.rows(TOLD_TO, asked)]


BOOK_OF = """
SELECT book_id FROM accounts WHERE account_id = %(account)s
UNION SELECT book_id FROM applications WHERE account_id = %(account)s LIMIT 1
"""


def book_of(session: Session, account_id: UUID) -> str:
    """Return the book of an account that exists, or in which somebody applied."""
    ((book_id,),) = session.rows(BOOK_OF, {"account": account_id})
    return str(book_id)


# What customers asked for, by the event that says so.
REQUESTED = (
    "instalment-deferred",
    "due-day-changed",
    "plan-extended",
    "bill-split",
    "plan-settled",
    "contract-withdrawn",
    "plan-contested",
)
REQUESTS = """
SELECT e.kind, COUNT(*) FROM events AS e JOIN accounts AS a USING (account_id)
WHERE a.book_id = %(book_id)s AND e.kind = ANY(%(kinds)s::text[]) AND e.booked_on <= %(as_of)s
GROUP BY e.kind ORDER BY e.kind LIMIT %(most)s
"""


# How customers' payments were answered, each account once a row: what was decided, and what of it
# ended because it was cured.
HEEDED = """
SELECT what, COUNT(DISTINCT account_id)
FROM (
    SELECT d.account_id, split_part(word, ':', 1) AS what
    FROM decisions AS d JOIN accounts AS a USING (account_id)
    CROSS JOIN UNNEST(d.effects || 'asked-about'::text) AS word
    WHERE a.book_id = %(book_id)s AND d.kind = 'repayment' AND d.booked_on <= %(as_of)s
    UNION ALL
    SELECT p.account_id, 'cured'
    FROM protections AS p JOIN decisions AS d USING (account_id, decision_id)
    JOIN accounts AS a USING (account_id) JOIN books AS b USING (book_id)
    WHERE a.book_id = %(book_id)s AND d.kind = 'repayment' AND p.finding = 'cured'
        AND (p.ended_at AT TIME ZONE b.zone)::date <= %(as_of)s
) AS told
GROUP BY what ORDER BY what LIMIT %(most)s
"""


def heeded(session: Session, book_id: str, as_of: date) -> list[tuple[str, int]]:
    """Return how many accounts were asked about for how they pay, and what followed for them."""
    asked = {"book_id": book_id, "as_of": as_of, "most": REASONS_MAX}
    return [(what, count) for what, count in session.rows(HEEDED, asked)]


def requests(session: Session, book_id: str, as_of: date) -> list[tuple[str, int]]:
    """Return how often customers asked for what, by the kind of event, of those granted."""
    asked = {"book_id": book_id, "as_of": as_of, "kinds": list(REQUESTED), "most": REASONS_MAX}
    return [(kind, count) for kind, count in session.rows(REQUESTS, asked)]


@dataclass(frozen=True, slots=True)
class RefundSum:
    """What merchants took back. Units: minor units."""

    refunds: int
    amount_minor: int
    cost_relieved_minor: int
    returned_minor: int


REFUNDS = """
SELECT COUNT(*), COALESCE(SUM(r.amount_minor), 0)::bigint,
    COALESCE(SUM(r.cost_relieved_minor), 0)::bigint, COALESCE(SUM(r.returned_minor), 0)::bigint
FROM refunds AS r JOIN accounts AS a USING (account_id)
WHERE a.book_id = %(book_id)s AND r.booked_on <= %(as_of)s
"""


def refunds(session: Session, book_id: str, as_of: date) -> RefundSum:
    """Return the refunds booked through `as_of`."""
    return RefundSum(*session.rows(REFUNDS, {"book_id": book_id, "as_of": as_of})[0])


@dataclass(frozen=True, slots=True)
class Counts:
    """How many there are of the things a book is made of."""

    customers: int
    plans: int
    statements: int


COUNTS = """
SELECT
    (SELECT COUNT(*) FROM accounts
        WHERE book_id = %(book_id)s AND kind = 'customer' AND opened_on <= %(as_of)s),
    (SELECT COUNT(*) FROM operations AS o JOIN accounts AS a USING (account_id)
        WHERE a.book_id = %(book_id)s AND o.number = 1 AND o.booked_on <= %(as_of)s),
    (SELECT COUNT(*) FROM statements AS s JOIN accounts AS a USING (account_id)
        WHERE a.book_id = %(book_id)s AND s.cut_on <= %(as_of)s)
"""


def counts(session: Session, book_id: str, as_of: date) -> Counts:
    """Return the book's counts at the end of `as_of`."""
    return Counts(*session.rows(COUNTS, {"book_id": book_id, "as_of": as_of})[0])


@dataclass(frozen=True, slots=True)
class WriteOffSum:
    """The plans written off, and the cost given up with them as it stands now."""

    write_offs: int
    cost_minor: int


# In the ledger given-up cost leaves by the same pair as relieved cost, so only the plans know it.
WRITE_OFFS = """
WITH given_up AS (
    SELECT o.account_id, o.plan_id
    FROM operations AS o JOIN accounts AS a USING (account_id)
    WHERE a.book_id = %(book_id)s AND o.kind = 'write-off' AND o.booked_on <= %(as_of)s
)
SELECT
    (SELECT COUNT(*) FROM given_up),
    COALESCE(SUM(
        i.interest_written_off_minor + i.fee_written_off_minor + i.penalty_written_off_minor
    ), 0)::bigint
FROM given_up JOIN changed_instalments AS i USING (account_id, plan_id)
"""


def write_offs(session: Session, book_id: str, as_of: date) -> WriteOffSum:
    """Return how many plans were written off through `as_of`, and their cost."""
    return WriteOffSum(*session.rows(WRITE_OFFS, {"book_id": book_id, "as_of": as_of})[0])
