"""What an auditor reads: a book's whole ledger, and where two records of one fact differ.

A comparison works on a range of account ids, which is a range of most tables' primary key, so a
large book is walked in small pieces; it returns only what differs. The keys of decisions, orders
and operations rise with time: what is about them is compared once for a whole book, by
`audit_by_time`. All of it is read-only.
"""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from fenqi.core.values.ids import AccountId, PlanId
from fenqi.store.instalments import BILLS, INSTALMENTS
from fenqi.store.plans import PlanKey
from fenqi.store.pool import Session

RANGE_ACCOUNTS = 1_000  # compared at once
DIFFERENCES_MAX = 100  # returned by one comparison; the first hundred tell the story
FETCH_LINES = 20_000  # held in memory while exporting
DAY_LINES_MAX = 5_000_000  # 36 years of days with every pair of accounts
ACCOUNTS_OF_CHART_MAX = 100
NIL = UUID(int=0)

AmountsByPair = dict[tuple[str, str], int]
# (instalment, effect, principal, interest, fee, penalty), as `booking.allocation_rows` has it
AllocationRow = tuple[int, str, int, int, int, int]


@dataclass(frozen=True, slots=True)
class Range:
    """Neighbouring accounts of a book: `accounts` of them, from `first` to `last`."""

    book_id: str
    first: UUID
    last: UUID
    accounts: int

    def _asked(self) -> dict[str, object]:
        return {
            "book_id": self.book_id,
            "first": self.first,
            "last": self.last,
            "most": DIFFERENCES_MAX,
        }


@dataclass(frozen=True, slots=True)
class Difference:
    """One fact recorded twice, differently."""

    what: str
    account_id: AccountId | None
    plan_id: PlanId | None
    expected: str
    found: str


SIZE = """
SELECT (SELECT COUNT(*) FROM accounts WHERE book_id = %(book_id)s),
    (SELECT COUNT(*) FROM plans JOIN accounts USING (account_id) WHERE book_id = %(book_id)s)
"""


def size(session: Session, book_id: str) -> tuple[int, int]:
    """Return how many accounts and plans a book has."""
    accounts, plans = session.rows(SIZE, {"book_id": book_id})[0]
    return accounts, plans


NEXT_RANGE = """
SELECT account_id FROM accounts WHERE book_id = %(book_id)s AND account_id > %(after)s
ORDER BY account_id LIMIT %(page)s
"""


def next_range(session: Session, book_id: str, after: Range | None) -> Range | None:
    """Return the accounts that follow a range, or None after the last."""
    asked = {
        "book_id": book_id,
        "after": after.last if after else NIL,
        "page": RANGE_ACCOUNTS,
    }
    rows = session.rows(NEXT_RANGE, asked)
    return Range(book_id, rows[0][0], rows[-1][0], len(rows)) if rows else None


# Every comparison below is preceded by MEMBERS and answers (account, plan or NULL, expected, found)
# for what differs.
MEMBERS = """
WITH members AS (
    SELECT account_id, currency, event_count, principal_open_minor, held_minor, credit_minor,
        refunds_payable_minor, oldest_due_on, agreement_version, cost_table, excused_on
    FROM accounts
    WHERE account_id BETWEEN %(first)s AND %(last)s AND book_id = %(book_id)s
)
"""
LINES = """
SELECT t.account_id, t.plan_id, 'a positive ' || m.currency || ' line between two accounts',
    t.amount_minor || ' ' || t.currency || ' ' || t.credit || ' to ' || t.debit
FROM transfers AS t JOIN members AS m USING (account_id)
WHERE t.amount_minor <= 0 OR t.debit = t.credit OR t.currency <> m.currency
ORDER BY 1, 2 LIMIT %(most)s
"""
CONTROL = """
, booked AS (
    SELECT account_id, code, SUM(amount_minor) AS minor
    FROM (
        SELECT t.account_id, t.debit AS code, t.amount_minor
        FROM transfers AS t JOIN members USING (account_id)
        UNION ALL
        SELECT t.account_id, t.credit, -t.amount_minor
        FROM transfers AS t JOIN members USING (account_id)
    ) AS sides
    GROUP BY account_id, code
), kept AS (
    SELECT i.account_id, part.code, SUM(part.minor) AS minor
    FROM instalments AS i
    JOIN members USING (account_id)
    CROSS JOIN LATERAL (VALUES
        ('receivable-principal', i.principal_due_minor - i.principal_paid_minor
            - i.principal_relieved_minor - i.principal_written_off_minor - i.principal_moved_minor),
        ('receivable-interest', i.interest_due_minor - i.interest_paid_minor
            - i.interest_relieved_minor - i.interest_written_off_minor - i.interest_moved_minor),
        ('receivable-fee', i.fee_due_minor - i.fee_paid_minor
            - i.fee_relieved_minor - i.fee_written_off_minor - i.fee_moved_minor),
        ('receivable-penalty', i.penalty_due_minor - i.penalty_paid_minor
            - i.penalty_relieved_minor - i.penalty_written_off_minor - i.penalty_moved_minor)
    ) AS part (code, minor)
    GROUP BY i.account_id, part.code
    UNION ALL
    SELECT account_id, 'bill-instalment', 0 FROM members
    UNION ALL
    SELECT account_id, 'credit-balance', -credit_minor FROM members
    UNION ALL
    SELECT account_id, 'refunds-payable', -refunds_payable_minor FROM members
    UNION ALL
    SELECT m.account_id, 'suspense', -COALESCE(SUM(r.amount_minor), 0)
    FROM members AS m LEFT JOIN receipts AS r
        ON r.account_id = m.account_id AND r.state = 'pending'
    GROUP BY m.account_id
)
SELECT account_id, NULL, code || ' ' || COALESCE(kept.minor, 0),
    code || ' ' || COALESCE(booked.minor, 0)
FROM kept FULL JOIN booked USING (account_id, code)
WHERE COALESCE(kept.minor, 0) <> COALESCE(booked.minor, 0)
    AND code IN ('receivable-principal', 'receivable-interest', 'receivable-fee',
        'receivable-penalty', 'bill-instalment', 'credit-balance', 'refunds-payable', 'suspense')
ORDER BY account_id, code LIMIT %(most)s
"""
EVENTS = """
SELECT m.account_id, NULL, 'events 1 to ' || m.event_count,
    COUNT(e.number) || ' events up to ' || COALESCE(MAX(e.number), 0)
FROM members AS m LEFT JOIN events AS e USING (account_id)
GROUP BY m.account_id, m.event_count
HAVING COUNT(e.number) <> m.event_count OR COALESCE(MAX(e.number), 0) <> m.event_count
ORDER BY 1 LIMIT %(most)s
"""
LIMIT_USED = """
, open AS (
    SELECT p.account_id, SUM(p.principal_open_minor) AS minor
    FROM plans AS p JOIN members USING (account_id) GROUP BY p.account_id
)
SELECT m.account_id, NULL, 'principal ' || COALESCE(open.minor, 0),
    'principal ' || m.principal_open_minor
FROM members AS m LEFT JOIN open USING (account_id)
WHERE m.principal_open_minor <> COALESCE(open.minor, 0)
ORDER BY 1 LIMIT %(most)s
"""
OWING_SINCE = """
SELECT m.account_id, NULL, 'owes since ' || COALESCE(MIN(p.oldest_due_on)::text, 'never'),
    'owes since ' || COALESCE(m.oldest_due_on::text, 'never')
FROM members AS m LEFT JOIN plans AS p USING (account_id)
GROUP BY m.account_id, m.oldest_due_on
HAVING MIN(p.oldest_due_on) IS DISTINCT FROM m.oldest_due_on
ORDER BY 1 LIMIT %(most)s
"""
EXCUSED_DAYS = """
, days AS (
    SELECT DISTINCT x.account_id, day::date AS day
    FROM excuses AS x JOIN members USING (account_id)
    CROSS JOIN generate_series(x.from_on, x.through_on, '1 day') AS day
    WHERE x.void_number IS NULL
), excused AS (
    SELECT account_id, array_agg(day ORDER BY day) AS days FROM days GROUP BY account_id
)
SELECT m.account_id, NULL, 'excused on ' || COALESCE(d.days::text, 'no day'),
    'excused on ' || COALESCE(m.excused_on::text, 'no day')
FROM members AS m LEFT JOIN excused AS d USING (account_id)
WHERE m.excused_on IS DISTINCT FROM d.days
ORDER BY 1 LIMIT %(most)s
"""
COST_TABLES = """
, named (account_id, plan_id, what, version, cost_table) AS (
    SELECT account_id, NULL::uuid, 'account', agreement_version, cost_table FROM members
    WHERE cost_table IS NOT NULL
    UNION ALL
    SELECT p.account_id, p.plan_id, 'plan', p.agreement_version, p.cost_table
    FROM plans AS p JOIN members USING (account_id)
)
SELECT n.account_id, n.plan_id, n.what || ' with the cost table of agreement ' || n.version,
    n.what || ' with ' || n.cost_table
FROM named AS n
LEFT JOIN agreements AS g ON g.account_id = n.account_id AND g.version = n.version
WHERE g.cost_table IS DISTINCT FROM n.cost_table
ORDER BY 1, 2 LIMIT %(most)s
"""
RECEIPTS = """
SELECT r.account_id, NULL,
    'lines of ' || CASE r.state WHEN 'final' THEN r.amount_minor ELSE 0 END
        || ' on ' || r.receipt_id,
    'lines of ' || COALESCE(SUM(l.amount_minor), 0) || ' on ' || r.receipt_id
FROM receipts AS r
JOIN members USING (account_id)
LEFT JOIN receipt_lines AS l ON l.account_id = r.account_id AND l.receipt_id = r.receipt_id
GROUP BY r.account_id, r.receipt_id, r.state, r.amount_minor
HAVING COALESCE(SUM(l.amount_minor), 0) <> CASE r.state WHEN 'final' THEN r.amount_minor ELSE 0 END
ORDER BY 1, 2 LIMIT %(most)s
"""
STATEMENTS = """
SELECT s.account_id, NULL, 'lines of ' || s.total_minor || ' on statement ' || s.number,
    'lines of ' || COALESCE(SUM(
        l.principal_minor + l.interest_minor + l.fee_minor + l.penalty_minor
    ), 0) || ' on statement ' || s.number
FROM statements AS s
JOIN members USING (account_id)
LEFT JOIN statement_lines AS l
    ON l.account_id = s.account_id AND l.statement_number = s.number
GROUP BY s.account_id, s.number, s.total_minor
HAVING COALESCE(SUM(
    l.principal_minor + l.interest_minor + l.fee_minor + l.penalty_minor
), 0) <> s.total_minor
ORDER BY s.account_id, s.number LIMIT %(most)s
"""
# Which row must have which other: (table, columns, other table, its columns). The hot tables have
# no foreign keys between them, see docs/adr/0010-drop-hot-references.md and 0012.
BELONGINGS = (
    ("plans", "agreement_version", "agreements", "version"),
    ("changed_instalments", "plan_id, number", "instalments", "plan_id, number"),
    ("allocations", "plan_id, operation_number", "operations", "plan_id, number"),
    ("bill_parts", "plan_id", "plans", "plan_id"),
    ("bill_parts", "parent_plan_id, operation_number", "operations", "plan_id, number"),
    ("crossings", "plan_id", "plans", "plan_id"),
    ("crossings", "event_number", "events", "number"),
    ("excuses", "begun_number", "events", "number"),
    ("excuses", "void_number", "events", "number"),
    ("corrections", "number", "events", "number"),
    ("corrections", "corrected_by", "events", "number"),
    ("transfers", "event_number", "events", "number"),
    ("transfers", "plan_id", "plans", "plan_id"),
    ("outbox", "event_number", "events", "number"),
    ("statements", "event_number", "events", "number"),
    ("statement_lines", "statement_number", "statements", "number"),
    ("statement_lines", "plan_id, instalment_number", "instalments", "plan_id, number"),
)


def _belonging(table: str, columns: str, other: str, others: str) -> str:
    """Return the query of rows whose other row is missing; a NULL names no row."""
    pairs = list(zip(columns.split(", "), others.split(", "), strict=True))
    same = " AND ".join(f"o.{theirs} = r.{ours}" for ours, theirs in pairs)
    named = " AND ".join(f"r.{ours} IS NOT NULL" for ours, _ in pairs)
    return (
        f"SELECT r.account_id, '{table} in {other}', COUNT(*) FROM {table} AS r "  # noqa: S608 - constants only
        f"JOIN members USING (account_id) WHERE {named} AND NOT EXISTS (SELECT 1 "
        f"FROM {other} AS o WHERE o.account_id = r.account_id AND {same}) GROUP BY r.account_id"
    )


def belongings(pairs: Iterable[tuple[str, str, str, str]]) -> str:
    """Return the query of all rows whose other row is missing."""
    strays = " UNION ALL ".join(_belonging(*one) for one in pairs)
    return (
        f", strays (account_id, what, rows) AS ({strays}) SELECT account_id, NULL, "  # noqa: S608 - constants only
        "'a row of each of its ' || what, rows || ' without' "
        "FROM strays ORDER BY account_id, what LIMIT %(most)s"
    )


COMPARISONS = {
    "rows that belong together": belongings(BELONGINGS),
    "M1 ledger lines": LINES,
    "M1 control accounts": CONTROL,
    "event numbers": EVENTS,
    "M5 limit used": LIMIT_USED,
    "since when accounts owe": OWING_SINCE,
    "P5 excused days": EXCUSED_DAYS,
    "M7 cost tables": COST_TABLES,
    "M2 instalments": INSTALMENTS,
    "M2 bill instalments": BILLS,
    "receipt lines": RECEIPTS,
    "statement lines": STATEMENTS,
}


def compare(session: Session, accounts: Range) -> Iterator[Difference]:
    """Yield where the rows of these accounts contradict one another."""
    yield from walk(session, COMPARISONS, accounts)


def walk(session: Session, comparisons: Mapping[str, str], accounts: Range) -> Iterator[Difference]:
    """Yield what differs by the comparisons given, each an SQL after MEMBERS."""
    for what, statement in comparisons.items():
        for account, plan, expected, found in session.rows(MEMBERS + statement, accounts._asked()):
            yield Difference(what, account, plan, expected, found)


LEDGER_DAYS = """
WITH booked AS (
    SELECT t.booked_on AS day, t.debit, t.credit, SUM(t.amount_minor) AS minor, COUNT(*) AS lines
    FROM transfers AS t JOIN accounts AS a USING (account_id) JOIN books AS b USING (book_id)
    WHERE b.book_id = %(book_id)s AND t.booked_on < b.business_date
    GROUP BY t.booked_on, t.debit, t.credit
), closed AS (
    SELECT day, debit, credit, SUM(amount_minor) AS minor, SUM(lines) AS lines
    FROM ledger_days WHERE book_id = %(book_id)s GROUP BY day, debit, credit
)
SELECT day || ' ' || credit || ' to ' || debit || ': ' || COALESCE(booked.minor, 0) || ' in '
        || COALESCE(booked.lines, 0) || ' lines',
    day || ' ' || credit || ' to ' || debit || ': ' || COALESCE(closed.minor, 0) || ' in '
        || COALESCE(closed.lines, 0) || ' lines'
FROM booked FULL JOIN closed USING (day, debit, credit)
WHERE (booked.minor, booked.lines) IS DISTINCT FROM (closed.minor, closed.lines)
ORDER BY day, debit, credit LIMIT %(most)s
"""


ORPHANS = """
SELECT account_id, NULL, 'an account', what || ' of none'
FROM (
    SELECT account_id, 'an event' AS what FROM events
    UNION ALL SELECT account_id, 'a decision' FROM decisions
    UNION ALL SELECT account_id, 'an order' FROM orders
    UNION ALL SELECT account_id, 'a plan' FROM plans
    UNION ALL SELECT account_id, 'an operation' FROM operations
    UNION ALL SELECT account_id, 'an instalment' FROM changed_instalments
    UNION ALL SELECT account_id, 'an allocation' FROM allocations
    UNION ALL SELECT account_id, 'a part of a bill' FROM bill_parts
    UNION ALL SELECT account_id, 'a crossing' FROM crossings
    UNION ALL SELECT account_id, 'an excuse' FROM excuses
    UNION ALL SELECT account_id, 'a correction' FROM corrections
    UNION ALL SELECT account_id, 'a transfer' FROM transfers
    UNION ALL SELECT account_id, 'a statement' FROM statements
    UNION ALL SELECT account_id, 'a statement line' FROM statement_lines
    UNION ALL SELECT account_id, 'an outbox row' FROM outbox
) AS rows LEFT JOIN accounts AS a USING (account_id) LEFT JOIN applications AS p USING (account_id)
WHERE a.book_id IS NULL AND (p.book_id IS NULL OR what !~ 'event|decision|outbox')
LIMIT %(most)s
"""


def orphans(session: Session) -> Iterator[Difference]:
    """Yield rows of accounts that do not exist."""
    for account, plan, expected, found in session.rows(ORPHANS, {"most": DIFFERENCES_MAX}):
        yield Difference("rows that belong together", account, plan, expected, found)


def compare_days(session: Session, book_id: str) -> Iterator[Difference]:
    """Yield where a closed day's totals are not the sums of its lines."""
    asked = {"book_id": book_id, "most": DIFFERENCES_MAX}
    for expected, found in session.rows(LEDGER_DAYS, asked):
        yield Difference("closed days' totals", None, None, expected, found)


PLANS_OF = """
SELECT p.account_id, p.plan_id FROM plans AS p JOIN accounts AS a USING (account_id)
WHERE p.account_id BETWEEN %(first)s AND %(last)s AND a.book_id = %(book_id)s
ORDER BY p.account_id, p.plan_id
"""


def plans_of(session: Session, accounts: Range) -> list[PlanKey]:
    """Return the plans of these accounts."""
    rows = session.rows(PLANS_OF, accounts._asked())
    return [(AccountId(row[0]), PlanId(row[1])) for row in rows]


# The business date salts the draw: another day's sample is another one, the same day's the same.
SAMPLE = """
SELECT p.account_id, p.plan_id
FROM plans AS p JOIN accounts AS a USING (account_id) JOIN books AS b USING (book_id)
WHERE b.book_id = %(book_id)s
ORDER BY md5(p.plan_id::text || b.business_date::text), p.plan_id LIMIT %(sample)s
"""


def sample_plans(session: Session, book_id: str, sample: int) -> list[PlanKey]:
    """Return that many plans of a book, drawn without a pattern, the same all day."""
    rows = session.rows(SAMPLE, {"book_id": book_id, "sample": sample})
    return [(AccountId(row[0]), PlanId(row[1])) for row in rows]


@dataclass(slots=True)
class Stored:
    """What the tables hold of one plan's projection.

    `signed` are the principal, interest and fee of each instalment at signing; `instalments` are
    (number, start, due day, open, recovered, due..., paid..., relieved..., written off...,
    moved...), the amounts by component; `allocations` are by operation; `crossed_to` is where the
    last bucket crossing led.
    """

    signed: tuple[list[int], list[int], list[int]]
    instalments: list[tuple[date | int, ...]]
    allocations: dict[int, list[AllocationRow]]
    transfers: AmountsByPair
    crossed_to: int


STORED_SIGNED = """
SELECT p.account_id, p.plan_id, p.signed_principal_minor, p.signed_interest_minor,
    p.signed_fee_minor
FROM UNNEST(%(accounts)s::uuid[], %(plans)s::uuid[]) AS asked (account_id, plan_id)
JOIN plans AS p USING (account_id, plan_id)
"""
STORED_INSTALMENTS = """
SELECT i.account_id, i.plan_id, i.number, i.starts_on, i.due_on, i.open_minor, i.recovered_minor,
    i.principal_due_minor, i.interest_due_minor, i.fee_due_minor, i.penalty_due_minor,
    i.principal_paid_minor, i.interest_paid_minor, i.fee_paid_minor, i.penalty_paid_minor,
    i.principal_relieved_minor, i.interest_relieved_minor, i.fee_relieved_minor,
    i.penalty_relieved_minor, i.principal_written_off_minor, i.interest_written_off_minor,
    i.fee_written_off_minor, i.penalty_written_off_minor, i.principal_moved_minor,
    i.interest_moved_minor, i.fee_moved_minor, i.penalty_moved_minor
FROM UNNEST(%(accounts)s::uuid[], %(plans)s::uuid[]) AS asked (account_id, plan_id)
JOIN instalments AS i USING (account_id, plan_id)
ORDER BY i.account_id, i.plan_id, i.number
"""
STORED_ALLOCATIONS = """
SELECT l.account_id, l.plan_id, l.operation_number, l.instalment_number, l.effect,
    l.principal_minor, l.interest_minor, l.fee_minor, l.penalty_minor
FROM UNNEST(%(accounts)s::uuid[], %(plans)s::uuid[]) AS asked (account_id, plan_id)
JOIN allocations AS l USING (account_id, plan_id)
ORDER BY l.account_id, l.plan_id, l.operation_number, l.line
"""
STORED_TRANSFERS = """
SELECT t.account_id, t.plan_id, t.debit, t.credit, SUM(t.amount_minor)::bigint
FROM transfers AS t
JOIN UNNEST(%(accounts)s::uuid[], %(plans)s::uuid[]) AS asked (account_id, plan_id)
    USING (account_id, plan_id)
WHERE t.account_id = ANY(%(owners)s)
GROUP BY t.account_id, t.plan_id, t.debit, t.credit
"""
STORED_CROSSINGS = """
SELECT DISTINCT ON (c.account_id, c.plan_id) c.account_id, c.plan_id, c.to_bucket
FROM UNNEST(%(accounts)s::uuid[], %(plans)s::uuid[]) AS asked (account_id, plan_id)
JOIN crossings AS c USING (account_id, plan_id)
ORDER BY c.account_id, c.plan_id, c.event_number DESC
"""


def stored(session: Session, keys: Collection[PlanKey]) -> dict[PlanKey, Stored]:
    """Return what is stored of these plans."""
    asked = {
        "accounts": [account for account, _ in keys],
        "plans": [plan for _, plan in keys],
        "owners": sorted({account for account, _ in keys}),
    }
    found = {
        (account, plan): Stored((principal, interest, fee), [], {}, {}, 0)
        for account, plan, principal, interest, fee in session.rows(STORED_SIGNED, asked)
    }
    for account, plan, *amounts in session.rows(STORED_INSTALMENTS, asked):
        found[account, plan].instalments.append(tuple(amounts))
    for account, plan, operation, *line in session.rows(STORED_ALLOCATIONS, asked):
        part, effect, *amounts = line
        row: AllocationRow = (part, effect, *amounts)
        found[account, plan].allocations.setdefault(operation, []).append(row)
    for account, plan, debit, credit, minor in session.rows(STORED_TRANSFERS, asked):
        found[account, plan].transfers[debit, credit] = minor
    for account, plan, bucket in session.rows(STORED_CROSSINGS, asked):
        found[account, plan].crossed_to = bucket
    return found


@dataclass(frozen=True, slots=True)
class Closing:
    """The last day anything was booked, and each account's debits less credits by then."""

    last_on: date | None
    balance_minor: dict[str, int]


CLOSING = """
SELECT code, SUM(minor)::bigint, MAX(last_on)
FROM (
    SELECT t.debit AS code, SUM(t.amount_minor) AS minor, MAX(t.booked_on) AS last_on
    FROM transfers AS t JOIN accounts AS a USING (account_id)
    WHERE a.book_id = %(book_id)s GROUP BY t.debit
    UNION ALL
    SELECT t.credit, -SUM(t.amount_minor), MAX(t.booked_on)
    FROM transfers AS t JOIN accounts AS a USING (account_id)
    WHERE a.book_id = %(book_id)s GROUP BY t.credit
) AS sides
GROUP BY code ORDER BY code LIMIT %(most)s
"""


def closing(session: Session, book_id: str) -> Closing:
    """Return every account's balance over the whole ledger of a book."""
    rows = session.rows(CLOSING, {"book_id": book_id, "most": ACCOUNTS_OF_CHART_MAX})
    return Closing(
        last_on=max((row[2] for row in rows), default=None),
        balance_minor={code: minor for code, minor, _ in rows},
    )


# (day, account, event, kind, effective day, debit, credit, amount in minor units, plan)
EventLine = tuple[str, str, int, str, str, str, str, int, str | None]

DECLARE_LINES = """
DECLARE ledger_lines NO SCROLL CURSOR FOR
SELECT t.booked_on::text, t.account_id::text, t.event_number, e.kind, t.effective_on::text, t.debit,
    t.credit, t.amount_minor, t.plan_id::text
FROM transfers AS t
JOIN accounts AS a USING (account_id)
JOIN events AS e ON e.account_id = t.account_id AND e.number = t.event_number
WHERE a.book_id = %(book_id)s
ORDER BY t.booked_on, t.account_id, t.event_number, t.line
"""
FETCH = f"FETCH FORWARD {FETCH_LINES} FROM ledger_lines"


def event_lines(session: Session, book_id: str) -> Iterator[list[EventLine]]:
    """Yield the whole ledger in pages, by day, account and event; memory stays flat."""
    session.run(DECLARE_LINES, {"book_id": book_id})
    while page := session.rows(FETCH):
        yield page


# (day, debit, credit, amount in minor units, lines)
DayLine = tuple[str, str, str, int, int]

DAY_LINES = """
SELECT t.booked_on::text, t.debit, t.credit, SUM(t.amount_minor)::bigint, COUNT(*)
FROM transfers AS t JOIN accounts AS a USING (account_id)
WHERE a.book_id = %(book_id)s
GROUP BY t.booked_on, t.debit, t.credit
ORDER BY t.booked_on, t.debit, t.credit LIMIT %(most)s
"""


def day_lines(session: Session, book_id: str) -> list[DayLine]:
    """Return the ledger summed by day and pair, from the lines themselves."""
    return session.rows(DAY_LINES, {"book_id": book_id, "most": DAY_LINES_MAX})
