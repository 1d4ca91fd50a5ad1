"""What is said when something outside fails is true: booked, not booked, or nobody knows yet."""

import os
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from make_book import World, assert_sound, beside, enrol, open_book, payment, purchase, row, used
from wire import Cut, Wire

from fenqi.core.errors import FenqiError, Unavailable
from fenqi.desk import Desk
from fenqi.flows.authorise import Authorise, Authorised, authorise
from fenqi.store import pool
from fenqi.store.migrate import migrate
from fenqi.store.pool import (
    CommitBroken,
    ConstraintBroken,
    DatabaseFull,
    DatabaseGone,
    OutcomeUnknown,
    Session,
    Store,
)
from fenqi.store.server import Server

WAIT_SECONDS_MAX = 240  # against what hangs
OUTAGE_SECONDS = 10
DISK_MIB = 220  # a fresh cluster and a little
KEPT = "SELECT COUNT(*) FROM commands WHERE key = %(key)s"


def outcome(future: "Future[Any]") -> Any:
    """Return a future's answer, or its error as a value."""
    return future.exception(WAIT_SECONDS_MAX) or future.result()


def wait_for(seen: Callable[[], bool], what: str) -> None:
    until = time.monotonic() + WAIT_SECONDS_MAX
    while not seen():
        assert time.monotonic() < until, what
        time.sleep(0.02)


def insist(desk: Desk, command: Authorise) -> Any:
    """Return the answer of somebody who asks again under the same key while nobody can tell."""
    until = time.monotonic() + WAIT_SECONDS_MAX
    while isinstance(answer := outcome(desk.submit(command)), Unavailable):
        assert time.monotonic() < until, answer
    return answer


def is_kept(store: Store, command: Authorise) -> bool:
    return bool(row(store, KEPT, key=command.key))


@pytest.fixture
def world(store: Store) -> World:
    return open_book(store)


@pytest.fixture
def wire(database_url: str) -> Iterator[Wire]:
    # Not below TMPDIR: the path of a socket has little room.
    with (
        tempfile.TemporaryDirectory(dir="/tmp") as folder,
        Wire(database_url, Path(folder)) as line,
    ):
        yield line


@pytest.fixture
def far(world: World, wire: Wire) -> Iterator[World]:
    """The same book, reached over a line that can be cut."""
    store = Store.open(wire.url)
    yield beside(world, store)
    store.close()


# A line that is cut -------------------------------------------------------------------------


@pytest.mark.parametrize("cut", [Cut.AT_COMMIT, Cut.AT_ANSWER])
def test_a_line_cut_while_committing_leaves_the_outcome_unknown_and_the_key_tells(
    world: World, far: World, wire: Wire, cut: Cut
) -> None:
    account = enrol(world)
    command = purchase(world, account, 1_000, "flat", 3)
    wire.cut = cut
    with pytest.raises(OutcomeUnknown) as caught:
        authorise(far.ground, [command])
    assert (caught.value.code, caught.value.retry) == ("outcome-unknown", True)
    (answer,) = authorise(far.ground, [command])
    assert isinstance(answer, Authorised)
    assert authorise(far.ground, [command]) == [answer]
    assert row(world.store, "SELECT plan_id::text FROM plans") == answer.plan_id
    assert used(world, account) == (1_000, 0)
    assert_sound(world, plans=1)


def test_a_line_cut_before_the_commit_is_surely_not_booked(
    world: World, far: World, wire: Wire
) -> None:
    command = purchase(world, enrol(world), 1_000)
    wire.cut = Cut.AT_STATEMENT
    with pytest.raises(DatabaseGone):
        authorise(far.ground, [command])
    assert wire.cuts == 1
    assert not is_kept(world.store, command)


@pytest.mark.parametrize("cut", Cut)
def test_a_desk_whose_line_is_cut_asks_again_and_answers_the_truth(
    world: World, far: World, wire: Wire, cut: Cut
) -> None:
    account = enrol(world)
    with Desk(far.ground, writers=1) as desk:
        for _ in range(3):
            wire.cut = cut
            answers = [outcome(desk.submit(purchase(world, account, 1_000))) for _ in range(4)]
            assert [type(one) for one in answers] == [Authorised] * 4, answers
        received = outcome(desk.submit(payment(world, account, 12_000)))
    assert wire.cuts == 3
    assert (received.paid_minor, received.credit_minor) == (12_000, 0)
    assert_sound(world, plans=12)


def test_a_desk_that_cannot_ask_again_says_unknown_of_the_one_and_not_booked_of_the_rest(
    world: World, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "CONNECTION_WAIT_SECONDS_MAX", 1)
    account = enrol(world)
    store = Store.open(wire.url)
    first, second = (purchase(world, account, amount) for amount in (1_000, 2_000))
    with Desk(beside(world, store).ground, writers=1) as desk:
        insist(desk, purchase(world, account, 100))  # the line is up, however long that takes
        wire.cut, wire.stays_cut = Cut.AT_ANSWER, True
        unknown, gone = outcome(desk.submit(first)), outcome(desk.submit(second))
        assert isinstance(unknown, OutcomeUnknown)
        assert isinstance(gone, DatabaseGone)
        assert not is_kept(world.store, second)
        assert is_kept(world.store, first)  # this once: the answer was lost, not the order
        wire.stays_cut = False
        again = [insist(desk, one) for one in (first, second)]
    store.close()
    assert [type(one) for one in again] == [Authorised] * 2
    assert used(world, account) == (3_100, 0)
    assert_sound(world, plans=3)


def test_who_waits_for_a_connection_is_served_however_late_the_server_comes_back(
    world: World, wire: Wire, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "CONNECTION_WAIT_SECONDS_MAX", WAIT_SECONDS_MAX)
    monkeypatch.setattr(pool, "RECONNECT_SECONDS", 0.1)  # three attempts, and they begin anew
    account = enrol(world)
    store = Store.open(wire.url)
    with Desk(beside(world, store).ground, writers=1) as desk:
        wire.cut, wire.stays_cut = Cut.AT_STATEMENT, True
        waiting = desk.submit(purchase(world, account, 1_000))
        wait_for(lambda: wire.turned_away > 9, "nobody tries to reach the server any more")
        wire.stays_cut = False
        assert isinstance(outcome(waiting), Authorised)
    store.close()


# A commit that is refused, or that ends its connection ---------------------------------------

AT_COMMIT = """
CREATE FUNCTION at_commit() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    CASE NEW.key
        WHEN 'waits' THEN PERFORM pg_advisory_xact_lock(7);
        WHEN 'breaks' THEN RAISE check_violation USING CONSTRAINT = 'at_the_last_moment';
        WHEN 'no-room' THEN RAISE disk_full;
        ELSE NULL;
    END CASE;
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER at_commit AFTER INSERT ON commands DEFERRABLE INITIALLY DEFERRED
FOR EACH ROW EXECUTE FUNCTION at_commit();
"""
COMMITTING = """
SELECT pid FROM pg_stat_activity
WHERE datname = current_database() AND query = 'COMMIT' AND wait_event = 'advisory'
"""


@contextmanager
def cut_in_mid_commit(url: str) -> Iterator[threading.Thread]:
    """Hold up the next commit under the key `waits`, then end its connection from the server."""
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("SELECT pg_advisory_lock(7)")

        def end() -> None:
            until = time.monotonic() + WAIT_SECONDS_MAX
            while not (found := connection.execute(COMMITTING).fetchone()):
                assert time.monotonic() < until
                time.sleep(0.01)
            connection.execute("SELECT pg_terminate_backend(%s, 240000)", found)
            connection.execute("SELECT pg_advisory_unlock(7)")

        thread = threading.Thread(target=end)
        thread.start()
        yield thread
        thread.join(WAIT_SECONDS_MAX)


@pytest.fixture
def watched(world: World, database_url: str) -> World:
    """A book whose commits do what their key says."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(AT_COMMIT)
    return world


def test_a_connection_ended_by_the_server_in_mid_commit_leaves_the_outcome_unknown(
    watched: World, database_url: str
) -> None:
    account = enrol(watched)
    command = purchase(watched, account, 1_000, key="waits")
    with cut_in_mid_commit(database_url), pytest.raises(OutcomeUnknown):
        authorise(watched.ground, [command])
    (answer,) = authorise(watched.ground, [command])
    assert isinstance(answer, Authorised)
    assert used(watched, account) == (1_000, 0)


def test_a_desk_resolves_a_connection_ended_in_mid_commit(
    watched: World, database_url: str
) -> None:
    account = enrol(watched)
    command = purchase(watched, account, 1_000, key="waits")
    with Desk(watched.ground) as desk, cut_in_mid_commit(database_url):
        assert isinstance(outcome(desk.submit(command)), Authorised)
    assert used(watched, account) == (1_000, 0)
    assert_sound(watched, plans=1)


@pytest.mark.parametrize(
    ("key", "expected"), [("breaks", ConstraintBroken), ("no-room", DatabaseFull)]
)
def test_what_the_server_refuses_at_the_commit_was_not_booked(
    watched: World, key: str, expected: type[FenqiError]
) -> None:
    account = enrol(watched)
    command = purchase(watched, account, 1_000, key=key)
    with Desk(watched.ground) as desk:
        refusal = outcome(desk.submit(command))
        assert type(refusal) is expected
        assert not is_kept(watched.store, command)
        assert isinstance(outcome(desk.submit(purchase(watched, account, 500))), Authorised)
    assert used(watched, account) == (500, 0)


def test_a_failed_statement_nobody_minded_is_no_commit(store: Store) -> None:
    def shrug(session: Session) -> None:
        with pytest.raises(FenqiError):
            session.run("SELECT nothing")

    with pytest.raises(CommitBroken), store.transaction() as session:
        shrug(session)


def test_a_lost_connection_nobody_minded_is_no_commit(database_url: str, store: Store) -> None:
    def shrug(session: Session) -> None:
        pid = session.rows("SELECT pg_backend_pid()")[0][0]
        with psycopg.connect(database_url) as other:
            other.execute("SELECT pg_terminate_backend(%s, 240000)", (pid,))
        with pytest.raises(DatabaseGone):
            session.rows("SELECT 1")

    with pytest.raises(DatabaseGone), store.transaction() as session:
        shrug(session)


# A server that goes away, and a disk without room -------------------------------------------


class Shop:
    """Somebody who buys without a pause and notes what was said."""

    def __init__(self, world: World, desk: Desk) -> None:
        self._world, self._desk = world, desk
        self._accounts = [enrol(world, f"buyer-{number}") for number in range(6)]
        self._stop = threading.Event()
        self.answers: list[tuple[Authorise, Any]] = []
        self._threads = [
            threading.Thread(target=self._buy, args=(self._accounts[n::2],)) for n in range(2)
        ]
        for thread in self._threads:
            thread.start()

    def _buy(self, accounts: list[Any]) -> None:
        while not self._stop.is_set():
            commands = [purchase(self._world, one, 100, "flat", 3) for one in accounts]
            waiting = [self._desk.submit(command) for command in commands]
            self.answers += [
                (command, outcome(one)) for command, one in zip(commands, waiting, strict=True)
            ]

    def wait_for_more(self) -> None:
        """Wait until everybody has bought again, whatever had been bought before."""
        enough = len(self.answers) + 3 * len(self._accounts)
        wait_for(lambda: len(self.answers) >= enough, "nobody buys any more")

    def close(self) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join(WAIT_SECONDS_MAX)

    def assert_told_the_truth(self, store: Store) -> None:
        """What was answered is there, what was called not booked is not."""
        for command, answer in self.answers:
            if isinstance(answer, OutcomeUnknown):
                continue
            assert isinstance(answer, Authorised | Unavailable), answer
            assert is_kept(store, command) == isinstance(answer, Authorised), answer


def test_a_database_that_goes_away_for_ten_seconds_costs_time_and_nothing_else(
    private_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Ten seconds and however long this machine takes to stop and start a server.
    monkeypatch.setattr(pool, "CONNECTION_WAIT_SECONDS_MAX", WAIT_SECONDS_MAX)
    server = Server(private_folder / "outage")
    server.start()
    try:
        migrate(server.url)
        store = Store.open(server.url)
        world = open_book(store)
        with Desk(world.ground) as desk:
            shop = Shop(world, desk)
            shop.wait_for_more()
            server.stop()
            time.sleep(OUTAGE_SECONDS)
            server.start()
            shop.wait_for_more()
            shop.close()
        assert {type(answer) for _, answer in shop.answers} == {Authorised}
        shop.assert_told_the_truth(store)
        assert_sound(world, accounts=6, plans=len(shop.answers))
        store.close()
    finally:
        server.stop()


@contextmanager
def small_disk(folder: Path) -> Iterator[Path]:
    """A disk of its own below a folder, with little room."""
    if os.geteuid() != 0:
        pytest.skip("only root can mount a small disk")
    folder.mkdir()
    options = f"size={DISK_MIB}m,mode=0755"
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", options, "fenqi-test", str(folder)],
        capture_output=True,
        text=True,
        check=False,
    )
    if mounted.returncode != 0:
        folder.rmdir()
        pytest.skip(f"no small disk can be mounted here: {mounted.stderr.strip()}")
    try:
        yield folder
    finally:
        # Lazily: the server's logger ends a moment after the server.
        subprocess.run(["umount", "--lazy", str(folder)], check=True)
        folder.rmdir()


def fill(disk: Path) -> Callable[[], None]:
    """Take all the room there is; return how to give it back."""
    ballast = disk / "ballast"
    with ballast.open("wb", buffering=0) as file:
        chunk = bytes(1 << 20)
        while chunk:
            try:
                file.write(chunk)
            except OSError:
                chunk = chunk[: len(chunk) // 2]
    return ballast.unlink


def test_a_full_disk_books_nothing_says_so_and_harms_nothing(
    private_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pool, "CONNECTION_WAIT_SECONDS_MAX", 2)
    with small_disk(private_folder / "disk") as disk:
        server = Server(disk / "postgres")
        server.start()
        try:
            migrate(server.url)
            store = Store.open(server.url)
            world = open_book(store)
            with Desk(world.ground) as desk:
                shop = Shop(world, desk)
                shop.wait_for_more()
                make_room = fill(disk)
                wait_for(
                    lambda: "database-full" in codes(shop) or not server.status().is_running,
                    "the disk never became full",
                )
                shop.wait_for_more()
                shop.close()
                make_room()
                server.start()  # it may have given up without room for its log
                asked_again = [insist(desk, command) for command, _ in shop.answers]
            assert codes(shop) - {None} <= {"database-full", "database-gone", "outcome-unknown"}
            for (_, answer), again in zip(shop.answers, asked_again, strict=True):
                assert isinstance(again, Authorised)
                assert isinstance(answer, Unavailable) or again == answer
            assert_sound(world, accounts=6, plans=len(shop.answers))
            store.close()
        finally:
            server.stop()


def codes(shop: Shop) -> set[str | None]:
    """Return how purchases were refused; None is one that was not."""
    return {getattr(answer, "code", None) for _, answer in list(shop.answers)}
