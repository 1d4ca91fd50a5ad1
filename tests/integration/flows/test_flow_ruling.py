"""A purchase before the shipped policy: features, floor, menu, breaker, responses, its record."""

import dataclasses
import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from make_book import (
    World,
    assert_sound,
    done,
    enrol,
    key,
    kinds,
    open_book,
    pay,
    purchase,
    rows,
    told_of_last,
)
from msgspec import structs

import fenqi
from fenqi.core.risk import record
from fenqi.core.risk.case import CaseOutcome
from fenqi.core.risk.decision import DecisionKind
from fenqi.core.risk.policy.read import read
from fenqi.core.risk.record import Record
from fenqi.core.risk.rulebook import Rulebook, rulebook
from fenqi.core.values.ids import AccountId
from fenqi.flows.authorise import Authorised, authorise
from fenqi.flows.capture import Capture, capture
from fenqi.flows.observe import Observe, Told, observe
from fenqi.flows.review import CloseCase, close_case
from fenqi.flows.verify import NoCheckAsked, Verify, verify
from fenqi.store import features
from fenqi.store.decisions import STARTER
from fenqi.store.pool import Store
from fenqi.store.trails import Trails

FILE = Path(fenqi.__file__).parent / "data" / "policies" / "purchase.toml"
HOUR = timedelta(hours=1)
OURS = """
id = "ours"
version = 7
kind = "purchase"
purpose = "fraud"
owner = "risk"
author = "fenqi"
valid_from = 2026-01-01
title = { zh = "测试", en = "Test" }
source = "ours"
"""


def shipped(text: str | None = None) -> Rulebook:
    """Return the shipped policy of purchases, or another one, ready to decide."""
    known = features.shipped()
    policy = read(text or FILE.read_text("utf-8"), known.vocabulary, file="purchase.toml")
    return rulebook(policy, known.vocabulary, features=known.text)


def under(world: World, rules: Rulebook | None = None) -> World:
    """Return the same book, its purchases decided by a rulebook or by the adopted policy."""
    if rules is None:
        return dataclasses.replace(
            world, ground=dataclasses.replace(world.ground, asks_policies=True)
        )
    ground = dataclasses.replace(world.ground, rulebooks={DecisionKind.PURCHASE: rules})
    return dataclasses.replace(world, ground=ground)


@pytest.fixture
def world(store: Store) -> World:
    return under(open_book(store))


def try_buy(
    world: World, account: AccountId, amount: int, *plan: Any, **changes: Any
) -> Authorised:
    (answer,) = authorise(world.ground, [purchase(world, account, amount, *plan, **changes)])
    return done(answer)


def tell(world: World, account: AccountId, *facts: tuple[str, dict[str, Any]]) -> None:
    """Let others tell facts of an account, just now."""
    told = tuple(Told(kind, world.clock.now(), said) for kind, said in facts)
    command = Observe(
        scope_kind="account",
        scope_id=str(account),
        key=key(world),
        account_id=account,
        facts=told,
    )
    done(observe(world.ground, [command])[0])


def seal(number: int) -> str:
    return f"{number:064x}"


def decisions(world: World) -> list[tuple[Any, ...]]:
    return rows(
        world.store,
        "SELECT outcome, effects, reasons, policy, policy_version, points, latency_us "
        "FROM decisions ORDER BY decision_id",
    )


def assert_replays(world: World) -> list[Record]:
    """Check that each decision is made again from its record alone; return the records."""
    found = rows(
        world.store,
        "SELECT d.decision_id, d.account_id, d.kind, d.outcome, d.effects, d.reasons, d.points, "
        "d.hits, d.inputs, d.as_of_number, d.regime, d.rulebook_id, r.name, r.version, r.content "
        "FROM decisions AS d JOIN rulebooks AS r USING (rulebook_id) ORDER BY d.decision_id",
    )
    records = []
    for one in found:
        decision_id, account_id, kind, outcome, effects, reasons, points, hits, inputs, *rest = one
        as_of, regime, rulebook_id, name, version, content = rest
        made = record.Rulebook(rulebook_id, kind, name, version, content)
        records.append(
            Record(
                decision_id=decision_id,
                account_id=account_id,
                currency="CNY",
                kind=kind,
                outcome=outcome,
                effects=tuple(effects),
                reasons=tuple(reasons),
                points=points,
                hits=tuple(hits),
                inputs=tuple(inputs),
                offers=(),
                would_change=None,
                as_of_number=as_of,
                regime=regime,
                decided_at="",
                booked_on="",
                latency_us=None,
                rulebook=made,
            )
        )
    assert [record.replay(one) for one in records] == [None] * len(records)
    return records


def given(one: Record) -> Mapping[str, int | None]:
    return one.given


def test_the_shipped_policy_looks_at_more_than_fifteen_features() -> None:
    looked_at = {one.name for one in shipped().policy.inputs}
    assert len(looked_at & {one.name for one in features.shipped().features}) >= 15


def test_a_usual_purchase_is_approved_and_its_decision_made_again_from_its_record(
    world: World,
) -> None:
    account = enrol(world)
    first = try_buy(world, account, 60_000, "flat", 3)
    second = try_buy(world, account, 70_000, "flat", 6)
    assert (first.outcome, second.outcome) == ("approve", "approve")
    one, two = assert_replays(world)
    assert (given(one)["purchases_24h"], given(two)["purchases_24h"]) == (0, 1)
    assert given(two)["purchase_amount_24h"] == 60_000
    assert given(two)["used_minor"] == 60_000
    assert (one.as_of_number, two.as_of_number) == (1, 2)
    plans = rows(world.store, "SELECT policy, policy_version FROM plans")
    assert plans == [("purchase", shipped().version)] * 2
    assert_sound(world, plans=2)


def test_purchases_of_one_batch_see_one_another(world: World) -> None:
    account = enrol(world, limit_minor=100_000)
    commands = [purchase(world, account, 40_000) for _ in range(3)]
    answers = [done(one) for one in authorise(world.ground, commands)]
    assert [one.outcome for one in answers] == ["approve", "approve", "decline"]
    assert answers[2].reasons == []  # the merchant learns nothing of the customer's credit
    assert told_of_last(world, account) == ["limit-exceeded"]
    records = assert_replays(world)
    assert [given(one)["purchases_1h"] for one in records] == [0, 1, 2]
    assert [given(one)["used_minor"] for one in records] == [0, 40_000, 80_000]
    assert_sound(world, plans=2)


def test_a_batch_decides_about_each_account_as_one_by_one(world: World) -> None:
    buyers = [
        *(("ann", 30_000), ("bob", 90_000), ("ann", 50_000)),
        *(("ann", 40_000), ("bob", 20_000), ("eve", 70_000)),
    ]

    def decided(*, together: bool) -> list[tuple[str, Mapping[str, int | None]]]:
        accounts = {
            one: enrol(world, f"{one} {together}", limit_minor=100_000) for one in dict(buyers)
        }
        commands = [purchase(world, accounts[one], amount) for one, amount in buyers]
        batches = [commands] if together else [[one] for one in commands]
        answers = [done(one) for batch in batches for one in authorise(world.ground, batch)]
        inputs = {
            (one.account_id, one.given["amount_minor"]): one.given for one in assert_replays(world)
        }
        told = [inputs[accounts[one], amount] for one, amount in buyers]
        return list(zip([one.outcome for one in answers], told, strict=True))

    together = decided(together=True)
    outcomes = [outcome for outcome, _ in together]
    assert outcomes == ["approve", "approve", "approve", "decline", "decline", "approve"]
    assert together == decided(together=False)
    assert_sound(world, plans=8)


def test_trails_that_were_lost_are_read_again_and_say_the_same(world: World) -> None:
    account = enrol(world)
    for _ in range(3):
        try_buy(world, account, 10_000)
    fresh = dataclasses.replace(
        world, ground=dataclasses.replace(world.ground, trails=Trails(features.shipped()))
    )
    try_buy(fresh, account, 10_000)
    assert given(assert_replays(world)[-1])["purchases_24h"] == 3


def test_changes_of_device_and_phone_after_borrowing_hold_purchases_and_nothing_else(
    world: World,
) -> None:
    account = enrol(world)
    try_buy(world, account, 300_000, "flat", 3)
    world.clock.set(world.clock.now() + HOUR)
    for number in (1, 2):
        tell(world, account, ("device-changed", {"device": seal(number)}))
    tell(world, account, ("phone-changed", {"phone": seal(3)}))
    until = "SELECT kind, ends_at FROM protections ORDER BY protection_id"
    placed = rows(world.store, until)
    world.clock.set(world.clock.now() + HOUR)

    answer = try_buy(world, account, 20_000)

    # The third change already held purchases; whoever tries sees that, and why.
    assert answer.outcome == "decline"
    assert told_of_last(world, account) == ["purchases-held"]  # why it is held was told before
    assert {"held-back:hold", "review:1"} <= set(decisions(world)[-1][1])  # it runs already
    assert {"protection-placed", "case-opened"} <= set(kinds(world, account))
    cases = rows(world.store, "SELECT kind, subject, decision_id FROM cases")
    (held,) = rows(world.store, "SELECT held_until FROM accounts WHERE kind = 'customer'")
    assert held[0] > world.clock.now()
    assert {one[0] for one in cases} == {"review"}
    again = try_buy(world, account, 20_000)
    assert again.outcome == "decline"
    assert told_of_last(world, account) == ["purchases-held"]
    assert rows(world.store, until) == placed  # trying again makes no hold longer
    pay(world, account, 1_000)
    assert_replays(world)
    assert_sound(world, plans=1)


def test_a_check_is_asked_for_once_and_whoever_passed_it_buys_on(world: World) -> None:
    account = enrol(world)
    for _ in range(5):  # a limit that is too small for each
        assert try_buy(world, account, 6_000_000).outcome == "decline"

    asked = try_buy(world, account, 10_000)

    assert (asked.outcome, told_of_last(world, account)) == ("step-up", ["many-declines"])
    assert asked.order_id is None
    assert kinds(world, account)[-2:] == ["purchase-paused", "step-up-asked"]
    assert try_buy(world, account, 10_000).outcome == "step-up"
    assert kinds(world, account)[-1] == "purchase-paused"
    passing = Verify(scope_id=str(account), key="passed", account_id=account)
    first = verify(world.ground, [passing])
    assert done(first[0]).account_id == str(account)
    assert kinds(world, account)[-1] == "step-up-passed"
    assert verify(world.ground, [passing]) == first
    (again,) = verify(world.ground, [structs.replace(passing, key="again")])
    assert isinstance(again, NoCheckAsked)
    assert try_buy(world, account, 10_000).outcome == "approve"
    assert_replays(world)
    assert_sound(world, plans=1)


COOLER = (
    OURS
    + """
[[rules]]
id = "cool"
when = "purchases_24h >= 1"
effects = [{ effect = "cooler-menu", counts_max = 6 }]
reason = "too-fast"

[[reasons]]
code = "too-fast"
zh = "较频繁。"
en = "Often."
"""
)


def test_a_cooler_menu_offers_other_plans_and_books_nothing(store: Store) -> None:
    world = under(open_book(store), shipped(COOLER))
    account = enrol(world)
    assert try_buy(world, account, 60_000, "flat", 12).outcome == "approve"
    other = try_buy(world, account, 60_000, "flat", 12)
    assert (other.outcome, other.reasons, other.plan_id) == (
        "other-plan",
        ["plan-not-offered"],
        None,
    )
    assert told_of_last(world, account) == ["too-fast"]
    assert other.offers is not None
    assert ["flat", 6, 1_000_000] in other.offers
    assert max(int(count) for _, count, _ in other.offers) == 6
    assert try_buy(world, account, 60_000, "flat", 6).outcome == "approve"
    menus = rows(
        world.store,
        "SELECT m.offers FROM decisions JOIN menus AS m USING (menu_id) ORDER BY decision_id",
    )
    assert {"product": "flat", "count": 12} in menus[0][0]
    assert {"product": "flat", "count": 12} not in menus[1][0]
    assert_replays(world)
    assert_sound(world, plans=2)


def test_an_answer_with_other_plans_is_the_same_when_it_is_asked_again(store: Store) -> None:
    world = under(open_book(store), shipped(COOLER))
    account = enrol(world)
    try_buy(world, account, 60_000, "flat", 12)
    command = purchase(world, account, 60_000, "flat", 12)
    (first,) = authorise(world.ground, [command])
    (second,) = authorise(world.ground, [command])
    assert first == second
    assert len(decisions(world)) == 2


def test_a_policy_that_forgets_the_limit_does_not_lend_above_it(store: Store) -> None:
    world = under(open_book(store), shipped(COOLER))
    account = enrol(world, limit_minor=50_000)
    answer = try_buy(world, account, 50_001)
    assert (answer.outcome, told_of_last(world, account)) == ("decline", ["limit-exceeded"])
    assert decisions(world)[0][3:5] == (STARTER.name, STARTER.version)
    assert_replays(world)
    assert_sound(world, plans=0)


def test_what_was_held_keeps_the_policy_that_decided_it(world: World) -> None:
    account = enrol(world)
    order = try_buy(world, account, 30_000, "flat", 3, capture_now=False).order_id
    assert order is not None
    plain = dataclasses.replace(world.ground, rulebooks={})
    command = Capture(
        scope_kind="account",
        scope_id=str(account),
        key=key(world),
        account_id=account,
        order_id=UUID(order),
        amount_minor=30_000,
        shipped_at=world.clock.now(),
    )
    done(capture(plain, [command])[0])
    assert rows(world.store, "SELECT policy, policy_version FROM plans") == [("purchase", 3)]
    assert_sound(world, plans=1)


def test_a_dearer_grade_is_offered_its_own_products_only(world: World) -> None:
    account = enrol(world)
    with world.store.transaction() as session:
        session.run("UPDATE accounts SET price_grade = 1 WHERE kind = 'customer'")
    answer = try_buy(world, account, 60_000, "flat", 3)
    assert (answer.outcome, answer.reasons) == ("other-plan", ["plan-not-offered"])
    assert {name for name, _, _ in answer.offers or ()} == {"unsplit", "annuity18"}
    assert try_buy(world, account, 60_000, "annuity18", 3).outcome == "approve"


BREAKING = (
    OURS
    + """
[[rules]]
id = "stop"
when = "purchases_24h >= 0"
effects = [{ effect = "decline" }]
reason = "stop"

[[reasons]]
code = "stop"
zh = "停。"
en = "Stop."
"""
)


SHARED = (
    OURS
    + """
[[rules]]
id = "shared"
when = "purchases_24h >= 0"
effects = [{ effect = "hold", hours = 2 }, { effect = "review", priority = 1 }]
reason = "shared"

[[reasons]]
code = "shared"
zh = "共用。"
en = "Shared."
"""
)


def test_whoever_is_found_harmless_buys_on_though_the_rule_still_holds(store: Store) -> None:
    world = under(open_book(store), shipped(SHARED))
    account = enrol(world)
    assert try_buy(world, account, 1_000).outcome == "decline"
    assert decisions(world)[-1][1] == ["hold:2", "review:1"]
    ((case_id,),) = rows(world.store, "SELECT case_id FROM cases")
    assert rows(world.store, "SELECT case_id FROM protections") == [(case_id,)]
    closing = CloseCase(
        scope_kind="book",
        scope_id="book",
        key=key(world),
        actor="mei",
        case_id=case_id,
        outcome=CaseOutcome.FALSE_ALARM,
        text="one family",
    )
    (handled,) = close_case(world.ground, [closing])
    assert done(handled).ended == 1
    assert try_buy(world, account, 1_000).outcome == "approve"
    assert decisions(world)[-1][:2] == ("approve", ["held-back:review", "held-back:hold"])
    assert rows(world.store, "SELECT COUNT(*) FROM protections") == [(1,)]
    assert rows(world.store, "SELECT SUM(taken) FROM breaker_minutes") == [(1,)]
    assert_replays(world)


def test_a_policy_that_declines_everybody_is_broken_off_and_a_person_looks(store: Store) -> None:
    world = under(open_book(store), shipped(BREAKING))
    conduct = world.ground.catalogue.conduct()
    effect = next(one for one in conduct.caps if one.value == "decline")
    narrow = dataclasses.replace(conduct.caps[effect], hour_least=2, hour_ppm=0)
    narrowed = dataclasses.replace(conduct, caps={**conduct.caps, effect: narrow})
    known = dataclasses.replace(
        world.ground.catalogue, conducts={(conduct.conduct_id, conduct.version): narrowed}
    )
    world = dataclasses.replace(world, ground=dataclasses.replace(world.ground, catalogue=known))
    account = enrol(world)
    outcomes = [try_buy(world, account, 1_000).outcome for _ in range(3)]
    assert outcomes == ["decline", "decline", "approve"]
    assert decisions(world)[-1][:2] == ("review", ["review:1", "held-back:decline"])
    assert rows(world.store, "SELECT effect FROM breaker_trips") == [("decline",)]
    cases = rows(world.store, "SELECT kind FROM cases WHERE decision_id IS NOT NULL")
    assert cases == [("review",)]  # beside the one that calls a person to the breaker
    assert_replays(world)
    assert_sound(world, plans=1)


def test_each_decision_tells_how_long_it_took_and_its_event_names_it(world: World) -> None:
    account = enrol(world)
    try_buy(world, account, 1_000)
    ((decision_id, latency),) = rows(world.store, "SELECT decision_id, latency_us FROM decisions")
    assert latency == 0  # the clock of a test stands still
    ((payload,),) = rows(world.store, "SELECT payload FROM events WHERE kind = 'purchase-captured'")
    assert payload["decision_id"] == str(decision_id)
    assert json.dumps(payload)


NARROWING = (
    OURS
    + """
[[rules]]
id = "busy"
purpose = "credit"
when = "purchases_24h >= 2"
effects = [{ effect = "smaller-limit", limit_ppm = 500000 }]
reason = "busy"

[[reasons]]
code = "busy"
zh = "新消费的额度暂时减半。"
en = "Several purchases within a day: for a week half the limit is left for new purchases."
"""
)


def test_a_smaller_limit_holds_for_its_time_and_for_later_purchases_only(store: Store) -> None:
    world = under(open_book(store), shipped(NARROWING))
    account = enrol(world, limit_minor=1_000_000)
    for _ in range(2):
        assert try_buy(world, account, 100_000).outcome == "approve"
    # Half of the limit is 5,000.00 now, and 3,000.00 of it are used after this one.
    assert try_buy(world, account, 100_000).outcome == "approve"
    outcome, effects, reasons = decisions(world)[-1][:3]
    assert (outcome, effects, reasons) == ("smaller-limit", ["smaller-limit:500000"], ["busy"])
    found = rows(world.store, "SELECT kind, ceiling_minor, ends_at, reasons FROM protections")
    ends_at = world.clock.now() + timedelta(days=7)
    assert found == [("smaller-limit", 500_000, ends_at, ["busy"])]
    told = rows(
        world.store,
        "SELECT e.payload ->> 'kind' FROM events AS e JOIN outbox AS o ON o.account_id = "
        "e.account_id AND o.event_number = e.number WHERE o.topic = 'customer'",
    )
    assert told == [("smaller-limit",)]
    # It is in force and is not placed, counted or told again; nor made smaller by itself.
    assert try_buy(world, account, 150_000).outcome == "approve"
    assert try_buy(world, account, 100_000).outcome == "decline"
    assert rows(world.store, "SELECT COUNT(*) FROM protections") == [(1,)]
    assert rows(world.store, "SELECT SUM(taken) FROM breaker_minutes") == [(1,)]
    # A day later nothing is busy, but the smaller limit lasts its week; then the whole is back.
    world.clock.set(world.clock.now() + timedelta(days=2))
    assert try_buy(world, account, 100_000).outcome == "decline"
    assert told_of_last(world, account) == ["limit-exceeded"]
    world.clock.set(ends_at + timedelta(seconds=1))
    assert try_buy(world, account, 100_000).outcome == "approve"
    assert_replays(world)
    assert_sound(world, plans=5)
