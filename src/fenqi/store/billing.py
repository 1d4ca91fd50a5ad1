"""Statements cut set-wise: for accounts on which everything is in time.

Their statements name amounts that stand in the instalments already and change none of them, so one
statement of the database does for thousands of accounts what `flows/bill.py` says of one. Where a
plan is overdue the late charge moves first: those accounts are given back, to be replayed one by
one, as are those of a plan whose rows are no longer the signed ones. A test closes the same lives
both ways and compares every table.
"""

from dataclasses import dataclass
from datetime import date, datetime, timedelta

from fenqi.core.servicing.statement import named_through, statement_days_of
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
            "named": max(named_through(one, self.day) for one in statement_days_of(self.day)),
            "horizon": self.day - timedelta(days=BILL_HORIZON_DAYS),
            "now": self.now,
        }


TO_REPLAY = """
SELECT account_id, plan_id
FROM (
    SELECT account_id, plan_id,
        bool_or(is_rearranged OR oldest_due_on < %(day)s) OVER (PARTITION BY account_id)
            AS has_to_be
    FROM plans
    WHERE account_id = ANY(%(accounts)s::uuid[]) AND (
        unbilled_due_on <= %(due_on)s AND unbilled_due_on > %(horizon)s
        OR is_rearranged AND unbilled_due_on <= %(named)s AND unbilled_due_on > %(horizon)s
        OR oldest_due_on < %(day)s AND oldest_due_on > %(horizon)s AND state = 'active'
    )
) AS named
WHERE has_to_be
ORDER BY account_id, plan_id
"""


def to_replay(session: Session, page: Page, cut: Cut) -> list[PlanKey]:
    """Return the plans that today's statements name, of accounts with one that is not plain."""
    return keys_of(session.rows(TO_REPLAY, cut.asked(page)))


# A plan in time has nothing unpaid from before today, so its instalments from today on are all that
# a statement can name; they are read off the plan, and off a row where something happened. An
# account that was replayed a moment ago has nothing unbilled any more, so it is not found here.
CUT = """
WITH parts AS MATERIALIZED (
    SELECT a.account_id, a.event_count + 1 AS event_number,
        a.statement_count + 1 AS statement_number, p.plan_id, s.number, s.due_on,
        s.due_on <= %(due_on)s AS is_named,
        COALESCE(c.open_minor, s.principal + COALESCE(s.interest, 0) + COALESCE(s.fee, 0))
            AS open_minor,
        COALESCE(c.principal_due_minor - c.principal_paid_minor - c.principal_relieved_minor
            - c.principal_written_off_minor - c.principal_moved_minor, s.principal)
            AS principal_minor,
        COALESCE(c.interest_due_minor - c.interest_paid_minor - c.interest_relieved_minor
            - c.interest_written_off_minor - c.interest_moved_minor, s.interest, 0)
            AS interest_minor,
        COALESCE(c.fee_due_minor - c.fee_paid_minor - c.fee_relieved_minor
            - c.fee_written_off_minor - c.fee_moved_minor, s.fee, 0) AS fee_minor,
        COALESCE(c.penalty_due_minor - c.penalty_paid_minor - c.penalty_relieved_minor
            - c.penalty_written_off_minor - c.penalty_moved_minor, 0) AS penalty_minor
    FROM accounts AS a
    JOIN plans AS p USING (account_id)
    CROSS JOIN LATERAL UNNEST(
        p.due_on, p.signed_principal_minor, p.signed_interest_minor, p.signed_fee_minor
    ) WITH ORDINALITY AS s (due_on, principal, interest, fee, number)
    LEFT JOIN changed_instalments AS c
        ON c.account_id = p.account_id AND c.plan_id = p.plan_id AND c.number = s.number
    WHERE a.account_id = ANY(%(accounts)s::uuid[]) AND p.oldest_due_on >= %(day)s
        AND NOT p.is_rearranged
        AND p.unbilled_due_on <= %(due_on)s AND p.unbilled_due_on > %(horizon)s
        AND s.due_on >= %(day)s
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
        SELECT account_id, plan_id, MAX(number) FILTER (WHERE is_named) AS billed_count,
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
