"""A session is one transaction as fenqi_app, and the driver's errors arrive as ours."""

import threading
from collections.abc import Callable
from datetime import UTC, date, datetime
from enum import StrEnum
from uuid import UUID

import psycopg
import pytest

from fenqi.core.errors import FenqiError
from fenqi.store.pool import (
    AlreadyThere,
    ConstraintBroken,
    DatabaseGone,
    Refused,
    Session,
    StatementBroken,
    Store,
    TextUnstorable,
    TryAgain,
)

THINGS = """
CREATE TABLE things (
    name TEXT CONSTRAINT things_key PRIMARY KEY,
    size INTEGER NOT NULL CONSTRAINT size_is_positive CHECK (size > 0)
);
GRANT SELECT, INSERT, UPDATE ON things TO fenqi_app;
"""
ADD = "INSERT INTO things (name, size) VALUES (%(name)s, %(size)s)"
SECONDS_MAX = 240  # against what hangs
ONE_ID = UUID("0190a1b2-c3d4-7e5f-8a9b-0c1d2e3f4a5b")


class Shade(StrEnum):
    DARK = "dark"


@pytest.fixture
def things(database_url: str, store: Store) -> Store:
    with psycopg.connect(database_url) as connection:
        connection.execute(THINGS)
    return store


def sizes(store: Store) -> list[tuple[str, int]]:
    with store.transaction() as session:
        return session.rows("SELECT name, size FROM things ORDER BY name")  # type: ignore[return-value]


def test_a_transaction_commits_at_its_end(things: Store) -> None:
    with things.transaction() as session:
        assert session.run(ADD, {"name": "cup", "size": 1}) == 1
    assert sizes(things) == [("cup", 1)]


def test_a_rehearsal_sees_what_would_be_and_leaves_no_trace(things: Store) -> None:
    done: list[str] = []
    with things.rehearsal() as session:
        session.run(ADD, {"name": "cup", "size": 1})
        session.after_commit(lambda: done.append("kept"))
        assert session.rows("SELECT name FROM things") == [("cup",)]
    assert (sizes(things), done) == ([], [])


def test_a_transaction_leaves_no_trace_after_any_exception(things: Store) -> None:
    def fail(session: Session) -> None:
        session.run(ADD, {"name": "cup", "size": 1})
        raise RuntimeError("any")

    with pytest.raises(RuntimeError, match="any"), things.transaction() as session:
        fail(session)
    assert sizes(things) == []


def test_a_session_acts_as_the_working_role_in_utc(store: Store) -> None:
    with store.transaction() as session:
        assert session.rows("SELECT current_user, current_setting('TimeZone')") == [
            ("fenqi_app", "UTC")
        ]
        assert session.rows("SELECT now()")[0][0].tzinfo is UTC


def test_values_and_lists_of_values_come_back_as_they_went(store: Store) -> None:
    instant = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)
    values = {
        "uuid": ONE_ID,
        "date": date(2026, 3, 1),
        "timestamptz": instant,
        "bigint": 2**40,
        "text": "a'b%c",
        "boolean": True,
    }
    with store.transaction() as session:
        for kind, value in values.items():
            for sent in ([value, None, value], []):
                sql = f"SELECT %(one)s::{kind}, %(many)s::{kind}[]"
                assert session.rows(sql, {"one": value, "many": sent}) == [(value, sent)], kind
        assert session.rows("SELECT %(shade)s::text", {"shade": Shade.DARK}) == [("dark",)]


def test_statements_in_a_pipeline_are_all_done_at_its_end(things: Store) -> None:
    with things.transaction() as session:
        with session.pipeline():
            for place in range(1, 51):
                session.run(ADD, {"name": f"{place:02}", "size": place})
        assert session.rows("SELECT count(*), sum(size) FROM things") == [(50, 1275)]


def test_an_error_in_a_pipeline_arrives_as_ours_and_undoes_all(things: Store) -> None:
    def fill(session: Session) -> None:
        with session.pipeline():
            session.run(ADD, {"name": "cup", "size": 1})
            session.run(ADD, {"name": "cup", "size": 2})
            session.run(ADD, {"name": "pot", "size": 3})

    with pytest.raises(AlreadyThere), things.transaction() as session:
        fill(session)
    assert sizes(things) == []


@pytest.mark.parametrize(
    ("sql", "expected", "field", "value"),
    [
        ("INSERT INTO things VALUES ('cup', 2)", AlreadyThere, "constraint", "things_key"),
        (
            "INSERT INTO things VALUES ('pot', 0)",
            ConstraintBroken,
            "constraint",
            "size_is_positive",
        ),
        ("INSERT INTO things VALUES ('pot', NULL)", ConstraintBroken, "constraint", "size"),
        ("DELETE FROM things", Refused, "said", "permission denied for table things"),
        ("SELECT nothing", StatementBroken, "sqlstate", "42703"),
    ],
)
def test_the_drivers_errors_arrive_as_ours(
    things: Store, sql: str, expected: type[FenqiError], field: str, value: str
) -> None:
    with things.transaction() as session:
        session.run(ADD, {"name": "cup", "size": 1})
    with pytest.raises(expected) as caught, things.transaction() as session:
        session.run(sql)
    assert caught.value.fields[field] == value


def test_a_text_with_a_nul_is_refused_as_bad_input(things: Store) -> None:
    with pytest.raises(TextUnstorable) as caught, things.transaction() as session:
        session.run(ADD, {"name": "Li\0Hua", "size": 1})
    assert "Hua" not in str(caught.value)
    assert sizes(things) == []


def test_an_error_never_shows_the_values_of_a_row(things: Store) -> None:
    def twice(session: Session) -> None:
        for _ in range(2):
            session.run(ADD, {"name": "Li Hua", "size": 1})

    with pytest.raises(AlreadyThere) as caught, things.transaction() as session:
        twice(session)
    assert "Li Hua" not in str(caught.value)


def test_one_of_two_transactions_in_a_deadlock_is_told_to_try_again(things: Store) -> None:
    with things.transaction() as session:
        for name in ("cup", "pot"):
            session.run(ADD, {"name": name, "size": 1})
    together = threading.Barrier(2)
    caught: list[type[Exception]] = []

    def grow(*names: str) -> None:
        try:
            with things.transaction() as session:
                for name in names:
                    session.run("UPDATE things SET size = 2 WHERE name = %(name)s", {"name": name})
                    if name == names[0]:
                        together.wait(SECONDS_MAX)
        except FenqiError as error:
            caught.append(type(error))

    both: list[Callable[[], None]] = [lambda: grow("cup", "pot"), lambda: grow("pot", "cup")]
    threads = [threading.Thread(target=one) for one in both]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert caught == [TryAgain]
    assert sizes(things) == [("cup", 2), ("pot", 2)]


def test_a_lost_connection_is_told_and_the_next_transaction_gets_a_new_one(
    database_url: str, store: Store
) -> None:
    def lose(session: Session) -> None:
        end_backend(database_url, session.rows("SELECT pg_backend_pid()")[0][0])
        session.rows("SELECT 1")

    with pytest.raises(DatabaseGone), store.transaction() as session:
        lose(session)
    with store.transaction() as session:
        assert session.rows("SELECT current_user") == [("fenqi_app",)]


def test_a_connection_that_died_while_idle_is_not_handed_out(
    database_url: str, store: Store
) -> None:
    with store.transaction() as session:
        pid = session.rows("SELECT pg_backend_pid()")[0][0]
    end_backend(database_url, pid)
    with store.transaction() as session:
        assert session.rows("SELECT 1") == [(1,)]


def test_a_server_that_is_not_there_is_told_at_once() -> None:
    with pytest.raises(DatabaseGone):
        Store.open("postgresql://nobody@/nothing?host=/nowhere")


def end_backend(url: str, pid: int) -> None:
    with psycopg.connect(url) as connection:
        asked = {"pid": pid, "wait": SECONDS_MAX * 1000}
        connection.execute("SELECT pg_terminate_backend(%(pid)s, %(wait)s)", asked)
