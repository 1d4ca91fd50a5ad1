"""A ring found harmless is let go whole, under the policies that are shipped."""

import time
from typing import Any

import pytest
from make_book import World, assert_sound, buy, row, rows
from make_case import of_case
from make_crowd import only_ring, people
from make_shipped import (
    found_harmless,
    gather,
    open_cases,
    running,
    shipped_book,
    tell,
    told,
    try_buy,
    wait,
)

from fenqi.core.risk.case import CaseOutcome
from fenqi.flows.review import CloseCase, OpenCase, close_case, open_case
from fenqi.store.pool import Store

ADDRESS = "1.2.3.4"


@pytest.fixture
def world(store: Store) -> World:
    return shipped_book(store)


@pytest.mark.parametrize("device", ["", "farm"], ids=["devices of their own", "one device"])
def test_a_false_alarm_about_a_ring_lets_everybody_go_at_once(world: World, device: str) -> None:
    ring = people(world, 45)
    gather(world, ring, ADDRESS, device=device)
    assert running(world)
    assert {try_buy(world, one).outcome for one in ring} <= {"decline", "step-up"}

    begun = time.process_time()
    answer = found_harmless(world, only_ring(world))
    spent = time.process_time() - begun

    assert answer.ended >= 45
    assert spent < 1  # of this process, whatever else the machine does
    assert running(world) == []
    assert open_cases(world) == []
    for one in ring:
        assert told(world, one)[-1][0] == "case-closed"
    before = len(rows(world.store, "SELECT FROM protections"))
    assert {(bought := try_buy(world, one)).outcome for one in ring} == {"approve"}
    assert bought.reasons == []
    # The same people come back, to the same place with the same devices, and buy for weeks.
    for days in (0, 1):
        wait(world, days=days, minutes=1)
        gather(world, ring[:20], ADDRESS, device=device)
        assert {try_buy(world, one).outcome for one in ring} == {"approve"}
    for _ in range(28):
        wait(world, days=1)
        assert {try_buy(world, one).outcome for one in ring[:3]} == {"approve"}
    assert len(rows(world.store, "SELECT FROM protections")) == before
    assert_sound(world)


def test_what_is_a_customers_own_goes_on_when_his_ring_is_found_harmless(world: World) -> None:
    ring = people(world, 12)
    own = ring[0]
    buy(world, own, 50_000)
    tell(world, own, "device-changed", device="a")
    tell(world, own, "phone-changed", phone="0100")
    assert tell(world, own, "phone-changed", phone="0101").outcome == "hold"
    (mine,) = open_cases(world, own)
    gather(world, ring, ADDRESS)

    found_harmless(world, only_ring(world))

    assert {"hold", "step-up"} <= set(running(world, own))
    assert open_cases(world) == [mine]
    assert {try_buy(world, one).outcome for one in ring[1:]} == {"approve"}
    assert try_buy(world, own).outcome == "decline"


def test_a_ring_that_is_confirmed_lets_nobody_go(world: World) -> None:
    ring = people(world, 45)
    gather(world, ring, ADDRESS)
    before = running(world)
    closing = of_case(world, only_ring(world), outcome=CaseOutcome.CONFIRMED, text="one person")
    close_case(world.ground, [CloseCase(**closing)])
    assert running(world) == before


def test_an_appeal_against_a_ring_lets_go_who_appealed_and_nobody_else(world: World) -> None:
    ring = people(world, 45)
    gather(world, ring, ADDRESS)
    one, others = ring[0], ring[1:]
    said: dict[str, Any] = {"subject": "me", "text": "I am a student", "actor": "customer"}
    asking = {"scope_id": str(one), "key": "appeal", "account_id": one}
    (opened,) = open_case(
        world.ground, [OpenCase(**asking, about_case_id=only_ring(world), **said)]
    )
    appeal = next(case for case in open_cases(world, one) if str(case) == opened.case_id)
    found_harmless(world, appeal)
    assert running(world, one) == []
    assert try_buy(world, one).outcome == "approve"
    assert all(running(world, each) for each in others)


def test_what_another_ring_did_stays(world: World) -> None:
    here, there = people(world, 12), people(world, 12, "there")
    both = here[0]
    gather(world, here, ADDRESS)
    first = only_ring(world)
    found_harmless(world, first)
    wait(world, minutes=1)
    gather(world, [*there, both], "5.6.7.8", device="farm")
    before, others = running(world, both), running(world, there[0])
    assert before
    assert others
    known = set(open_cases(world, both))
    asking = {"scope_id": str(both), "key": "appeal", "account_id": both, "actor": "customer"}
    said: dict[str, Any] = {"subject": "me", "text": "it was me", "about_case_id": first}
    open_case(world.ground, [OpenCase(**asking, **said)])
    (appeal,) = set(open_cases(world, both)) - known

    found_harmless(world, appeal, by="li")

    assert (running(world, both), running(world, there[0])) == (before, others)
    assert set(open_cases(world, both)) == known


def test_a_single_case_in_which_a_person_found_harm_outlives_its_ring(world: World) -> None:
    ring = people(world, 45)
    for number, one in enumerate(ring[:8]):  # one device, seen from everywhere
        gather(world, [one], f"198.51.100.{number}", device="farm")
    sql = """
        SELECT c.case_id, p.account_id FROM cases AS c JOIN protections AS p USING (case_id)
        WHERE c.kind = 'review' AND c.is_shared AND p.kind = 'hold' AND p.ended_at IS NULL
    """
    ((single, account),) = rows(world.store, sql)
    closing = of_case(world, single, outcome=CaseOutcome.CONFIRMED, text="a thief")
    close_case(world.ground, [CloseCase(**closing)])
    kept = "SELECT COUNT(*) FROM protections WHERE case_id = %(case)s AND ended_at IS NULL"
    before = row(world.store, kept, case=single)
    gather(world, ring, ADDRESS)

    found_harmless(world, only_ring(world))

    assert row(world.store, kept, case=single) == before > 0
    assert running(world, account)
    assert all(running(world, one) == [] for one in ring if one != account)
