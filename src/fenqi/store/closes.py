"""The day close's own rows: which step of which slice is done, and what it reads to find its work.

Every query carries the day it looks for, on a partial index of plans that still owe, so that a
close reads what something happens to today and nothing else.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import NewType

from fenqi.core.errors import Conflict
from fenqi.core.servicing.statement import named_through
from fenqi.core.values.day import add_months, month_end
from fenqi.core.values.ids import SLICES, AccountId
from fenqi.store.books import Book
from fenqi.store.plans import PlanKey, keys_of
from fenqi.store.pool import Session

WRITE_OFF_WINDOW_DAYS = 31  # how far back a due day may lie that turned while nobody looked

PAGE_ACCOUNTS = 10_000  # locked and written at once by a set-wise step

# Accounts of one slice in id order, as the text of an array: nobody here looks at a single one.
Page = NewType("Page", str)


class DayNotOpen(Conflict):
    """The day to close is not the book's open day."""

    code = "day-not-open"


@dataclass(frozen=True, slots=True)
class Task:
    """One step of one slice of one day; done at most once."""

    book_id: str
    day: date
    slice: int
    step: str

    def bounds(self, slices: int) -> tuple[int, int]:
        """Return the account slices [first, last) that belong to this slice of the close."""
        return (self.slice * SLICES // slices, (self.slice + 1) * SLICES // slices)


IS_DONE = """
SELECT 1 FROM close_steps
WHERE book_id = %(book_id)s AND day = %(day)s AND slice = %(slice)s AND step = %(step)s
"""
FINISH = """
INSERT INTO close_steps (book_id, day, slice, step, touched, finished_at)
VALUES (%(book_id)s, %(day)s, %(slice)s, %(step)s, %(touched)s, %(now)s)
"""


def is_open(session: Session, task: Task, book: Book) -> bool:
    """Return whether the step is still to be done. Errors: DayNotOpen."""
    if session.rows(IS_DONE, _key(task)):
        return False
    if book.business_date != task.day:
        raise DayNotOpen(book=book.book_id, day=task.day, open_day=book.business_date)
    return True


def finish(session: Session, task: Task, touched: int, now: datetime) -> None:
    """Record in the step's own transaction that it is done; a second one meets the primary key."""
    session.run(FINISH, {**_key(task), "touched": touched, "now": now})


def _key(task: Task) -> dict[str, object]:
    return {"book_id": task.book_id, "day": task.day, "slice": task.slice, "step": task.step}


DONE = """
SELECT slice, step, touched FROM close_steps WHERE book_id = %(book_id)s AND day = %(day)s
ORDER BY slice, step LIMIT 10000
"""


def done(session: Session, book_id: str, day: date) -> dict[tuple[int, str], int]:
    """Return the finished (slice, step) of a day and how much each touched."""
    rows = session.rows(DONE, {"book_id": book_id, "day": day})
    return {(slice_, step): touched for slice_, step, touched in rows}


TO_BILL = """
SELECT p.account_id FROM plans AS p JOIN accounts AS a USING (account_id)
WHERE p.unbilled_due_on <= %(due_on)s AND p.unbilled_due_on > %(horizon)s
    AND a.statement_day = ANY(%(statement_days)s)
    AND a.book_id = %(book_id)s AND a.slice >= %(first)s AND a.slice < %(last)s
UNION
SELECT p.account_id FROM plans AS p JOIN accounts AS a USING (account_id)
WHERE p.is_rearranged AND p.unbilled_due_on > %(due_on)s AND p.unbilled_due_on <= %(named)s
    AND a.statement_day = ANY(%(statement_days)s)
    AND a.book_id = %(book_id)s AND a.slice >= %(first)s AND a.slice < %(last)s
UNION
SELECT p.account_id FROM plans AS p JOIN accounts AS a USING (account_id)
WHERE p.oldest_due_on < %(day)s AND p.oldest_due_on > %(horizon)s AND p.state = 'active'
    AND a.statement_day = ANY(%(statement_days)s)
    AND a.book_id = %(book_id)s AND a.slice >= %(first)s AND a.slice < %(last)s
"""
BILL_HORIZON_DAYS = 400  # older debts are written off or in a person's hands


def to_bill(session: Session, book: Book, task: Task, statement_days: Sequence[int]) -> list[Page]:
    """Return the accounts whose statements today name plans: newly billed and overdue ones.

    Of a plan with moved due days a statement may name what falls due before the next one is cut.
    """
    asked = _asked(book, task) | {
        "due_on": task.day + timedelta(days=book.due_after_days),
        "named": max(named_through(one, task.day) for one in statement_days),
        "horizon": task.day - timedelta(days=BILL_HORIZON_DAYS),
        "statement_days": list(statement_days),
    }
    return _pages(session, TO_BILL, asked)


OWING_SINCE = """
SELECT DISTINCT p.account_id FROM plans AS p JOIN accounts AS a USING (account_id)
WHERE p.oldest_due_on = ANY(%(due_days)s)
    AND a.book_id = %(book_id)s AND a.slice >= %(first)s AND a.slice < %(last)s
"""


def owing_since(session: Session, book: Book, task: Task, due_days: Sequence[date]) -> list[Page]:
    """Return the accounts with plans whose oldest unpaid due day is one of these."""
    return _pages(session, OWING_SINCE, _asked(book, task) | {"due_days": list(due_days)})


EXCUSED = """
SELECT DISTINCT p.account_id FROM plans AS p JOIN accounts AS a USING (account_id)
WHERE a.excused_on IS NOT NULL AND p.oldest_due_on < %(day)s
    AND a.book_id = %(book_id)s AND a.slice >= %(first)s AND a.slice < %(last)s
"""


def excused(session: Session, book: Book, task: Task) -> list[Page]:
    """Return the accounts that owe something past due and have excused days of their own."""
    return _pages(session, EXCUSED, _asked(book, task))


TO_WRITE_OFF = """
SELECT p.account_id, p.plan_id FROM plans AS p JOIN accounts AS a USING (account_id)
WHERE p.oldest_due_on <= %(due_on)s AND p.oldest_due_on > %(horizon)s AND p.state = 'active'
    AND a.book_id = %(book_id)s AND a.slice >= %(first)s AND a.slice < %(last)s
UNION
SELECT p.account_id, p.plan_id FROM accounts AS a JOIN plans AS p USING (account_id)
WHERE a.excused_on IS NOT NULL AND p.oldest_due_on <= %(due_on)s AND p.state = 'active'
    AND a.book_id = %(book_id)s AND a.slice >= %(first)s AND a.slice < %(last)s
ORDER BY account_id, plan_id
"""


def to_write_off(session: Session, book: Book, task: Task, due_on: date) -> list[PlanKey]:
    """Return the running plans that owe since `due_on` or up to a month longer.

    Of an account with excused days of its own however long: its debts turn on days of their own.
    """
    asked = _asked(book, task) | {
        "due_on": due_on,
        "horizon": due_on - timedelta(days=WRITE_OFF_WINDOW_DAYS),
    }
    return keys_of(session.rows(TO_WRITE_OFF, asked))


TO_RECOGNISE = """
SELECT p.account_id FROM plans AS p JOIN accounts AS a USING (account_id)
WHERE p.is_earning AND p.oldest_due_on > %(non_accrual)s AND p.recognised_through < %(day)s
    AND a.book_id = %(book_id)s AND a.slice >= %(first)s AND a.slice < %(last)s
UNION
SELECT p.account_id FROM plans AS p JOIN accounts AS a USING (account_id)
WHERE p.is_earning AND p.oldest_due_on IS NULL AND p.recognised_through < %(day)s
    AND a.book_id = %(book_id)s AND a.slice >= %(first)s AND a.slice < %(last)s
"""


def to_recognise(session: Session, book: Book, task: Task, non_accrual: date) -> list[Page]:
    """Return the accounts of plans that earn by today, those owing since `non_accrual` left out."""
    asked = _asked(book, task) | {"non_accrual": non_accrual}
    return _pages(session, TO_RECOGNISE, asked)


TO_PAY = """
SELECT p.account_id, p.plan_id FROM plans AS p JOIN accounts AS a USING (account_id)
WHERE p.oldest_due_on <= %(day)s AND a.book_id = %(book_id)s
    AND (a.statement_day = ANY(%(statement_days)s) OR p.is_rearranged AND p.oldest_due_on = %(day)s)
ORDER BY p.account_id, p.plan_id
"""


def to_pay(session: Session, book: Book, day: date, statement_days: Sequence[int]) -> list[PlanKey]:
    """Return the plans that owe something by `day`, of accounts with one of these cycles.

    A plan whose due days were moved is asked for on its own day too.
    """
    asked = {"book_id": book.book_id, "day": day, "statement_days": list(statement_days)}
    return keys_of(session.rows(TO_PAY, asked))


IN_CREDIT = """
SELECT DISTINCT p.account_id FROM accounts AS a JOIN plans AS p USING (account_id)
WHERE a.credit_minor > 0 AND p.oldest_due_on <= %(day)s
    AND a.book_id = %(book_id)s AND a.slice >= %(first)s AND a.slice < %(last)s
ORDER BY p.account_id
"""


def in_credit(session: Session, book: Book, task: Task) -> list[AccountId]:
    """Return the accounts with a credit balance and something due by today."""
    return [AccountId(row[0]) for row in session.rows(IN_CREDIT, _asked(book, task))]


OWED_REFUNDS = """
SELECT account_id FROM accounts AS a
WHERE refunds_payable_minor > 0
    AND a.book_id = %(book_id)s AND a.slice >= %(first)s AND a.slice < %(last)s
ORDER BY account_id
"""


def owed_refunds(session: Session, book: Book, task: Task) -> list[AccountId]:
    """Return the accounts we owe money back to."""
    return [AccountId(row[0]) for row in session.rows(OWED_REFUNDS, _asked(book, task))]


MERCHANTS_DAY = """
SELECT t.merchant_id, SUM(
    CASE WHEN t.credit = 'merchant-payable' THEN t.amount_minor ELSE -t.amount_minor END
)::bigint
FROM transfers AS t JOIN accounts AS a USING (account_id)
WHERE t.booked_on = %(day)s AND a.book_id = %(book_id)s AND a.kind = 'customer'
    AND 'merchant-payable' IN (t.debit, t.credit)
GROUP BY t.merchant_id ORDER BY t.merchant_id
"""


def merchants_day(session: Session, task: Task) -> list[tuple[object, int]]:
    """Return what the purchases and refunds of the day before leave us owing each merchant."""
    before = task.day - timedelta(days=1)
    rows = session.rows(MERCHANTS_DAY, {"book_id": task.book_id, "day": before})
    return [(merchant, owed) for merchant, owed in rows]


TOTAL = """
INSERT INTO ledger_days (book_id, day, slice, debit, credit, amount_minor, lines)
SELECT a.book_id, t.booked_on, a.slice, t.debit, t.credit, SUM(t.amount_minor), COUNT(*)
FROM transfers AS t JOIN accounts AS a USING (account_id)
WHERE t.booked_on = %(day)s AND a.book_id = %(book_id)s
GROUP BY a.book_id, t.booked_on, a.slice, t.debit, t.credit
"""


def total(session: Session, task: Task) -> int:
    """Write the day's totals per slice and pair of accounts; return how many rows."""
    return session.run(TOTAL, {"book_id": task.book_id, "day": task.day})


PRINCIPAL_BY_BUCKET = """
SELECT p.bucket, SUM(p.principal_open_minor)::bigint
FROM plans AS p JOIN accounts AS a USING (account_id)
WHERE p.oldest_due_on IS NOT NULL AND p.state = 'active' AND a.book_id = %(book_id)s
GROUP BY p.bucket ORDER BY p.bucket
"""


def principal_by_bucket(session: Session, task: Task) -> list[tuple[int, int]]:
    """Return the open principal of the book's running plans per bucket."""
    return [(row[0], row[1]) for row in session.rows(PRINCIPAL_BY_BUCKET, _of_book(task))]


# The closed days' totals and the open day's lines together are the whole ledger.
ALLOWANCE = """
SELECT COALESCE(SUM(CASE WHEN credit = 'allowance' THEN amount_minor ELSE -amount_minor END), 0)
FROM (
    SELECT debit, credit, amount_minor FROM ledger_days
    WHERE book_id = %(book_id)s AND day < %(day)s AND 'allowance' IN (debit, credit)
    UNION ALL
    SELECT t.debit, t.credit, t.amount_minor
    FROM transfers AS t JOIN accounts AS a USING (account_id)
    WHERE a.book_id = %(book_id)s AND t.booked_on = %(day)s AND 'allowance' IN (t.debit, t.credit)
) AS lines
"""


def allowance(session: Session, task: Task) -> int:
    """Return what stands in the allowance; below zero if write-offs took more than was there."""
    return int(session.rows(ALLOWANCE, _of_book(task))[0][0])


def _of_book(task: Task) -> dict[str, object]:
    return {"book_id": task.book_id, "day": task.day}


# A plan's bucket a month ago is where its first crossing since then came from, or where it is.
MEASURE = """
INSERT INTO portfolio_months
    (book_id, month_end, slice, vintage, from_state, from_bucket, to_state, to_bucket, plans,
     principal_minor, principal_open_minor, principal_written_off_minor)
SELECT a.book_id, %(day)s, a.slice, date_trunc('month', p.starts_on)::date,
    CASE WHEN p.starts_on > %(before)s THEN 'new'
        WHEN w.booked_on <= %(before)s THEN 'written-off' ELSE 'active' END,
    COALESCE(c.from_bucket, p.bucket), p.state, p.bucket, COUNT(*), SUM(p.principal_minor),
    SUM(p.principal_open_minor), SUM(COALESCE(w.principal_minor, 0))
FROM plans AS p
JOIN accounts AS a USING (account_id)
LEFT JOIN LATERAL (
    SELECT x.from_bucket FROM crossings AS x
    WHERE x.account_id = p.account_id AND x.plan_id = p.plan_id AND x.booked_on > %(before)s
    ORDER BY x.event_number LIMIT 1
) AS c ON TRUE
LEFT JOIN LATERAL (
    SELECT o.booked_on, SUM(i.principal_written_off_minor) AS principal_minor
    FROM operations AS o JOIN changed_instalments AS i USING (account_id, plan_id)
    WHERE o.account_id = p.account_id AND o.plan_id = p.plan_id AND o.kind = 'write-off'
    GROUP BY o.booked_on
) AS w ON p.state <> 'active'
WHERE a.book_id = %(book_id)s AND a.slice >= %(first)s AND a.slice < %(last)s
    AND (p.oldest_due_on IS NOT NULL OR c.from_bucket IS NOT NULL)
GROUP BY 1, 2, 3, 4, 5, 6, 7, 8
"""


def measure(session: Session, book: Book, task: Task) -> int:
    """Write the month's picture of the portfolio; return how many rows."""
    before = month_end(add_months(task.day, -1, anchor_day=1))
    return session.run(MEASURE, _asked(book, task) | {"before": before})


def _asked(book: Book, task: Task) -> dict[str, object]:
    first, last = task.bounds(book.slices)
    return {"book_id": task.book_id, "first": first, "last": last, "day": task.day}


PAGES = """
SELECT array_agg(account_id ORDER BY account_id)::text
FROM (
    SELECT account_id, (row_number() OVER (ORDER BY account_id) - 1) / %(page)s AS page
    FROM ({found}) AS found
) AS placed
GROUP BY page ORDER BY page
"""


def _pages(session: Session, found: str, asked: dict[str, object]) -> list[Page]:
    """Return the accounts that a query finds, each once, in pages of `PAGE_ACCOUNTS`."""
    statement = PAGES.replace("{found}", found)
    rows = session.rows(statement, asked | {"page": PAGE_ACCOUNTS})
    return [Page(row[0]) for row in rows]
