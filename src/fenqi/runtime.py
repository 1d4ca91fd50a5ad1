"""What a running fenqi is made of: its settings, the clock, the ids and the store.

The only file that asks the machine for the time, and the only one that reads the environment.

Settings:
    FENQI_DATA          folder of everything fenqi keeps; by default `.fenqi` in a checkout, else
                        ~/.local/share/fenqi, and for root a folder below /var/lib/fenqi
    FENQI_DATABASE_URL  a PostgreSQL server to use; then no embedded server is started
    FENQI_IDENTITY_KEY  the key that seals phone numbers, devices and addresses, in hexadecimal
                        digits; else one is made and kept in the data folder
    FENQI_CATALOGUE     a folder with products/, packs/ and policies/ of your own, laid over the
                        shipped ones
    FENQI_BUREAU_URL    a credit bureau that is asked about who applies; then also
    FENQI_BUREAU_SUBSCRIBER, FENQI_BUREAU_SECRET, FENQI_BUREAU_SECONDS (2)
"""

import hashlib
import json
import os
import random
import struct
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit
from uuid import UUID

import httpx

from fenqi.channels.bureau import Access, HttpBureau
from fenqi.core.errors import Conflict, Invalid
from fenqi.core.ports import Bureau, Clock, IdSource
from fenqi.core.risk.crowd import CrowdRule
from fenqi.core.risk.identity import Sealer
from fenqi.store import catalogue, crowds, identity_key, policies
from fenqi.store.catalogue import Catalogue
from fenqi.store.ground import Ground
from fenqi.store.migrate import migrate
from fenqi.store.migrate import read as read_migrations
from fenqi.store.pool import CONNECTIONS_MAX, Store
from fenqi.store.programs import checkout, system_folder
from fenqi.store.seats import FolderInUse, Seat
from fenqi.store.server import Server, Status, psql_command

DATA_SETTING = "FENQI_DATA"
URL_SETTING = "FENQI_DATABASE_URL"
IDENTITY_KEY_SETTING = "FENQI_IDENTITY_KEY"
CATALOGUE_SETTING = "FENQI_CATALOGUE"
LANGUAGE_SETTING = "FENQI_LANGUAGE"
BUREAU_SETTING = "FENQI_BUREAU_URL"
BUREAU_SUBSCRIBER_SETTING = "FENQI_BUREAU_SUBSCRIBER"
BUREAU_SECRET_SETTING = "FENQI_BUREAU_SECRET"  # noqa: S105 - the name of the setting
BUREAU_SECONDS_SETTING = "FENQI_BUREAU_SECONDS"
BUREAU_SECONDS = 2
BUREAU_SECONDS_MAX = 60
# The first that is set counts; those of the system in the order of POSIX.
LOCALE_SETTINGS = (LANGUAGE_SETTING, "LC_ALL", "LC_MESSAGES", "LANG")

UNFINISHED = "unfinished"  # the file that says whose half-done work a database holds

COUNTER_BITS = 12
HALVES = struct.Struct(">QQ")
RANDOM_BITS = 62
VERSION_7 = 0x7
VARIANT = 0b10


class ClockNaive(Invalid):
    """An instant without a time zone was given to a clock."""

    code = "clock-naive"


class BureauSettingsInvalid(Invalid):
    """A setting of the credit bureau is missing or makes no sense; its secret is not repeated."""

    code = "bureau-settings-invalid"


class ServerElsewhere(Conflict):
    """FENQI_DATABASE_URL is set, so there is no embedded server to start or stop."""

    code = "server-elsewhere"


def speaks_chinese(environment: Mapping[str, str] | None = None) -> bool:
    """Whether the person at this machine reads Chinese, by the usual settings of a language."""
    given = os.environ if environment is None else environment
    locale = next((given[name] for name in LOCALE_SETTINGS if given.get(name)), "")
    return locale.replace("-", "_").partition("_")[0].partition(".")[0].lower() == "zh"


class SystemClock:
    """Tells the machine's time."""

    def now(self) -> datetime:
        """Return the present instant in UTC."""
        return datetime.now(UTC)


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


@dataclass(frozen=True, slots=True)
class Config:
    """The settings of one running fenqi."""

    data_folder: Path
    database_url: str | None = None
    catalogue_folder: Path | None = None
    identity_key: str | None = field(default=None, repr=False)
    connections_max: int = CONNECTIONS_MAX
    bureau: Access | None = None

    @classmethod
    def from_environment(cls, environment: Mapping[str, str] | None = None) -> "Config":
        """Read the settings; an empty one counts as not given."""
        given = os.environ if environment is None else environment
        data = given.get(DATA_SETTING)
        folder = Path(data).expanduser().absolute() if data else default_data_folder(given)
        catalogue = given.get(CATALOGUE_SETTING)
        return cls(
            data_folder=folder,
            database_url=given.get(URL_SETTING) or None,
            catalogue_folder=Path(catalogue).expanduser() if catalogue else None,
            identity_key=given.get(IDENTITY_KEY_SETTING) or None,
            bureau=_bureau_access(given),
        )

    @property
    def database_folder(self) -> Path:
        """Return the folder of the embedded server."""
        return self.data_folder / "postgres"


def _bureau_access(given: Mapping[str, str]) -> Access | None:
    """Return where the bureau is and how it knows us, None if none is set.

    Errors: BureauSettingsInvalid.
    """
    url = given.get(BUREAU_SETTING)
    if not url:
        return None
    for setting in (BUREAU_SUBSCRIBER_SETTING, BUREAU_SECRET_SETTING):
        if not given.get(setting):
            raise BureauSettingsInvalid(setting=setting, expected="what the bureau gave you")
    parts = urlsplit(url)
    is_here = parts.hostname in ("127.0.0.1", "::1", "localhost")
    if not parts.hostname or parts.scheme not in ("https", "http" if is_here else "https"):
        expected = "an https address, or an http address of this machine"
        raise BureauSettingsInvalid(setting=BUREAU_SETTING, expected=expected)
    seconds = given.get(BUREAU_SECONDS_SETTING) or str(BUREAU_SECONDS)
    if not (seconds.isascii() and seconds.isdigit() and 1 <= int(seconds) <= BUREAU_SECONDS_MAX):
        expected = f"whole seconds from 1 to {BUREAU_SECONDS_MAX}"
        raise BureauSettingsInvalid(setting=BUREAU_SECONDS_SETTING, expected=expected)
    subscriber, secret = given[BUREAU_SUBSCRIBER_SETTING], given[BUREAU_SECRET_SETTING]
    return Access(url, subscriber, secret, int(seconds))


@contextmanager
def open_bureau(config: Config) -> Iterator[Bureau | None]:
    """Open the way to the bureau of these settings, None if there is none."""
    if config.bureau is None:
        yield None
        return
    with httpx.Client(trust_env=False) as client:
        yield HttpBureau(client, config.bureau, elapsed=time.monotonic)


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

        Products and packs of the files are installed as versions on the way.

        With `stop_after` a server started by this call is stopped by the last program to leave.
        `others` names the programs that work in the same folder already.

        Errors: those of `Server.start`, `migrate`, `Store.open` and `catalogue.install`.
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
            crowd = crowds.own(config.catalogue_folder)
            migrate(url)
            store = Store.open(url, connections_max=config.connections_max)
            with store.transaction() as session:
                catalogue.install(session, clock.now(), config.catalogue_folder)
                policies.install(session, clock.now(), config.catalogue_folder)
                known = catalogue.load(session)
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


def default_data_folder(environment: Mapping[str, str]) -> Path:
    """Return where data goes when no setting says so."""
    if os.geteuid() == 0:
        return system_folder()
    root = checkout()
    if root is not None and os.access(root, os.W_OK):
        return root / ".fenqi"
    home = environment.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(home) / "fenqi"


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
