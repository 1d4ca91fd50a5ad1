"""Connections and transactions; the one place that knows the driver's errors.

A `Session` is one open transaction that acts as the role `fenqi_app`, in UTC. Every error of the
driver leaves this file as one of ours, so that nobody above imports psycopg. Error values name
constraints and tables but never the values of rows, which may be about a person.

What is said of a failure is true: whatever fails before the order to commit is sent was surely not
kept, what the server refuses at the commit was not kept either, and only when the answer to that
order is lost is the outcome unknown.
"""

import select
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any
from weakref import WeakKeyDictionary

import psycopg
import psycopg_pool
from psycopg import errors
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import TransactionStatus

from fenqi.core.errors import Broken, Conflict, Forbidden, Invalid, Unavailable
from fenqi.store.columns import teach

CONNECTIONS_MAX = 8
CONNECTION_WAIT_SECONDS_MAX = 30  # waiting for a free connection of the pool
CONNECT_SECONDS_MAX = 10
RECONNECT_SECONDS = 5  # of attempts further and further apart; then they begin anew
LOCK_WAIT_SECONDS_MAX = 60
UNUSED_SECONDS_MAX = 1.0  # since a connection was used well; beyond that it is tried first
LASTING_MAX = 10_000  # keys remembered of one connection
IDLE_SECONDS_MAX = 900  # an open transaction that does nothing is ended

ROLE = "fenqi_app"
PREPARE_CONNECTION = (
    f"SET ROLE {ROLE}; SET TIME ZONE 'UTC'; SET lock_timeout = '{LOCK_WAIT_SECONDS_MAX}s'; "
    f"SET idle_in_transaction_session_timeout = '{IDLE_SECONDS_MAX}s'"
)


IS_MIGRATED = "SELECT to_regclass('migrations') IS NOT NULL"


_USED: "WeakKeyDictionary[psycopg.Connection[Any], float]" = WeakKeyDictionary()
_LASTING: "WeakKeyDictionary[psycopg.Connection[Any], set[object]]" = WeakKeyDictionary()


class DatabaseGone(Unavailable):
    """The database cannot be reached, or went away before the commit: nothing was booked."""

    code = "database-gone"


class NoConnection(DatabaseGone):
    """No connection came free in time, or none can be made; it was waited for already."""


class DatabaseFull(Unavailable):
    """The database has no room left on its disk: nothing was booked."""

    code = "database-full"


class OutcomeUnknown(Unavailable):
    """The database went away while it committed: only the command's key tells what was kept."""

    code = "outcome-unknown"


class TryAgain(Unavailable):
    """Another transaction stood in the way; the same transaction may succeed next time."""

    code = "try-again"


class UrlInvalid(Invalid):
    """The address of the database cannot be read as one; it is not repeated, it has a password."""

    code = "database-url-invalid"


class CommitBroken(Broken):
    """A transaction came to its end although one of its statements had failed; it was not kept."""

    code = "commit-broken"


class NotMigrated(Conflict):
    """The database has not been migrated; nothing can work on it."""

    code = "not-migrated"


class AlreadyThere(Conflict):
    """A row with the same unique key exists; field `constraint` says which key."""

    code = "already-there"


class Refused(Forbidden):
    """The role fenqi_app has no right to do this."""

    code = "refused"


class ConstraintBroken(Broken):
    """A row breaks a check, a foreign key or a NOT NULL; field `constraint` says which."""

    code = "constraint-broken"


class StatementBroken(Broken):
    """The database does not understand a statement or one of its values."""

    code = "statement-broken"


class TextUnstorable(Invalid):
    """A text holds a character that no text of the database can hold, as NUL; not repeated here."""

    code = "text-unstorable"


# Characters no text holds: the driver's own refusal of NUL has no code, the server's have these.
UNSTORABLE = frozenset({None, "22021", "22P05"})


class Session:
    """One open transaction, acting as role fenqi_app. Belongs to the thread that opened it."""

    def __init__(self, connection: "psycopg.Connection[tuple[Any, ...]]") -> None:
        self._connection = connection
        self._after_commit: list[Callable[[], None]] = []

    @property
    def lasting(self) -> set[object]:
        """What this connection has committed of rows that never change or go, by their keys.

        A connection ends with its server, so what it remembers was not lost with another one.
        """
        found = _LASTING.setdefault(self._connection, set())
        if len(found) > LASTING_MAX:
            found.clear()
        return found

    def after_commit(self, act: Callable[[], None]) -> None:
        """Do something in this program once the transaction is surely committed, else never."""
        self._after_commit.append(act)

    def committed(self) -> None:
        """Do what was to be done after the commit; called by the store."""
        for act in self._after_commit:
            act()

    def rows(
        self, sql: str, parameters: Mapping[str, object] | None = None
    ) -> list[tuple[Any, ...]]:
        """Run a statement and return its rows. Lists in `parameters` become arrays.

        Errors: any of this file.
        """
        return self.ask(sql, parameters)()

    def ask(
        self, sql: str, parameters: Mapping[str, object] | None = None
    ) -> Callable[[], list[tuple[Any, ...]]]:
        """Send a statement and return how to get its rows, once.

        Inside `pipeline` the statement is only sent: several asked before any is read cost one
        round trip. Rows may be read after the pipeline has ended.

        Errors: any of this file, here or where the rows are read.
        """
        with translated():
            cursor = self._connection.execute(sql, parameters)

        def rows() -> list[tuple[Any, ...]]:
            with translated():
                return cursor.fetchall()

        return rows

    def run(self, sql: str, parameters: Mapping[str, object] | None = None) -> int:
        """Run a statement and return how many rows it touched.

        Inside `pipeline` the count is not known yet and is -1.

        Errors: any of this file; inside `pipeline` some are raised where the pipeline ends.
        """
        with translated():
            return self._connection.execute(sql, parameters).rowcount

    def run_numbered(self, sql: str, parameters: Sequence[object]) -> int:
        """Run a statement whose parameters are $1, $2 ...; the driver then need not read it.

        Inside `pipeline` the count is not known yet and is -1.

        Errors: any of this file; inside `pipeline` some are raised where the pipeline ends.
        """
        with translated():
            return psycopg.RawCursor(self._connection).execute(sql, parameters).rowcount

    @contextmanager
    def pipeline(self) -> Iterator[None]:
        """Send the statements inside without waiting for each: they cost one round trip.

        Errors: any of this file, where the pipeline ends.
        """
        with translated(), self._connection.pipeline():
            yield


class Store:
    """A bounded pool of connections to one migrated database. Thread-safe."""

    def __init__(self, pool: "psycopg_pool.ConnectionPool[Any]") -> None:
        self._pool = pool

    @classmethod
    def open(cls, url: str, *, connections_max: int = CONNECTIONS_MAX) -> "Store":
        """Connect to the database at `url`, which must have been migrated.

        Errors: DatabaseGone, NotMigrated, Refused.
        """
        with translated(), psycopg.connect(url, connect_timeout=CONNECT_SECONDS_MAX) as connection:
            try:
                _prepare(connection)
            except errors.InvalidParameterValue as fault:  # the role does not exist
                raise NotMigrated() from fault
            if connection.execute(IS_MIGRATED).fetchone() != (True,):
                raise NotMigrated()
        pool = psycopg_pool.ConnectionPool(
            url,
            min_size=1,
            max_size=connections_max,
            timeout=CONNECTION_WAIT_SECONDS_MAX,
            # The pause between two attempts doubles; begun anew, it stays short for who waits.
            reconnect_timeout=RECONNECT_SECONDS,
            reconnect_failed=_begin_anew,
            configure=_prepare,
            check=_check,
            kwargs={"connect_timeout": CONNECT_SECONDS_MAX},
            open=True,
        )
        return cls(pool)

    @contextmanager
    def transaction(self) -> Iterator[Session]:
        """Open a transaction; it commits at the end and rolls back on any exception.

        Errors: any of this file. After OutcomeUnknown the idempotency key of a command tells
        whether the commit was kept; after any other error it was not.
        """
        with translated(), self._pool.connection() as connection:
            session = Session(connection)
            yield session
            _commit(connection)
            _USED[connection] = time.monotonic()
            session.committed()

    @contextmanager
    def rehearsal(self) -> Iterator[Session]:
        """Open a transaction that is undone at its end, to look at what would come of it.

        It waits for rows and lets others wait as the real one would.

        Errors: any of this file.
        """
        with translated(), self._pool.connection() as connection:
            yield Session(connection)
            connection.rollback()

    def close(self) -> None:
        """Close all connections; transactions that are open are rolled back."""
        self._pool.close()


@contextmanager
def translated() -> Iterator[None]:
    """Turn any error of the driver raised inside into one of ours, keeping it as the cause."""
    try:
        yield
    except psycopg.Error as fault:
        raise _ours(fault) from fault


def check_url(url: str) -> None:
    """Refuse what is no address of a database. Errors: UrlInvalid."""
    try:
        conninfo_to_dict(url)
    except psycopg.Error:
        raise UrlInvalid(setting="FENQI_DATABASE_URL") from None  # the cause repeats the password


def _prepare(connection: "psycopg.Connection[Any]") -> None:
    teach(connection)
    connection.execute(PREPARE_CONNECTION)
    connection.commit()


def _begin_anew(pool: "psycopg_pool.ConnectionPool[Any]") -> None:
    """Go on trying to reach the server.

    A pool that has given up tries again for the next who asks, but not for those who wait already:
    they would be told that there is no connection, though the server had come back meanwhile.
    """
    if pool.get_stats()["pool_size"] == 0:  # neither a connection nor an attempt at one is left
        pool.resize(0, pool.max_size)
        pool.resize(1, pool.max_size)  # lacks one now, and begins to make it


def _check(connection: "psycopg.Connection[Any]") -> None:
    """Refuse a connection that was lost while nobody used it; to ask costs a round trip.

    Of one that was used a moment ago it is enough to look whether the server has said anything
    since: that it ends the connection, or the end itself.
    """
    is_fresh = time.monotonic() - _USED.get(connection, 0.0) < UNUSED_SECONDS_MAX
    if not is_fresh or select.select([connection.fileno()], [], [], 0)[0]:
        psycopg_pool.ConnectionPool.check_connection(connection)


def _commit(connection: "psycopg.Connection[Any]") -> None:
    """Commit, and tell a commit that was refused from one whose outcome nobody knows.

    The pool's own commit answers nothing if the connection is lost or a statement had failed.
    """
    status = connection.info.transaction_status
    if status is TransactionStatus.INERROR:
        raise CommitBroken()
    if status is TransactionStatus.UNKNOWN:
        raise DatabaseGone(said="the connection was lost before the commit")
    try:
        connection.commit()
    except psycopg.Error as fault:
        # An ERROR is the answer to the commit. A FATAL is not: the server may have committed
        # already when it noticed that it was to end the connection.
        if fault.diag.severity_nonlocalized == "ERROR":
            raise
        raise OutcomeUnknown(said=_said(fault)) from fault


def _said(fault: psycopg.Error) -> str:
    return fault.diag.message_primary or str(fault).strip() or type(fault).__name__


def _ours(fault: psycopg.Error) -> Exception:
    said = _said(fault)
    place = {
        "constraint": fault.diag.constraint_name or fault.diag.column_name or said,
        "table": fault.diag.table_name or "",
    }
    match fault:
        case errors.UniqueViolation():
            return AlreadyThere(**place)
        case psycopg.IntegrityError():
            return ConstraintBroken(**place)
        case errors.InsufficientPrivilege():
            return Refused(said=said)
        case (
            errors.SerializationFailure()
            | errors.DeadlockDetected()
            | errors.LockNotAvailable()
            | errors.QueryCanceled()
        ):
            return TryAgain(said=said)
        case errors.DiskFull():
            return DatabaseFull(said=said)
        case psycopg_pool.PoolTimeout():
            return NoConnection(said=said, seconds=CONNECTION_WAIT_SECONDS_MAX)
        case errors.ProgramLimitExceeded() | errors.StatementTooComplex():
            # Of the driver's family "operational", but the fault is in the values.
            return StatementBroken(said=said, sqlstate=fault.sqlstate or "")
        case psycopg.DataError() if fault.sqlstate in UNSTORABLE:
            return TextUnstorable(said=said)
        case (
            psycopg.OperationalError()
            | psycopg.InterfaceError()
            | errors.IdleInTransactionSessionTimeout()
        ):
            return DatabaseGone(said=said)
        case _:
            return StatementBroken(said=said, sqlstate=fault.sqlstate or "")
