"""The program at its own door: on the test's database, beside a book that goes by its clock."""

from pathlib import Path

import pytest
from make_book import World, open_book
from make_program import Run, program

from fenqi.machine import SystemClock
from fenqi.store.pool import Store

COLUMNS = 250  # so wide that no line of a list is broken


@pytest.fixture
def world(store: Store, monkeypatch: pytest.MonkeyPatch) -> World:
    """A book whose clock is the machine's too."""
    opened = open_book(store)
    monkeypatch.setattr(SystemClock, "now", lambda _: opened.clock.now())
    return opened


@pytest.fixture
def fenqi(database_url: str, tmp_path: Path) -> Run:
    """Runs the program on the test's database."""
    return program(database_url, columns=COLUMNS, FENQI_DATA=str(tmp_path))
