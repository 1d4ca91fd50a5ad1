"""Statements: immutable documents whose lines name instalments."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date

from fenqi.core.errors import Missing
from fenqi.core.values.ids import AccountId, PlanId
from fenqi.store.pool import Session
from fenqi.store.rows import Table

STATEMENTS = Table(
    "statements",
    "account_id uuid, number integer, cut_on date, due_on date, total_minor bigint,"
    "overdue_minor bigint, event_number bigint",
)
STATEMENT_LINES = Table(
    "statement_lines",
    "account_id uuid, statement_number integer, line smallint, plan_id uuid,"
    "instalment_number smallint, due_on date, principal_minor bigint, interest_minor bigint,"
    "fee_minor bigint, penalty_minor bigint",
)


class StatementMissing(Missing):
    """No such statement of this account."""

    code = "statement-missing"


@dataclass(frozen=True, slots=True)
class Named:
    """What a statement names: its plans in key order, and the last day any of it falls due."""

    plan_ids: tuple[PlanId, ...]
    through: date


StatementKey = tuple[AccountId, int]

NAMED = """
SELECT l.account_id, l.statement_number, array_agg(DISTINCT l.plan_id), MAX(l.due_on)
FROM UNNEST(%(accounts)s::uuid[], %(numbers)s::integer[]) AS asked (account_id, number)
JOIN statement_lines AS l
    ON l.account_id = asked.account_id AND l.statement_number = asked.number
GROUP BY l.account_id, l.statement_number ORDER BY l.account_id, l.statement_number
"""


def named(session: Session, keys: Collection[StatementKey]) -> dict[StatementKey, Named]:
    """Return what statements name."""
    asked = {"accounts": [one for one, _ in keys], "numbers": [one for _, one in keys]}
    return {
        (row[0], row[1]): Named(tuple(sorted(row[2])), row[3]) for row in session.rows(NAMED, asked)
    }
