"""The schema itself: who may change what, what leads every key, and what finds the day's work."""

import psycopg
import pytest
from make_book import World, as_owner, assert_sound, buy, enrol, open_book, pay, row, rows

from fenqi.core.errors import Broken, Conflict, Forbidden
from fenqi.store.pool import Store

# Everything else may only be added to. Plans and instalments are projections, accounts and orders
# keep running sums, receipts and attempts have a state, a book has its business date.
CHANGEABLE = {
    *("accounts", "attempts", "books", "changed_instalments", "jobs", "orders", "outbox"),
    *("plans", "receipts"),
    # What the circuit breaker counts and who reset it; an offer's state; how far a challenger saw.
    *("breaker_minutes", "breaker_trips", "breakers", "challengers", "decision_minutes", "offers"),
    "applications",  # where it stands, and what was decided about it
    # A case, a contest and an appeal have their outcome, a protection its end, a link its last
    # day, a place who removed it.
    *("appeals", "cases", "contests", "links", "places", "protections"),
    *("excuses", "incidents"),  # what is void or over
    "trails",  # what an account's facts have come to
    "duties",  # when each was run last, and where it goes on
    "presences",  # when an account was last seen with an identifier
}
DELETABLE = {"allocations", "decision_minutes", "jobs", "link_groups", "outbox"}
SHARED = {  # owned by a book or by nobody, small, or keyed by something accounts share
    *("breaker_minutes", "breaker_trips", "breakers", "challengers", "decision_minutes"),
    "incidents",
    *("books", "catalogue", "chart", "close_steps", "commands", "cost_table_lines"),
    *("cost_tables", "enrolments", "excused_days", "identifier_facts", "jobs", "ledger_days"),
    *("case_entries", "cases", "links", "place_addresses", "places"),
    *("menus", "merchants", "migrations", "persons", "portfolio_months", "process_steps"),
    *("adoptions", "rulebooks", "bureau_reports", "consents", "identities"),
    *("identity_keys", "presences", "duties"),
}


# Found by their own id or their plan's, which rise with time.
BY_TIME = {("decisions", "decision_id"), ("orders", "order_id"), ("operations", "plan_id")}


@pytest.fixture
def world(store: Store) -> World:
    world = open_book(store)
    account = enrol(world)
    buy(world, account, 300_000, "flat", 3)
    pay(world, account, 1)  # so that an instalment has a row of its own
    return world


def granted(store: Store, right: str) -> set[str]:
    """Return the tables on which the program has a right, on all or on single columns."""
    held = "has_table_privilege('fenqi_app', oid, %(right)s)"
    if right in ("INSERT", "UPDATE"):
        held += " OR has_any_column_privilege('fenqi_app', oid, %(right)s)"
    sql = f"""
        SELECT relname FROM pg_class WHERE relkind IN ('r', 'p')
            AND relnamespace = 'public'::regnamespace AND ({held})
    """
    return {one[0] for one in rows(store, sql, right=right)}


def tables(store: Store) -> set[str]:
    sql = (
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    )
    return {one[0] for one in rows(store, sql)}


def test_the_program_may_change_running_sums_and_states_and_nothing_else(store: Store) -> None:
    assert granted(store, "UPDATE") == CHANGEABLE
    assert granted(store, "DELETE") == DELETABLE
    assert granted(store, "TRUNCATE") == set()
    assert granted(store, "TRIGGER") == set()
    assert granted(store, "INSERT") == tables(store) - {"migrations", "chart"}


def test_every_other_table_refuses_change_and_removal_through_the_store(world: World) -> None:
    store = world.store
    for table in sorted(tables(store) - CHANGEABLE - {"migrations"}):
        column = row(
            store,
            "SELECT attname FROM pg_attribute WHERE attrelid = %(table)s::regclass AND attnum = 1",
            table=table,
        )
        with pytest.raises(Forbidden), store.transaction() as session:
            session.run(f"UPDATE {table} SET {column} = {column}")
        if table not in DELETABLE:
            with pytest.raises(Forbidden), store.transaction() as session:
                session.run(f"DELETE FROM {table}")
        with pytest.raises(Forbidden), store.transaction() as session:
            session.run(f"TRUNCATE {table} CASCADE")
    for ddl in (
        "ALTER TABLE transfers DROP CONSTRAINT transfers_amount_minor_check",
        "DROP TABLE events",
        "CREATE TABLE shadow (account_id UUID)",
    ):
        with pytest.raises((Forbidden, Broken)), store.transaction() as session:
            session.run(ddl)
    with store.transaction() as session:  # the server warns and grants nothing
        session.run("GRANT UPDATE ON transfers TO fenqi_app")
    assert granted(store, "UPDATE") == CHANGEABLE
    assert_sound(world, plans=1)


def test_an_accounts_own_tables_begin_every_key_with_the_account(store: Store) -> None:
    keys = rows(
        store,
        """
        SELECT c.conrelid::regclass::text, c.contype::text, a.attname,
            COALESCE(c.confrelid::regclass::text, '')
        FROM pg_constraint AS c
        JOIN pg_attribute AS a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[1]
        WHERE c.contype IN ('p', 'u', 'f') AND c.connamespace = 'public'::regnamespace
        """,
    )
    owned = {table for table, *_ in keys} - SHARED
    assert owned >= {"accounts", "plans", "operations", "transfers", "events", "statement_lines"}
    stray = [
        key
        for key in keys
        if key[0] in owned and key[2] != "account_id" and not (key[1] == "f" and key[3] in SHARED)
    ]
    assert {(table, column) for table, _, column, _ in stray} == BY_TIME
    across = [key for key in keys if key[0] in SHARED and key[1] == "f" and key[3] not in SHARED]
    assert across == []  # a shared table never points into one account's rows


def test_every_key_of_an_accounts_own_tables_holds_the_account(store: Store) -> None:
    """So a database that spreads tables by account can keep each of them."""
    without = rows(
        store,
        """
        SELECT c.conrelid::regclass::text FROM pg_constraint AS c
        WHERE c.contype IN ('p', 'u') AND c.connamespace = 'public'::regnamespace
            AND NOT EXISTS (
                SELECT 1 FROM pg_attribute AS a WHERE a.attrelid = c.conrelid
                    AND a.attnum = ANY(c.conkey) AND a.attname = 'account_id'
            )
        """,
    )
    assert {table for (table,) in without} <= SHARED


def test_no_trigger_holds_a_rule(store: Store) -> None:
    assert rows(store, "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal") == []
    functions = "SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace"
    # Adds up an array, for the checks that a change's parts sum to it; it looks at no table.
    assert rows(store, functions) == [("sum_of",)]


def test_what_the_close_looks_for_has_a_partial_index(store: Store) -> None:
    found = dict(
        rows(
            store,
            """
            SELECT c.relname, pg_get_expr(i.indpred, i.indrelid) FROM pg_index AS i
            JOIN pg_class AS c ON c.oid = i.indexrelid WHERE i.indpred IS NOT NULL
            """,
        )
    )
    assert {
        name: predicate for name, predicate in found.items() if not name.startswith("jobs")
    } == {
        "accounts_excused": "(excused_on IS NOT NULL)",
        "excuses_of_source": "(source_id IS NOT NULL)",
        "accounts_owed_refunds": "(refunds_payable_minor > 0)",
        "applications_waiting": "((state = 'received'::text) AND (parked_at IS NULL))",
        "applications_offered": "(state = 'offered'::text)",
        "applications_parked": "((state = 'received'::text) AND (parked_at IS NOT NULL))",
        "decisions_of_account": "(kind <> 'purchase'::text)",
        "decisions_of_paying": "(kind = 'repayment'::text)",
        "events_of_paying": "((kind = ANY (ARRAY['bucket-crossed'::text, "
        "'receipt-reversed'::text])) OR ((kind = ANY (ARRAY['receipt-final'::text, "
        "'plan-settled'::text])) AND (((payload ->> 'overdue_days'::text) <> '0'::text) OR "
        "((payload ->> 'is_partial'::text) = '1'::text))) OR ((kind = 'payment-failed'::text) "
        "AND ((payload ->> 'cause'::text) = 'customer'::text)))",
        "decisions_of_kind": "(kind <> 'purchase'::text)",
        "decisions_not_approved": "(outcome <> 'approve'::text)",
        "identities_by_national_id": "(national_id_hash IS NOT NULL)",
        "accounts_in_credit": "(credit_minor > 0)",
        "breaker_trips_open": "(reset_at IS NULL)",
        "challengers_running": "(stopped_at IS NULL)",
        "offers_open": "(state = 'open'::text)",
        "cases_open": "(outcome IS NULL)",
        "appeals_open": "(outcome IS NULL)",
        "contests_open": "(outcome IS NULL)",
        "cases_open_by_cause": "(outcome IS NULL)",
        "orders_held": "(hold_expires_on IS NOT NULL)",
        "outbox_waiting": "(state = 'waiting'::text)",
        "plans_earning": "(is_earning AND (oldest_due_on IS NULL))",
        "plans_owing": "(oldest_due_on IS NOT NULL)",
        "protections_of_case": "(case_id IS NOT NULL)",
        "protections_running": "(ended_at IS NULL)",
        "plans_rearranged": "(is_rearranged AND (unbilled_due_on IS NOT NULL))",
        "plans_to_bill": "(unbilled_due_on IS NOT NULL)",
    }


def decision(outcome: str, inputs: str) -> str:
    """Return SQL that adds a decision like one that is there, with other words."""
    return (
        "INSERT INTO decisions (account_id, decision_id, kind, outcome, reasons, inputs, "
        "rulebook_id, policy, policy_version, decided_at, booked_on) SELECT account_id, "
        f"gen_random_uuid(), kind, {outcome}, {inputs}, rulebook_id, policy, policy_version, "
        "decided_at, booked_on FROM decisions LIMIT 1"
    )


WRONG_ROWS = {
    "a transfer between one account and itself": "INSERT INTO transfers SELECT account_id, "
    "event_number, 90::smallint, booked_on, effective_on, debit, debit, amount_minor, currency, "
    "plan_id, merchant_id, channel FROM transfers WHERE line = 1 LIMIT 1",
    "a transfer of nothing": "INSERT INTO transfers SELECT account_id, event_number, "
    "90::smallint, booked_on, effective_on, debit, credit, 0, currency, plan_id, merchant_id, "
    "channel FROM transfers WHERE line = 1 LIMIT 1",
    "a transfer the wrong way round by its sign": "INSERT INTO transfers SELECT account_id, "
    "event_number, 90::smallint, booked_on, effective_on, debit, credit, -1, currency, plan_id, "
    "merchant_id, channel FROM transfers WHERE line = 1 LIMIT 1",
    "a transfer of an account the chart does not know": "INSERT INTO transfers SELECT account_id, "
    "event_number, 90::smallint, booked_on, effective_on, 'petty-cash', credit, 1, currency, "
    "plan_id, merchant_id, channel FROM transfers WHERE line = 1 LIMIT 1",
    "merchants' money without a merchant": "INSERT INTO transfers SELECT account_id, "
    "event_number, 90::smallint, booked_on, effective_on, 'merchant-payable', 'suspense', 1, "
    "currency, plan_id, NULL, channel FROM transfers WHERE line = 1 LIMIT 1",
    "a charge that names no line": "INSERT INTO operations SELECT account_id, plan_id, 90, "
    "'late-charge', TRUE, effective_on, booked_on, 5, '{}', cause_number, NULL, NULL, NULL "
    "FROM operations LIMIT 1",
    "a charge under another line": "INSERT INTO operations SELECT account_id, plan_id, 90, "
    "'late-charge', TRUE, effective_on, booked_on, 5, '{}', cause_number, 1, 'interest', "
    "(SELECT cost_table FROM cost_tables) FROM operations LIMIT 1",
    "a charge of a version never agreed": "INSERT INTO operations SELECT account_id, plan_id, 90, "
    "'late-charge', TRUE, effective_on, booked_on, 5, '{}', cause_number, 2, "
    "'late-charge', (SELECT cost_table FROM cost_tables) FROM operations LIMIT 1",
    "a charge that pretends to come from outside": "INSERT INTO operations SELECT account_id, "
    "plan_id, 90, 'late-charge', FALSE, effective_on, booked_on, 5, '{}', cause_number, 1, "
    "'late-charge', (SELECT cost_table FROM cost_tables) FROM operations LIMIT 1",
    "a payment of less than nothing": "INSERT INTO operations SELECT account_id, plan_id, 90, "
    "'repay', FALSE, effective_on, booked_on, -5, '{}', cause_number, NULL, NULL, NULL "
    "FROM operations LIMIT 1",
    "an operation booked before it counts": "INSERT INTO operations SELECT account_id, plan_id, "
    "90, 'repay', FALSE, booked_on + 1, booked_on, 5, '{}', cause_number, NULL, NULL, NULL "
    "FROM operations LIMIT 1",
    "an operation of another kind": "INSERT INTO operations SELECT account_id, plan_id, 90, "
    "'forgive', FALSE, effective_on, booked_on, 5, '{}', cause_number, NULL, NULL, NULL "
    "FROM operations LIMIT 1",
    "a cost without its line": "UPDATE plans SET cost_line = NULL",
    "an instalment paid without owing less": "UPDATE changed_instalments "
    "SET principal_paid_minor = 2",
    "an instalment paid beyond what was due": "UPDATE changed_instalments SET open_minor = -1, "
    "fee_paid_minor = fee_due_minor + 1, principal_paid_minor = principal_due_minor",
    "an instalment that owes less than nothing": "UPDATE changed_instalments "
    "SET fee_paid_minor = -1, open_minor = open_minor + 1",
    "a recovery of what was never lost": "UPDATE changed_instalments SET recovered_minor = 1",
    "a hold below zero": "UPDATE accounts SET held_minor = -1 WHERE kind = 'customer'",
    "more shipped than ordered": "UPDATE orders SET captured_minor = amount_minor + 1",
    "a hold of nothing that never ends": "UPDATE orders SET hold_expires_on = booked_on",
    "a closed plan that still owes": "UPDATE plans SET state = 'closed'",
    "a version adopted by its author": "INSERT INTO catalogue SELECT kind, name, 99, body, "
    "body_sha256, author, author, adopted_at FROM catalogue LIMIT 1",
    "a decline without a reason": decision("'decline', '{}'", "inputs"),
    "a hold without a reason": decision("'hold', '{}'", "inputs"),
    "an outcome that is no effect": decision("'call', '{limit-exceeded}'", "inputs"),
    "a decision with five reasons": decision("'decline', '{a, b, c, d, e}'", "inputs"),
    "a rulebook that does not name its inputs": "INSERT INTO rulebooks SELECT "
    "gen_random_uuid(), kind, name, 99, '{}' FROM rulebooks LIMIT 1",
}


@pytest.mark.parametrize("what", WRONG_ROWS)
def test_the_database_itself_refuses(world: World, what: str) -> None:
    with pytest.raises((Broken, Conflict)) as refusal, as_owner(world.store) as session:
        assert session.run(WRONG_ROWS[what]) > 0
    assert refusal.value.code in ("constraint-broken", "already-there"), refusal.value
    assert_sound(world, plans=1)


def test_the_same_rows_in_order_are_taken(world: World) -> None:
    sound = (
        WRONG_ROWS["a transfer of nothing"].replace("credit, 0,", "credit, 1,"),
        WRONG_ROWS["a charge that names no line"].replace(
            "NULL, NULL, NULL", "1, 'late-charge', (SELECT cost_table FROM cost_tables)"
        ),
        WRONG_ROWS["a payment of less than nothing"].replace("-5", "5").replace("90", "91"),
        WRONG_ROWS["a decline without a reason"].replace("'{}'", "'{limit-exceeded}'"),
        WRONG_ROWS["a version adopted by its author"].replace("author, author", "author, 'eve'"),
    )
    with world.store.transaction() as session:
        for statement in sound:
            assert session.run(statement) == 1


def test_an_events_number_is_taken_once_and_a_key_too(world: World) -> None:
    again = (
        "INSERT INTO events SELECT * FROM events LIMIT 1",
        "INSERT INTO commands SELECT * FROM commands LIMIT 1",
        "INSERT INTO enrolments SELECT * FROM enrolments LIMIT 1",
    )
    for statement in again:
        with pytest.raises(Conflict), world.store.transaction() as session:
            session.run(statement)


def test_the_owner_may_and_the_program_may_not(world: World, database_url: str) -> None:
    statement = "UPDATE events SET actor = actor"
    with psycopg.connect(database_url) as owner:
        assert owner.execute(statement).rowcount > 0  # so the refusal above is the role's
    with pytest.raises(Forbidden), world.store.transaction() as session:
        session.run(statement)
