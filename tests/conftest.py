"""One embedded server per process of a test run, one fresh migrated database per test that asks.

The server lies in memory where there is enough: a database is some six hundred files, and to make
and drop one is most of what many a test does. On a busy disk that took two seconds, not a fifth.

Set FENQI_DATABASE_URL to run the same tests on a server of your own; its user must be able to
create databases.
"""

import itertools
import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from hypothesis import HealthCheck, settings
from psycopg import sql

from fenqi.store.migrate import migrate
from fenqi.store.pool import Store
from fenqi.store.programs import checkout_id, owner, system_folder
from fenqi.store.server import Server

TEMPLATE = f"fenqi_template_{os.getpid()}"
NUMBERS = itertools.count(1)
# No test pulls the plug of the machine, so nobody waits for its disk. What is durable has servers
# of its own: `test_server.py`, `test_failures.py`, `tests/soak`. Nothing is analysed meanwhile, for
# a plan that a test looks at would depend on when.
HASTY = """
fsync = off
autovacuum = off
full_page_writes = off
shared_buffers = 128MB
min_wal_size = 80MB
max_wal_size = 256MB
"""
MEMORY = Path("/dev/shm")
MEMORY_BYTES_MIN = 1 << 30  # free, for the server of each process

# The gate asks the laws about the same examples each time, so that it turns red for a change only;
# `make soak` searches anew, with more of them, and prints what repeats a failure. No law is about
# how fast a machine makes up examples.
PATIENT: dict[str, Any] = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}
settings.register_profile("gate", derandomize=True, **PATIENT)
settings.register_profile("search", max_examples=500, print_blob=True, **PATIENT)
settings.load_profile(os.environ.get("FENQI_EXAMPLES", "gate"))

os.environ["FENQI_LANGUAGE"] = "en"  # what tests read on a terminal, whatever this machine speaks


def at(url: str, database: str) -> str:
    """Return the URL of another database on the same server."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{database}"))


def remove_left_over(parent: Path, prefix: str) -> None:
    """Stop and remove the servers of test runs that were killed; one process of a run does so."""
    if os.environ.get("PYTEST_XDIST_WORKER", "gw0") != "gw0":
        return
    for folder in parent.glob(f"{prefix}-*"):
        pid = folder.name.removeprefix(prefix).split("-")[1]
        if not Path(f"/proc/{pid}").exists():
            for server in (place.parent for place in folder.rglob("cluster")):
                Server(server).stop()
            shutil.rmtree(folder)


@pytest.fixture
def heard_interrupts() -> Iterator[None]:
    """Let programs that a test starts hear Ctrl-C, wherever the test itself was started.

    What a shell starts in its background ignores Ctrl-C, and so does all that is started from
    there; the program heeds that. A handler, in turn, is not handed on: only the default is.
    """
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def private_folder(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder on a disk servers may live in: for root one the system user can reach."""
    if os.geteuid() != 0:
        yield tmp_path_factory.mktemp("servers")
        return
    remove_left_over(system_folder(), "tests")
    system_folder().mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"tests-{os.getpid()}-", dir=system_folder()))
    folder.chmod(0o755)
    yield folder
    shutil.rmtree(folder)


def has_room_in_memory() -> bool:
    processes = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1"))
    return (
        os.access(MEMORY, os.W_OK)
        and shutil.disk_usage(MEMORY).free >= MEMORY_BYTES_MIN * processes
    )


@pytest.fixture(scope="session")
def shared_folder(private_folder: Path) -> Iterator[Path]:
    """The folder of the server all tests share: in memory if there is room."""
    if not has_room_in_memory():
        yield private_folder / "shared"
        return
    prefix = f"fenqi-tests-{checkout_id()}"
    remove_left_over(MEMORY, prefix)
    folder = Path(tempfile.mkdtemp(prefix=f"{prefix}-{os.getpid()}-", dir=MEMORY))
    folder.chmod(0o755)
    yield folder / "shared"
    shutil.rmtree(folder)


@pytest.fixture(scope="session")
def server_url(shared_folder: Path) -> Iterator[str]:
    """The URL of a server on which tests may create databases."""
    given = os.environ.get("FENQI_DATABASE_URL")
    if given:
        yield given
        return
    server = Server(shared_folder)
    server.start()
    server.stop()
    settings = server.folder / "settings.conf"
    settings.write_text(HASTY)
    os.chown(settings, owner().uid, owner().gid)
    server.start()
    yield server.url
    server.stop()


@pytest.fixture(scope="session")
def template(server_url: str) -> Iterator[str]:
    """The name of a migrated database nobody connects to; copies of it are cheap."""
    create(server_url, TEMPLATE)
    migrate(at(server_url, TEMPLATE))
    yield TEMPLATE
    drop(server_url, TEMPLATE)


@pytest.fixture
def empty_url(server_url: str) -> Iterator[str]:
    """The URL of a fresh database without any migration, dropped afterwards."""
    name = f"fenqi_empty_{os.getpid()}_{next(NUMBERS)}"
    create(server_url, name)
    yield at(server_url, name)
    drop(server_url, name)


@pytest.fixture
def database_url(server_url: str, template: str) -> Iterator[str]:
    """The URL of a fresh migrated database, dropped afterwards."""
    name = f"fenqi_test_{os.getpid()}_{next(NUMBERS)}"
    create(server_url, name, template=template)
    yield at(server_url, name)
    drop(server_url, name)


@pytest.fixture
def store(database_url: str) -> Iterator[Store]:
    """A store on a fresh migrated database."""
    opened = Store.open(database_url)
    yield opened
    opened.close()


def create(url: str, name: str, *, template: str = "template0") -> None:
    # Files are copied as files: half the time of the default, which writes them to the log too.
    order = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(order.format(sql.Identifier(name), sql.Identifier(template)))


def drop(url: str, name: str) -> None:
    order = sql.SQL("DROP DATABASE IF EXISTS {} WITH (FORCE)")
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(order.format(sql.Identifier(name)))
