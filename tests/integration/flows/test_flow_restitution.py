"""What a cut took comes back once and whole, for outages and appeals; under shipped policies."""

from dataclasses import replace
from datetime import date, timedelta

import pytest
from make_book import BOOK, World, assert_sound, buy, enrol, pay, until
from make_shipped import shipped_book
from test_flow_appeal import appealed, found, limit_of, messages
from test_flow_excuse import DUE, LIMIT, assessed, days

from fenqi.core.risk.appeal import Answer
from fenqi.flows.excuse import Outage, open_incident, second
from fenqi.store.incidents import Incident
from fenqi.store.pool import Store
from fenqi.store.trails import Trails


@pytest.fixture
def world(store: Store) -> World:
    """A book that decides by the shipped policies, and writes each trail down each time."""
    opened = shipped_book(store)
    return replace(opened, ground=replace(opened.ground, trails=Trails(written_events=1)))


def down(world: World, outage: Outage) -> Incident:
    """Let an outage be excused as long as it was."""
    one = open_incident(world.ground, outage, by="mei")
    return second(world.ground, one.incident_id, by="li")


def test_a_cut_comes_back_when_two_outages_together_excuse_its_days(world: World) -> None:
    """Six days late: the policy cuts from the fourth on, and each outage takes two."""
    account = enrol(world)
    buy(world, account, 100_000, "flat", 3)
    until(world, DUE + timedelta(days=6))
    assert assessed(world, account).outcome == "cut"
    open_incident(world.ground, days(2, late=1), by="mei")
    assert limit_of(world, account) < LIMIT
    open_incident(world.ground, days(2, late=3), by="li")
    assert limit_of(world, account) == LIMIT
    assert_sound(world)


def test_the_parts_of_a_cut_come_back_one_by_one_as_outages_are_told(world: World) -> None:
    """Late three times and paid, late now: told of the last first, then of the first."""
    account = enrol(world)
    buy(world, account, 600_000, "flat", 6)
    dues = [date(2026, month, 10) for month in (2, 3, 4, 5)]
    for due in dues[:3]:
        until(world, due + timedelta(days=3))
        pay(world, account, 106_000)
    until(world, dues[3] + timedelta(days=6))
    cut = assessed(world, account)
    assert cut.parts.keys() == {"often-late", "overdue", "overdue-again-and-again"}
    for due, left in ((dues[3], -cut.parts["often-late"]), (dues[0], 0)):
        down(world, Outage(BOOK, f"down on {due}", due, due + timedelta(days=6)))
        assert limit_of(world, account) == LIMIT - left
    told = [said["parts"] for kind, said in messages(world, account) if kind == "limit-restored"]
    assert sum(sum(parts.values()) for parts in told) == cut.old_minor - cut.new_minor
    assert_sound(world)


def test_what_came_back_once_does_not_come_back_from_another_cut(world: World) -> None:
    """The first cut was given back for an outage; an appeal against it leaves the second one."""
    account = enrol(world)
    buy(world, account, 600_000, "flat", 6)
    until(world, DUE + timedelta(days=6))
    first = assessed(world, account)
    down(world, days(7))
    assert limit_of(world, account) == LIMIT
    pay(world, account, 104_000)
    for month in (3, 4, 5):
        until(world, date(2026, month, 9))
        pay(world, account, 104_000)
    until(world, date(2026, 6, 16))
    again = assessed(world, account)
    assert (first.parts, first.outcome) == (again.parts, "cut")
    closed = found(world, account, appealed(world, account, first.decision_id), Answer.UPHELD)
    assert closed.restored is None
    assert limit_of(world, account) == again.new_minor
    # Nor does what an appeal gave back come back for an outage.
    found(world, account, appealed(world, account, again.decision_id), Answer.UPHELD)
    assert limit_of(world, account) == LIMIT
    down(world, Outage(BOOK, "down in June", date(2026, 6, 10), date(2026, 6, 16)))
    assert limit_of(world, account) == LIMIT
    assert_sound(world)
