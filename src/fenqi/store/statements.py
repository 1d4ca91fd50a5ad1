"""Statements: immutable documents whose lines name instalments."""

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
