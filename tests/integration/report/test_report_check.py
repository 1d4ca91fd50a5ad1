"""The nightly check: silent on sound books, and pointing at what was changed behind their back."""

import psycopg
import pytest

from fenqi.report.check import check
from fenqi.store.pool import Store


def test_a_lived_book_has_nothing_to_find(lived_store: Store) -> None:
    checked = check(lived_store)
    assert checked.findings == ()
    assert (checked.accounts, checked.plans) == (9, 8)


def test_a_sample_replays_that_many_plans_and_compares_all_accounts(lived_store: Store) -> None:
    checked = check(lived_store, sample=3)
    assert (checked.accounts, checked.plans) == (9, 3)
    assert checked.findings == ()


def test_progress_ends_at_the_whole(lived_store: Store) -> None:
    told: list[tuple[str, int, int]] = []
    check(lived_store, progress=lambda what, done, whole: told.append((what, done, whole)))
    assert told[0] == ("book small", 0, 17)
    assert told[-1] == ("book small", 17, 17)


FIRST_PLAN = "(SELECT MIN(plan_id::text)::uuid FROM plans WHERE state = 'closed')"
TAMPERED = {
    "a payment appears on an instalment": (
        f"UPDATE instalments SET principal_relieved_minor = principal_relieved_minor + 1, "
        f"principal_paid_minor = principal_paid_minor - 1 "
        f"WHERE plan_id = {FIRST_PLAN} AND number = 1",
        {"M8 instalment 1"},
    ),
    "an instalment is owed again": (
        f"UPDATE instalments SET open_minor = open_minor + 1, "
        f"principal_paid_minor = principal_paid_minor - 1 "
        f"WHERE plan_id = {FIRST_PLAN} AND number = 1",
        {"M1 control accounts", "M8 instalment 1"},
    ),
    "an instalment is gone": (
        "DELETE FROM instalments WHERE (plan_id, number) IN (SELECT plan_id, MAX(number) "
        "FROM instalments WHERE open_minor > 0 AND (plan_id, number) NOT IN "
        "(SELECT plan_id, instalment_number FROM statement_lines) GROUP BY plan_id LIMIT 1)",
        {"M1 control accounts", "M2 instalments"},
    ),
    "a ledger line is gone": (
        "DELETE FROM transfers WHERE debit = 'receivable-principal' AND amount_minor = 600000",
        {
            "M1 control accounts",
            "closed days' totals",
            "M8 ledger from receivable-principal to merchant-payable",
        },
    ),
    "a ledger line has grown": (
        "UPDATE transfers SET amount_minor = amount_minor + 1 "
        "WHERE debit = 'receivable-fee' AND amount_minor = 18000",
        {"M1 control accounts", "closed days' totals"},
    ),
    "a closed day's total has grown": (
        "UPDATE ledger_days SET amount_minor = amount_minor + 1 WHERE day = '2026-02-10'",
        {"closed days' totals"},
    ),
    "credit appears": (
        "UPDATE accounts SET credit_minor = credit_minor + 1 WHERE credit_minor > 0",
        {"M1 control accounts"},
    ),
    "limit is used up by nothing": (
        "UPDATE accounts SET held_minor = 1 WHERE kind = 'customer' AND limit_minor = 50000",
        {"M5 limit used"},
    ),
    "an event is missing": (
        "UPDATE accounts SET event_count = event_count + 1 WHERE kind = 'house'",
        {"event numbers"},
    ),
    "a payment was larger": (
        "UPDATE operations SET amount_minor = amount_minor + 1 "
        "WHERE kind = 'repay' AND amount_minor = 103000",
        {"M8 allocation of operation"},
    ),
    "an allocation is gone": (
        f"DELETE FROM allocations WHERE plan_id = {FIRST_PLAN} AND line = 1",
        {"M8 allocation of operation"},
    ),
    "a plan is in the wrong bucket": (
        "UPDATE plans SET bucket = bucket + 1 WHERE state = 'active'",
        {"M8 bucket of the last crossing"},
    ),
    "a plan owes less than it owes": (
        "UPDATE plans SET principal_open_minor = principal_open_minor - 1 WHERE state = 'active'",
        {"M5 limit used", "M8 open principal"},
    ),
    "a closed plan runs again": (
        "UPDATE plans SET state = 'active', oldest_due_on = '2026-02-10' "
        f"WHERE plan_id = {FIRST_PLAN}",
        {"M8 state", "M8 oldest claim"},
    ),
    "a receipt paid more than it was": (
        "UPDATE receipts SET amount_minor = amount_minor - 1 WHERE state = 'final'",
        {"receipt lines"},
    ),
    "pending money is lost": (
        "UPDATE receipts SET state = 'reversed' WHERE state = 'pending'",
        {"M1 control accounts"},
    ),
    "a statement asks for more than its lines": (
        "UPDATE statements SET total_minor = total_minor + 1 WHERE number = 1",
        {"statement lines"},
    ),
    "more was captured than the order says": (
        "UPDATE captures SET amount_minor = amount_minor + 1",
        {"captures of orders"},
    ),
    "an event was taken away": (
        "DELETE FROM events WHERE kind = 'purchase-captured'",
        {"rows that belong together", "event numbers"},
    ),
    "an order was taken away": (
        "DELETE FROM orders WHERE order_id NOT IN (SELECT order_id FROM refunds)",
        {"rows that belong together"},
    ),
    "a plan's operations point nowhere": (
        "UPDATE operations SET cause_number = cause_number + 10000",
        {"rows that belong together"},
    ),
    "a statement was taken away": (
        "DELETE FROM statements WHERE number = 1",
        {"rows that belong together"},
    ),
    "a statement's lines name no instalment": (
        "UPDATE statement_lines SET instalment_number = instalment_number + 100",
        {"rows that belong together"},
    ),
    "a plan of another merchant": (
        "UPDATE plans SET merchant_id = gen_random_uuid() WHERE state = 'active'",
        {"merchants"},
    ),
    "captures of nobody": (
        "INSERT INTO captures SELECT gen_random_uuid(), capture_id, order_id, plan_id, "
        "amount_minor, booked_on FROM captures LIMIT 1",
        {"rows that belong together"},
    ),
    "events of nobody": (
        "INSERT INTO events (account_id, number, schema_version, kind, actor, occurred_at, "
        "recorded_at, booked_on, effective_on, payload) SELECT gen_random_uuid(), 1, 1, kind, "
        "actor, occurred_at, recorded_at, booked_on, effective_on, payload FROM events LIMIT 1",
        {"rows that belong together"},
    ),
}


@pytest.mark.parametrize("change", TAMPERED)
def test_what_was_changed_behind_the_books_is_found(
    lived_url: str, lived_store: Store, change: str
) -> None:
    statement, expected = TAMPERED[change]
    with psycopg.connect(lived_url) as connection:
        assert connection.execute(statement).rowcount > 0  # type: ignore[call-overload]
    whats = {finding.what for finding in check(lived_store).findings}
    for start in expected:
        assert any(what.startswith(start) for what in whats), whats


def test_a_finding_names_account_plan_expected_and_found(
    lived_url: str, lived_store: Store
) -> None:
    with psycopg.connect(lived_url) as connection:
        account, plan, bucket = connection.execute(
            "UPDATE plans SET bucket = 7 WHERE plan_id = (SELECT MIN(plan_id::text)::uuid "
            "FROM plans WHERE state = 'active') RETURNING account_id, plan_id, "
            "(SELECT to_bucket FROM crossings AS c WHERE c.plan_id = plans.plan_id "
            "ORDER BY event_number DESC LIMIT 1)"
        ).fetchone()  # type: ignore[misc]
    (finding,) = check(lived_store).findings
    assert (finding.account, finding.plan) == (str(account), str(plan))
    assert (finding.expected, finding.found) == (str(bucket), "7")


def test_a_book_in_ruins_does_not_flood_the_report(lived_url: str, lived_store: Store) -> None:
    with psycopg.connect(lived_url) as connection:
        connection.execute("DELETE FROM ledger_days")
    assert 50 < len(check(lived_store).findings) <= 100
