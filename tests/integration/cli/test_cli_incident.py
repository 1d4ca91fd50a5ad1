"""Outages at the door: previewed, opened, agreed to by a second person, listed, closed."""

import json
from collections.abc import Callable
from datetime import date

import pytest
from click.testing import Result
from make_book import World, assert_sound, buy, enrol, kinds, open_book, row, until
from typer.testing import CliRunner

from fenqi.cli import app
from fenqi.machine import SystemClock
from fenqi.store.pool import Store

Run = Callable[..., Result]


@pytest.fixture
def world(store: Store, monkeypatch: pytest.MonkeyPatch) -> World:
    """A book whose clock is the machine's too."""
    opened = open_book(store)
    monkeypatch.setattr(SystemClock, "now", lambda _: opened.clock.now())
    return opened


@pytest.fixture
def fenqi(database_url: str) -> Run:
    environment = {"FENQI_DATABASE_URL": database_url, "COLUMNS": "200", "TERM": "dumb"}
    return lambda *words, **more: CliRunner().invoke(
        app, list(map(str, words)), env=environment | more
    )


def test_an_outage_is_said_from_the_preview_to_its_end(world: World, fenqi: Run) -> None:
    account = enrol(world)
    buy(world, account, 100_000, "flat", 3)
    until(world, date(2026, 2, 15))
    words = ("--from", "2026-02-10", "--days", 6, "--reason", "Debits did not run.", "--by", "mei")
    shown = fenqi("incident", "open", *words, "--preview")
    assert "2026-02-10 to 2026-02-12" in shown.output
    assert "accounts 1, times of being late 1" in shown.output
    assert row(world.store, "SELECT COUNT(*) FROM incidents") == 0
    opened = fenqi("incident", "open", *words)
    incident = str(row(world.store, "SELECT incident_id FROM incidents"))
    assert opened.output.splitlines() == [
        f"2026-02-10 to 2026-02-12 are excused: {incident}",
        "to 2026-02-15 once a second person agrees:",
        f"  fenqi incident second {incident} --by SOMEBODY_ELSE",
    ]
    assert fenqi("incident", "second", incident, "--by", "mei").exit_code != 0
    agreed = fenqi("incident", "second", incident, "--by", "li")
    assert agreed.output == f"2026-02-10 to 2026-02-15 are excused: {incident}\n"
    assert kinds(world, account)[-2:] == ["days-excused", "facts-corrected"]
    listed = fenqi("incident", "list", FENQI_LANGUAGE="zh-CN").output
    assert "2026-02-15" in listed
    assert "Debits did not run." in listed
    assert fenqi("incident", "close", incident, "--by", "li").exit_code == 0
    assert fenqi("incident", "list").output.strip() == "No incident."
    told = json.loads(fenqi("incident", "list", "--all", "--json").output)
    assert [(one["opened_by"], one["seconded_by"], one["closed_by"]) for one in told] == [
        ("mei", "li", "li")
    ]
    again = fenqi("incident", "close", incident, "--by", "li")
    assert "is closed; what it excused stays excused" in " ".join(again.output.split())
    assert_sound(world)


def test_what_makes_no_sense_is_refused_by_name(world: World, fenqi: Run) -> None:
    both = ("--from", "2026-01-05", "--days", 2, "--to", "2026-01-06")
    said = ("--reason", "why", "--by", "mei")
    assert "either --days or --to" in fenqi("incident", "open", *both, *said).output
    before = fenqi("incident", "open", "--from", "2025-12-31", "--days", 2, *said)
    assert "2025-12-31 to 2026-01-01 cannot be excused" in " ".join(before.output.split())
    missing = fenqi("incident", "close", world.merchant, "--by", "mei")
    assert "There is no incident" in missing.output
