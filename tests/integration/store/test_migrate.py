"""Migrations are applied once, in order, and never silently differ from what was applied."""

import threading
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest

from fenqi.store.migrate import (
    MigrationEdited,
    MigrationFailed,
    MigrationGap,
    MigrationMisnamed,
    MigrationUnknown,
    migrate,
    read,
)
from fenqi.store.pool import NotMigrated, Store
from fenqi.store.server import Server

ONE = "CREATE TABLE things (name TEXT PRIMARY KEY);\nGRANT SELECT, INSERT ON things TO fenqi_app;"
TWO = "ALTER TABLE things ADD COLUMN size INTEGER CHECK (size > 0);"


def write(folder: Path, **files: str) -> Path:
    for name, body in files.items():
        (folder / f"{name.lstrip('_')}.sql").write_text(body)
    return folder


def names(url: str) -> list[str]:
    with psycopg.connect(url) as connection:
        return [row[0] for row in connection.execute("SELECT file FROM migrations ORDER BY number")]


def test_files_are_applied_in_order_and_only_once(empty_url: str, tmp_path: Path) -> None:
    write(tmp_path, _0001_create_things=ONE)
    assert migrate(empty_url, folder=tmp_path) == ["0001_create_things.sql"]
    write(tmp_path, _0002_add_size=TWO)
    assert migrate(empty_url, folder=tmp_path) == ["0002_add_size.sql"]
    assert migrate(empty_url, folder=tmp_path) == []
    assert names(empty_url) == ["0001_create_things.sql", "0002_add_size.sql"]


def test_an_edited_file_is_refused_by_name(empty_url: str, tmp_path: Path) -> None:
    migrate(empty_url, folder=write(tmp_path, _0001_create_things=ONE))
    write(tmp_path, _0001_create_things=ONE + "\n-- harmless?")
    with pytest.raises(MigrationEdited) as caught:
        migrate(empty_url, folder=tmp_path)
    assert caught.value.fields == {"file": "0001_create_things.sql"}


def test_a_gap_in_the_numbers_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MigrationGap) as caught:
        read(write(tmp_path, _0001_create_things=ONE, _0003_add_size=TWO))
    assert caught.value.fields == {"file": "0003_add_size.sql", "expected": "0002"}


def test_two_files_with_one_number_are_refused(tmp_path: Path) -> None:
    with pytest.raises(MigrationGap):
        read(write(tmp_path, _0001_create_things=ONE, _0001_create_more=TWO))


def test_a_file_with_another_kind_of_name_is_refused(tmp_path: Path) -> None:
    with pytest.raises(MigrationMisnamed):
        read(write(tmp_path, _0001_create_things=ONE, _2_add_size=TWO))


def test_a_database_newer_than_the_program_is_refused(empty_url: str, tmp_path: Path) -> None:
    migrate(empty_url, folder=write(tmp_path, _0001_create_things=ONE, _0002_add_size=TWO))
    (tmp_path / "0002_add_size.sql").unlink()
    with pytest.raises(MigrationUnknown) as caught:
        migrate(empty_url, folder=tmp_path)
    assert caught.value.fields == {"file": "0002_add_size.sql"}


def test_a_failing_file_leaves_no_trace_and_keeps_the_ones_before(
    empty_url: str, tmp_path: Path
) -> None:
    write(tmp_path, _0001_create_things=ONE, _0002_add_size="CREATE TABLE half (); SELECT nothing;")
    with pytest.raises(MigrationFailed) as caught:
        migrate(empty_url, folder=tmp_path)
    assert caught.value.fields["file"] == "0002_add_size.sql"
    assert names(empty_url) == ["0001_create_things.sql"]
    with psycopg.connect(empty_url) as connection:
        assert connection.execute("SELECT to_regclass('half')").fetchone() == (None,)


def test_an_online_file_runs_outside_a_transaction(empty_url: str, tmp_path: Path) -> None:
    online = "-- online\nCREATE INDEX CONCURRENTLY IF NOT EXISTS by_size ON things (name)"
    migrate(empty_url, folder=write(tmp_path, _0001_create_things=ONE, _0002_add_index=online))
    assert names(empty_url)[-1] == "0002_add_index.sql"


def test_two_processes_that_migrate_together_apply_each_file_once(
    empty_url: str, tmp_path: Path
) -> None:
    write(tmp_path, _0001_create_things="SELECT pg_sleep(0.2);" + ONE, _0002_add_size=TWO)
    applied: list[str] = []
    threads = [
        threading.Thread(target=lambda: applied.extend(migrate(empty_url, folder=tmp_path)))
        for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert applied == ["0001_create_things.sql", "0002_add_size.sql"]


def test_a_store_does_not_open_on_a_database_never_migrated(
    empty_url: str, database_url: str
) -> None:
    Store.open(database_url).close()  # the role is there, it belongs to the whole server
    with pytest.raises(NotMigrated):
        Store.open(empty_url)


def test_our_own_migrations_apply_to_an_empty_database(empty_url: str) -> None:
    assert migrate(empty_url) == [migration.file for migration in read()]


def test_an_owner_without_other_rights_migrates_twice_and_works_as_the_role(
    server_url: str, empty_url: str
) -> None:
    """On a lender's own server nobody hands out a superuser."""
    parts = urlsplit(empty_url)
    database = parts.path.lstrip("/")
    lender = f"lender_{database}"
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(f"CREATE ROLE {lender} LOGIN PASSWORD 'secret'")
        connection.execute(f"ALTER DATABASE {database} OWNER TO {lender}")
        connection.execute("DO 'BEGIN CREATE ROLE fenqi_app; EXCEPTION WHEN others THEN END'")
        connection.execute(f"GRANT fenqi_app TO {lender}")
    host = parts.netloc.rpartition("@")[2]
    url = urlunsplit(parts._replace(netloc=f"{lender}:secret@{host}"))
    try:
        assert migrate(url) == [migration.file for migration in read()]
        assert migrate(url) == []
        store = Store.open(url)
        with store.transaction() as session:
            assert session.rows("SELECT session_user, current_user") == [(lender, "fenqi_app")]
        store.close()
    finally:
        with psycopg.connect(empty_url, autocommit=True) as connection:
            connection.execute(f"REASSIGN OWNED BY {lender} TO CURRENT_USER")
        with psycopg.connect(server_url, autocommit=True) as connection:
            connection.execute(f"ALTER DATABASE {database} OWNER TO CURRENT_USER")
            connection.execute(f"DROP ROLE {lender}")


def test_a_role_maker_who_is_no_superuser_creates_the_role_and_joins_it(
    private_folder: Path,
) -> None:
    """A server of its own, because the role must not exist yet."""
    server = Server(private_folder / "role-maker")
    server.start()
    try:
        with psycopg.connect(server.url, autocommit=True) as connection:
            connection.execute("CREATE ROLE maker LOGIN CREATEROLE PASSWORD 'secret'")
            connection.execute("ALTER DATABASE fenqi OWNER TO maker")
        parts = urlsplit(server.url)
        host = parts.netloc.rpartition("@")[2]
        url = urlunsplit(parts._replace(netloc=f"maker:secret@{host}"))
        assert migrate(url)
        Store.open(url).close()
    finally:
        server.stop()


def test_the_program_may_add_to_the_ledger_but_never_change_it(database_url: str) -> None:
    question = "SELECT has_table_privilege('fenqi_app', %(table)s, %(right)s)"
    with psycopg.connect(database_url) as connection:
        for table in ("transfers", "events", "operations"):
            for right in ("UPDATE", "DELETE", "TRUNCATE"):
                asked = {"table": table, "right": right}
                assert connection.execute(question, asked).fetchone() == (False,), (table, right)
            asked = {"table": table, "right": "INSERT"}
            assert connection.execute(question, asked).fetchone() == (True,), table
