"""A lived book, made once per run; each test that asks gets its own copy of the database."""

import itertools
import os
from collections.abc import Iterator
from urllib.parse import urlsplit, urlunsplit

import psycopg
import pytest
from psycopg import sql

from fenqi.store.pool import Store
from lives import lived

COPIES = itertools.count(1)


def _copy(server_url: str, source: str, name: str) -> str:
    """Copy a database and return the copy's URL."""
    order = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(order.format(sql.Identifier(name), sql.Identifier(source)))
    return urlunsplit(urlsplit(server_url)._replace(path=f"/{name}"))


def _drop(server_url: str, name: str) -> None:
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


@pytest.fixture(scope="session")
def lived_database(server_url: str, template: str) -> Iterator[str]:
    """The name of a database with the lived book of `lives`."""
    name = f"fenqi_lived_{os.getpid()}"
    store = Store.open(_copy(server_url, template, name))
    lived(store)
    store.close()
    yield name
    _drop(server_url, name)


@pytest.fixture
def lived_url(server_url: str, lived_database: str) -> Iterator[str]:
    """The URL of a copy of the lived book, dropped afterwards."""
    name = f"{lived_database}_{next(COPIES)}"
    yield _copy(server_url, lived_database, name)
    _drop(server_url, name)


@pytest.fixture
def lived_store(lived_url: str) -> Iterator[Store]:
    """A store on a copy of the lived book."""
    opened = Store.open(lived_url)
    yield opened
    opened.close()
