"""Our own supervisor of the embedded PostgreSQL: one folder holds one server.

It promises: a password over a private Unix socket and no network; durable settings; a server that
outlives the process that started it and is shared by the next one; no change to any folder above
its own; "running" means that a real query was answered.

    folder/            0700, owned by who runs the server
      cluster/         the database files; `postgresql.conf` is ours, rewritten at each start
      settings.conf    optional: an operator's own settings, read last
      password         0600
      log/             one file per weekday
      run/             the socket, unless its path would be too long
      lock             held while starting or stopping
    programs/        who works here now: `seats.py`
    stops-when-idle  there if the last program to leave stops the server
"""

import fcntl
import hashlib
import os
import secrets
import shutil
import stat
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from fenqi.core.errors import Conflict, Invalid, Unavailable
from fenqi.store.pool import UrlInvalid
from fenqi.store.programs import MAJOR, Programs, programs, wheel_programs
from fenqi.store.seats import FolderInUse, Seat, living

USER = "fenqi"
DATABASE = "fenqi"
PORT = 5432  # only a part of the socket's name
SOCKET_BYTES_MAX = 107
SECRET = 0o600

START_SECONDS_MAX = 60  # recovery after a crash included
STOP_SECONDS_MAX = 60
SETTLE_TRIES_MAX = 100  # for a server that neither answers nor is gone
SETTLE_WAIT_SECONDS = 0.1
PROBE_SECONDS_MAX = 5
LOG_LINES_SHOWN = 8

MIB = 1 << 20
BUFFERS_MIB_MIN = 64
BUFFERS_MIB_MAX = 1024
BUFFERS_SHARE = 8  # of the machine's memory, one part in eight

SETTINGS = """\
# Written by fenqi at each start. Put your own settings into ../settings.conf.
listen_addresses = ''
port = {port}
unix_socket_directories = '{socket}'
unix_socket_permissions = 0700
password_encryption = 'scram-sha-256'
max_connections = 64

# What is acknowledged is on disk.
fsync = on
synchronous_commit = on
full_page_writes = on

shared_buffers = {buffers}MB
wal_level = replica
# A day close first touches a hundred thousand pages since the last checkpoint; packing each of them
# (the programs know pglz only) took longer than everything else it does. The log is thrice as long.
wal_compression = off
# A rush writes a file of the log in half a second. Filling a new one with zeros first held up every
# commit for 50 ms; a file that was used is kept and used again.
wal_init_zero = off
min_wal_size = 1GB
max_wal_size = 2GB
checkpoint_timeout = 15min
random_page_cost = 1.1

timezone = 'UTC'
log_timezone = 'UTC'
datestyle = 'ISO, YMD'
logging_collector = on
log_directory = '../log'
log_filename = 'postgres-%a.log'
log_truncate_on_rotation = on
log_rotation_age = 1d
log_rotation_size = 0
log_checkpoints = off
log_error_verbosity = terse
include_if_exists = '../settings.conf'
"""


class FolderOfAnotherVersion(Conflict):
    """The folder was written by another major version of PostgreSQL."""

    code = "folder-of-another-version"


class FolderNotOurs(Conflict):
    """A folder exists but belongs to another user, or is open to others."""

    code = "folder-not-ours"


class FolderUnreachable(Conflict):
    """The OS user who runs the server cannot enter the folder; a parent is closed to it."""

    code = "folder-unreachable"


class SocketPathTooLong(Invalid):
    """No private folder with a path short enough for a socket was found."""

    code = "socket-path-too-long"


class ServerNotStarted(Unavailable):
    """PostgreSQL did not start; field `log` has its last lines."""

    code = "server-not-started"


class ServerNotStopped(Unavailable):
    """PostgreSQL did not stop in time."""

    code = "server-not-stopped"


@dataclass(frozen=True, slots=True)
class Status:
    """What is known of a server without its password."""

    folder: Path
    is_running: bool
    pid: int | None = None
    version: str | None = None
    socket: Path | None = None


class Server:
    """The embedded server of one folder. Starting one that runs shares it."""

    def __init__(self, folder: Path, *, major: int = MAJOR) -> None:
        self.folder = folder.resolve()
        self._major = major
        # Its processes carry this name, so that they can be told from strangers.
        self._name = f"fenqi-{hashlib.sha256(os.fsencode(self.folder)).hexdigest()[:16]}"
        self._cluster = self.folder / "cluster"
        self._idle_mark = self.folder / "stops-when-idle"

    @property
    def url(self) -> str:
        """Return how to reach the database, password included; the server must have run once."""
        return self._url(DATABASE)

    def start(self) -> bool:
        """Start the server unless it runs; return whether this call started it.

        The first start creates the database files and the database.

        Errors: ProgramsMissing, NobodyToRunAs, FolderNotOurs, FolderUnreachable,
        FolderOfAnotherVersion, SocketPathTooLong, ServerNotStarted.
        """
        tools = self._tools()
        with self._locked():
            self._idle_mark.unlink(missing_ok=True)
            return self._start(tools)

    def join(self, words: str, *, stop_when_idle: bool) -> Seat:
        """Start the server unless it runs, and take a seat in its folder under the name `words`.

        With `stop_when_idle` a server started by this call is stopped by the last one who leaves.

        Errors: those of `start`.
        """
        tools = self._tools()
        with self._locked():
            if self._start(tools) and stop_when_idle:
                self._idle_mark.touch()
            return Seat(self.folder, words)

    def leave(self, seat: Seat) -> None:
        """Give a seat back; the last to leave stops a server that was started for a while.

        Errors: those of `stop`.
        """
        with self._locked():
            seat.leave()
            if self._idle_mark.exists() and not living(self.folder) and self._is_up():
                self._stop(programs(self._major))

    def wipe(self) -> None:
        """Stop the server and delete all its files, unless a program works in the folder.

        Errors: FolderInUse and those of `stop`.
        """
        if not self.folder.exists():
            return
        with self._locked():
            self.refuse_if_used()
            if self._is_up():
                self._stop(programs(self._major))
            for place in self.folder.iterdir():
                if place.name != "lock":
                    shutil.rmtree(place) if place.is_dir() else place.unlink()

    def refuse_if_used(self) -> None:
        """Refuse to go on while a program works in the folder. Errors: FolderInUse."""
        found = living(self.folder)
        if found:
            raise FolderInUse(folder=str(self.folder), programs=found)

    def stop(self, *, while_used: bool = True) -> bool:
        """Stop the server at once, open transactions rolled back; return whether it ran.

        Unless `while_used`, only if no program works in the folder.

        Errors: ServerNotStopped, ProgramsMissing, NobodyToRunAs, FolderInUse.
        """
        if not self._is_up():
            return False
        tools = programs(self._major)
        with self._locked():
            if not while_used:
                self.refuse_if_used()
            if not self._is_up():
                return False
            self._stop(tools)
        return True

    def status(self) -> Status:
        """Return whether the server runs, proved by a query."""
        version = self._answers()
        if version is None:
            return Status(self.folder, is_running=False)
        pid = self._live_pid()
        return Status(self.folder, is_running=True, pid=pid, version=version, socket=self._socket())

    # The database files -----------------------------------------------------------------------

    def _check_version(self) -> None:
        mark = self._cluster / "PG_VERSION"
        found = mark.read_text().strip() if mark.exists() else str(self._major)
        if found != str(self._major):
            raise FolderOfAnotherVersion(
                folder=str(self.folder), found=found, wanted=str(self._major)
            )

    def _create_cluster(self, tools: Programs) -> None:
        """Create the files, then move them to their place: half a cluster is never used."""
        half = self.folder / "cluster.new"
        if half.exists():
            shutil.rmtree(half)
        password = self.folder / "password"
        if not password.exists():
            _write(password, secrets.token_urlsafe(24), tools)
        options = [
            f"--username={USER}",
            "--pwfile=password",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--locale=C",
            "--data-checksums",
        ]
        done = tools.run("initdb", "-D", half.name, *options, cwd=self.folder)
        if done.returncode != 0:
            raise ServerNotStarted(folder=str(self.folder), log=done.stderr.strip())
        half.rename(self._cluster)

    def _write_settings(self, tools: Programs) -> None:
        socket = self._socket()
        self._make_folder(socket, tools)
        quoted = str(socket).replace("'", "''")
        body = SETTINGS.format(port=PORT, socket=quoted, buffers=_buffers_mib())
        _write(self._cluster / "postgresql.conf", body, tools)

    def _create_database(self) -> None:
        """Create the database after the first start; a no-op later."""
        with psycopg.connect(self._url("postgres"), autocommit=True) as connection:
            found = connection.execute(
                "SELECT 1 FROM pg_database WHERE datname = %(name)s", {"name": DATABASE}
            ).fetchone()
            if found is None:
                connection.execute(sql.SQL("CREATE DATABASE {}").format(sql.Identifier(DATABASE)))

    # Running ----------------------------------------------------------------------------------

    def _tools(self) -> Programs:
        """Return the programs, once the folder is there and theirs."""
        tools = programs(self._major)
        self._make_folder(self.folder, tools)
        if not tools.owner.can_enter(self.folder):
            raise FolderUnreachable(folder=str(self.folder), owner=tools.owner.name)
        return tools

    def _start(self, tools: Programs) -> bool:
        """Start the server unless it runs, the folder being locked; return whether it did."""
        self._check_version()
        if self._runs_after_all():
            return False
        if not self._cluster.exists():
            self._create_cluster(tools)
        self._write_settings(tools)
        self._launch(tools)
        self._create_database()
        return True

    def _stop(self, tools: Programs) -> None:
        options = ("-m", "fast", "-w", "-t", str(STOP_SECONDS_MAX))
        done = tools.run("pg_ctl", "stop", "-D", "cluster", *options, cwd=self.folder)
        if done.returncode != 0 and self._is_up():
            raise ServerNotStopped(folder=str(self.folder), said=done.stderr.strip())
        self._idle_mark.unlink(missing_ok=True)

    def _launch(self, tools: Programs) -> None:
        # Names relative to the folder: pg_ctl hands them to a shell.
        options = ["-l", "start.log", "-w", "-t", str(START_SECONDS_MAX), "-s"]
        options += ["-o", f"--cluster-name={self._name}"]
        (self.folder / "start.log").unlink(missing_ok=True)
        done = tools.run("pg_ctl", "start", "-D", "cluster", *options, cwd=self.folder)
        if done.returncode != 0 or self._answers() is None:
            raise ServerNotStarted(folder=str(self.folder), log=self._last_words(done.stderr))

    def _answers(self) -> str | None:
        """Return the version of the server that answers a query, or None."""
        if not (self.folder / "password").exists():
            return None
        try:
            with psycopg.connect(
                self._url("postgres"), connect_timeout=PROBE_SECONDS_MAX
            ) as connection:
                row = connection.execute("SHOW server_version").fetchone()
        except psycopg.OperationalError:
            return None
        return None if row is None else str(row[0])

    def _is_up(self) -> bool:
        return self._live_pid() is not None or self._answers() is not None

    def _live_pid(self) -> int | None:
        """Return the process id of the running server; a zombie or a stranger is not it."""
        try:
            pid = int((self._cluster / "postmaster.pid").read_text().split("\n", 1)[0])
        except (FileNotFoundError, ValueError):
            return None
        return pid if _is_called(pid, self._name) else None

    def _runs_after_all(self) -> bool:
        """Tell whether a server answers, giving one that starts or dies time to do so.

        PostgreSQL takes any process with the recorded number for a running server, also a zombie
        nobody reaps and, after a reboot, a stranger. Its traces are removed once no process of
        this server is left.

        Errors: ServerNotStarted.
        """
        for _ in range(SETTLE_TRIES_MAX):
            if self._answers() is not None:
                return True
            if not _anyone_called(self._name):
                if Path("/proc/self").exists():  # elsewhere PostgreSQL itself judges them
                    (self._cluster / "postmaster.pid").unlink(missing_ok=True)
                    (self._socket() / f".s.PGSQL.{PORT}.lock").unlink(missing_ok=True)
                return False
            time.sleep(SETTLE_WAIT_SECONDS)
        said = "a server that does not answer still works in this folder"
        raise ServerNotStarted(folder=str(self.folder), log=self._last_words(said))

    def _last_words(self, said: str) -> str:
        """Return the last lines of what the server said before it gave up."""
        logs = sorted((self.folder / "log").glob("*.log"), key=lambda log: log.stat().st_mtime)
        lines = said.splitlines()
        for log in [self.folder / "start.log", *logs[-1:]]:
            if log.exists():
                lines += log.read_text(errors="replace").splitlines()[-LOG_LINES_SHOWN:]
        return "\n".join(lines)

    # Folders, socket, password ----------------------------------------------------------------

    def _make_folder(self, folder: Path, tools: Programs) -> None:
        """Make a private folder, or check that the one there is the owner's and private.

        It gets its place when it has its owner, so that another starter never sees it half-made.
        """
        if not os.path.lexists(folder):
            folder.parent.mkdir(parents=True, exist_ok=True)
            half = Path(tempfile.mkdtemp(prefix="fenqi-", dir=folder.parent))
            os.chown(half, tools.owner.uid, tools.owner.gid)
            try:
                half.rename(folder)
            except OSError:  # another starter was first, and works in it already
                half.rmdir()
        found = folder.lstat()
        is_fine = stat.S_ISDIR(found.st_mode) and found.st_uid == tools.owner.uid
        if not is_fine or stat.S_IMODE(found.st_mode) & 0o077:
            raise FolderNotOurs(folder=str(folder), owner=tools.owner.name)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """Keep other starters and stoppers out; the system frees the lock if we die."""
        place = os.open(self.folder / "lock", os.O_CREAT | os.O_RDWR, SECRET)
        try:
            above = self.folder.stat()
            os.fchown(place, above.st_uid, above.st_gid)
            fcntl.flock(place, fcntl.LOCK_EX)
            yield
        finally:
            os.close(place)

    def _socket(self) -> Path:
        """Return the folder of the socket: ours, or a short one named after ours."""
        near = self.folder / "run"
        if _socket_fits(near):
            return near
        far = Path(tempfile.gettempdir()) / self._name
        if not _socket_fits(far):
            raise SocketPathTooLong(folder=str(near), bytes_max=SOCKET_BYTES_MAX)
        return far

    def _url(self, database: str) -> str:
        password = quote((self.folder / "password").read_text(), safe="")
        socket = quote(str(self._socket()), safe="")
        return f"postgresql://{USER}:{password}@/{database}?host={socket}&port={PORT}"


def psql_command(url: str) -> tuple[list[str], dict[str, str]]:
    """Return the command that opens a shell on a database, and what its environment needs.

    The password travels in the environment, because arguments are visible to every user.

    Errors: ProgramsMissing; UrlInvalid.
    """
    try:
        parts = conninfo_to_dict(url)
    except psycopg.ProgrammingError:
        raise UrlInvalid(setting="FENQI_DATABASE_URL") from None  # its text holds the password
    password = parts.pop("password", None)
    psql = wheel_programs() / "psql"
    environment = {} if password is None else {"PGPASSWORD": str(password)}
    rest = {name: str(value) for name, value in parts.items() if value is not None}
    return [str(psql), make_conninfo("", **rest)], environment


def _write(file: Path, body: str, tools: Programs) -> None:
    """Write a file only its owner can read, whole or not at all."""
    half = file.with_name(file.name + ".new")
    half.unlink(missing_ok=True)
    place = os.open(half, os.O_CREAT | os.O_EXCL | os.O_WRONLY, SECRET)
    with os.fdopen(place, "w") as stream:
        stream.write(body)
    os.chown(half, tools.owner.uid, tools.owner.gid)
    half.rename(file)


def _socket_fits(folder: Path) -> bool:
    return len(os.fsencode(folder / f".s.PGSQL.{PORT}")) <= SOCKET_BYTES_MAX


def _buffers_mib() -> int:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // MIB
    return max(BUFFERS_MIB_MIN, min(BUFFERS_MIB_MAX, memory // BUFFERS_SHARE))


def _is_called(pid: int, name: str) -> bool:
    """Tell whether a living process is a part of the server `name`.

    A zombie has no command line any more, and that of a stranger does not have the name.
    """
    if not Path("/proc/self").exists():  # a system that shows no processes: believe the number
        return True
    try:
        line = (Path("/proc") / str(pid) / "cmdline").read_bytes()
    except OSError:
        return False
    return b"postgres" in line and os.fsencode(name) in line


def _anyone_called(name: str) -> bool:
    if not Path("/proc/self").exists():
        return False
    numbers = (entry.name for entry in Path("/proc").iterdir() if entry.name.isdigit())
    return any(_is_called(int(number), name) for number in numbers)
