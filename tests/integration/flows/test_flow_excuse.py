"""What is a channel's or our own fault never counts against a customer (P5); shipped policies."""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import date, timedelta
from typing import Any

import pytest
from make_book import (
    BOOK,
    World,
    assert_sound,
    buy,
    done,
    enrol,
    key,
    kinds,
    open_book,
    pay,
    payment,
    penalties,
    purchase,
    row,
    rows,
    told_of_last,
    until,
)

from fenqi.core.errors import Unavailable
from fenqi.core.risk.case import TookPart
from fenqi.core.risk.fact import Cause
from fenqi.core.risk.record import to_json
from fenqi.core.values.ids import AccountId
from fenqi.flows.assess import Assess, Assessed, assess
from fenqi.flows.authorise import Authorised, authorise
from fenqi.flows.excuse import (
    IncidentClosed,
    IncidentInvalid,
    NothingWaits,
    Outage,
    carry,
    close_incident,
    open_incident,
    preview,
    second,
)
from fenqi.flows.observe import Observe, Told, observe
from fenqi.flows.receive import MoneyState, Received, receive
from fenqi.store import decision_records, policies
from fenqi.store.pool import Store
from fenqi.store.trails import Trails
from fenqi.worker.heed import heed_on

DUE = date(2026, 2, 10)  # of the first bill: the statement of 1 February, nine days later
LIMIT = 5_000_000


@pytest.fixture
def world(store: Store) -> World:
    """A book that decides by the shipped policies, and writes each trail down each time."""
    opened = open_book(store)
    with store.transaction() as session:
        policies.install(session, opened.clock.now())
    return replace(
        opened, ground=replace(opened.ground, asks_policies=True, trails=Trails(written_events=1))
    )


def inputs(world: World, kind: str) -> Mapping[str, Any]:
    """Return what the latest decision of a kind looked at."""
    sql = (
        "SELECT decision_id FROM decisions WHERE kind = %(kind)s ORDER BY decision_id DESC LIMIT 1"
    )
    with world.store.transaction() as session:
        record = decision_records.read(session, session.rows(sql, {"kind": kind})[0][0])
    found: Mapping[str, Any] = json.loads(to_json(record))["decision"]["inputs"]
    return found


def tries(world: World, account: AccountId) -> Authorised:
    """Let the customer try a small purchase; it is not taken."""
    command = purchase(world, account, 1_000, capture_now=False)
    return done(authorise(world.ground, [command])[0])


def assessed(world: World, account: AccountId) -> Assessed:
    command = Assess(scope_id=str(account), key=key(world), account_id=account)
    return done(assess(world.ground, [command])[0])


def tell(world: World, account: AccountId, kind: str, *, days_ago: int = 0, **said: Any) -> None:
    at = world.clock.now() - timedelta(days=days_ago)
    told = Told(kind, at, said)
    command = Observe(scope_id=str(account), key=key(world), account_id=account, facts=(told,))
    done(observe(world.ground, [command])[0])


def fails(
    world: World, account: AccountId, receipt: str, amount_minor: int, cause: Cause
) -> Received:
    command = payment(world, account, amount_minor, state=MoneyState.REVERSED, receipt=receipt)
    fields = {name: getattr(command, name) for name in command.__struct_fields__}
    return done(receive(world.ground, [type(command)(**fields | {"cause": cause})])[0])


def assert_not_late(world: World, account: AccountId) -> None:
    """Assert that no decision sees the customer late, and nothing was held against him."""
    bought = tries(world, account)
    assert (bought.outcome, bought.reasons) == ("approve", [])
    assert inputs(world, "purchase")["overdue_days"] == 0
    kept = assessed(world, account)
    assert (kept.outcome, kept.new_minor) in {("kept", LIMIT), ("offered", kept.new_minor)}
    seen = inputs(world, "limit")
    assert (seen["overdue_days"], seen["overdue_episodes_365d"]) == (0, 0)
    heed_on(world.ground, {})
    assert rows(world.store, "SELECT 1 FROM protections") == []
    told = kinds(world, account)
    assert told.count("limit-cut") == told.count("limit-restored")


def crossings(world: World) -> list[tuple[Any, ...]]:
    return rows(world.store, "SELECT from_bucket, to_bucket FROM crossings ORDER BY event_number")


def late_charges(world: World) -> int:
    sql = "SELECT COALESCE(SUM(amount_minor), 0)::bigint FROM operations WHERE kind = 'late-charge'"
    found: int = row(world.store, sql)
    return found


def test_who_paid_on_the_due_day_is_not_overdue_while_the_debit_is_on_its_way(
    world: World,
) -> None:
    account = enrol(world)
    _, plan = buy(world, account, 100_000, "flat", 3)
    until(world, DUE)
    due = 34_000
    receipt = pay(world, account, due, state=MoneyState.PENDING)
    until(world, DUE + timedelta(days=9))
    assert_not_late(world, account)
    assert (crossings(world), late_charges(world)) == ([], 0)
    pay(world, account, due, receipt=receipt.receipt_id)
    until(world, DUE + timedelta(days=12))
    assert_not_late(world, account)
    assert (crossings(world), penalties(world, plan)[0], late_charges(world)) == ([], 0, 0)
    assert row(world.store, "SELECT COUNT(*) FROM accounts WHERE excused_on IS NOT NULL") == 0
    assert_sound(world)


def test_money_that_fails_for_the_customers_reasons_counts_from_the_due_day(world: World) -> None:
    account, twin = enrol(world), enrol(world, "bob")
    _, plan = buy(world, account, 100_000, "flat", 3)
    _, unpaid = buy(world, twin, 100_000, "flat", 3)
    until(world, DUE)
    receipt = pay(world, account, 34_000, state=MoneyState.PENDING)
    until(world, DUE + timedelta(days=6))
    fails(world, account, receipt.receipt_id, 34_000, Cause.CUSTOMER)
    for each in (account, twin):
        assert tries(world, each).outcome == "decline"
        assert told_of_last(world, each) == ["payment-overdue"]
        assert inputs(world, "purchase")["overdue_days"] == 6
        assessed(world, each)
        assert inputs(world, "limit")["overdue_episodes_365d"] == 1
    assert crossings(world) == [(0, 1), (0, 1)]
    until(world, date(2026, 3, 2))  # a statement asks for what being late costs
    assert penalties(world, plan) == penalties(world, unpaid) != [0, 0, 0]
    assert_sound(world)


def test_money_that_fails_for_the_channels_reasons_stays_excused(world: World) -> None:
    account = enrol(world)
    buy(world, account, 100_000, "flat", 3)
    until(world, DUE)
    receipt = pay(world, account, 34_000, state=MoneyState.PENDING)
    until(world, DUE + timedelta(days=4))
    fails(world, account, receipt.receipt_id, 34_000, Cause.CHANNEL)
    until(world, DUE + timedelta(days=8))
    assert_not_late(world, account)
    until(world, DUE + timedelta(days=13))  # the pack's bound is ten days
    tries(world, account)
    assert inputs(world, "purchase")["overdue_days"] == 3
    assert_sound(world)


def test_money_that_pays_only_a_part_excuses_nothing(world: World) -> None:
    account = enrol(world)
    buy(world, account, 100_000, "flat", 3)
    until(world, DUE)
    pay(world, account, 10_000, state=MoneyState.PENDING)
    until(world, DUE + timedelta(days=3))
    assert tries(world, account).outcome == "decline"
    assert told_of_last(world, account) == ["payment-overdue"]
    pay(world, account, 24_000, state=MoneyState.PENDING)  # now both together do
    until(world, DUE + timedelta(days=6))
    tries(world, account)
    assert inputs(world, "purchase")["overdue_days"] == 3
    assert_sound(world)


@pytest.mark.parametrize(
    ("kind", "said"),
    [
        ("payment-failed", {"cause": "channel", "amount_minor": 34_000, "channel": "alipay"}),
        ("channel-failed", {"channel": "alipay"}),
    ],
)
def test_days_of_a_channel_that_failed_are_excused_until_the_bound(
    world: World, kind: str, said: dict[str, Any]
) -> None:
    account = enrol(world)
    _, plan = buy(world, account, 100_000, "flat", 3)
    until(world, DUE)
    tell(world, account, kind, **said)
    until(world, DUE + timedelta(days=8))
    assert_not_late(world, account)
    assert (crossings(world), late_charges(world)) == ([], 0)
    until(world, DUE + timedelta(days=12))
    tries(world, account)
    assert inputs(world, "purchase")["overdue_days"] == 2
    assert (crossings(world), penalties(world, plan)) == ([(0, 1)], [0, 0, 0])
    assert_sound(world)


def test_a_channel_that_is_back_ends_what_it_excuses(world: World) -> None:
    account = enrol(world)
    buy(world, account, 100_000, "flat", 3)
    until(world, DUE)
    tell(world, account, "channel-failed", channel="alipay")
    until(world, DUE + timedelta(days=2))
    tell(world, account, "channel-restored", channel="wechat")  # another one
    tell(world, account, "channel-restored", channel="alipay")
    until(world, DUE + timedelta(days=5))
    tries(world, account)
    assert inputs(world, "purchase")["overdue_days"] == 3
    assert_sound(world)


def test_the_close_and_a_replay_see_the_same_days(world: World) -> None:
    """Some of a book have days of their own: the set-wise close comes to what replays come to."""
    people = [enrol(world, f"p{number}") for number in range(6)]
    for number, one in enumerate(people):
        buy(world, one, 60_000 + number, "flat", 3)
    until(world, DUE)
    for one in people[::2]:
        tell(world, one, "channel-failed", channel="alipay")
    for month in (2, 3, 4, 5):
        until(world, date(2026, month, 28))
        assert_sound(world)
    late = rows(world.store, "SELECT account_id, booked_on FROM crossings WHERE from_bucket = 0")
    assert {one: on for one, on in late} == {
        one: DUE + timedelta(days=11 if place % 2 == 0 else 1) for place, one in enumerate(people)
    }
    assert row(world.store, "SELECT business_date FROM books WHERE book_id = %(b)s", b=BOOK)


def test_money_told_late_takes_back_what_was_held_against_the_customer(world: World) -> None:
    """Paid on the due day, told six days later: as if it had been told at once."""
    account = enrol(world)
    _, plan = buy(world, account, 100_000, "flat", 3)
    until(world, DUE + timedelta(days=6))
    cut = assessed(world, account)
    assert (cut.outcome, "payment-overdue" in cut.reasons) == ("cut", True)
    assert inputs(world, "limit")["overdue_episodes_365d"] == 1
    pay(world, account, 34_000, days_ago=6)
    assert kinds(world, account)[-3:] == ["receipt-final", "facts-corrected", "limit-restored"]
    told = "SELECT payload, number FROM events WHERE kind = 'limit-restored'"
    (payload, number) = row(world.store, told)
    assert (payload["old_minor"], payload["new_minor"]) == (cut.new_minor, LIMIT)
    assert sum(payload["parts"].values()) == LIMIT - cut.new_minor
    outbox = "SELECT topic FROM outbox WHERE event_number = %(number)s"
    assert row(world.store, outbox, number=number) == "customer"
    assert_not_late(world, account)
    assert penalties(world, plan)[0] == 0
    until(world, DUE + timedelta(days=20))
    assert_not_late(world, account)
    assert_sound(world)


def test_plans_that_miss_one_due_day_are_one_time_overdue(world: World) -> None:
    """Four plans, late, paid, and late the month after: once, then twice."""
    account = enrol(world)
    bought = [buy(world, account, 30_000, "flat", 3)[1] for _ in range(4)]
    until(world, DUE + timedelta(days=2))
    assert kinds(world, account).count("bucket-crossed") == len(bought)
    kept = assessed(world, account)
    assert "overdue-before" not in kept.reasons
    assert inputs(world, "limit")["overdue_episodes_365d"] == 1
    pay(world, account, 42_000)
    until(world, date(2026, 3, 10))
    assessed(world, account)
    seen = inputs(world, "limit")
    assert (seen["overdue_days"], seen["overdue_episodes_365d"]) == (0, 1)
    until(world, date(2026, 3, 12))
    kept = assessed(world, account)
    assert "overdue-before" not in kept.reasons
    seen = inputs(world, "limit")
    assert (seen["overdue_days"], seen["overdue_episodes_365d"]) == (2, 2)
    assert_sound(world)


def test_a_failure_told_late_takes_back_what_was_held_against_the_customer(world: World) -> None:
    account = enrol(world)
    buy(world, account, 100_000, "flat", 3)
    until(world, DUE + timedelta(days=6))
    assert assessed(world, account).outcome == "cut"
    tell(world, account, "payment-failed", days_ago=6, cause="channel", amount_minor=34_000)
    assert_not_late(world, account)
    assert "limit-restored" in kinds(world, account)
    pay(world, account, 34_000)
    assessed(world, account)
    seen = inputs(world, "limit")
    assert (seen["payments_late_180d"], seen["overdue_episodes_365d"]) == (0, 0)
    assert_sound(world)


def test_what_is_true_of_a_cut_stays(world: World) -> None:
    """Twenty days late, and a channel failed on the last three of them."""
    account = enrol(world)
    buy(world, account, 100_000, "flat", 3)
    until(world, DUE + timedelta(days=20))
    cut = assessed(world, account)
    assert cut.outcome == "cut"
    tell(world, account, "channel-failed", days_ago=2, channel="alipay")
    assessed(world, account)
    seen = inputs(world, "limit")
    assert (seen["overdue_days"], seen["overdue_episodes_365d"]) == (17, 1)
    assert "limit-restored" not in kinds(world, account)
    assert "facts-corrected" not in kinds(world, account)
    assert_sound(world)


def days(count: int, *, channel: str | None = None, late: int = 0) -> Outage:
    """Return an outage of so many days from the due day on, or later."""
    begun = DUE + timedelta(days=late)
    return Outage(BOOK, "Our app was down.", begun, begun + timedelta(days=count - 1), channel)


def excused(world: World) -> list[date]:
    found = rows(world.store, "SELECT day FROM excused_days ORDER BY day")
    return [day for (day,) in found]


def test_an_incident_takes_back_what_was_held_against_everybody_it_touched(world: World) -> None:
    """A week is excused though it is over: crossing, cut, lateness; who paid is not told."""
    account, paid = enrol(world), enrol(world, "bob")
    _, plan = buy(world, account, 100_000, "flat", 3)
    buy(world, paid, 100_000, "flat", 3)
    until(world, DUE)
    pay(world, paid, 34_000)
    until(world, DUE + timedelta(days=6))
    cut = assessed(world, account)
    assert cut.outcome == "cut"
    outage = days(7)
    seen = preview(world.ground, outage, by="mei")
    planned, touches = seen.incident, seen.touches
    assert (touches.accounts, touches.late_times, touches.cuts) == (1, 1, 1)
    assert [one.account_id for one in seen.backs] == [account]
    assert rows(world.store, "SELECT 1 FROM incidents") == []
    one = open_incident(world.ground, outage, by="mei")
    assert (one.granted_on, one.waits_for_second) == (planned.granted_on, True)
    tries(world, account)
    assert inputs(world, "purchase")["overdue_days"] == 4  # the due day, and two more
    assert open_incident(world.ground, outage, by="mei").incident_id == one.incident_id
    assert second(world.ground, one.incident_id, by="li").granted_on == outage.through_on
    assert kinds(world, account)[-3:] == ["days-excused", "facts-corrected", "limit-restored"]
    assert "days-excused" not in kinds(world, paid)
    assert excused(world) == [DUE + timedelta(days=place) for place in range(7)]
    assert_not_late(world, account)
    pay(world, account, 34_000)
    assessed(world, account)
    assert inputs(world, "limit")["payments_late_180d"] == 0
    assert penalties(world, plan)[0] == 0
    until(world, date(2026, 4, 20))
    assert_sound(world)


def test_a_late_charge_of_an_excused_day_is_taken_back_by_an_operation(world: World) -> None:
    account = enrol(world)
    _, plan = buy(world, account, 100_000, "flat", 3)
    until(world, DUE + timedelta(days=9))
    pay(world, account, 1_000)  # it books what being late costs so far
    until(world, date(2026, 3, 2))
    before = late_charges(world)
    assert penalties(world, plan)[0] == before > 0
    outage = days(20)
    one = open_incident(world.ground, outage, by="mei")
    assert one.granted_on == DUE + timedelta(days=2)
    with pytest.raises(TookPart):
        second(world.ground, one.incident_id, by="mei")
    one = second(world.ground, one.incident_id, by="li")
    assert (one.granted_on, one.seconded_by) == (outage.through_on, "li")
    with pytest.raises(NothingWaits):
        second(world.ground, one.incident_id, by="ann")
    assert (penalties(world, plan)[0], late_charges(world)) == (0, 0)
    taken = "SELECT SUM(amount_minor)::bigint FROM operations WHERE amount_minor < 0"
    assert row(world.store, taken) == -before  # nothing is deleted: an operation of its own
    assert_sound(world)
    tries(world, account)
    assert inputs(world, "purchase")["overdue_days"] == 1  # of 20, 19 are excused
    until(world, date(2026, 4, 20))
    assert_sound(world)


def test_an_incident_that_runs_excuses_day_by_day_until_it_is_closed(world: World) -> None:
    account = enrol(world)
    buy(world, account, 100_000, "flat", 3)
    until(world, DUE)
    one = open_incident(world.ground, Outage(BOOK, "The house is down.", DUE), by="mei")
    assert (one.is_running, one.waits_for_second, excused(world)) == (True, True, [DUE])
    second(world.ground, one.incident_id, by="li")
    until(world, DUE + timedelta(days=5))
    assert_not_late(world, account)
    closed = close_incident(world.ground, one.incident_id, by="mei")
    assert closed.granted_on == DUE + timedelta(days=5)
    with pytest.raises(IncidentClosed):
        close_incident(world.ground, one.incident_id, by="mei")
    until(world, DUE + timedelta(days=8))
    tries(world, account)
    assert inputs(world, "purchase")["overdue_days"] == 3
    assert len(excused(world)) == 6
    assert_sound(world)


def test_an_incident_of_a_channel_touches_those_who_use_it(world: World) -> None:
    user, other = enrol(world), enrol(world, "bob")
    for one in (user, other):
        buy(world, one, 100_000, "flat", 3)
    pay(world, user, 100)  # by bank
    until(world, DUE)
    incident = open_incident(
        world.ground, Outage(BOOK, "The bank is down.", DUE, channel="bank"), by="mei"
    )
    second(world.ground, incident.incident_id, by="li")
    until(world, DUE + timedelta(days=4))
    assert_not_late(world, user)
    assert tries(world, other).outcome == "decline"
    assert told_of_last(world, other) == ["payment-overdue"]
    close_incident(world.ground, incident.incident_id, by="li")
    until(world, DUE + timedelta(days=6))
    tries(world, user)
    assert inputs(world, "purchase")["overdue_days"] == 2
    assert excused(world) == []
    assert_sound(world)


def test_an_incident_whose_round_died_goes_on_with_who_is_left(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    people = [enrol(world, f"p{number}") for number in range(5)]
    for one in people:
        buy(world, one, 100_000, "flat", 3)
    until(world, DUE + timedelta(days=2))
    monkeypatch.setattr("fenqi.flows.excuse.PAGE_ACCOUNTS", 2)
    monkeypatch.setattr("fenqi.flows.excuse.PAGES_MAX", 1)
    with pytest.raises(Unavailable):
        open_incident(world.ground, days(3), by="mei")
    told = "SELECT account_id FROM events WHERE kind = 'days-excused'"
    assert len(rows(world.store, told)) == 2
    assert_sound(world)
    monkeypatch.setattr("fenqi.flows.excuse.PAGES_MAX", 100)
    carry(world.ground, row(world.store, "SELECT incident_id FROM incidents"))
    assert sorted(one for (one,) in rows(world.store, told)) == sorted(people)
    assert_sound(world)


def test_an_end_that_died_leaves_excused_what_went_by_until_it_is_said_again(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first page is told; the others' days go on for two days more, until the end is told."""
    people = [enrol(world, f"p{number}") for number in range(3)]
    for one in people:
        buy(world, one, 100_000, "flat", 3)
        pay(world, one, 100)  # by bank
    until(world, DUE)
    outage = Outage(BOOK, "The bank is down.", DUE, channel="bank")
    incident = open_incident(world.ground, outage, by="mei").incident_id
    second(world.ground, incident, by="li")
    monkeypatch.setattr("fenqi.flows.excuse.PAGE_ACCOUNTS", 1)
    with monkeypatch.context() as dying:
        dying.setattr("fenqi.flows.excuse.PAGES_MAX", 1)
        dying.setattr("fenqi.flows.excuse.carry", lambda *_: None)
        close_incident(world.ground, incident, by="li")
    until(world, DUE + timedelta(days=2))
    closed = close_incident(world.ground, incident, by="ann")
    assert (closed.closed_by, closed.granted_on) == ("li", DUE)
    ends = "SELECT MAX(through_on) FROM excuses WHERE void_number IS NULL GROUP BY account_id"
    found = sorted((last - DUE).days for (last,) in rows(world.store, ends))
    assert found == [0, 2, 2]
    told = "SELECT COUNT(*) FROM events WHERE kind = 'days-count-again'"
    assert row(world.store, told) == len(people)
    with pytest.raises(IncidentClosed):
        close_incident(world.ground, incident, by="li")
    assert_sound(world)


@pytest.mark.parametrize(
    "outage",
    [
        Outage(BOOK, "why", DUE, DUE - timedelta(days=1)),
        Outage(BOOK, "why", date(2025, 1, 1), date(2025, 1, 2)),
        Outage(BOOK, "why", DUE, DUE + timedelta(days=60)),
        Outage(BOOK, "why", DUE + timedelta(days=90), DUE + timedelta(days=91)),
        Outage(BOOK, "why", date.max),  # no day is after it
        Outage(BOOK, "why", DUE + timedelta(days=1)),  # it runs, and has not begun
    ],
)
def test_an_incident_of_no_days_of_the_book_is_refused(world: World, outage: Outage) -> None:
    until(world, DUE)
    with pytest.raises(IncidentInvalid):
        open_incident(world.ground, outage, by="mei")
