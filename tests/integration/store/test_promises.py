"""What the database itself refuses, whatever the program says (M1, M2, M7, append-only)."""

from typing import Any

import pytest
from make_book import as_owner

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
    "menus",
    "rulebooks",
    "refunds",
    "receipt_lines",
    "crossings",
    "commands",
    "agreements",
    "cost_tables",
    "cost_table_lines",
    "close_steps",
    "portfolio_months",
    "catalogue",
    "merchants",
)
NEVER_DELETED = (
    *("accounts", "plans", "changed_instalments", "orders", "receipts", "books", "persons"),
)
# The columns of a plan below the line: what happened to it since. The others are the contract.
PROJECTED = {
    *("version", "operation_count", "state", "billed_count", "bucket", "principal_open_minor"),
    *("oldest_due_on", "unbilled_due_on", "charged_through", "recognised_through", "is_earning"),
    "is_rearranged",
}


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


def test_the_program_cannot_change_what_was_signed(store: Store) -> None:
    with store.transaction() as session:
        columns = {
            str(name)
            for (name,) in session.rows(
                "SELECT attname FROM pg_attribute WHERE attrelid = 'plans'::regclass"
                " AND attnum > 0 AND NOT attisdropped"
            )
        }
    assert columns > PROJECTED
    for column in sorted(columns):
        change = f"UPDATE plans SET {column} = {column}"
        if column in PROJECTED:
            with store.transaction() as session:
                session.run(change)
        else:
            with pytest.raises(Forbidden), store.transaction() as session:
                session.run(change)


def broken(life: Life, sql: str, **values: Any) -> None:
    """Show that the database refuses a statement, whoever sends it."""
    with pytest.raises((Broken, Conflict)), as_owner(life.ground.store) as session:
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


OTHER_TABLE = "INSERT INTO cost_tables VALUES ('00000000-0000-7000-8000-000000000001')"
OWN, OTHER = "cost_table", "'00000000-0000-7000-8000-000000000001'"
CHARGE = """
INSERT INTO operations (account_id, plan_id, number, kind, is_derived, effective_on, booked_on,
    amount_minor, cause_number, agreement_version, cost_table, cost_line)
SELECT o.account_id, o.plan_id, 2, 'late-charge', TRUE, effective_on, booked_on, 5, cause_number,
    {version}, {table}, {line}
FROM operations AS o JOIN (SELECT plan_id, cost_table FROM plans) AS p USING (plan_id) LIMIT 1
"""


@pytest.mark.parametrize(
    ("version", "table", "line"),
    [
        ("NULL", "NULL", "NULL"),
        ("1", OWN, "'flat-fee'"),
        ("7", OWN, "'late-charge'"),  # a version never agreed
        ("1", OTHER, "'late-charge'"),  # a cost table without such a line
        ("1", "gen_random_uuid()", "'late-charge'"),
        ("1", "NULL", "'late-charge'"),
    ],
)
def test_a_charge_the_agreement_does_not_name_is_refused(
    life: Life, version: str, table: str, line: str
) -> None:
    with life.ground.store.transaction() as session:
        session.run(OTHER_TABLE)
    broken(life, CHARGE.format(version=version, table=table.replace("cost", "p.cost"), line=line))


@pytest.mark.parametrize(
    "change",
    [
        "cost_line = NULL",
        "cost_line = 'no-such-line'",
        "cost_table = gen_random_uuid()",
        "cost_table = NULL",
    ],
)
def test_a_plan_whose_cost_the_agreement_does_not_name_is_refused(life: Life, change: str) -> None:
    broken(life, f"UPDATE plans SET {change}")


# Plans like those that are there, as one batch, of which some may name another line.
ANOTHER_PLAN = """
INSERT INTO plans SELECT (jsonb_populate_record(p, jsonb_build_object(
    'plan_id', gen_random_uuid(), 'cost_table', {table}, 'cost_line', {line}))).*
FROM plans AS p, generate_series(1, 3) AS n
"""


@pytest.mark.parametrize(
    ("table", "line"),
    [
        ("p.cost_table", "'no-such-line'"),
        ("p.cost_table", "CASE n WHEN 2 THEN 'no-such-line' ELSE p.cost_line END"),
        ("gen_random_uuid()", "p.cost_line"),
        (f"{OTHER}::text", "p.cost_line"),
    ],
)
def test_a_batch_of_plans_of_which_one_costs_what_was_not_agreed_is_refused(
    life: Life, table: str, line: str
) -> None:
    with life.ground.store.transaction() as session:
        session.run(OTHER_TABLE)
    broken(life, ANOTHER_PLAN.format(table=table, line=line))


def test_a_batch_of_plans_that_cost_what_was_agreed_is_taken(life: Life) -> None:
    """The statement of the test above is refused for its change alone."""
    with as_owner(life.ground.store) as session:
        assert session.run(ANOTHER_PLAN.format(table="p.cost_table", line="p.cost_line")) == 3


def test_a_charge_the_agreement_names_is_taken(life: Life) -> None:
    with life.ground.store.transaction() as session:
        charge = CHARGE.format(version="1", table="p.cost_table", line="'late-charge'")
        assert session.run(charge) == 1


@pytest.mark.parametrize(
    "change",
    [
        "signed_principal_minor[1] = -1",
        "signed_fee_minor[6] = -1",
        "signed_principal_minor = signed_principal_minor || 0::bigint",
        "signed_fee_minor = trim_array(signed_fee_minor, 1)",
        "signed_interest_minor = '{0}'",
        "signed_principal_minor = '{}'",
        "due_on = due_on || due_on[6] + 1",
        "capture_id = NULL",
    ],
)
def test_a_plan_whose_signed_amounts_are_none_is_refused(life: Life, change: str) -> None:
    broken(life, f"UPDATE plans SET {change}")


CHANGED = """
INSERT INTO changed_instalments (account_id, plan_id, number, starts_on, due_on, open_minor,
    principal_due_minor, interest_due_minor, fee_due_minor)
SELECT account_id, plan_id, number, starts_on, due_on, open_minor, principal_due_minor,
    interest_due_minor, fee_due_minor
FROM instalments WHERE number = 1
"""


@pytest.mark.parametrize(
    "change",
    [
        "principal_paid_minor = principal_paid_minor + 1",
        "open_minor = open_minor - 1",
        "fee_relieved_minor = -1, open_minor = open_minor + 1",
        "principal_written_off_minor = principal_due_minor + 1,"
        " open_minor = open_minor - principal_due_minor - 1",
        "recovered_minor = 1",
        "principal_moved_minor = principal_due_minor",
        "fee_moved_minor = -1, open_minor = open_minor + 1",
        "due_on = starts_on",
    ],
)
def test_an_instalment_that_does_not_add_up_is_refused(life: Life, change: str) -> None:
    with life.ground.store.transaction() as session:
        assert session.run(CHANGED) == 1
    broken(life, f"UPDATE changed_instalments SET {change} WHERE number = 1")


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
