"""With what devices a crowd comes: who lives elsewhere on an own one is asked, not held."""

from dataclasses import replace
from datetime import timedelta

import pytest
from make_book import World, assert_sound, done, rows
from make_crowd import log_in, make_old, only_case, people, protections
from make_shipped import passed, shipped_book, told, try_buy

from fenqi.core.risk.record import replay
from fenqi.core.values.ids import AccountId
from fenqi.flows.protect import protect
from fenqi.flows.verify import NoCheckAsked
from fenqi.store import decision_records
from fenqi.store.pool import Store

HOUR = timedelta(hours=1)


@pytest.fixture
def world(store: Store) -> World:
    return shipped_book(store)


def live(world: World, account_ids: list[AccountId], *, days: int, at: str = "home") -> None:
    """Let accounts log in on as many days, each with its own device, at its own address or one."""
    for _ in range(days):
        for number, one in enumerate(account_ids):
            address = f"{at} {number}" if at == "home" else at
            log_in(world, [one], address, device=f"phone {one}")
        world.clock.set(world.clock.now() + 24 * HOUR)


def come(world: World, account_ids: list[AccountId], address: str) -> None:
    """Let accounts log in one after another, each with its own device."""
    for one in account_ids:
        log_in(world, [one], address, device=f"phone {one}")


def asked(world: World) -> set[AccountId]:
    """Return who is asked for a check now."""
    sql = """
        SELECT account_id FROM protections
        WHERE kind = 'step-up' AND ended_at IS NULL AND ends_at > %(now)s
    """
    return {one for (one,) in rows(world.store, sql, now=world.clock.now())}


def test_guests_of_a_fair_on_devices_of_their_own_are_asked_and_strangers_are_held(
    world: World,
) -> None:
    guests, strangers = people(world, 12), people(world, 5, "stranger")
    live(world, guests, days=8)
    come(world, guests + strangers, "1.2.3.4")
    answer = protect(world.ground)
    assert (answer.asked, answer.held, answer.frozen) == (12, 5, 0)
    assert asked(world) == set(guests)
    assert protections(world) == {"hold": set(strangers), "freeze": set()}
    assert {try_buy(world, one).outcome for one in guests} == {"step-up"}
    assert {try_buy(world, one).outcome for one in strangers} == {"decline"}
    texts = {one: dict(told(world, one)) for one in guests + strangers}
    assert {texts[one]["step-up-asked"]["reasons"][0] for one in guests} == {
        "crowded-address-check"
    }
    assert {texts[one]["protection-placed"]["reasons"][0] for one in strangers} == {
        "crowded-address"
    }
    *_, evidence = only_case(world)
    done_to = {one["account_id"]: one["effect"] for one in evidence["accounts"]}
    assert {done_to[str(one)] for one in guests} == {"step-up"}
    # Who comes again is not asked again, and each decision is made again from its record.
    come(world, guests, "1.2.3.4")
    assert protect(world.ground).asked == 0
    decided = rows(world.store, "SELECT decision_id FROM decisions WHERE policy = 'crowd'")
    assert len(decided) == 17
    for (decision_id,) in decided:
        with world.store.transaction() as session:
            assert replay(decision_records.read(session, decision_id)) is None
    assert_sound(world)


@pytest.mark.parametrize("days", [2, 6])
def test_a_device_used_on_too_few_days_or_for_too_short_is_not_an_accounts_own(
    world: World, days: int
) -> None:
    ring = people(world, 10)
    live(world, ring, days=days)
    if days == 2:  # seen long ago, but on two days only
        world.clock.set(world.clock.now() + 30 * 24 * HOUR)
    come(world, ring, "1.2.3.4")
    answer = protect(world.ground)
    assert (answer.asked, answer.held) == (0, 10)


def test_a_farm_whose_devices_were_never_seen_elsewhere_is_held(world: World) -> None:
    ring = people(world, 12)
    live(world, ring[:9], days=10, at="1.2.3.4")  # below a crowd, for days
    come(world, ring, "1.2.3.4")
    answer = protect(world.ground)
    assert (answer.asked, answer.held) == (0, 12)


def test_accounts_of_long_standing_taken_over_by_other_devices_make_no_place(world: World) -> None:
    victims = people(world, 12)
    make_old(world, victims)
    live(world, victims, days=3)
    for number, one in enumerate(victims):
        log_in(world, [one], "1.2.3.4", device=f"thief {number}")
    answer = protect(world.ground)
    assert (answer.places, answer.held) == (0, 12)


def test_the_same_customers_on_their_own_devices_make_a_place(world: World) -> None:
    guests = people(world, 12)
    make_old(world, guests)
    live(world, guests, days=3)
    come(world, guests, "1.2.3.4")
    assert protect(world.ground).places == 1
    assert (asked(world), protections(world)["hold"]) == (set(), set())


def test_who_uses_a_second_device_besides_the_own_is_held(world: World) -> None:
    ring = people(world, 10)
    live(world, ring, days=8)
    come(world, ring[:9], "1.2.3.4")
    log_in(world, [ring[8]], "1.2.3.4", device="another")
    log_in(world, [ring[9]], "1.2.3.4")  # and who names none
    protect(world.ground)
    assert protections(world)["hold"] == set(ring[8:])
    assert asked(world) == set(ring[:8])


def test_devices_of_their_own_do_not_save_who_shares_a_card_from_a_freeze(world: World) -> None:
    ring = people(world, 10)
    live(world, ring, days=8)
    for one in ring:
        log_in(world, [one], "1.2.3.4", device=f"phone {one}", card="mule")
    answer = protect(world.ground)
    assert (answer.frozen, answer.asked) == (10, 0)


def test_passing_a_check_ends_what_only_an_address_placed(world: World) -> None:
    guests, strangers = people(world, 8), people(world, 8, "stranger")
    live(world, guests, days=8)
    log_in(world, strangers[:4], "1.2.3.4", device="farm")
    come(world, guests + strangers[4:], "1.2.3.4")
    assert protect(world.ground).frozen == 4
    for one in (guests[0], strangers[4]):
        done(passed(world, one))
        assert try_buy(world, one).outcome == "approve"
    assert isinstance(passed(world, strangers[0]), NoCheckAsked)  # a freeze goes on
    come(world, [guests[0], strangers[4]], "1.2.3.4")  # and nobody is held or asked again
    answer = protect(world.ground)
    assert (answer.held, answer.asked) == (0, 0)
    findings = rows(world.store, "SELECT kind, finding FROM protections WHERE finding IS NOT NULL")
    assert sorted(findings) == [("hold", "passed"), ("step-up", "passed")]
    assert_sound(world)


def test_a_rule_may_let_holds_go_on_whoever_passes_a_check(world: World) -> None:
    ring = people(world, 10)
    come(world, ring, "1.2.3.4")
    protect(world.ground)
    strict = replace(world.ground, crowd=replace(world.ground.crowd, check_ends_hold=False))
    assert isinstance(passed(replace(world, ground=strict), ring[0]), NoCheckAsked)
    assert protections(world)["hold"] == set(ring)
