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


FIRST_PLAN = "(SELECT MIN(plan_id::text)::uuid FROM plans WHERE state = 'closed' AND count > 1)"
# A plan whose last two instalments are what was signed.
UNTOUCHED = """(SELECT MIN(plan_id::text)::uuid FROM plans AS p WHERE count > 1 AND NOT EXISTS
    (SELECT 1 FROM changed_instalments AS c WHERE c.plan_id = p.plan_id AND number >= count - 1))"""
LAST_GREW = "signed_principal_minor[count] = signed_principal_minor[count] + 1"
MOVED = f"{LAST_GREW}, signed_principal_minor[count - 1] = signed_principal_minor[count - 1] - 1"
OTHER = "'00000000-0000-7000-8000-000000000001'"
OTHER_TABLE = (  # the same lines under another name, so that no reference is broken
    f"INSERT INTO cost_tables VALUES ({OTHER}); INSERT INTO cost_table_lines "
    f"SELECT DISTINCT ON (cost_line) {OTHER}::uuid, cost_line, rate_ppm, rate_period "
    "FROM cost_table_lines;"
)
TAMPERED = {
    "a payment appears on an instalment": (
        f"UPDATE changed_instalments SET principal_relieved_minor = principal_relieved_minor + 1, "
        f"principal_paid_minor = principal_paid_minor - 1 "
        f"WHERE plan_id = {FIRST_PLAN} AND number = 1",
        {"M8 instalment 1"},
    ),
    "an instalment is owed again": (
        f"UPDATE changed_instalments SET open_minor = open_minor + 1, "
        f"principal_paid_minor = principal_paid_minor - 1 "
        f"WHERE plan_id = {FIRST_PLAN} AND number = 1",
        {"M1 control accounts", "M8 instalment 1"},
    ),
    "what happened to an instalment is forgotten": (
        f"DELETE FROM changed_instalments WHERE plan_id = {FIRST_PLAN} AND number = 1",
        {"M1 control accounts", "M8 instalment 1"},
    ),
    "an instalment changed that is not in the schedule": (
        f"UPDATE changed_instalments SET number = 99 WHERE plan_id = {FIRST_PLAN} AND number = 1",
        {"rows that belong together", "M1 control accounts", "M8 instalment 1"},
    ),
    "an instalment was signed for more, another for less": (
        f"UPDATE plans SET {MOVED} WHERE plan_id = {UNTOUCHED}",
        {"M8 signed principal", "M8 instalment 11", "M8 instalment 12"},
    ),
    "instalments that changed since were signed for other amounts": (
        f"UPDATE plans SET {MOVED} WHERE plan_id = {FIRST_PLAN}",
        {"M8 signed principal"},
    ),
    "fees were signed as interest": (
        "UPDATE plans SET signed_interest_minor = signed_fee_minor, "
        "signed_fee_minor = '{}' WHERE cost_line = 'flat-fee'",
        {"M8 signed interest", "M8 signed fee"},
    ),
    "a plan's signed amounts do not sum": (
        f"UPDATE plans SET {LAST_GREW} WHERE plan_id = {UNTOUCHED}",
        {"M1 control accounts", "M2 instalments", "M8 signed principal", "M8 instalment 12"},
    ),
    "an amount that was signed is not known": (
        f"UPDATE plans SET signed_interest_minor[count] = NULL WHERE plan_id = {UNTOUCHED}",
        {"M2 instalments", "M8 signed interest"},
    ),
    "a changed instalment's plan was signed for more": (
        f"UPDATE plans SET {LAST_GREW} WHERE plan_id = {FIRST_PLAN}",
        {"M8 signed principal"},
    ),
    "a plan was signed for one instalment less": (
        "ALTER TABLE plans DROP CONSTRAINT plans_signed_count; "
        "UPDATE plans SET signed_principal_minor = trim_array(signed_principal_minor, 1) "
        f"WHERE plan_id = {UNTOUCHED}",
        {"M1 control accounts", "M2 instalments", "M8 signed principal", "M8 instalment 12"},
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
        "UPDATE orders SET captured_minor = captured_minor - 1, "
        "released_minor = released_minor + 1 WHERE captured_minor > 0",
        {"captures of orders"},
    ),
    "a capture of another order": (
        "UPDATE plans SET order_id = gen_random_uuid() WHERE capture_id IS NOT NULL",
        {"captures of orders", "rows that belong together"},
    ),
    "an account forgot since when it owes": (
        "UPDATE accounts SET oldest_due_on = NULL WHERE oldest_due_on IS NOT NULL",
        {"since when accounts owe"},
    ),
    "an account owes that paid everything": (
        "UPDATE accounts SET oldest_due_on = '2026-02-10' "
        "WHERE kind = 'customer' AND oldest_due_on IS NULL",
        {"since when accounts owe"},
    ),
    "an account agreed to other costs": (
        f"{OTHER_TABLE} UPDATE accounts SET cost_table = {OTHER} WHERE kind = 'customer'",
        {"M7 cost tables"},
    ),
    "an agreement names other costs": (
        f"{OTHER_TABLE} UPDATE agreements SET cost_table = {OTHER}",
        {"M7 cost tables"},
    ),
    "a plan was signed under another cost table": (
        f"{OTHER_TABLE} UPDATE plans SET cost_table = {OTHER}",
        {"M7 cost tables"},
    ),
    "a late charge was taken under another cost table": (
        f"{OTHER_TABLE} UPDATE operations SET cost_table = {OTHER} WHERE kind = 'late-charge'",
        {"M7 cost tables"},
    ),
    "a menu was taken away": (
        "DELETE FROM menus WHERE menu_id IN (SELECT menu_id FROM decisions)",
        {"menus of decisions"},
    ),
    "a rulebook was taken away": ("DELETE FROM rulebooks", {"rulebooks of decisions"}),
    "a decision forgot an input": (
        "UPDATE decisions SET inputs = inputs[2:]",
        {"rulebooks of decisions"},
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
    "instalments of nobody": (
        "UPDATE changed_instalments SET account_id = gen_random_uuid() "
        f"WHERE plan_id = {FIRST_PLAN} AND number = 1",
        {"rows that belong together", "M8 instalment 1"},
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
        for part in statement.split(";"):
            changed = connection.execute(part).rowcount  # type: ignore[call-overload]
        assert changed > 0
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
