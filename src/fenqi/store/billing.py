"""Statements cut set-wise: for accounts on which everything is in time.

Their statements name amounts that stand in the instalments already and change none of them, so one
statement of the database does for thousands of accounts what `flows/bill.py` says of one. Where a
plan is overdue the late charge moves first: those accounts are given back, to be replayed one by
one. A test closes the same lives both ways and compares every table.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from fenqi.store.closes import BILL_HORIZON_DAYS, Page
from fenqi.store.plans import PlanKey, keys_of
from fenqi.store.pool import Session


@dataclass(frozen=True, slots=True)
class Cut:
    """One day's cut: statements of `day`, due on `due_on`, written at `now`."""

    day: date
    due_on: date
    now: datetime

    def asked(self, page: Page) -> dict[str, object]:
        """Return the parameters of the statements below."""
        return {
            "accounts": page,
            "day": self.day,
            "due_on": self.due_on,
            "horizon": self.day - timedelta(days=BILL_HORIZON_DAYS),
            "now": self.now,
        }


TO_REPLAY = """
SELECT account_id, plan_id
FROM (
    SELECT account_id, plan_id,
        bool_or(oldest_due_on < %(day)s) OVER (PARTITION BY account_id) AS is_late
    FROM plans
    WHERE account_id = ANY(%(accounts)s::uuid[]) AND (
        unbilled_due_on <= %(due_on)s AND unbilled_due_on > %(horizon)s
        OR oldest_due_on < %(day)s AND oldest_due_on > %(horizon)s AND state = 'active'
    )
) AS named
WHERE is_late
ORDER BY account_id, plan_id
"""


def to_replay(session: Session, page: Page, cut: Cut) -> list[PlanKey]:
    """Return the plans that today's statements name, of the accounts where one is overdue."""
    return keys_of(session.rows(TO_REPLAY, cut.asked(page)))


# A plan in time has nothing unpaid from before today. An account that was replayed a moment ago
# has nothing unbilled any more, so it is not found here.
CUT = """
WITH parts AS MATERIALIZED (
    SELECT a.account_id, a.event_count + 1 AS event_number,
        a.statement_count + 1 AS statement_number, p.plan_id, i.number, i.due_on,
        i.due_on <= %(due_on)s AS is_named, i.open_minor,
        i.principal_due_minor - i.principal_paid_minor - i.principal_relieved_minor
            - i.principal_written_off_minor AS principal_minor,
        i.interest_due_minor - i.interest_paid_minor - i.interest_relieved_minor
            - i.interest_written_off_minor AS interest_minor,
        i.fee_due_minor - i.fee_paid_minor - i.fee_relieved_minor
            - i.fee_written_off_minor AS fee_minor,
        i.penalty_due_minor - i.penalty_paid_minor - i.penalty_relieved_minor
            - i.penalty_written_off_minor AS penalty_minor
    FROM accounts AS a
    JOIN plans AS p USING (account_id)
    JOIN instalments AS i USING (account_id, plan_id)
    WHERE a.account_id = ANY(%(accounts)s::uuid[]) AND p.oldest_due_on >= %(day)s
        AND p.unbilled_due_on <= %(due_on)s AND p.unbilled_due_on > %(horizon)s
), cut AS MATERIALIZED (
    SELECT account_id, event_number, statement_number, SUM(open_minor) AS total_minor
    FROM parts WHERE is_named AND open_minor > 0
    GROUP BY account_id, event_number, statement_number
), told AS (
    INSERT INTO events
        (account_id, number, schema_version, kind, actor, occurred_at, recorded_at, booked_on,
         effective_on, payload)
    SELECT account_id, event_number, 1, 'statement-cut', 'system', %(now)s, %(now)s, %(day)s,
        %(day)s, jsonb_build_object('number', statement_number, 'due_on', %(due_on)s::date)
    FROM cut
), to_tell AS (
    INSERT INTO outbox (account_id, event_number, topic, not_before)
    SELECT account_id, event_number, 'notice', %(now)s FROM cut
), documents AS (
    INSERT INTO statements
        (account_id, number, cut_on, due_on, total_minor, overdue_minor, event_number)
    SELECT account_id, statement_number, %(day)s, %(due_on)s, total_minor, 0, event_number
    FROM cut
), lines AS (
    INSERT INTO statement_lines
        (account_id, statement_number, line, plan_id, instalment_number, due_on, principal_minor,
         interest_minor, fee_minor, penalty_minor)
    SELECT account_id, statement_number,
        row_number() OVER (PARTITION BY account_id ORDER BY plan_id, number), plan_id, number,
        due_on, principal_minor, interest_minor, fee_minor, penalty_minor
    FROM parts WHERE is_named AND open_minor > 0
), billed AS (
    UPDATE plans AS p
    SET version = p.version + 1, billed_count = b.billed_count, unbilled_due_on = b.next_due_on
    FROM (
        SELECT account_id, plan_id, COUNT(*) FILTER (WHERE is_named) AS billed_count,
            MIN(due_on) FILTER (WHERE NOT is_named AND open_minor > 0) AS next_due_on
        FROM parts GROUP BY account_id, plan_id
    ) AS b
    WHERE p.account_id = b.account_id AND p.plan_id = b.plan_id
)
UPDATE accounts AS a SET event_count = c.event_number, statement_count = c.statement_number
FROM cut AS c WHERE a.account_id = c.account_id
"""


def cut_in_time(session: Session, page: Page, cut: Cut) -> int:
    """Cut the statements of a locked page's accounts that are in time; return how many."""
    return session.run(CUT, cut.asked(page))
