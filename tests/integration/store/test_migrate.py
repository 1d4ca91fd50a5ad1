"""Migrations are applied once, in order, and never silently differ from what was applied."""

import threading
from pathlib import Path

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


def test_the_program_may_add_to_the_ledger_but_never_change_it(database_url: str) -> None:
    question = "SELECT has_table_privilege('fenqi_app', %(table)s, %(right)s)"
    with psycopg.connect(database_url) as connection:
        for table in ("transfers", "events", "operations"):
            for right in ("UPDATE", "DELETE", "TRUNCATE"):
                asked = {"table": table, "right": right}
                assert connection.execute(question, asked).fetchone() == (False,), (table, right)
            asked = {"table": table, "right": "INSERT"}
            assert connection.execute(question, asked).fetchone() == (True,), table
