"""The life of a check: asked once, for a week, until it is passed or its cause found harmless."""

from datetime import timedelta
from typing import Any

import pytest
from make_book import World, assert_sound, buy, enrol, kinds, row
from make_shipped import (
    found_harmless,
    open_cases,
    passed,
    running,
    shipped_book,
    tell,
    told,
    try_buy,
    wait,
)

from fenqi.core.values.ids import AccountId
from fenqi.flows.lift import lift_over
from fenqi.flows.verify import NoCheckAsked
from fenqi.store.pool import Store


@pytest.fixture
def world(store: Store) -> World:
    return shipped_book(store)


def asked(world: World, *, name: str = "ann") -> AccountId:
    """Return an account that is asked for a check: new phone and device within two days."""
    account = enrol(world, name)
    assert tell(world, account, "device-changed", device=f"{name} a").outcome == "approve"
    answer = tell(world, account, "phone-changed", phone=f"{name} 0100")
    assert (answer.outcome, answer.reasons) == ("step-up", ["new-phone-and-device"])
    assert try_buy(world, account).outcome == "step-up"
    return account


def suspected(world: World, *, name: str = "ann") -> AccountId:
    """Return an account held after three changes behind a purchase, which was asked before."""
    account = enrol(world, name)
    buy(world, account, 50_000)
    tell(world, account, "device-changed", device=f"{name} a")
    assert tell(world, account, "phone-changed", phone=f"{name} 0100").outcome == "step-up"
    assert tell(world, account, "phone-changed", phone=f"{name} 0101").outcome == "hold"
    assert try_buy(world, account).outcome == "decline"
    return account


def told_of_checks(world: World, account: AccountId) -> list[str]:
    """Return what the customer is told of checks, with how each ended."""
    return [
        f"{kind} {payload['finding']}" if kind == "protection-ended" else kind
        for kind, payload in told(world, account)
        if kind.startswith("step-up") or payload.get("kind") == "step-up"
    ]


def needs_check(world: World, account: AccountId) -> Any:
    sql = "SELECT step_up_until > %(now)s FROM accounts WHERE account_id = %(account)s"
    return row(world.store, sql, account=account, now=world.clock.now())


def test_a_check_says_when_it_ends_and_ends_then_by_itself(world: World) -> None:
    account = asked(world)
    (kind, says), paused = told(world, account)
    assert paused[0] == "purchase-paused"
    assert (kind, says["reasons"]) == ("step-up-asked", ["new-phone-and-device"])
    assert says["until"] == (world.clock.now() + timedelta(days=7)).isoformat().replace(
        "+00:00", "Z"
    )
    wait(world, days=7, seconds=-1)
    assert try_buy(world, account).outcome == "step-up"
    wait(world, seconds=1)

    assert try_buy(world, account).outcome == "approve"  # whether or not anybody wrote it down

    assert lift_over(world.ground) == 1
    assert told_of_checks(world, account) == ["step-up-asked", "protection-ended expired"]
    assert isinstance(passed(world, account), NoCheckAsked)
    assert_sound(world)


def test_whoever_passed_a_check_is_not_asked_again_for_the_same_facts(world: World) -> None:
    account = enrol(world)
    buy(world, account, 50_000)
    for number in range(3):
        answer = tell(world, account, "card-changed", card=str(number))
    assert (answer.outcome, answer.reasons) == ("review", ["cards-changed"])
    assert try_buy(world, account).outcome == "step-up"
    assert passed(world, account).account_id == str(account)
    # The rule looks a week back, and a check passed counts as proof for a day.
    for _ in range(6):
        wait(world, days=1, seconds=1)
        assert try_buy(world, account).outcome == "approve"
    assert told_of_checks(world, account) == ["step-up-asked", "step-up-passed"]


def test_new_facts_ask_again_whoever_passed_a_check(world: World) -> None:
    account = asked(world)
    passed(world, account)
    wait(world, days=1, seconds=1)
    assert try_buy(world, account).outcome == "approve"
    assert tell(world, account, "phone-changed", phone="ann 0102").outcome == "step-up"
    assert try_buy(world, account).outcome == "step-up"
    assert told_of_checks(world, account) == ["step-up-asked", "step-up-passed", "step-up-asked"]


def test_a_check_that_ran_out_is_asked_again_for_new_facts_only(world: World) -> None:
    account = enrol(world)
    buy(world, account, 50_000)
    for number in range(4):
        tell(world, account, "address-changed", address=str(number))
    assert running(world, account) == ["step-up"]
    wait(world, days=8)
    tell(world, account, "login", ip="i", device="d")
    assert running(world, account) == []
    assert try_buy(world, account).outcome == "approve"
    tell(world, account, "address-changed", address="another")
    assert running(world, account) == ["step-up"]


def test_a_false_alarm_ends_the_hold_and_the_check_that_came_before_it(world: World) -> None:
    account = suspected(world)
    assert sorted(running(world, account)) == ["hold", "step-up", "step-up"]
    (case,) = open_cases(world, account)

    assert found_harmless(world, case).ended == 3

    assert running(world, account) == []
    assert needs_check(world, account) is None
    assert told_of_checks(world, account) == ["step-up-asked", "protection-ended false-alarm"]
    assert try_buy(world, account).outcome == "approve"
    assert tell(world, account, "login", ip="i", device="ann a").outcome == "approve"
    for _ in range(29):
        wait(world, days=1)
        assert try_buy(world, account).outcome == "approve"
    assert open_cases(world) == []
    assert kinds(world, account).count("step-up-asked") == 1
    assert_sound(world)


def test_a_check_for_another_cause_goes_on_when_one_is_found_harmless(world: World) -> None:
    account = enrol(world)
    buy(world, account, 50_000)
    for number in range(3):
        tell(world, account, "card-changed", card=str(number))
    (cards,) = open_cases(world, account)
    tell(world, account, "device-changed", device="a")
    tell(world, account, "phone-changed", phone="0100")
    tell(world, account, "phone-changed", phone="0101")
    (identity,) = set(open_cases(world, account)) - {cards}

    found_harmless(world, identity)

    assert set(running(world, account)) == {"step-up"}
    assert try_buy(world, account).outcome == "step-up"
    assert told_of_checks(world, account) == ["step-up-asked"]
    found_harmless(world, cards)
    assert running(world, account) == []
    assert told_of_checks(world, account) == ["step-up-asked", "protection-ended false-alarm"]
    assert try_buy(world, account).outcome == "approve"


def test_trying_to_buy_makes_no_check_longer(world: World) -> None:
    account = asked(world)
    sql = "SELECT ends_at FROM protections"
    ends = row(world.store, sql)
    wait(world, days=6)
    assert try_buy(world, account).outcome == "step-up"
    assert row(world.store, sql) == ends
