"""Lived books, made once per run; each test that asks gets its own copy of the database."""

import itertools
import os
from collections.abc import Callable, Iterator

import pytest
from copies import copy, drop
from make_eve import live_to_the_eve

from fenqi.store.pool import Store
from lives import lived

COPIES = itertools.count(1)


@pytest.fixture(scope="session")
def lived_database(server_url: str, template: str) -> Iterator[str]:
    """The name of a database with the lived book of `lives`."""
    name = f"fenqi_lived_{os.getpid()}"
    store = Store.open(copy(server_url, template, name))
    lived(store)
    store.close()
    yield name
    drop(server_url, name)


@pytest.fixture
def lived_url(server_url: str, lived_database: str) -> Iterator[str]:
    """The URL of a copy of the lived book, dropped afterwards."""
    name = f"{lived_database}_{next(COPIES)}"
    yield copy(server_url, lived_database, name)
    drop(server_url, name)


@pytest.fixture
def lived_store(lived_url: str) -> Iterator[Store]:
    """A store on a copy of the lived book."""
    opened = Store.open(lived_url)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def eve_database(server_url: str, template: str) -> Iterator[str]:
    """The name of a database whose book is open on the eve of `make_eve`."""
    name = f"fenqi_eve_{os.getpid()}"
    store = Store.open(copy(server_url, template, name))
    live_to_the_eve(store)
    store.close()
    yield name
    drop(server_url, name)


@pytest.fixture
def copied(server_url: str) -> Iterator[Callable[[str], str]]:
    """Makes copies of a database by its name and returns their URLs; dropped afterwards."""
    made: list[str] = []

    def make(source: str) -> str:
        made.append(f"{source}_{next(COPIES)}")
        return copy(server_url, source, made[-1])

    yield make
    for name in made:
        drop(server_url, name)
