"""Outages a person knows of, told in pieces, too late or in vain; the shipped policies decide."""

from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from make_book import BOOK, World, assert_sound, buy, dump, enrol, pay, row, rows, state, until
from make_shipped import shipped_book
from test_flow_appeal import limit_of, messages
from test_flow_excuse import DUE, assessed, days, excused, inputs, tries
from test_flow_restitution import down

from fenqi.core.values.ids import AccountId
from fenqi.flows import excuse
from fenqi.flows.excuse import Outage, close_incident, open_incident, preview, second
from fenqi.store import incidents
from fenqi.store.incidents import Incident, TakenBack
from fenqi.store.pool import Session, Store
from fenqi.store.trails import Trails


@pytest.fixture
def world(store: Store) -> World:
    """A book that decides by the shipped policies, and writes each trail down each time."""
    opened = shipped_book(store)
    return replace(opened, ground=replace(opened.ground, trails=Trails(written_events=1)))


def test_who_paid_late_on_an_excused_day_was_not_late_though_no_close_saw_it(world: World) -> None:
    account = enrol(world)
    buy(world, account, 100_000, "flat", 3)
    until(world, DUE + timedelta(days=1))
    pay(world, account, 34_000)  # before the day closes: he never crossed into a bucket
    until(world, DUE + timedelta(days=3))
    assessed(world, account)
    assert inputs(world, "limit")["payments_late_180d"] == 1
    open_incident(world.ground, days(2), by="mei")
    until(world, DUE + timedelta(days=4))
    assessed(world, account)
    assert inputs(world, "limit")["payments_late_180d"] == 0
    assert_sound(world)


BY_ACCOUNT = """
SELECT a.account_id,
    (SELECT COUNT(*) FROM operations AS o WHERE o.account_id = a.account_id
        AND o.kind = 'late-charge' AND o.amount_minor < 0),
    (SELECT COALESCE(-SUM(o.amount_minor), 0)::bigint FROM operations AS o
        WHERE o.account_id = a.account_id AND o.kind = 'late-charge' AND o.amount_minor < 0),
    (SELECT COUNT(*) FROM corrections AS c JOIN crossings AS x ON x.account_id = c.account_id
        AND x.event_number = c.number WHERE c.account_id = a.account_id AND x.from_bucket = 0),
    (SELECT COUNT(*) FROM corrections AS c WHERE c.account_id = a.account_id
        AND c.says IS NOT NULL),
    (SELECT COUNT(*) FROM events AS e WHERE e.account_id = a.account_id
        AND e.kind = 'limit-restored')
FROM accounts AS a WHERE a.account_id = ANY(%(accounts)s) ORDER BY a.account_id
"""


@pytest.mark.parametrize("page_accounts", [1, 200])
def test_a_preview_tells_of_each_account_what_the_incident_then_takes_back(
    world: World, monkeypatch: pytest.MonkeyPatch, page_accounts: int
) -> None:
    """Charged and paying late, cut, only late, or not touched at all; nothing is written."""
    monkeypatch.setattr(excuse, "PAGE_ACCOUNTS", page_accounts)
    people = [enrol(world, name) for name in ("charged", "cut")]
    people += [enrol(world, name, statement_day=day) for name, day in (("late", 5), ("never", 1))]
    for one in people:
        buy(world, one, 100_000, "flat", 3)
    until(world, DUE)
    pay(world, people[3], 34_000)
    until(world, DUE + timedelta(days=6))
    pay(world, people[0], 20_000)
    assert assessed(world, people[1]).outcome == "cut"
    limit = limit_of(world, people[1])
    outage = days(3, late=4)
    before = dump(world.store)
    seen = preview(world.ground, outage, by="mei")
    assert dump(world.store) == before
    one = open_incident(world.ground, outage, by="mei")
    now = rows(world.store, BY_ACCOUNT, accounts=people[:3])
    told = [
        (
            back.account_id,
            back.late_charges,
            back.late_charges_minor,
            back.late_times,
            back.late_payments,
            back.cuts,
        )
        for back in seen.backs
    ]
    assert told == now
    charged, cut, late = seen.backs
    assert charged.late_charges_minor > 0 < charged.late_payments
    assert (cut.cuts, cut.limit_minor) == (1, limit_of(world, people[1]) - limit)
    assert cut.limit_minor > 0
    assert (late.late_times, late.cuts) == (1, 0)
    with world.store.transaction() as session:
        assert incidents.taken_back(session, one.incident_id) == TakenBack.of(seen.backs)
    # Said again it is one, and of it nothing is left to take back.
    assert preview(world.ground, outage, by="mei").backs == []
    assert_sound(world)


def test_what_was_given_back_already_is_no_late_charge_to_look_at_again(world: World) -> None:
    account = enrol(world)
    buy(world, account, 100_000, "flat", 3)
    until(world, DUE + timedelta(days=6))
    pay(world, account, 20_000)
    until(world, DUE + timedelta(days=7))
    assert preview(world.ground, days(3), by="mei").touches.late_charges_minor > 0
    open_incident(world.ground, days(3), by="mei")
    given_back = "SELECT COUNT(*) FROM operations WHERE kind = 'late-charge' AND amount_minor < 0"
    assert row(world.store, given_back) > 0
    later = Outage(BOOK, "again", DUE + timedelta(days=7), DUE + timedelta(days=7))
    touches = preview(world.ground, later, by="li").touches
    assert (touches.late_charges, touches.late_charges_minor) == (0, 0)


def test_days_that_count_again_are_told_to_whom_they_were_promised(world: World) -> None:
    account = enrol(world)
    buy(world, account, 100_000, "flat", 3)
    pay(world, account, 100)
    until(world, DUE)
    one = down(world, Outage(BOOK, "The bank is down.", DUE, channel="bank"))
    close_incident(world.ground, one.incident_id, by="li")
    kind, said = messages(world, account)[-1]
    assert (kind, said["through_on"]) == ("days-count-again", DUE.isoformat())
    promised = [said["through_on"] for kind, said in messages(world, account)[:-1]]
    assert max(promised) > said["through_on"]


def test_one_person_excuses_no_more_by_saying_it_in_pieces(world: World) -> None:
    account = enrol(world)
    buy(world, account, 100_000, "flat", 3)
    until(world, DUE + timedelta(days=9))
    open_incident(world.ground, days(2), by="mei")
    again = open_incident(world.ground, days(3, late=4), by="mei")
    assert (again.granted_on, again.waits_for_second) == (DUE + timedelta(days=4), True)
    other = open_incident(world.ground, days(3, late=7), by=" Mei")
    assert (other.span, other.waits_for_second) == (None, True)
    assert len(set(excused(world))) == 3
    # A day said before costs no second one, and what a second person agrees to is as asked.
    same = open_incident(world.ground, Outage(BOOK, "By another name.", DUE, DUE), by="mei")
    assert not same.waits_for_second
    second(world.ground, other.incident_id, by="li")
    assert len(set(excused(world))) == 6
    assert_sound(world)


def test_what_one_person_said_is_found_among_what_many_others_said(world: World) -> None:
    until(world, DUE + timedelta(days=9))
    own = open_incident(world.ground, days(3), by="mei")
    assert not own.waits_for_second
    before = replace(own, from_on=own.from_on - timedelta(days=1), opened_by="li")
    with world.store.transaction() as session:
        for _ in range(incidents.LISTED_MAX):
            incidents.add(session, replace(before, incident_id=world.ground.ids.new()))
    assert open_incident(world.ground, days(3, late=4), by="mei").waits_for_second


def test_an_outage_that_never_came_excuses_no_day(world: World) -> None:
    account = enrol(world)
    buy(world, account, 100_000, "flat", 3)
    pay(world, account, 100)
    until(world, DUE - timedelta(days=5))
    for channel in (None, "bank"):
        begun = DUE + timedelta(days=1)
        outage = Outage(BOOK, "To be mended.", begun, begun + timedelta(days=1), channel)
        one = open_incident(world.ground, outage, by="mei")
        closed = close_incident(world.ground, one.incident_id, by="mei")
        assert (closed.span, closed.waits_for_second, closed.is_carried) == (None, False, True)
    until(world, DUE + timedelta(days=3))
    assert excused(world) == []
    tries(world, account)
    assert inputs(world, "purchase")["overdue_days"] == 3
    assert_sound(world)


def test_no_page_of_an_incident_looks_through_those_before_it_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = [enrol(world, f"p{number}") for number in range(5)]
    for one in people:
        buy(world, one, 100_000, "flat", 3)
    until(world, DUE + timedelta(days=2))
    monkeypatch.setattr("fenqi.flows.excuse.PAGE_ACCOUNTS", 2)
    looked: list[object] = []
    plain = incidents.to_tell

    def spied(session: Session, one: Incident, today: date, **how: Any) -> list[AccountId]:
        looked.append(how["after"])
        return plain(session, one, today, **how)

    monkeypatch.setattr(incidents, "to_tell", spied)
    open_incident(world.ground, days(3), by="mei")
    *pages, last = looked
    assert pages == [pages[0], people[1], people[3], people[4]]
    assert last == pages[0]  # whoever became late meanwhile is looked for once, at the end


def test_a_debt_of_many_excused_days_is_written_off_once_its_age_is_reached(world: World) -> None:
    """Forty days of a channel are excused to one of two: he is written off forty days later."""
    user, other = enrol(world), enrol(world, "bob")
    plans = {one: buy(world, one, 100_000, "flat", 3)[1] for one in (user, other)}
    pay(world, user, 100)
    until(world, DUE)
    outage = Outage(BOOK, "The bank is down.", DUE, DUE + timedelta(days=40), channel="bank")
    down(world, outage)
    age = world.ground.catalogue.pack("cn").write_off_dpd
    until(world, DUE + timedelta(days=age + 39))
    assert {one: state(world, plan) for one, plan in plans.items()} == {
        user: "active",
        other: "written-off",
    }
    until(world, DUE + timedelta(days=age + 41))
    assert state(world, plans[user]) == "written-off"
    assert_sound(world)
