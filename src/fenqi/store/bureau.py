"""What bureaus said: every call and every line of a file, whether or not it told something."""

from collections.abc import Callable, Collection, Mapping
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from fenqi.core.risk.input import Value
from fenqi.core.values.bureau import CONCLUSIVE, BureauReport, Finding
from fenqi.core.values.ids import PersonId
from fenqi.store.columns import pack
from fenqi.store.pool import Session
from fenqi.store.rows import Table, Upsert

COLUMNS = (
    "person_id uuid, report_id uuid, bureau word, source word, finding word, asked_by word,"
    "asked_for uuid?, consent_number integer, asked_at timestamptz, cost_minor bigint?,"
    "latency_us bigint?, tries smallint, said text, as_of timestamptz?, score integer?,"
    "enquiries_30d integer?, overdue_accounts integer?, worst_overdue_days integer?,"
    "open_credit_minor bigint?, monthly_due_minor bigint?"
)
REPORTS = Table("bureau_reports", COLUMNS)
# A file read again says nothing new.
FILE_REPORTS = Upsert("bureau_reports", COLUMNS, keys="person_id, report_id", keeps=True)


def columns_of(report: BureauReport | None) -> tuple[Any, ...]:
    """Return the columns of what a report says, all unknown without one."""
    if report is None:
        return (None,) * 7
    return (
        report.as_of,
        report.score,
        report.enquiries_30d,
        report.overdue_accounts,
        report.worst_overdue_days,
        report.open_credit_minor,
        report.monthly_due_minor,
    )


NEWEST = """
SELECT DISTINCT ON (person_id) person_id, finding, COALESCE(as_of, asked_at), score, enquiries_30d,
    overdue_accounts, worst_overdue_days, open_credit_minor, monthly_due_minor
FROM bureau_reports
WHERE person_id = ANY(%(persons)s) AND finding = ANY(%(findings)s)
    AND COALESCE(as_of, asked_at) > %(since)s
ORDER BY person_id, COALESCE(as_of, asked_at) DESC, report_id DESC
"""


def newest(
    session: Session, persons: Collection[UUID], since: datetime
) -> dict[PersonId, BureauReport]:
    """Return the newest word of a bureau on each person, after an instant.

    Where a bureau knows nobody of the name, a report with nothing known in it.
    """
    findings = sorted(one.value for one in CONCLUSIVE)
    asked = {"persons": list(persons), "findings": findings, "since": since}
    return {
        PersonId(person): BureauReport(as_of, *(rest if finding == Finding.REPORT else ()))
        for person, finding, as_of, *rest in session.rows(NEWEST, asked)
    }


# Of accounts whose person consents to it. As with the reports for applications the newest word
# counts, by when the bureau said it; where it knew nobody it said nothing else.
OF_ACCOUNTS = """
SELECT k.place, r.score, r.enquiries_30d, r.overdue_accounts, r.worst_overdue_days,
    r.open_credit_minor,
    GREATEST(0, EXTRACT(DAY FROM %(now)s::timestamptz - r.said_at))::integer
FROM UNNEST(%(ids)s::uuid[]) WITH ORDINALITY AS k (account_id, place)
JOIN accounts AS a USING (account_id)
CROSS JOIN LATERAL (
    SELECT COALESCE(b.as_of, b.asked_at) AS said_at, b.score, b.enquiries_30d,
        b.overdue_accounts, b.worst_overdue_days, b.open_credit_minor
    FROM bureau_reports AS b
    WHERE b.person_id = a.person_id AND b.finding IN ('report', 'nobody')
        AND COALESCE(b.as_of, b.asked_at) > %(since)s
    ORDER BY COALESCE(b.as_of, b.asked_at) DESC, b.report_id DESC LIMIT 1
) AS r
CROSS JOIN LATERAL (
    SELECT c.is_given FROM consents AS c
    WHERE c.person_id = a.person_id AND c.data_class = 'bureau' AND c.purpose = 'credit'
    ORDER BY c.number DESC LIMIT 1
) AS c
WHERE c.is_given
"""
LOOKED_BACK = timedelta(days=90)  # what was said before says nothing about an account any more
INPUTS = (  # what the columns of an answer are to a decision, in their order
    "bureau_score",
    "bureau_enquiries_30d",
    "bureau_overdue_accounts",
    "bureau_worst_overdue_days",
    "bureau_open_credit_minor",
    "bureau_age_days",
)

Said = Mapping[UUID, Mapping[str, Value]]  # by account


def asking(session: Session, account_ids: Collection[UUID], now: datetime) -> Callable[[], Said]:
    """Ask what a bureau last said of the people behind some accounts, as inputs of decisions.

    An account without a consent that stands, or without a report of late, is not among them.
    Inside a pipeline it costs no round trip of its own; the answer is read after it.
    """
    accounts = list(account_ids)
    asked = {"ids": pack("uuid", accounts), "now": now, "since": now - LOOKED_BACK}
    rows = session.ask(OF_ACCOUNTS, asked)
    return lambda: {
        accounts[place - 1]: dict(zip(INPUTS, told, strict=True)) for place, *told in rows()
    }


# Whoever counts what is left of a budget waits for whoever counts at this moment.
LOCK_BUDGET = "SELECT pg_advisory_xact_lock(%(key)s)"
BUDGET_KEY = {"key": 0x62756467}  # "budg"
SPENT = """
SELECT COALESCE(SUM(cost_minor) FILTER (WHERE asked_at > %(since)s), 0)::bigint, MAX(cost_minor)
FROM bureau_reports WHERE asked_at > %(lately)s AND source = 'channel'
"""
BUDGET_WINDOW = timedelta(hours=24)
LATELY = timedelta(days=7)  # what a report cost then it may cost again


def spent(session: Session, now: datetime) -> tuple[int, int | None]:
    """Return what bureaus cost in the last 24 hours, and the dearest report lately; minor units.

    Until the transaction ends nobody else counts, so that programs do not spend the same rest.
    """
    session.run(LOCK_BUDGET, BUDGET_KEY)
    ((total, dearest),) = session.rows(
        SPENT, {"since": now - BUDGET_WINDOW, "lately": now - LATELY}
    )
    return total, dearest


THERE = """
SELECT report_id FROM bureau_reports
JOIN UNNEST(%(persons)s::uuid[], %(reports)s::uuid[]) AS asked (person_id, report_id)
    USING (person_id, report_id)
"""


def there(session: Session, keys: Collection[tuple[PersonId, UUID]]) -> frozenset[UUID]:
    """Return which reports are kept already, by persons and ids."""
    asked = {"persons": [one for one, _ in keys], "reports": [one for _, one in keys]}
    return frozenset(row[0] for row in session.rows(THERE, asked))
