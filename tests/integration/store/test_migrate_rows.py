"""Migrations of a database that is in use: its rows stay as they are and work goes on.

The rows are those of a book that was lived, carried over to a database at an earlier migration,
whose own foreign keys and checks look at each of them on the way in.
"""

import shutil
from datetime import UTC, datetime, time, timedelta
from graphlib import TopologicalSorter
from pathlib import Path

import psycopg
import pytest

from fenqi import store
from fenqi.core.values.ids import MerchantId
from fenqi.report.check import check
from fenqi.runtime import Ids, MovingClock
from fenqi.store import catalogue, places
from fenqi.store.ground import Ground
from fenqi.store.migrate import MigrationFailed, migrate, read
from fenqi.store.pool import Store
from lives import LAST, Life

BEFORE, AFTER = 9, 11  # migrations 0010 and 0011 drop references
# Migration 0012 keeps signed amounts on plans and makes views of three tables, 0013 keeps inputs of
# decisions as integers.
FOLDER = Path(store.__file__).parent / "migrations"
OURS = "schemaname = 'public' AND tablename <> 'migrations'"
COLUMNS = """
SELECT attname FROM pg_attribute
WHERE attrelid = %s::regclass AND attnum > 0 AND NOT attisdropped AND attgenerated = ''
ORDER BY attnum
"""
REFERENCES = """
SELECT conname, conrelid::regclass::text, confrelid::regclass::text FROM pg_constraint
WHERE contype = 'f'
"""


def _input(name: str) -> str:
    """Return SQL of one input of a decision `d` with rulebook `r`."""
    return f"""d.inputs[(
        SELECT place FROM jsonb_array_elements_text(r.content -> 'inputs')
            WITH ORDINALITY AS named (name, place) WHERE name = '{name}'
    )]"""


# What the newest schema keeps elsewhere or in other words, told as the table that once held it.
TOLD_AS = {
    "catalogue": "(SELECT * FROM catalogue WHERE kind IN ('product', 'pack', 'policy')) AS told",
    "decisions": f"""(
        SELECT d.account_id, d.decision_id, d.kind, d.outcome, d.reasons, jsonb_build_object(
            'status', (ARRAY['open', 'frozen', 'closed'])[{_input("account_status")} + 1],
            'limit_minor', {_input("limit_minor")}, 'used_minor', {_input("used_minor")},
            'overdue_days', {_input("overdue_days")}, 'amount_minor', {_input("amount_minor")}
        ) AS inputs, m.offers AS menu, 'starter' AS policy, 1 AS policy_version, NULL AS model,
        NULL::integer AS model_version, d.regime, d.decided_at, d.booked_on
        FROM decisions AS d JOIN menus AS m USING (menu_id) JOIN rulebooks AS r USING (rulebook_id)
    ) AS told""",
}


def source_of(name: str, columns: str) -> str:
    """Return the table, or what tells it as it once was if its old columns are asked for."""
    is_old = name == "catalogue" or '"menu"' in columns
    return TOLD_AS[name] if name in TOLD_AS and is_old else name


Rows = dict[str, list[str]]


def ask(url: str, question: str, *values: object) -> list[tuple[str, ...]]:
    with psycopg.connect(url) as connection:
        return connection.execute(question, values).fetchall()  # type: ignore[arg-type]


def tables(url: str) -> list[str]:
    """Return the tables, each after those it refers to."""
    order: TopologicalSorter[str] = TopologicalSorter()
    for (name,) in ask(url, f"SELECT tablename FROM pg_tables WHERE {OURS}"):
        order.add(name)
    for _, name, other in ask(url, REFERENCES):
        if name != other:
            order.add(name, other)
    return list(order.static_order())


def rows(url: str, columns: dict[str, str] | None = None) -> Rows:
    """Return the rows of each table, or of the columns that are asked for, as sorted texts."""
    columns = columns or columns_of(url)
    is_old = "menus" not in tables(url)
    return {
        name: sorted(
            text
            for (text,) in ask(
                url, f"SELECT ROW({own})::text FROM {name if is_old else source_of(name, own)}"
            )
        )
        for name, own in columns.items()
    }


def columns_of(url: str) -> dict[str, str]:
    """Return the columns of each table that are not computed, the tables in `tables`' order."""
    return {
        name: ", ".join(f'"{column}"' for (column,) in ask(url, COLUMNS, name))
        for name in tables(url)
    }


def carry(source: str, target: str) -> None:
    """Copy the rows of each table of `target` from `source`, which is at the newest migration.

    What is a table in `target` may be a view in `source`.
    """
    columns = columns_of(target)
    with psycopg.connect(source) as from_, psycopg.connect(target) as to:
        for name in columns:
            to.execute(f"DELETE FROM {name}")
        for name, own in columns.items():
            out = f"COPY (SELECT {own} FROM {source_of(name, own)}) TO STDOUT"
            into = f"COPY {name} ({own}) FROM STDIN"
            with from_.cursor().copy(out) as read_out, to.cursor().copy(into) as written:
                for piece in read_out:
                    written.write(piece)


@pytest.fixture(params=[BEFORE, AFTER])
def old_url(lived_url: str, empty_url: str, tmp_path: Path, request: pytest.FixtureRequest) -> str:
    """The URL of a database at an earlier migration with the rows of the lived book."""
    migrate(empty_url, folder=first(request.param, tmp_path))
    carry(lived_url, empty_url)
    return empty_url


at = pytest.mark.parametrize("old_url", [BEFORE], indirect=True)


def first(count: int, folder: Path) -> Path:
    """Return the folder with our first migrations in it."""
    for migration in read()[:count]:
        shutil.copy(FOLDER / migration.file, folder)
    return folder


@at
def test_rows_outlive_the_migrations_that_drop_references(old_url: str, tmp_path: Path) -> None:
    before = rows(old_url)
    dropped = {name for name, *_ in ask(old_url, REFERENCES)}
    for name in ("orders", "plans", "instalments", "statements", "statement_lines", "transfers"):
        assert before[name], name

    assert len(migrate(old_url, folder=first(AFTER, tmp_path))) == AFTER - BEFORE

    assert rows(old_url) == before
    dropped -= {name for name, *_ in ask(old_url, REFERENCES)}
    assert {"transfers_account_id_event_number_fkey", "statements_account_id_fkey"} <= dropped


def test_what_became_a_view_says_what_the_table_said(old_url: str) -> None:
    columns, before = columns_of(old_url), rows(old_url)
    became = ("instalments", "captures", "cost_lines", "decisions")
    assert min(len(before[name]) for name in became) >= 8

    migrate(old_url)

    assert set(tables(old_url)).isdisjoint(became[:3])
    after = rows(old_url, columns)
    for name in columns:
        assert after[name] == before[name], name


def test_a_migrated_database_is_the_one_it_was_carried_from(lived_url: str, old_url: str) -> None:
    """So the columns 0012 and 0013 add are what the flows would have written."""
    migrate(old_url)
    newest = columns_of(lived_url)
    del newest["changed_instalments"]  # more rows, see the views above
    # Decisions were not made by the same judge, nor as long; what they saw is looked at above.
    judged = {
        "inputs",
        "points",
        "hits",
        "rulebook_id",
        "policy",
        "policy_version",
        "latency_us",
        "would_change",
    }
    # Nor did the old books say which reasons they told, or tell a merchant less than an event says.
    left_out = {"decisions": judged | {"telling"}, "outbox": {"told"}}
    for name, columns in left_out.items():
        kept = [one for one in newest[name].split(", ") if one.strip('"') not in columns]
        newest[name] = ", ".join(kept)
    del newest["rulebooks"]
    assert rows(old_url, newest) == rows(lived_url, newest)


def test_the_books_of_a_migrated_database_are_clean_and_go_on(old_url: str) -> None:
    migrate(old_url)
    opened = Store.open(old_url)
    try:
        checked = check(opened)
        assert (checked.findings, checked.plans) == ((), 8)
        life = taken_up(opened)
        life.enrol("newcomer")
        life.buy("newcomer", 60_000, "flat", 3)
        life.live_until(LAST + timedelta(days=40))
        checked = check(opened)
        assert (checked.findings, checked.plans) == ((), 9)
    finally:
        opened.close()


def taken_up(opened: Store) -> Life:
    """Return the lived book as one who begins to work with it on its last day."""
    clock = MovingClock(datetime.combine(LAST, time(4), UTC))
    with opened.transaction() as session:
        catalogue.install(session, clock.now())  # as every start of the program does
        known = catalogue.load(session)
        ((merchant,),) = session.rows("SELECT merchant_id FROM merchants")
    ground = Ground(opened, clock, Ids(clock, seed=2), known)
    return Life(ground, clock, MerchantId(merchant), day=LAST, keys=1_000)


@at
def test_a_row_that_a_new_check_refuses_keeps_the_database_where_it_was(old_url: str) -> None:
    """Migration 0010 turns the look-up of an account of the chart into a check."""
    with psycopg.connect(old_url) as connection:
        connection.execute("INSERT INTO chart VALUES ('slush', 'Assets', 'Slush', 'none')")
        connection.execute("UPDATE transfers SET debit = 'slush' WHERE debit = 'suspense'")
    before = rows(old_url)

    with pytest.raises(MigrationFailed) as caught:
        migrate(old_url)

    assert caught.value.fields["file"] == "0010_drop_hot_references.sql"
    assert rows(old_url) == before
    assert len(ask(old_url, "SELECT file FROM migrations")) == BEFORE


@at
def test_a_check_that_was_open_for_ever_gets_an_end(old_url: str, tmp_path: Path) -> None:
    """The migration that keeps checks as protections, with a check of long ago."""
    place = next(n for n, one in enumerate(read()) if one.file.endswith("_keep_checks.sql"))
    migrate(old_url, folder=first(place, tmp_path))
    with psycopg.connect(old_url) as connection:
        connection.execute(
            "UPDATE accounts SET step_up_since = '2026-01-05 04:00Z' WHERE account_id = "
            "(SELECT account_id FROM accounts WHERE kind = 'customer' LIMIT 1)"
        )

    migrate(old_url)

    told = """
        SELECT p.kind, p.reasons, p.ends_at = a.step_up_until, p.ended_at, p.placed_at,
            p.ends_at - now() BETWEEN INTERVAL '6 days' AND INTERVAL '7 days'
        FROM accounts AS a LEFT JOIN protections AS p USING (account_id)
        WHERE a.step_up_until IS NOT NULL
    """
    since = datetime(2026, 1, 5, 4, tzinfo=UTC)
    assert ask(old_url, told) == [("step-up", ["check-asked"], True, None, since, True)]


@at
def test_a_place_that_a_case_remembered_counts_as_before(old_url: str, tmp_path: Path) -> None:
    """The migration that keeps places with their ranges, with an address of before."""
    place = next(n for n, one in enumerate(read()) if one.file.endswith("_keep_places.sql"))
    migrate(old_url, folder=first(place, tmp_path))
    with psycopg.connect(old_url) as connection:
        connection.execute(
            "INSERT INTO known_places VALUES ('\\x07', 'campus', 'mei', '2026-01-05', 'hall')"
        )

    migrate(old_url)

    opened = Store.open(old_url)
    now = datetime(2026, 2, 1, tzinfo=UTC)
    with opened.transaction() as session, session.pipeline():
        kind = places.asking_kind(session, b"\x07", now)
    with opened.transaction() as session:
        (found,) = places.listed(session, now, with_over=False)
    opened.close()
    assert kind() == found.kind == "campus"
    assert (found.note, found.added_by, found.address_count) == ("hall", "mei", 1)
