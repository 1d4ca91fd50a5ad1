"""Forty accounts at one address within minutes, and the honest crowds that look like them."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from make_book import (
    World,
    assert_sound,
    beside,
    buy,
    done,
    open_book,
    pay,
    purchase,
    row,
    rows,
)
from make_crowd import hashed, know, log_in, make_old, only_case, people, protections

from fenqi.core.risk.breaker import Caps
from fenqi.core.risk.crowd import PlaceKind
from fenqi.core.risk.decision import DecisionKind, Effect
from fenqi.core.risk.record import from_json, replay, to_json
from fenqi.core.values.ids import AccountId
from fenqi.flows.authorise import authorise
from fenqi.flows.protect import Protected, protect
from fenqi.store import books, decision_records, groups
from fenqi.store.deciding import Deciding
from fenqi.store.pool import Store

MINUTE = timedelta(minutes=1)
HOUR = timedelta(hours=1)


@pytest.fixture
def world(store: Store) -> World:
    return open_book(store)


def outcome(world: World, account: AccountId) -> str:
    return str(done(authorise(world.ground, [purchase(world, account, 1_000)])[0]).outcome)


def told(world: World) -> dict[AccountId, list[str]]:
    """Return, as text, all that each customer is to be told, but of purchases that are not made."""
    sql = """
        SELECT o.account_id, e.payload::text FROM outbox AS o
        JOIN events AS e ON e.account_id = o.account_id AND e.number = o.event_number
        WHERE o.topic = 'customer' AND e.kind <> 'purchase-declined'
        ORDER BY o.account_id, e.number
    """
    found: dict[AccountId, list[str]] = {}
    for account, payload in rows(world.store, sql):
        found.setdefault(account, []).append(payload)
    return found


def test_a_ring_is_held_those_who_share_a_device_are_frozen_and_one_case_opens(
    world: World,
) -> None:
    ring = people(world, 40)
    debtor = ring[0]
    buy(world, debtor, 300_000, "flat", 3)
    log_in(world, ring[:30], "1.2.3.4", every=timedelta(seconds=10))
    log_in(world, ring[30:], "1.2.3.4", every=timedelta(seconds=10), device="farm")
    answer = protect(world.ground)
    assert (answer.rings, answer.held, answer.frozen) == (1, 30, 10)
    assert protections(world) == {"hold": set(ring[:30]), "freeze": set(ring[30:])}
    assert {outcome(world, one) for one in ring} == {"decline"}
    case, kind, subject, priority, evidence = only_case(world)
    assert (kind, subject, priority) == ("investigation", "ring", 1)
    assert len(evidence["accounts"]) == 40
    assert sorted(evidence["groups"][0]) == sorted(map(str, ring[30:]))
    path = evidence["accounts"][30]["path"]
    assert [step["kind"] for step in path] == ["device"]
    assert path[0]["from_days"] == [str(world.day), str(world.day)]
    assert pay(world, debtor, 1_000).paid_minor == 1_000  # P1
    sql = "SELECT COUNT(*) FROM case_accounts WHERE case_id = %(case)s"
    assert row(world.store, sql, case=case) == 40
    assert_sound(world)


def test_nobody_is_told_of_anybody_else(world: World) -> None:
    ring = people(world, 12)
    log_in(world, ring, "1.2.3.4", device="farm")
    protect(world.ground)
    messages = told(world)
    assert messages.keys() == set(ring)
    for account, texts in messages.items():
        said = "".join(texts)
        others = [str(one) for one in ring if one != account]
        secrets = [hashed("1.2.3.4").hex()[:12], hashed("farm").hex()[:12], "1.2.3.4", "farm"]
        assert [one for one in others + secrets if one in said] == []
        assert json.loads(texts[-1])["reasons"] == ["shared-identifier"]


def test_nine_accounts_are_no_crowd(world: World) -> None:
    log_in(world, people(world, 9), "1.2.3.4")
    assert protect(world.ground) == Protected()
    assert protections(world) == {"hold": set(), "freeze": set()}


def test_ten_accounts_over_a_longer_time_are_no_crowd(world: World) -> None:
    log_in(world, people(world, 12), "1.2.3.4", every=timedelta(seconds=67))
    assert protect(world.ground) == Protected()


def test_the_tenth_within_the_window_is_the_crowd_and_the_window_is_half_open(
    world: World,
) -> None:
    ring = people(world, 10)
    start = world.clock.now()
    log_in(world, ring[:1], "1.2.3.4")
    log_in(world, ring[1:9], "1.2.3.4")
    world.clock.set(start + timedelta(seconds=600))  # the first was at 1 s: 600 s before 601 s
    log_in(world, ring[9:], "1.2.3.4")
    assert protect(world.ground).held == 0
    log_in(world, ring[:1], "1.2.3.4", every=timedelta(0))
    assert protect(world.ground).held == 10


def test_who_comes_later_is_held_too_and_nobody_twice(world: World) -> None:
    ring = people(world, 13)
    log_in(world, ring[:10], "1.2.3.4")
    assert protect(world.ground).held == 10
    log_in(world, ring[10:], "1.2.3.4", every=MINUTE)
    log_in(world, ring[:3], "1.2.3.4")
    again = protect(world.ground)
    assert (again.held, again.frozen) == (3, 0)
    assert protections(world)["hold"] == set(ring)
    sql = "SELECT kind FROM case_entries ORDER BY number"
    assert [one for (one,) in rows(world.store, sql)] == ["opened", "evidence"]
    sql = "SELECT COUNT(*) FROM protections"
    assert row(world.store, sql) == 13
    log_in(world, ring, "1.2.3.4")
    assert protect(world.ground).held == 0
    assert row(world.store, sql) == 13


def test_a_device_that_shows_up_later_turns_a_hold_into_a_freeze(world: World) -> None:
    ring = people(world, 10)
    log_in(world, ring, "1.2.3.4")
    assert protect(world.ground).held == 10
    log_in(world, ring[:3], "1.2.3.4", device="farm")
    assert protect(world.ground).frozen == 3
    assert protections(world) == {"hold": set(ring[3:]), "freeze": set(ring[:3])}


def test_a_hold_ends_by_itself_and_the_same_ring_is_not_held_at_once_again(world: World) -> None:
    ring = people(world, 10)
    log_in(world, ring, "1.2.3.4")
    protect(world.ground)
    world.clock.set(world.clock.now() + 6 * HOUR)
    assert {outcome(world, one) for one in ring} == {"approve"}
    log_in(world, ring, "1.2.3.4")
    again = protect(world.ground)
    assert (again.rings, again.held) == (1, 0)  # within the pause a person looks, nobody is held
    assert {outcome(world, one) for one in ring} == {"approve"}


@pytest.mark.parametrize("kind", PlaceKind)
def test_at_a_place_many_are_known_to_share_a_person_looks_and_nobody_is_held(
    world: World, kind: PlaceKind
) -> None:
    know(world, "campus", kind)
    students = people(world, 40)
    log_in(world, students[:38], "campus")
    log_in(world, students[38:], "campus", device="shared by flatmates")
    answer = protect(world.ground)
    assert (answer.places, answer.held, answer.frozen) == (1, 0, 0)
    assert protections(world) == {"hold": set(), "freeze": set()}
    assert {outcome(world, one) for one in students[:3]} == {"approve"}
    _, case_kind, subject, priority, evidence = only_case(world)
    assert (case_kind, subject, priority) == ("review", "crowded-place", 4)
    assert evidence["place"]["kind"] == kind
    log_in(world, students, "campus")
    assert protect(world.ground).places == 0  # somebody is to look already
    assert told(world) == {}


def test_an_office_of_long_standing_customers_is_only_looked_at(world: World) -> None:
    staff = people(world, 25)
    make_old(world, staff[:10])
    for _ in range(2):  # two of them on each of the days before, never a crowd
        log_in(world, staff, "office", every=HOUR)
    log_in(world, staff, "office", every=timedelta(seconds=20))
    assert protect(world.ground).places == 1
    assert protections(world) == {"hold": set(), "freeze": set()}
    place = {"kind": None, "accounts_before": 25, "long_standing": 10}
    assert only_case(world)[4]["place"] == place


def test_a_crowd_of_long_standing_customers_at_a_fair_is_only_looked_at(world: World) -> None:
    visitors = people(world, 24)
    make_old(world, visitors[:12])
    log_in(world, visitors, "fair", every=timedelta(seconds=20))
    assert protect(world.ground).places == 1
    assert protections(world) == {"hold": set(), "freeze": set()}


def test_a_ring_that_brings_some_good_accounts_along_is_a_ring(world: World) -> None:
    ring = people(world, 24)
    make_old(world, ring[:9])
    log_in(world, ring, "1.2.3.4", every=timedelta(seconds=20))
    assert protect(world.ground).held == 24


def test_a_carriers_exit_is_known_by_those_who_used_it_before(world: World) -> None:
    before, rush = people(world, 30, "before"), people(world, 20, "rush")
    make_old(world, before)
    log_in(world, before, "carrier", every=timedelta(minutes=30))  # over a day, never a crowd
    world.clock.set(world.clock.now() + 5 * HOUR)
    log_in(world, rush, "carrier")
    assert protect(world.ground).places == 1
    assert protections(world) == {"hold": set(), "freeze": set()}


def test_a_family_at_home_with_one_tablet_is_not_even_looked_at(world: World) -> None:
    family = people(world, 5)
    for _ in range(4):
        log_in(world, family, "home", device="tablet", card="father's")
    assert protect(world.ground) == Protected()
    assert rows(world.store, "SELECT 1 FROM cases") == []


def test_a_good_customer_of_many_years_in_a_ring_is_held_but_not_frozen(world: World) -> None:
    ring = people(world, 20)
    make_old(world, ring[:2])
    log_in(world, ring, "1.2.3.4", device="farm")
    protect(world.ground)
    assert protections(world) == {"hold": set(ring[:2]), "freeze": set(ring[2:])}


def test_a_hub_ties_nobody(world: World) -> None:
    crowd = people(world, 60)
    log_in(world, crowd, "1.2.3.4", every=timedelta(seconds=5), device="the shop's tablet")
    answer = protect(world.ground)
    assert (answer.held, answer.frozen) == (60, 0)


def test_a_path_may_lead_over_somebody_who_was_not_there(world: World) -> None:
    world = replace(
        world, ground=replace(world.ground, crowd=replace(world.ground.crowd, group_min=2))
    )
    ring, outside = people(world, 12), people(world, 3, "outside")
    log_in(world, outside[:1], "elsewhere", device="one", card="two")
    log_in(world, outside[1:2], "elsewhere", device="three", card="four")
    log_in(world, outside[2:], "elsewhere", device="five", card="four")
    log_in(world, ring[:1], "1.2.3.4", device="one")
    log_in(world, ring[1:2], "1.2.3.4", card="two")
    log_in(world, ring[2:3], "1.2.3.4", device="three")
    log_in(world, ring[3:4], "1.2.3.4", device="five")
    log_in(world, ring[4:], "1.2.3.4")
    assert protect(world.ground).frozen == 2  # over one of them at once, over two by tonight
    assert protections(world)["freeze"] == set(ring[:2])
    with world.store.transaction() as session:
        found = groups.make(session, "book", world.day, world.ground.crowd.links)
    first, second = [*ring[:2], outside[0]], [*ring[2:4], *outside[1:]]
    assert [set(group) for group in found] == [set(second), set(first)]
    log_in(world, ring[4:5], "1.2.3.4")
    assert protect(world.ground).frozen == 2
    assert protections(world)["freeze"] == set(ring[:4])
    sql = "SELECT evidence FROM case_entries WHERE kind = 'evidence'"
    path = row(world.store, sql)["accounts"][0]["path"]
    assert [step["kind"] for step in path] == ["device", "card", "device"]


def test_a_crowd_too_large_for_weak_evidence_is_left_to_a_person(world: World) -> None:
    rule = world.ground.crowd
    crowd = people(world, 15)
    log_in(world, crowd, "1.2.3.4")
    assert protect(replace(world.ground, crowd=replace(rule, size_max=14))).held == 0
    assert only_case(world)[1:4] == ("investigation", "crowd-too-large", 1)


def test_what_was_a_ring_a_moment_ago_stays_one(world: World) -> None:
    ring, good = people(world, 10), people(world, 10, "good")
    make_old(world, good)
    log_in(world, ring, "1.2.3.4")
    assert protect(world.ground).held == 10
    log_in(world, good, "1.2.3.4")  # half of the crowd is long-standing now
    answer = protect(world.ground)
    assert (answer.places, answer.held) == (0, 10)


def test_two_programs_answer_each_suspicion_once(world: World, database_url: str) -> None:
    ring = people(world, 20)
    log_in(world, ring, "1.2.3.4")
    other = Store.open(database_url)
    try:
        answers = [protect(world.ground), protect(beside(world, other).ground)]
    finally:
        other.close()
    assert sorted(one.held for one in answers) == [0, 20]
    assert rows(world.store, "SELECT 1 FROM jobs") == []


def test_a_suspicion_survives_a_death_on_the_way(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    ring = people(world, 10)
    log_in(world, ring, "1.2.3.4")

    def die(*_: object) -> None:
        raise MemoryError

    with monkeypatch.context() as patched:
        patched.setattr("fenqi.store.booking.Booking.write", die)
        with pytest.raises(MemoryError):
            protect(world.ground)
    assert protections(world)["hold"] == set()
    assert protect(world.ground).held == 10


def test_several_rings_are_answered_in_one_batch(world: World) -> None:
    rings = [people(world, 10, f"ring-{number}") for number in range(3)]
    for number, ring in enumerate(rings):
        log_in(world, ring, f"1.2.3.{number}")
    assert protect(world.ground).rings == 3
    assert rows(world.store, "SELECT COUNT(*) FROM cases")[0][0] == 3


def test_a_couple_with_one_tablet_in_a_ring_is_held_like_the_rest_and_not_frozen(
    world: World,
) -> None:
    crowd = people(world, 12)
    log_in(world, crowd[:10], "1.2.3.4")
    log_in(world, crowd[10:], "1.2.3.4", device="the tablet at home")
    answer = protect(world.ground)
    assert (answer.held, answer.frozen) == (12, 0)


def test_each_protection_of_a_ring_has_its_decision_which_is_made_again_exactly(
    world: World,
) -> None:
    ring = people(world, 12)
    log_in(world, ring[:8], "1.2.3.4")
    log_in(world, ring[8:], "1.2.3.4", device="farm")
    protect(world.ground)
    placed = rows(world.store, "SELECT account_id, kind, reasons, decision_id FROM protections")
    assert len(placed) == 12
    for account, kind, reasons, decision_id in placed:
        with world.store.transaction() as session:
            record = decision_records.read(session, decision_id)
        assert (record.kind, record.outcome, record.account_id) == ("access", kind, account)
        assert list(record.reasons) == reasons
        assert record.effects == ("freeze:3",) if kind == "freeze" else ("hold:6",)
        assert record.given["crowd_size"] == 12
        assert record.given["group_size"] == (4 if kind == "freeze" else 1)
        again = from_json(to_json(record), file="elsewhere.json")
        assert replay(again) is None
        milder = replace(again, inputs=(*again.inputs[:-2], 1, 0))  # a long-standing account
        assert (replay(milder) is None) == (kind == "hold")
    told = "".join(text for texts in told_texts(world) for text in texts)
    assert str(placed[0][3]) in told
    # Nobody is decided about again while it lasts.
    log_in(world, ring, "1.2.3.4")
    protect(world.ground)
    assert row(world.store, "SELECT COUNT(*) FROM decisions WHERE policy = 'crowd'") == 12


def told_texts(world: World) -> list[list[str]]:
    return list(told(world).values())


def test_beyond_the_breakers_cap_a_ring_is_left_to_a_person_and_counted_once(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(world.ground.catalogue.conduct().caps, Effect.HOLD, Caps(7, 7))  # type: ignore[arg-type]
    ring = people(world, 10)
    log_in(world, ring, "1.2.3.4")
    assert protect(world.ground).held == 7
    log_in(world, ring, "1.2.3.4")
    assert protect(world.ground).held == 0
    outcomes = rows(
        world.store,
        "SELECT outcome, effects, COUNT(*)::int FROM decisions WHERE policy = 'crowd' "
        "GROUP BY 1, 2 ORDER BY 1",
    )
    assert outcomes == [
        ("hold", ["hold:6"], 7),
        ("review", ["review:1", "held-back:hold"], 3),
    ]
    trip = row(world.store, "SELECT kind, effect, policy, policy_version FROM breaker_trips")
    assert trip == ("access", "hold", "crowd", 4)
    assert row(world.store, "SELECT SUM(taken) FROM breaker_minutes") == 7
    sql = """
        SELECT COUNT(*) FROM case_accounts JOIN cases USING (case_id) WHERE subject = 'ring'
    """
    assert row(world.store, sql) == 10
    for (decision_id,) in rows(world.store, "SELECT decision_id FROM decisions"):
        with world.store.transaction() as session:
            assert replay(decision_records.read(session, decision_id)) is None
    with world.store.transaction() as session:  # the policy of single accesses goes on
        own = books.read(session, "book")
        assert Deciding(session, DecisionKind.ACCESS).of(own).name == "access"
