"""An application's policy is one like others: it may be out of use, and its harm is counted."""

import dataclasses
from pathlib import Path
from uuid import UUID

import pytest
from make_application import SaidBureau, applied
from make_book import World, assert_sound, done, open_book, row, rows
from make_change import trip

from fenqi.core.risk.breaker import Caps
from fenqi.core.risk.decision import DecisionKind, Effect
from fenqi.core.risk.policy.read import read
from fenqi.core.risk.record import replay
from fenqi.core.values.ids import AccountId
from fenqi.flows.adopt import adopt
from fenqi.flows.decide import Decided
from fenqi.report import application
from fenqi.report import decision as telling
from fenqi.report.language import Language
from fenqi.store import decision_records, policies
from fenqi.store.features import shipped
from fenqi.store.pool import Store
from fenqi.worker.admit import admit

HARSH = """
id = "harsh"
version = {version}
kind = "application"
purpose = "credit"
owner = "risk"
author = "Analyst One"
valid_from = 2020-01-01

[[rules]]
id = "asks-much"
when = "amount_minor > {above} minor"
effects = {effects}
reason = "asks-much"

[[reasons]]
code = "asks-much"
zh = "申请额度较高。"
en = "You asked for much."

[[examples]]
says = "much"
given = {{ amount_minor = 9000000 }}
outcome = "{outcome}"
"""
DECLINE = '[{ effect = "decline" }]'
SMALLER = '[{ effect = "smaller-limit", limit_ppm = 250000 }]'


@pytest.fixture
def world(store: Store) -> World:
    return open_book(store)


def adopted(world: World, effects: str, *, version: int = 1, above: int = 0) -> None:
    outcome = "decline" if "decline" in effects else "smaller-limit"
    text = HARSH.format(version=version, above=above, effects=effects, outcome=outcome)
    adopt(world.ground, read(text, shipped().vocabulary, file="harsh.toml"), by="Second Person")


def capped(world: World, effect: Effect, caps: Caps) -> World:
    """Return the world with a cap of its own on what applications are harmed with."""
    conduct = world.ground.catalogue.conduct()
    own = {DecisionKind.APPLICATION: {effect: caps}}
    narrowed = dataclasses.replace(conduct, kind_caps=own)
    known = dataclasses.replace(
        world.ground.catalogue, conducts={(conduct.conduct_id, conduct.version): narrowed}
    )
    return dataclasses.replace(world, ground=dataclasses.replace(world.ground, catalogue=known))


def decided(world: World, *people: str) -> list[Decided]:
    received = [applied(world, name) for name in people]
    answers = admit(world.ground, SaidBureau())
    return [done(answers[one.application_id]) for one in received]


def assert_replays(world: World) -> None:
    for (decision_id,) in rows(world.store, "SELECT decision_id FROM decisions"):
        with world.store.transaction() as session:
            assert replay(decision_records.read(session, decision_id)) is None


def test_beyond_the_cap_a_person_looks_at_who_would_be_declined(world: World) -> None:
    world = capped(world, Effect.DECLINE, Caps(2, 2))
    adopted(world, DECLINE)
    answers = decided(world, "ann", "ben", "cid", "dan")
    assert [one.state for one in answers] == ["declined", "declined", "review", "review"]
    assert [one.outcome for one in answers] == ["decline", "decline", "review", "review"]
    found = row(
        world.store,
        "SELECT effects, reasons FROM decisions WHERE outcome = 'review' LIMIT 1",
    )
    assert found == (["review:1", "held-back:decline"], ["asks-much"])
    assert rows(world.store, "SELECT kind, effect, policy FROM breaker_trips") == [
        ("application", "decline", "harsh")
    ]
    assert row(world.store, "SELECT SUM(taken) FROM breaker_minutes") == 2
    assert_replays(world)
    assert_sound(world, accounts=0)


def test_a_smaller_beginning_that_is_held_back_waits_for_a_person_at_what_can_be_carried(
    world: World,
) -> None:
    world = capped(world, Effect.SMALLER_LIMIT, Caps(1, 1))
    adopted(world, SMALLER)
    answers = decided(world, "ann", "ben")
    assert [one.state for one in answers] == ["offered", "review"]
    limits = rows(world.store, "SELECT limit_minor FROM applications ORDER BY limit_minor")
    assert limits == [(500_000,), (2_000_000,)]
    assert_replays(world)


def test_what_law_and_means_decline_is_no_harm_of_the_policy(world: World) -> None:
    world = capped(world, Effect.DECLINE, Caps(0, 0))
    received = applied(world, income_declared_minor=1, income_evidenced_minor=1)
    assert done(admit(world.ground, SaidBureau())[received.application_id]).state == "declined"
    assert rows(world.store, "SELECT 1 FROM breakers") == []


def test_while_the_breaker_is_open_the_last_good_version_decides_and_tells_in_its_words(
    world: World,
) -> None:
    adopted(world, SMALLER, version=1, above=5_000_000)
    adopted(world, DECLINE, version=2)
    account = _house(world)
    trip(world, account, DecisionKind.APPLICATION, "harsh", 2)
    (answer,) = decided(world, "ann")
    assert (answer.state, answer.limit_minor) == ("offered", 2_000_000)
    assert row(world.store, "SELECT policy, policy_version FROM decisions") == ("harsh", 1)


def _house(world: World) -> AccountId:
    return AccountId(
        UUID(str(row(world.store, "SELECT account_id FROM accounts WHERE kind <> 'customer'")))
    )


def test_every_kind_of_decision_asks_which_version_is_in_use() -> None:
    """No flow takes the live policy by itself: only the one place that knows what is out of use."""
    root = Path(policies.__file__).parents[1]
    asking = {
        str(file.relative_to(root))
        for file in root.rglob("*.py")
        if "policies.live(" in file.read_text("utf-8")
        or "policies.asking(" in file.read_text("utf-8")
    }
    assert asking == {"store/deciding.py", "report/policies.py"}


OFFERING = """
[[tables]]
id = "menu"
hit = "first"
columns = ["amount_minor"]
if_unknown = "all"

[[tables.rows]]
id = "all"
otherwise = true
offers = [
    { product = "flat", counts = [3, 12] },
    { product = "annuity18", counts = [6, 12] },
    { product = "annuity18", counts = [5] },
]
"""


def test_who_begins_at_a_dearer_grade_is_shown_only_plans_sold_to_that_grade(world: World) -> None:
    effects = '[{ effect = "dearer-price", rise_ppm = 100000 }, '
    effects += '{ effect = "cooler-menu", counts_max = 3 }]'
    text = HARSH.format(version=1, above=0, effects=effects, outcome="dearer-price") + OFFERING
    book = policies.book_of(read(text, shipped().vocabulary, file="offering.toml"))
    with world.store.transaction() as session:
        policies.adopt(session, book, world.clock.now(), by="Second Person", because="tried")
    decided(world, "ann")
    offers = row(world.store, "SELECT offers FROM menus JOIN applications USING (menu_id) LIMIT 1")
    # Five instalments are not sold; of what is the shortest stays, so that the menu is not empty.
    assert offers == [{"count": 6, "product": "annuity18"}]
    assert_replays(world)


def test_who_showed_no_income_is_told_that_and_not_what_a_policy_says_of_others(
    world: World,
) -> None:
    with world.store.transaction() as session:
        policies.install(session, world.clock.now())
    received = applied(world, "ann", income_evidenced_minor=None, evidence=None)
    admit(world.ground, SaidBureau())
    shown = application.shown(world.ground, UUID(received.application_id), "en")
    law = "Your income was not shown yet; once it is, you can ask for more."
    assert "income-not-shown" in shown.reasons
    assert law in shown.texts
    with world.store.transaction() as session:
        record = decision_records.read(session, UUID(str(shown.decision_id)))
    assert telling.texts(record, Language.ENGLISH)["income-not-shown"] == law
