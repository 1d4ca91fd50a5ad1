"""Facts told by others are kept as events, counted exactly, and seen at once by features."""

import dataclasses
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from make_book import (
    World,
    as_owner,
    beside,
    buy,
    done,
    dump,
    enrol,
    key,
    kinds,
    open_book,
    pay,
    row,
    rows,
    until,
)

from fenqi.core.errors import FenqiError
from fenqi.core.risk.features.moment import moment_of
from fenqi.core.risk.identity import Identifier, Sealer
from fenqi.core.values.ids import AccountId
from fenqi.desk import Desk
from fenqi.flows.observe import FACTS_MAX, Observe, Observed, Told, observe
from fenqi.store import accounts as account_rows
from fenqi.store.booking import Booking
from fenqi.store.ground import Ground
from fenqi.store.pool import Store
from fenqi.store.trails import Trails

SEALER = Sealer(b"the key of these tests, 32 bytes")
CAMPUS = "203.0.113.7"


def seal(kind: str, value: str) -> str:
    return SEALER.seal(Identifier(kind), value)


def told(world: World, kind: str, *, ago: timedelta = timedelta(0), **said: Any) -> Told:
    """Return a fact; identity values are sealed as a door would."""
    sealed = {
        name: seal(name, value) if name in set(Identifier) else value
        for name, value in said.items()
    }
    return Told(kind=kind, happened_at=world.clock.now() - ago, said=sealed)


def facts(world: World, account: AccountId, *these: Told, **changes: Any) -> Observe:
    fields: dict[str, Any] = {
        "scope_id": str(account),
        "key": key(world),
        "account_id": account,
        "facts": these,
    }
    return Observe(**(fields | changes))


def tell(world: World, account: AccountId, *these: Told) -> Observed:
    return done(observe(world.ground, [facts(world, account, *these)])[0])


def log_in(world: World, account: AccountId, ip: str = CAMPUS, device: str = "d") -> Observe:
    return facts(world, account, told(world, "login", ip=ip, device=device))


def payloads(store: Store, kind: str) -> list[dict[str, Any]]:
    sql = "SELECT payload FROM events WHERE kind = %(kind)s ORDER BY recorded_by, number"
    return [one for (one,) in rows(store, sql, kind=kind)]


def counts(store: Store, name: str = "accounts_per_ip_10m") -> list[int]:
    return [one[name] for one in payloads(store, "login")]


def values(ground: Ground, account: AccountId, *names: str) -> list[int | None]:
    """Return features of an account as a flow sees them now."""
    with ground.store.transaction() as session:
        locked = account_rows.lock(session, [account])
        followed = ground.trails.follow(session, list(locked.values()))
        moment = moment_of(ground.clock.now())
        return ground.trails.row(names)(followed.of(locked[account]), moment)


def row_of(world: World, account: AccountId) -> tuple[int]:
    found: tuple[int] = rows(
        world.store, "SELECT number FROM trails WHERE account_id = %(one)s", one=account
    )[0]
    return found


def every(ground: Ground, account: AccountId) -> list[int | None]:
    return values(ground, account, *(one.name for one in ground.trails.features.features))


@pytest.fixture
def world(store: Store) -> World:
    return open_book(store)


def test_facts_become_events_of_the_account_at_the_servers_time(world: World) -> None:
    account = enrol(world)
    hour_ago = told(world, "device-changed", ago=timedelta(hours=1), device="phone of ann")
    answer = tell(world, account, told(world, "login", ip=CAMPUS, device="phone of ann"), hour_ago)
    assert (answer.first_number, answer.last_number, answer.late, answer.skewed) == (2, 3, 1, 0)
    assert kinds(world, account) == ["account-opened", "login", "device-changed"]
    now = world.clock.now()
    sql = "SELECT occurred_at, recorded_at FROM events WHERE number > 1 ORDER BY number"
    assert rows(world.store, sql) == [(now, now), (now - timedelta(hours=1), now)]
    (login,) = payloads(world.store, "login")
    assert login == {
        "ip": seal("ip", CAMPUS),
        "device": seal("device", "phone of ann"),
        "accounts_per_ip_10m": 1,
        "accounts_per_ip_24h": 1,
        "accounts_per_device_7d": 1,
        "accounts_per_device_30d": 1,
        "is_shared_device": 0,
    }
    (change,) = payloads(world.store, "device-changed")
    assert change == {"device": seal("device", "phone of ann"), "is_late": True}


def test_a_fact_from_the_future_is_kept_and_marked_and_counts_now(world: World) -> None:
    account = enrol(world)
    answer = tell(
        world, account, told(world, "phone-changed", ago=-timedelta(days=3), phone="+1 22 333")
    )
    assert (answer.late, answer.skewed) == (0, 1)
    assert payloads(world.store, "phone-changed")[0]["is_skewed"] is True
    assert values(world.ground, account, "phone_changes_2d", "days_since_phone_change") == [1, 0]


def test_a_late_login_is_kept_but_does_not_count_as_one_of_now(world: World) -> None:
    ann, ben = enrol(world), enrol(world, "ben")
    tell(world, ann, told(world, "login", ago=timedelta(days=2), ip=CAMPUS))
    assert values(world.ground, ann, "logins_24h", "accounts_per_ip_24h") == [0, None]
    tell(world, ben, told(world, "login", ip=CAMPUS))
    assert values(world.ground, ben, "logins_24h", "accounts_per_ip_24h") == [1, 1]
    seen = rows(world.store, "SELECT occurred_at FROM identifier_facts ORDER BY occurred_at")
    assert seen == [(world.clock.now() - timedelta(days=2),), (world.clock.now(),)]


def test_a_command_sent_again_is_answered_as_before_and_stored_once(world: World) -> None:
    account = enrol(world)
    command = log_in(world, account)
    first = observe(world.ground, [command])
    before = dump(world.store)
    assert observe(world.ground, [command, command]) == first * 2
    assert dump(world.store) == before
    other = facts(world, account, told(world, "login"), key=command.key)
    (refusal,) = observe(world.ground, [other])
    assert isinstance(refusal, FenqiError)
    assert refusal.code == "key-reused"


@pytest.mark.parametrize(
    ("kind", "said", "code", "field"),
    [
        ("log-in", {}, "fact-kind-unknown", None),
        ("login", {"colour": "red"}, "fact-invalid", "colour"),
        ("login", {"phone": "0" * 64}, "fact-invalid", "phone"),
        ("device-changed", {}, "fact-invalid", "device"),
        ("device-changed", {"device": "my phone"}, "fact-invalid", "device"),
        ("device-changed", {"device": 7}, "fact-invalid", "device"),
        ("purchase-attempted", {"amount_minor": 10**12}, "fact-invalid", "amount_minor"),
        ("purchase-attempted", {"amount_minor": 0}, "fact-invalid", "amount_minor"),
        ("purchase-attempted", {"amount_minor": True}, "fact-invalid", "amount_minor"),
        ("purchase-attempted", {"amount_minor": 1.5}, "fact-invalid", "amount_minor"),
        ("basket", {"category": "x" * 41, "amount_minor": 5}, "fact-invalid", "category"),
        ("payment-failed", {"cause": "moon"}, "fact-invalid", "cause"),
        ("complaint", {"topic": ["a"]}, "fact-invalid", "topic"),
    ],
)
def test_what_makes_no_sense_is_refused_and_leaves_nothing(
    world: World, kind: str, said: dict[str, Any], code: str, field: str | None
) -> None:
    account = enrol(world)
    now = world.clock.now()
    bad = facts(world, account, told(world, "login"), Told(kind=kind, happened_at=now, said=said))
    good = facts(world, account, told(world, "complaint", topic="fees"))
    refusal, kept = observe(world.ground, [bad, good])
    assert isinstance(refusal, FenqiError)
    assert (refusal.code, refusal.fields.get("field")) == (code, field)
    assert "my phone" not in str(refusal)
    assert isinstance(kept, Observed)
    assert kinds(world, account) == ["account-opened", "complaint"]


def test_a_command_has_at_least_one_fact_and_not_too_many(world: World) -> None:
    account = enrol(world)
    many = [told(world, "login")] * (FACTS_MAX + 1)
    answers = observe(world.ground, [facts(world, account), facts(world, account, *many)])
    assert [getattr(one, "code", None) for one in answers] == ["facts-uncounted"] * 2
    stranger = facts(world, AccountId(uuid4()), told(world, "login"))
    (refusal,) = observe(world.ground, [stranger])
    assert getattr(refusal, "code", None) == "account-missing"


def test_no_identity_value_is_stored_anywhere(world: World) -> None:
    account = enrol(world)
    tell(
        world,
        account,
        told(world, "login", ip="198.51.100.42", device="handset-of-somebody"),
        told(world, "phone-changed", phone="+86 138 0013 8000"),
        told(world, "card-changed", card="6222 0200 0000 1234"),
        told(world, "address-changed", address="7 Some Street"),
    )
    with as_owner(world.store) as session:
        tables = session.rows(
            "SELECT relname FROM pg_class WHERE relkind = 'r' "
            "AND relnamespace = 'public'::regnamespace"
        )
        for (table,) in tables:
            text = str(session.rows(f"SELECT t::text FROM {table} AS t")).lower()
            for raw in ("198.51.100.42", "handset-of", "13800138000", "0000 1234", "some street"):
                assert raw not in text, (table, raw)
    found = rows(world.store, "SELECT identifier_kind FROM identifier_facts ORDER BY 1")
    assert found == [("address",), ("card",), ("device",), ("ip",), ("phone",)]


def test_the_tenth_account_at_an_address_sees_nine_others(world: World) -> None:
    people = [enrol(world, f"p{number}") for number in range(10)]
    for account in people:
        tell(world, account, told(world, "login", ip=CAMPUS))
    assert counts(world.store) == list(range(1, 11))
    assert values(world.ground, people[9], "accounts_per_ip_10m") == [10]
    observe(world.ground, [log_in(world, people[9]), log_in(world, people[9])])
    assert counts(world.store)[-2:] == [10, 10]  # the same account again is no other


def test_a_crowd_at_an_address_leaves_a_suspicion_in_the_same_transaction(world: World) -> None:
    size = world.ground.crowd.size_min
    people = [enrol(world, f"p{number}") for number in range(size)]
    jobs = "SELECT payload->>'address' FROM jobs WHERE kind = 'crowd'"
    for number, account in enumerate(people):
        assert rows(world.store, jobs) == []
        tell(world, account, told(world, "login", ip=CAMPUS, device=f"d{number}"))
    assert rows(world.store, jobs) == [(seal("ip", CAMPUS),)]
    links = "SELECT identifier_kind, COUNT(*) FROM links GROUP BY 1"
    assert rows(world.store, links) == [("device", size)]


def test_accounts_of_one_batch_see_one_another(world: World) -> None:
    people = [enrol(world, f"p{number}") for number in range(10)]
    observe(world.ground, [log_in(world, account) for account in people])
    assert counts(world.store) == [10] * 10


def test_those_who_left_the_window_are_not_counted(world: World) -> None:
    people = [enrol(world, f"p{number}") for number in range(3)]
    for account in people:
        tell(world, account, told(world, "login", ip=CAMPUS, device="d"))
        world.clock.set(world.clock.now() + timedelta(minutes=6))
    assert counts(world.store) == [1, 2, 2]
    assert counts(world.store, "accounts_per_ip_24h") == [1, 2, 3]
    assert counts(world.store, "accounts_per_device_30d") == [1, 2, 3]


def test_a_count_ends_at_its_cap(world: World) -> None:
    cap = world.ground.trails.features.feature("accounts_per_device_7d").cap
    people = [AccountId(uuid4()) for _ in range(cap + 50)]
    account = enrol(world)
    with as_owner(world.store) as session:
        session.run(
            "INSERT INTO presences SELECT %(hash)s, UNNEST(%(people)s::uuid[]), %(now)s",
            {
                "hash": bytes.fromhex(seal("device", "shop terminal")),
                "people": people,
                "now": world.clock.now(),
            },
        )
    tell(world, account, told(world, "login", device="shop terminal"))
    assert counts(world.store, "accounts_per_device_7d") == [cap]


@pytest.mark.parametrize("writers", [2, 8])
def test_logins_at_the_same_moment_miss_none_of_the_others(
    world: World, database_url: str, writers: int
) -> None:
    people = [enrol(world, f"p{number}") for number in range(24)]
    commands = [log_in(world, account, device=f"d{n}") for n, account in enumerate(people)]
    stores = [Store.open(database_url, connections_max=2) for _ in range(writers)]
    try:
        worlds = [beside(world, one, seed=10 + place) for place, one in enumerate(stores)]

        def one_by_one(place: int) -> None:
            for command in commands[place::writers]:
                done(observe(worlds[place].ground, [command])[0])

        with ThreadPoolExecutor(writers) as pool:
            list(pool.map(one_by_one, range(writers)))
    finally:
        for one in stores:
            one.close()
    assert sorted(counts(world.store)) == list(range(1, 25))


def test_a_batch_of_very_many_identifiers_locks_them_all_at_once(world: World) -> None:
    account = enrol(world)
    these = [
        told(world, "login", ip=f"10.0.{n // 250}.{n % 250}", device=f"d{n}") for n in range(90)
    ]
    many = [facts(world, account, *these) for _ in range(4)]
    some = [
        facts(world, account, *(told(world, "login", ip=f"10.{n}.1.{k}") for k in range(90)))
        for n in range(6)
    ]
    answers = observe(world.ground, [*many, *some])
    assert all(isinstance(one, Observed) for one in answers)


def test_features_see_what_every_flow_booked(world: World) -> None:
    account = enrol(world)
    names = ("purchases_24h", "purchase_amount_30d", "merchants_30d", "payments_90d")
    assert values(world.ground, account, *names) == [0, 0, 0, 0]
    buy(world, account, 50_000)
    buy(world, account, 20_000)
    pay(world, account, 10_000)
    assert values(world.ground, account, *names) == [2, 70_000, 1, 1]
    until(world, world.day + timedelta(days=2))
    assert values(world.ground, account, *names) == [0, 70_000, 1, 1]


def roll_back(world: World, account: AccountId) -> None:
    """Note an event that is never committed."""
    with world.store.transaction() as session:
        locked = account_rows.lock(session, [account])
        followed = world.ground.trails.follow(session, list(locked.values()))
        locked[account].event_count += 1
        followed.note(locked[account], kind="login", moment=0, payload="{}")
        raise ZeroDivisionError


def test_a_trail_is_exact_whoever_writes_and_after_a_rollback(world: World) -> None:
    account = enrol(world)
    other = beside(world, world.store)
    script: Sequence[tuple[World, str, dict[str, Any]]] = [
        (world, "login", {"ip": CAMPUS, "device": "d1"}),
        (other, "device-changed", {"device": "d2"}),
        (world, "phone-changed", {"phone": "+1 555 0100"}),
        (other, "basket", {"category": "gold", "amount_minor": 500}),
        (world, "login", {"ip": CAMPUS, "device": "d2"}),
    ]
    for who, kind, said in script:
        tell(who, account, told(who, kind, **said))
        world.clock.set(world.clock.now() + timedelta(minutes=7))
        with pytest.raises(ZeroDivisionError):
            roll_back(world, account)
        anew = Ground(world.store, world.clock, world.ground.ids, world.ground.catalogue)
        assert every(world.ground, account) == every(anew, account)
        assert every(other.ground, account) == every(anew, account)
    assert values(world.ground, account, "logins_24h", "devices_30d") == [2, 2]


def test_trails_keep_within_their_bounds(world: World) -> None:
    people = [enrol(world, f"p{number}") for number in range(12)]
    small = Trails(trails_max=5)
    ground = Ground(
        world.store, world.clock, world.ground.ids, world.ground.catalogue, trails=small
    )
    for account in people:
        done(observe(ground, [log_in(world, account)])[0])
    assert len(small) == 5
    fresh = Trails()
    anew = Ground(world.store, world.clock, world.ground.ids, world.ground.catalogue, trails=fresh)
    for account in people:
        assert every(ground, account) == every(anew, account)
    tiny = Trails(bytes_max=3)
    ground = Ground(world.store, world.clock, world.ground.ids, world.ground.catalogue, trails=tiny)
    assert every(ground, people[0]) == every(anew, people[0])
    assert tiny.memory_bytes <= 3


def test_ten_thousand_facts_of_one_account_are_all_kept_and_exactly_counted(world: World) -> None:
    account = enrol(world)
    commands = [
        facts(
            world,
            account,
            *(
                told(world, "login", ip=f"10.1.{n % 7}.{k}", device=f"d{n % 9}")
                for k in range(FACTS_MAX)
            ),
        )
        for n in range(100)
    ]
    with Desk(world.ground) as desk:
        answers = [future.result() for future in [desk.submit(one) for one in commands]]
    assert all(isinstance(one, Observed) for one in answers)
    assert row(world.store, "SELECT COUNT(*) FROM events WHERE kind = 'login'") == 10_000
    assert values(world.ground, account, "logins_24h", "devices_30d") == [10_000, 9]
    anew = Ground(world.store, world.clock, world.ground.ids, world.ground.catalogue)
    assert every(world.ground, account) == every(anew, account)
    assert world.ground.trails.memory_bytes < 10_000


def lived(world: World, **bounds: int) -> tuple[Ground, AccountId]:
    """Return a program whose trails are written down often, and an account with some facts."""
    account = enrol(world)
    ground = with_trails(world, Trails(**bounds))
    for number in range(9):
        done(observe(ground, [log_in(world, account, f"10.2.0.{number}")])[0])
    return ground, account


def with_trails(world: World, trails: Trails) -> Ground:
    return Ground(world.store, world.clock, world.ground.ids, world.ground.catalogue, trails=trails)


def test_who_knows_nothing_of_an_account_reads_what_is_written_of_it_and_events_since(
    world: World,
) -> None:
    ground, account = lived(world, written_events=4)
    (number,) = row_of(world, account)
    assert 5 <= number < 10
    asked, known = "logins_24h", values(ground, account, "logins_24h")
    assert known == [9]
    # As if what was before had never been: a program that still counts it did not read it.
    with as_owner(world.store) as session:
        session.run(
            "UPDATE events SET kind = 'forgotten' WHERE kind = 'login' AND number <= %(number)s",
            {"number": number},
        )
    assert values(with_trails(world, Trails(written_events=4)), account, asked) == known
    assert values(with_trails(world, Trails(written_events=99)), account, asked) == [10 - number]


def test_a_program_with_other_features_does_not_believe_what_is_written(world: World) -> None:
    ground, account = lived(world, written_events=4)
    fewer = dataclasses.replace(
        ground.trails.features, features=ground.trails.features.features[3:]
    )
    other = with_trails(world, Trails(fewer, written_events=4))
    assert every(other, account) == every(ground, account)[3:]
    done(observe(other, [log_in(world, account)])[0])
    assert every(with_trails(world, Trails(written_events=4)), account)[3:] == every(other, account)


def test_what_nobody_can_read_is_as_good_as_nothing_written(world: World) -> None:
    ground, account = lived(world, written_events=4)
    for nonsense in (b"", b"\xff", b"\x93\x00\x00\x90"):  # the last one has no cells
        with as_owner(world.store) as session:
            session.run("UPDATE trails SET packed = %(nonsense)s", {"nonsense": nonsense})
        anew = with_trails(world, Trails(written_events=4))
        assert every(anew, account) == every(ground, account)


def test_what_is_rolled_back_is_not_written_of_a_trail(world: World) -> None:
    ground, account = lived(world, written_events=4)
    before = dump(world.store)

    def fail() -> None:
        with ground.store.transaction() as session:
            locked = account_rows.lock(session, [account])
            booking = Booking(ground)
            booking.followed = ground.trails.follow(session, list(locked.values()))
            for _ in range(9):
                booking.event(locked[account], "login", payload={})
            booking.write(session)
            raise RuntimeError("lost")

    with pytest.raises(RuntimeError, match="lost"):
        fail()
    assert dump(world.store) == before
    assert values(ground, account, "logins_24h") == [9]
