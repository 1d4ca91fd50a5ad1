"""The embedded server starts, is shared, survives being killed, and stays private."""

import itertools
import os
import shutil
import stat
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from fenqi.machine import Config
from fenqi.runtime import Runtime, ServerElsewhere, start_database
from fenqi.store import programs
from fenqi.store.pool import NotMigrated, Store
from fenqi.store.programs import NobodyToRunAs, ProgramsMissing, owner
from fenqi.store.server import (
    FolderNotOurs,
    FolderOfAnotherVersion,
    FolderUnreachable,
    Server,
    ServerNotStarted,
)

SIGKILL = 9
SECONDS_MAX = 240  # against what hangs
NUMBERS = itertools.count(1)


@pytest.fixture
def server(private_folder: Path) -> Iterator[Server]:
    """A server of the test's own; not started."""
    own = Server(private_folder / f"own-{next(NUMBERS)}")
    yield own
    own.stop()


def ask(url: str, question: str) -> object:
    with psycopg.connect(url) as connection:
        row = connection.execute(question).fetchone()
    assert row is not None
    return row[0]


def running_pid(server: Server) -> int:
    pid = server.status().pid
    assert pid is not None
    return pid


def write_as_owner(file: Path, body: str) -> None:
    file.write_text(body)
    os.chown(file, owner().uid, owner().gid)


def test_a_second_starter_finds_the_running_server_and_shares_it(server: Server) -> None:
    assert server.start() is True
    other = Server(server.folder)
    assert other.start() is False
    assert running_pid(other) == running_pid(server)
    assert other.url == server.url


def test_of_many_starters_at_once_exactly_one_starts_it(server: Server) -> None:
    outcomes: list[bool] = []
    together = threading.Barrier(4)

    def start() -> None:
        together.wait(SECONDS_MAX)
        outcomes.append(Server(server.folder).start())

    threads = [threading.Thread(target=start) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(outcomes) == [False, False, False, True]


def test_a_stopped_server_says_so_and_keeps_its_rows(server: Server) -> None:
    assert server.status().is_running is False
    assert server.stop() is False
    server.start()
    with psycopg.connect(server.url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS seven")
    assert server.stop() is True
    assert server.status().is_running is False
    server.start()
    assert ask(server.url, "SELECT seven FROM kept") == 7


def test_a_killed_server_starts_again_with_every_committed_row(server: Server) -> None:
    server.start()
    with psycopg.connect(server.url) as connection:
        connection.execute("CREATE TABLE kept AS SELECT 7 AS seven")
    killed = running_pid(server)
    os.kill(killed, SIGKILL)
    assert server.start() is True
    assert running_pid(server) != killed
    assert ask(server.url, "SELECT seven FROM kept") == 7


def test_the_number_of_a_stranger_in_the_trace_does_not_stop_a_start(server: Server) -> None:
    server.start()
    server.stop()
    trace = f"{os.getpid()}\n{server.folder / 'cluster'}\n1\n5432\n\n\n"
    write_as_owner(server.folder / "cluster" / "postmaster.pid", trace)
    assert server.status().is_running is False
    assert server.stop() is False
    assert server.start() is True


def test_a_zombie_in_the_trace_counts_as_dead(server: Server) -> None:
    server.start()
    server.stop()
    with subprocess.Popen([sys.executable, "-c", ""]) as child:
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)  # dead, and nobody has reaped it
        trace = f"{child.pid}\n{server.folder / 'cluster'}\n1\n5432\n\n\n"
        write_as_owner(server.folder / "cluster" / "postmaster.pid", trace)
        assert server.stop() is False
        assert server.start() is True


def test_an_interrupted_first_start_is_begun_anew(server: Server) -> None:
    server.start()
    server.stop()
    (server.folder / "cluster").rename(server.folder / "cluster.new")
    (server.folder / "cluster.new" / "global" / "pg_control").unlink()
    assert server.start() is True
    assert ask(server.url, "SELECT 1") == 1


def test_files_of_another_major_version_are_left_alone_with_a_clear_error(server: Server) -> None:
    server.start()
    server.stop()
    mark = server.folder / "cluster" / "PG_VERSION"
    mark.write_text("17\n")
    with pytest.raises(FolderOfAnotherVersion) as caught:
        server.start()
    assert (caught.value.fields["found"], caught.value.fields["wanted"]) == ("17", "18")
    mark.write_text("18\n")


def test_a_server_that_cannot_start_shows_its_last_words(server: Server) -> None:
    server.start()
    server.stop()
    write_as_owner(server.folder / "settings.conf", "shared_buffers = 'a lot'\n")
    with pytest.raises(ServerNotStarted) as caught:
        server.start()
    assert "a lot" in str(caught.value.fields["log"])
    (server.folder / "settings.conf").unlink()


def test_a_path_too_long_for_a_socket_gets_a_short_one(private_folder: Path) -> None:
    server = Server(private_folder / ("long" * 15) / ("longer" * 10))
    try:
        server.start()
        socket = server.status().socket
        assert ask(server.url, "SELECT 1") == 1
        assert socket is not None
        assert not socket.is_relative_to(server.folder)
        assert stat.S_IMODE(socket.stat().st_mode) == 0o700
    finally:
        server.stop()
    socket.rmdir()


def test_its_folder_is_private_and_no_folder_above_is_touched(server: Server) -> None:
    above = {folder: folder.stat().st_mode for folder in server.folder.parents}
    server.start()
    assert {folder: folder.stat().st_mode for folder in server.folder.parents} == above
    for place in (server.folder, server.folder / "cluster", server.folder / "run"):
        assert stat.S_IMODE(place.stat().st_mode) == 0o700, place
    assert stat.S_IMODE((server.folder / "password").stat().st_mode) == 0o600


def test_a_folder_that_is_open_to_others_is_refused(server: Server) -> None:
    server.folder.mkdir(parents=True)
    server.folder.chmod(0o755)
    with pytest.raises(FolderNotOurs):
        server.start()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root runs the server as another user")
def test_a_folder_the_system_user_cannot_enter_is_refused_by_name(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    with pytest.raises(FolderUnreachable) as caught:
        Server(tmp_path / "postgres").start()
    assert caught.value.fields["owner"] == owner().name
    assert stat.S_IMODE(tmp_path.stat().st_mode) == 0o700


def test_a_user_without_an_entry_is_told_what_is_missing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 54321)
    with pytest.raises(NobodyToRunAs) as caught:
        owner()
    assert "54321 has no entry in /etc/passwd" in str(caught.value.fields["reason"])


def test_root_without_a_way_to_make_a_user_is_told_what_is_missing(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(programs, "SYSTEM_USER", "fenqi-never-made")
    monkeypatch.setattr(shutil, "which", lambda *_, **__: None)
    with pytest.raises(NobodyToRunAs) as caught:
        owner()
    assert "Debian package: passwd" in str(caught.value.fields["reason"])


def test_a_version_the_wheel_does_not_have_is_refused(private_folder: Path) -> None:
    with pytest.raises(ProgramsMissing):
        Server(private_folder / "nine", major=9).start()


def test_it_is_durable_and_off_the_network(server: Server) -> None:
    server.start()
    promised = {
        "listen_addresses": "",
        "fsync": "on",
        "synchronous_commit": "on",
        "full_page_writes": "on",
        "data_checksums": "on",
        "password_encryption": "scram-sha-256",
        "TimeZone": "UTC",
        "server_encoding": "UTF8",
    }
    assert {name: ask(server.url, f"SHOW {name}") for name in promised} == promised


def test_a_wrong_password_is_refused(server: Server) -> None:
    server.start()
    password = (server.folder / "password").read_text()
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(server.url.replace(password, "guess"))


def test_an_operators_own_settings_are_read_last(server: Server) -> None:
    server.start()
    server.stop()
    write_as_owner(server.folder / "settings.conf", "work_mem = '11MB'\n")
    server.start()
    assert ask(server.url, "SHOW work_mem") == "11MB"


def test_a_store_on_a_database_never_migrated_says_so(server: Server) -> None:
    server.start()
    with pytest.raises(NotMigrated):
        Store.open(server.url)


def test_a_runtime_starts_migrates_and_stops_what_it_started(private_folder: Path) -> None:
    config = Config(data_folder=private_folder / "runtime")
    with Runtime.open(config, stop_after=True) as first, first.store.transaction() as session:
        assert session.rows("SELECT current_user") == [("fenqi_app",)]
        with Runtime.open(config, stop_after=True):
            pass  # shares the server, so it does not stop it
        assert Server(config.database_folder).status().is_running is True
    assert Server(config.database_folder).status().is_running is False


def test_a_server_of_ones_own_is_used_and_none_is_started(private_folder: Path) -> None:
    """Runs on PostgreSQL 16, which stands for any other server."""
    older = Server(private_folder / "sixteen", major=16)
    older.start()
    try:
        environment = {
            "FENQI_DATABASE_URL": older.url,
            "FENQI_DATA": str(private_folder / "unused"),
        }
        config = Config.from_environment(environment)
        with Runtime.open(config) as runtime, runtime.store.transaction() as session:
            assert str(session.rows("SHOW server_version")[0][0]).startswith("16.")
            assert session.rows("SELECT count(*) FROM transfers") == [(0,)]
        assert not (private_folder / "unused").exists()
        with pytest.raises(ServerElsewhere):
            start_database(config)
    finally:
        older.stop()
