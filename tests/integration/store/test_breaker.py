"""The circuit breaker counts in the database: exact across programs, opened once, reset by name."""

import threading
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta

import pytest
from make_book import BOOK, World, beside, enrol, open_book, row, rows, until

from fenqi.core.risk.breaker import Caps, effect_of, soften
from fenqi.core.risk.decision import HARMFUL, DecisionKind, Effect
from fenqi.core.values.ids import AccountId
from fenqi.flows.reset import reset
from fenqi.store import accounts, breaker
from fenqi.store.booking import Booking
from fenqi.store.breaker import Decider, Restraint
from fenqi.store.cases import Docket
from fenqi.store.decisions import STARTER, Decision, Decisions
from fenqi.store.pool import Store

CAPS = dict.fromkeys(HARMFUL, Caps(5, 8))
DECIDER = Decider(DecisionKind.PURCHASE, "careful", 3)
HOLD, FREEZE, REVIEW, NUDGE = Effect.HOLD, Effect.FREEZE, Effect.REVIEW, Effect.NUDGE

Wanted = Sequence[Sequence[Effect]]


@pytest.fixture
def world(store: Store) -> World:
    return open_book(store)


def restrain(
    world: World,
    account: AccountId,
    wanted: Wanted,
    *,
    decider: Decider = DECIDER,
    caps: Mapping[Effect, Caps] | None = None,
    decided: int = 0,
) -> list[tuple[Effect, ...]]:
    booking = Booking(world.ground)
    with world.store.transaction() as session:
        book = accounts.lock(session, {account})[account].book
        docket = Docket(world.ground, session, booking.now)
        booking.others.append(docket)
        restraint = Restraint(
            session,
            booking,
            [book],
            decider.kind,
            caps=caps or CAPS,
            ids=world.ground.ids,
            docket=docket,
        )
        held = restraint.hold_back(book, decider, wanted, decided=decided)
        booking.write(session)
    softer = [soften(words, none) for words, none in zip(wanted, held, strict=True)]
    return [tuple(one for one in map(effect_of, words) if one) for words in softer]


def taken(world: World) -> dict[str, int]:
    sql = "SELECT effect, SUM(taken)::integer FROM breaker_minutes GROUP BY effect"
    return dict(rows(world.store, sql))


def later(world: World, **time: int) -> None:
    world.clock.set(world.clock.now() + timedelta(**time))


def test_what_finds_no_room_becomes_a_review_and_a_person_is_called(world: World) -> None:
    account = enrol(world)
    may = restrain(world, account, [(NUDGE, HOLD)] * 7)
    assert may == [(NUDGE, HOLD)] * 5 + [(NUDGE, REVIEW)] * 2
    assert taken(world) == {"hold": 5}
    (trip,) = trips(world)
    assert (trip.kind, trip.effect, trip.span, trip.cap) == ("purchase", "hold", "hour", 5)
    assert (trip.policy, trip.policy_version, trip.reset_by) == ("careful", 3, None)
    told = row(
        world.store,
        """
        SELECT e.payload ->> 'effect', o.topic FROM events AS e
        JOIN outbox AS o ON o.account_id = e.account_id AND o.event_number = e.number
        WHERE e.kind = 'breaker-tripped'
        """,
    )
    assert told == ("hold", "operations")
    case = row(world.store, "SELECT kind, subject, priority, outcome FROM cases")
    assert case == ("investigation", "breaker-hold", 1, None)


def trips(world: World, *, only_open: bool = False) -> list[breaker.Trip]:
    with world.store.transaction() as session:
        return breaker.trips(session, BOOK, only_open=only_open)


def test_the_breaker_opens_once_and_counts_by_kind_and_effect(world: World) -> None:
    account = enrol(world)
    restrain(world, account, [(HOLD,)] * 9)
    restrain(world, account, [(HOLD,)] * 9)
    assert len(trips(world)) == 1
    assert restrain(world, account, [(FREEZE,)] * 2) == [(FREEZE,)] * 2
    other = Decider(DecisionKind.ACCESS, "watchful", 1)
    assert restrain(world, account, [(HOLD,)], decider=other) == [(HOLD,)]


def test_an_hour_later_there_is_room_again_until_the_day_is_full(world: World) -> None:
    account = enrol(world)
    assert restrain(world, account, [(HOLD,)] * 5) == [(HOLD,)] * 5
    later(world, minutes=59)
    assert restrain(world, account, [(HOLD,)]) == [(REVIEW,)]
    later(world, minutes=2)
    assert restrain(world, account, [(HOLD,)] * 4) == [(HOLD,)] * 3 + [(REVIEW,)]
    later(world, hours=24)
    assert restrain(world, account, [(HOLD,)] * 5) == [(HOLD,)] * 5


def test_while_it_is_open_the_kind_is_told_to_fall_back_until_a_person_resets_it(
    world: World,
) -> None:
    account = enrol(world)
    restrain(world, account, [(HOLD,)] * 6)
    assert fallen(world) == {DecisionKind.PURCHASE}
    closed = reset(
        world.ground, BOOK, DecisionKind.PURCHASE, by=" Li Na", finding="a wrong threshold"
    )
    assert closed == 1
    assert fallen(world) == set()
    (trip,) = trips(world)
    assert (trip.reset_by, trip.finding) == ("Li Na", "a wrong threshold")
    assert trips(world, only_open=True) == []
    actor = row(world.store, "SELECT actor FROM events WHERE kind = 'breaker-reset'")
    assert actor == "Li Na"


def fallen(world: World) -> set[str]:
    return {trip.kind for trip in trips(world, only_open=True)}


def test_a_reset_needs_a_name_a_finding_and_something_open(world: World) -> None:
    kind = DecisionKind.PURCHASE
    with pytest.raises(breaker.PersonNeeded):
        reset(world.ground, BOOK, kind, by=" ", finding="looked")
    with pytest.raises(breaker.PersonNeeded):
        reset(world.ground, BOOK, kind, by="Li Na", finding="")
    with pytest.raises(breaker.PersonNeeded):
        reset(world.ground, BOOK, kind, by="Li Na", finding="\x1b[2Jlooked")
    with pytest.raises(breaker.TripMissing):
        reset(world.ground, BOOK, kind, by="Li Na", finding="looked")


def test_who_harms_nobody_asks_nothing(world: World) -> None:
    assert restrain(world, enrol(world), [(NUDGE, REVIEW), ()]) == [(NUDGE, REVIEW), ()]
    assert rows(world.store, "SELECT 1 FROM breakers") == []


def test_what_is_rolled_back_was_never_counted(world: World) -> None:
    with pytest.raises(ZeroDivisionError):
        take_and_fail(world, enrol(world))
    assert (taken(world), trips(world)) == ({}, [])


def take_and_fail(world: World, account: AccountId) -> None:
    booking = Booking(world.ground)
    with world.store.transaction() as session:
        book = accounts.lock(session, {account})[account].book
        wanted = [(HOLD,)] * 6
        docket = Docket(world.ground, session, booking.now)
        restraint = Restraint(
            *(session, booking, [book], DECIDER.kind),
            caps=CAPS,
            ids=world.ground.ids,
            docket=docket,
        )
        restraint.hold_back(book, DECIDER, wanted)
        booking.write(session)
        raise ZeroDivisionError


def race(world: World, url: str, count: int, want: Callable[[World, int], None]) -> None:
    """Let so many threads over two stores want something at once; none may fail."""
    other = Store.open(url)
    worlds = [world, beside(world, other)]
    faults: list[Exception] = []
    gate = threading.Barrier(count)

    def run(place: int) -> None:
        try:
            gate.wait()
            want(worlds[place % 2], place)
        except Exception as fault:
            faults.append(fault)

    threads = [threading.Thread(target=run, args=(place,)) for place in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    other.close()
    assert faults == []


def test_many_programs_at_once_never_pass_the_cap(world: World, database_url: str) -> None:
    """Eight threads over two stores, each wanting more than there is room for."""
    people = [enrol(world, f"person-{number}") for number in range(8)]
    may: list[list[tuple[Effect, ...]]] = []

    def want(mine: World, place: int) -> None:
        for _ in range(3):
            may.append(restrain(mine, people[place], [(HOLD, FREEZE), (FREEZE,)]))

    race(world, database_url, len(people), want)
    given = [effect for batch in may for effects in batch for effect in effects]
    assert (given.count(HOLD), given.count(FREEZE)) == (5, 5)
    assert taken(world) == {"hold": 5, "freeze": 5}
    assert sorted(trip.effect for trip in trips(world)) == ["freeze", "hold"]


def test_two_effects_that_meet_their_caps_in_one_batch_open_two_breakers(world: World) -> None:
    """Each on an event of its own, whether they meet them at once or one after the other."""
    account = enrol(world)
    booking = Booking(world.ground)
    with world.store.transaction() as session:
        book = accounts.lock(session, {account})[account].book
        docket = Docket(world.ground, session, booking.now)
        booking.others.append(docket)
        restraint = Restraint(
            *(session, booking, [book], DECIDER.kind),
            caps=CAPS,
            ids=world.ground.ids,
            docket=docket,
        )
        for _ in range(6):
            restraint.hold_back(book, DECIDER, [(FREEZE,)])
            restraint.hold_back(book, DECIDER, [(HOLD, Effect.DECLINE)])
        booking.write(session)
    assert sorted(one.effect for one in trips(world)) == ["decline", "freeze", "hold"]
    assert taken(world) == {"decline": 5, "freeze": 5, "hold": 5}
    told = rows(
        world.store,
        "SELECT number, payload ->> 'effect' FROM events WHERE kind = 'breaker-tripped' ORDER BY 1",
    )
    numbers = [number for number, _ in told]
    assert numbers == list(range(numbers[0], numbers[0] + 3))
    house = row(world.store, "SELECT event_count FROM accounts WHERE kind <> 'customer'")
    assert house == numbers[-1]


def test_batches_that_meet_the_effects_in_other_orders_never_wait_in_a_ring(
    world: World, database_url: str
) -> None:
    people = [enrol(world, f"person-{number}") for number in range(6)]

    def want(mine: World, place: int) -> None:
        first, second = (HOLD, FREEZE) if place % 2 else (FREEZE, HOLD)
        account = people[place]
        for _ in range(4):
            booking = Booking(mine.ground)
            with mine.store.transaction() as session:
                book = accounts.lock(session, {account})[account].book
                docket = Docket(mine.ground, session, booking.now)
                booking.others.append(docket)
                restraint = Restraint(
                    *(session, booking, [book], DECIDER.kind),
                    caps=CAPS,
                    ids=mine.ground.ids,
                    docket=docket,
                )
                restraint.hold_back(book, DECIDER, [(first,)])
                restraint.hold_back(book, DECIDER, [(second,)])
                booking.write(session)

    race(world, database_url, len(people), want)
    assert taken(world) == {"hold": 5, "freeze": 5}
    assert sorted(one.effect for one in trips(world)) == ["freeze", "hold"]


@pytest.mark.parametrize(("decisions", "room"), [(10, 3), (100, 10), (1_000, 100)])
def test_a_cap_grows_with_the_decisions_of_its_window(
    world: World, decisions: int, room: int
) -> None:
    account = enrol(world)
    decide_about(world, account, decisions)
    later(world, minutes=10)
    caps = dict.fromkeys(HARMFUL, Caps(3, 3, hour_ppm=100_000, day_ppm=100_000))
    may = restrain(world, account, [(HOLD,)] * 150, caps=caps)
    assert may.count((HOLD,)) == room
    (trip,) = trips(world)
    assert (trip.span, trip.cap) == ("hour", room)
    later(world, days=2)  # those decisions count for nothing any more
    assert restrain(world, account, [(HOLD,)] * 4, caps=caps).count((HOLD,)) == 3


def test_the_decisions_of_the_batch_itself_count_too(world: World) -> None:
    caps = dict.fromkeys(HARMFUL, Caps(0, 0, hour_ppm=100_000, day_ppm=100_000))
    may = restrain(world, enrol(world), [(HOLD,)] * 9 + [()] * 31, caps=caps, decided=40)
    assert may.count((HOLD,)) == 4


def decide_about(world: World, account: AccountId, count: int) -> None:
    """Keep some decisions of the kind about one account."""
    booking = Booking(world.ground)
    with world.store.transaction() as session:
        one = accounts.lock(session, {account})[account]
        made = Decisions(booking)
        for _ in range(count):
            decision_id = world.ground.ids.new().bytes
            made.add(
                STARTER,
                Decision(one, decision_id, "approve", (), [0, 1, 0, 0, 1, 0], one.event_count),
            )
        booking.write(session)


def test_a_version_that_is_out_of_use_does_not_hide_another_that_meets_the_cap(
    world: World,
) -> None:
    account = enrol(world)
    restrain(world, account, [(HOLD,)] * 6)
    restrain(world, account, [(HOLD,)], decider=Decider(DecisionKind.PURCHASE, "careful", 4))
    assert sorted(one.policy_version for one in trips(world)) == [3, 4]


def test_counts_that_no_window_reaches_are_forgotten_when_the_day_turns(world: World) -> None:
    decide_about(world, enrol(world), 5)
    until(world, world.day + timedelta(days=1))
    assert row(world.store, "SELECT SUM(decided) FROM decision_minutes") == 5
    until(world, world.day + timedelta(days=3))
    assert rows(world.store, "SELECT 1 FROM decision_minutes") == []
