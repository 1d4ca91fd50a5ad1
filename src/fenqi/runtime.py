"""What a running fenqi is made of: the store, the clock, the ids, and its place beside others."""

import gc
import hashlib
import json
import os
import random
import struct
import sys
import threading
from datetime import UTC, datetime
from pathlib import Path
from uuid import UUID

from fenqi.core.errors import Conflict, Invalid
from fenqi.core.ports import Clock, IdSource
from fenqi.core.risk.crowd import CrowdRule
from fenqi.core.risk.identity import Sealer
from fenqi.flows import adopt
from fenqi.machine import URL_SETTING, Config, SystemClock
from fenqi.store import catalogue, crowds, identity_key
from fenqi.store.catalogue import Catalogue
from fenqi.store.ground import Ground
from fenqi.store.migrate import migrate
from fenqi.store.migrate import read as read_migrations
from fenqi.store.pool import CONNECTIONS_MAX, Store
from fenqi.store.seats import FolderInUse, Seat
from fenqi.store.server import Server, Status, psql_command

UNFINISHED = "unfinished"  # the file that says whose half-done work a database holds

COUNTER_BITS = 12
HALVES = struct.Struct(">QQ")
RANDOM_BITS = 62
VERSION_7 = 0x7
VARIANT = 0b10


class ClockNaive(Invalid):
    """An instant without a time zone was given to a clock."""

    code = "clock-naive"


class ServerElsewhere(Conflict):
    """FENQI_DATABASE_URL is set, so there is no embedded server to start or stop."""

    code = "server-elsewhere"


class MovingClock:
    """Tells the time it was set to last; a year passes as fast as someone sets it."""

    def __init__(self, instant: datetime) -> None:
        self.set(instant)

    def set(self, instant: datetime) -> None:
        """Move to another instant, in any zone.

        Errors: ClockNaive.
        """
        if instant.tzinfo is None:
            raise ClockNaive(instant=instant.isoformat())
        self._instant = instant.astimezone(UTC)

    def now(self) -> datetime:
        """Return the instant it was set to, in UTC."""
        return self._instant


class Ids:
    """Makes ids that sort in the order they were made. Thread-safe.

    Layout: UUID version 7 with a counter. 48 bits of milliseconds, 12 bits that count within one
    millisecond, 62 random bits. A clock that stands still or goes back does not disturb the order.
    With a `seed` the same clock gives the same ids again; without one they are random.

    Source: RFC 9562, sections 5.7 and 6.2 (method 1).
    """

    def __init__(self, clock: Clock, *, seed: int | None = None) -> None:
        self._clock = clock
        # Seeded from the system when no seed is given: asking it for each id costs a system call.
        self._random = random.Random(seed)  # noqa: S311 - ids guard nothing
        self._lock = threading.Lock()
        self._last = -1  # milliseconds and counter as one number

    def new(self) -> UUID:
        """Return an id that sorts after those made before it by this source."""
        return UUID(bytes=self.raw(1)[0])

    def raw(self, count: int) -> list[bytes]:
        """Return as many ids as asked, in their order, sixteen bytes each."""
        milliseconds = int(self._clock.now().timestamp() * 1000)
        with self._lock:
            first = max(self._last + 1, milliseconds << COUNTER_BITS)
            self._last = first + count - 1
            noise = [self._random.getrandbits(RANDOM_BITS) for _ in range(count)]
        return [_layout(first + place, noise[place]) for place in range(count)]


# A batch of commands lives for a moment and holds some ten thousand things, which the collector of
# garbage would look at dozens of times on the way, for circles that are not there: an eighth of a
# purchase's time by default (700, 10, 10).
COLLECT_AFTER = (10_000, 20, 50)


class Runtime:
    """A store ready to work, with the clock and ids everything shares. Close it after use."""

    def __init__(
        self,
        config: Config,
        *,
        store: Store,
        clock: Clock,
        ids: IdSource,
        known: Catalogue,
        crowd: CrowdRule | None = None,
        server: Server | None = None,
        seat: Seat | None = None,
    ) -> None:
        self.config = config
        self.store = store
        self.clock = clock
        self.ids = ids
        self.ground = Ground(
            store=store,
            clock=clock,
            ids=ids,
            catalogue=known,
            crowd=crowd or crowds.own(config.catalogue_folder),
            asks_policies=True,
        )
        self._server, self._seat = server, seat  # the embedded one, and our place beside others
        self.others: list[str] = seat.others() if seat is not None else []

    @classmethod
    def open(
        cls,
        config: Config | None = None,
        *,
        clock: Clock | None = None,
        ids: IdSource | None = None,
        stop_after: bool = False,
    ) -> "Runtime":
        """Start the embedded server if it is needed, migrate the database and open the store.

        Products and packs of the files are installed as versions on the way, and what policies
        there are for kinds that nothing decides about yet: all of them, or nothing.

        With `stop_after` a server started by this call is stopped by the last program to leave.
        `others` names the programs that work in the same folder already.

        Errors: those of `Server.start`, `migrate`, `Store.open`, `catalogue.install` and
        `adopt.install`.
        """
        config = config or Config.from_environment()
        clock = clock or SystemClock()
        url, server, seat = config.database_url, None, None
        if url is None:
            server = Server(config.database_folder)
            seat = server.join(_own_words(), stop_when_idle=stop_after)
            url = server.url
        store: Store | None = None
        try:
            gc.set_threshold(*COLLECT_AFTER)
            crowd = crowds.own(config.catalogue_folder)
            migrate(url)
            store = Store.open(url, connections_max=config.connections_max or CONNECTIONS_MAX)
            with store.transaction() as session:
                catalogue.install(session, clock.now(), config.catalogue_folder)
                known = catalogue.load(session)
                adopt.install(session, known, clock.now(), config.catalogue_folder)
        except BaseException:
            if store is not None:
                store.close()
            if server is not None and seat is not None:
                server.leave(seat)
            raise
        return cls(
            config,
            store=store,
            crowd=crowd,
            clock=clock,
            ids=ids or Ids(clock),
            known=known,
            server=server,
            seat=seat,
        )

    def sealer(self) -> Sealer:
        """Return what seals identity values at the doors, by the key of this installation.

        Errors: those of `identity_key.sealer`.
        """
        key, folder = self.config.identity_key, self.config.data_folder
        return identity_key.sealer(self.store, given=key, folder=folder, now=self.clock.now())

    @property
    def words(self) -> str:
        """Return what this program is to others: what it was started as, and its process."""
        return f"{_own_words()} (process {os.getpid()})"

    def refuse_others(self) -> None:
        """Refuse to work beside another program in this data folder. Errors: FolderInUse."""
        if self.others:
            raise FolderInUse(folder=str(self.config.data_folder), programs=self.others)

    def close(self) -> None:
        """Close the store; the last to leave stops the server if that was asked for."""
        self.store.close()
        if self._server is not None and self._seat is not None:
            self._server.leave(self._seat)
            self._seat = None

    def __enter__(self) -> "Runtime":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def wipe_database(config: Config) -> None:
    """Stop the embedded server of these settings and delete its files, if there are any.

    Errors: ServerElsewhere, ServerNotStopped, FolderInUse.
    """
    embedded(config).wipe()


def make_database_for(config: Config, work: str) -> None:
    """Make the embedded database of `work` anew, unless that very work stands in it half done.

    Half done is what `keep_for` marked, by this version's tables, products and packs.

    Errors: those of `wipe_database`.
    """
    mark = config.data_folder / UNFINISHED
    if not mark.is_file() or mark.read_text("utf-8") != _signature(config, work):
        wipe_database(config)
        mark.unlink(missing_ok=True)


def keep_for(config: Config, work: str) -> None:
    """Mark an embedded database as that of `work`, until `let_go`."""
    (config.data_folder / UNFINISHED).write_text(_signature(config, work), "utf-8")


def let_go(config: Config) -> None:
    """Take the mark away: the work is done."""
    (config.data_folder / UNFINISHED).unlink(missing_ok=True)


def _signature(config: Config, work: str) -> str:
    files = catalogue.read_files(config.catalogue_folder)
    known = {"/".join(key): table for key, table in files.items()}
    text = json.dumps([[one.sha256 for one in read_migrations()], known], sort_keys=True)
    return f"{work} {hashlib.sha256(text.encode()).hexdigest()}"


def start_database(config: Config) -> tuple[Status, bool]:
    """Start and migrate the embedded server; return its status and whether this call started it.

    Errors: ServerElsewhere and those of `Server.start` and `migrate`.
    """
    server = embedded(config)
    is_new = server.start()
    migrate(server.url)
    return server.status(), is_new


def stop_database(config: Config, *, while_used: bool) -> bool:
    """Stop the embedded server; return whether it ran. `while_used` stops it under others' feet.

    Errors: ServerElsewhere, ServerNotStopped, FolderInUse.
    """
    return embedded(config).stop(while_used=while_used)


def embedded(config: Config) -> Server:
    """Return the embedded server of these settings.

    Errors: ServerElsewhere.
    """
    if config.database_url is not None:
        raise ServerElsewhere(setting=URL_SETTING)
    return Server(config.database_folder)


def shell_command(config: Config) -> tuple[list[str], dict[str, str]]:
    """Return the command of a database shell and its environment, starting the server if needed.

    Errors: those of `Server.start`; ProgramsMissing.
    """
    url = config.database_url
    if url is None:
        server = Server(config.database_folder)
        server.start()
        url = server.url
    command, secrets = psql_command(url)
    return command, {**os.environ, **secrets}


def _own_words() -> str:
    """Return what this program was started as, for other programs to read."""
    return " ".join([Path(sys.argv[0]).name.replace("__main__.py", "fenqi"), *sys.argv[1:]])


def _layout(number: int, noise: int) -> bytes:
    """Return an id's bytes from its milliseconds with their counter, and its random bits."""
    milliseconds, counter = number >> COUNTER_BITS, number & (1 << COUNTER_BITS) - 1
    high = milliseconds << 16 | VERSION_7 << COUNTER_BITS | counter
    return HALVES.pack(high, VARIANT << RANDOM_BITS | noise)
