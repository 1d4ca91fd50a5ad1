"""Points are given by the card a rulebook names: a newer file scores nobody by itself."""

import dataclasses
from uuid import UUID

import pytest
from make_application import SaidBureau, applied
from make_book import World, done, enrol, key, open_book, purchase, row

from fenqi.core.risk import record
from fenqi.core.risk.decision import DecisionKind
from fenqi.core.risk.record import Record
from fenqi.core.risk.rulebook import rulebook
from fenqi.core.risk.scorecard import from_json
from fenqi.flows.assess import Assess, assess
from fenqi.flows.authorise import authorise
from fenqi.report import decision as telling
from fenqi.report.language import Language
from fenqi.store import decision_records, features, policies, scorecards
from fenqi.store.pool import Store
from fenqi.worker.admit import admit

EARLIER = (
    scorecards.STARTER.read_text("utf-8")
    .replace("base_points = 270", "base_points = 100")
    .replace("late-payments", "late-once")  # a code the shipped card does not have
)


@pytest.fixture
def world(store: Store) -> World:
    """Return a book whose policies were adopted over an earlier card than the shipped one."""
    world, known = open_book(store), features.shipped()
    with store.transaction() as session:
        for kind in (DecisionKind.PURCHASE, DecisionKind.LIMIT, DecisionKind.APPLICATION):
            policy = policies.shipped(kind).policy
            book = rulebook(policy, known.vocabulary, features=known.text, scorecard=EARLIER)
            now = world.clock.now()
            policies.adopt(session, book, now, by="Wang Fang", because="the first")
    ground = dataclasses.replace(world.ground, asks_policies=True)
    return dataclasses.replace(world, ground=ground)


def decided(world: World) -> UUID:
    """Return the latest decision."""
    asked = "SELECT decision_id FROM decisions ORDER BY decision_id DESC LIMIT 1"
    return UUID(str(row(world.store, asked)))


def points(world: World, decision_id: UUID | None = None) -> int | None:
    """Return the points of a decision, the latest unless told; its record gives them again."""
    with world.store.transaction() as session:
        found: Record = decision_records.read(session, decision_id or decided(world))
    assert record.replay(found) is None
    return found.given["score_points"]


def test_purchases_and_limits_are_scored_by_the_card_that_was_adopted(world: World) -> None:
    account = enrol(world)
    answer = done(authorise(world.ground, [purchase(world, account, 10_000)])[0])
    assert answer.outcome == "approve"
    assert points(world) is not None
    assert (points(world) or 0) < 500  # the shipped card gives a stranger about 600
    command = Assess(scope_id=str(account), key=key(world), account_id=account)
    assessed = done(assess(world.ground, [command])[0])
    assert (points(world, UUID(assessed.decision_id)) or 0) < 500


def test_an_application_is_scored_by_the_card_that_was_adopted(world: World) -> None:
    applied(world)
    admit(world.ground, SaidBureau())
    assert (points(world) or 0) < 600
    with world.store.transaction() as session:
        found = decision_records.read(session, decided(world))
    assert telling.texts(found, Language.ENGLISH)["late-once"]
    content = row(
        world.store,
        "SELECT content FROM rulebooks WHERE kind = 'application'"
        " AND content ->> 'judge' = 'application'",
    )
    assert from_json(content["scorecard"]).base_points == 100
