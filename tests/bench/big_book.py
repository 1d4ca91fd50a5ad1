"""A book of a million plans in a database nobody connects to; rounds work on copies of it.

Loading takes minutes, so it is done once per number of plans, schema and script: the name of the
database says which, and a load that was cut off is begun again.
"""

import hashlib
from datetime import UTC, date, datetime, time
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

from fenqi.flows.found import Found, enlist, found
from fenqi.runtime import Ids, MovingClock
from fenqi.store import catalogue
from fenqi.store.ground import Ground
from fenqi.store.migrate import migrate
from fenqi.store.migrate import read as read_migrations
from fenqi.store.pool import Store

BOOK = "big"
DAY = date(2026, 8, 12)
OPENED = date(2026, 1, 2)
SCRIPT = Path(__file__).with_name("big_book.sql")
COPY = "CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY"
DROP = "DROP DATABASE IF EXISTS {} WITH (FORCE)"


def at(url: str, database: str) -> str:
    """Return the URL of another database on the same server."""
    return urlunsplit(urlsplit(url)._replace(path=f"/{database}"))


def run(url: str, *orders: str, **names: str) -> None:
    """Run orders that no transaction may hold, with names of databases in them."""
    with psycopg.connect(url, autocommit=True) as connection:
        for order in orders:
            known = {name: sql.Identifier(value) for name, value in names.items()}
            connection.execute(sql.SQL(order).format(**known))


def run_script(connection: "psycopg.Connection", script: Path, **values: object) -> None:
    """Run a file of statements; one %(name)s is one value, put in before it is sent."""
    psycopg.ClientCursor(connection).execute(script.read_text("utf-8"), values)


def ground_of(store: Store, day: date) -> Ground:
    """Return what a flow needs, the clock at noon of `day`."""
    clock = MovingClock(datetime.combine(day, time(12), UTC))
    with store.transaction() as session:
        known = catalogue.load(session)
    return Ground(store, clock, Ids(clock, seed=1), known)


def big_book(url: str, plans: int, *, all_due: bool) -> str:
    """Return the name of a database with a book on the morning of `DAY`; loads it if it is new."""
    signature = hashlib.sha256(SCRIPT.read_bytes())
    for one in read_migrations():
        signature.update(one.sha256.encode())
    name = f"big_{plans}_{'all' if all_due else 'normal'}_{signature.hexdigest()[:8]}"
    with psycopg.connect(url) as connection:
        asked = "SELECT 1 FROM pg_database WHERE datname = %s"
        if connection.execute(asked, [name]).fetchone():
            return name
    half = f"{name}_half"
    run(url, DROP.replace("{}", "{half}"), "CREATE DATABASE {half} TEMPLATE template0", half=half)
    _load(at(url, half), plans, all_due=all_due)
    run(url, "ALTER DATABASE {half} RENAME TO {name}", half=half, name=name)
    return name


def _load(url: str, plans: int, *, all_due: bool) -> None:
    migrate(url)
    store = Store.open(url)
    with store.transaction() as session:
        catalogue.install(session, datetime.combine(OPENED, time(12), UTC))
    ground = ground_of(store, OPENED)
    found(
        ground,
        Found(book_id=BOOK, legal_entity="Big", currency="CNY", zone="UTC", opened_on=OPENED),
    )
    merchant = enlist(ground, BOOK, ["shop"])["shop"]
    asked = {"plans": plans, "all": all_due, "book": BOOK, "merchant": merchant, "day": DAY}
    asked["version"] = ground.catalogue.product("flat").version
    asked["pack_version"] = ground.catalogue.pack("cn").version
    store.close()
    with psycopg.connect(url) as connection:
        run_script(connection, SCRIPT, **asked)
    run(url, "VACUUM (FREEZE, ANALYZE)", "CHECKPOINT")
