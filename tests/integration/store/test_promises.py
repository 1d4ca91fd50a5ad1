"""What the database itself refuses, whatever the program says (M1, M2, M7, append-only)."""

from typing import Any

import pytest

from fenqi.core.errors import Broken, Conflict, Forbidden
from fenqi.store.pool import Store
from lives import Life, open_book

APPEND_ONLY = (
    "transfers",
    "events",
    "operations",
    "ledger_days",
    "statements",
    "statement_lines",
    "decisions",
    "captures",
    "refunds",
    "receipt_lines",
    "crossings",
    "commands",
    "agreements",
    "cost_lines",
    "close_steps",
    "portfolio_months",
    "catalogue",
    "merchants",
)
NEVER_DELETED = ("accounts", "plans", "instalments", "orders", "receipts", "books", "persons")


@pytest.fixture
def life(store: Store) -> Life:
    life = open_book(store)
    life.buy("punctual", 600_000, "flat", 6)
    return life


def first_column(store: Store, table: str) -> str:
    with store.transaction() as session:
        rows = session.rows(
            "SELECT column_name FROM information_schema.columns WHERE table_name = %(t)s"
            " AND table_schema = 'public' ORDER BY ordinal_position LIMIT 1",
            {"t": table},
        )
    return str(rows[0][0])


@pytest.mark.parametrize("table", APPEND_ONLY)
def test_the_program_cannot_change_what_is_only_added(store: Store, table: str) -> None:
    column = first_column(store, table)
    with pytest.raises(Forbidden), store.transaction() as session:
        session.run(f"UPDATE {table} SET {column} = {column}")


@pytest.mark.parametrize("table", [*APPEND_ONLY, *NEVER_DELETED])
def test_the_program_cannot_delete(store: Store, table: str) -> None:
    with pytest.raises(Forbidden), store.transaction() as session:
        session.run(f"DELETE FROM {table}")


def broken(life: Life, sql: str, **values: Any) -> None:
    with pytest.raises((Broken, Conflict)), life.ground.store.transaction() as session:
        session.run(sql, values)


TRANSFER = """
INSERT INTO transfers (account_id, event_number, line, booked_on, effective_on, debit, credit,
    amount_minor, currency, merchant_id)
SELECT account_id, event_number, 99, booked_on, effective_on, {debit}, {credit}, {amount}, currency,
    {merchant}
FROM transfers WHERE line = 1 AND plan_id IS NOT NULL LIMIT 1
"""


@pytest.mark.parametrize(
    "change",
    [
        {"credit": "debit"},
        {"amount": "0"},
        {"amount": "-1"},
        {"debit": "'no-such-account'"},
        {"merchant": "NULL", "credit": "'merchant-payable'", "debit": "'suspense'"},
    ],
)
def test_a_transfer_that_does_not_balance_is_refused(life: Life, change: dict[str, str]) -> None:
    fields = {
        "debit": "debit",
        "credit": "credit",
        "amount": "amount_minor",
        "merchant": "merchant_id",
    }
    broken(life, TRANSFER.format(**(fields | change)))


def test_a_transfer_like_the_others_is_taken(life: Life) -> None:
    """The statement of the test above is refused for its change alone."""
    with life.ground.store.transaction() as session:
        assert session.run(
            TRANSFER.format(
                debit="debit", credit="credit", amount="amount_minor", merchant="merchant_id"
            )
        )


def test_a_line_booked_in_a_day_before_it_counts_is_refused(life: Life) -> None:
    sql = TRANSFER.format(
        debit="debit", credit="credit", amount="amount_minor", merchant="merchant_id"
    )
    broken(life, sql.replace("99, booked_on, effective_on", "99, booked_on, effective_on + 1"))


CHARGE = """
INSERT INTO operations (account_id, plan_id, number, kind, is_derived, effective_on, booked_on,
    amount_minor, cause_number, agreement_version, cost_line)
SELECT account_id, plan_id, 2, 'late-charge', TRUE, effective_on, booked_on, 5, cause_number,
    {version}, {line}
FROM operations LIMIT 1
"""


@pytest.mark.parametrize(
    ("version", "line"), [("NULL", "NULL"), ("1", "'flat-fee'"), ("7", "'late-charge'")]
)
def test_a_charge_the_agreement_does_not_name_is_refused(
    life: Life, version: str, line: str
) -> None:
    broken(life, CHARGE.format(version=version, line=line))


@pytest.mark.parametrize("line", ["NULL", "'no-such-line'"])
def test_a_plan_whose_cost_the_agreement_does_not_name_is_refused(life: Life, line: str) -> None:
    broken(life, f"UPDATE plans SET cost_line = {line}")


def test_a_charge_the_agreement_names_is_taken(life: Life) -> None:
    with life.ground.store.transaction() as session:
        assert session.run(CHARGE.format(version="1", line="'late-charge'")) == 1


@pytest.mark.parametrize(
    "change",
    [
        "principal_paid_minor = principal_paid_minor + 1",
        "open_minor = open_minor - 1",
        "fee_relieved_minor = -1, open_minor = open_minor + 1",
        "principal_written_off_minor = principal_due_minor + 1,"
        " open_minor = open_minor - principal_due_minor - 1",
        "recovered_minor = 1",
    ],
)
def test_an_instalment_that_does_not_add_up_is_refused(life: Life, change: str) -> None:
    broken(life, f"UPDATE instalments SET {change} WHERE number = 1")


@pytest.mark.parametrize(
    "column", ["principal_open_minor", "held_minor", "credit_minor", "refunds_payable_minor"]
)
def test_no_sum_of_an_account_falls_below_zero(life: Life, column: str) -> None:
    broken(life, f"UPDATE accounts SET {column} = -1")


def test_a_version_is_adopted_by_another_person_than_its_author(life: Life) -> None:
    broken(
        life,
        "INSERT INTO catalogue SELECT kind, name, version + 1, body, body_sha256, 'ann', 'ann',"
        " adopted_at FROM catalogue LIMIT 1",
    )
