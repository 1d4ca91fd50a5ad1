"""The live policy as its own challenger: whatever stands beside the policy, nothing differs."""

import dataclasses
from io import StringIO
from uuid import UUID

import pytest
from make_application import SaidBureau, applied
from make_book import World, buy, done, enrol, open_book, purchase, rows
from make_shipped import tell
from rich.console import Console

from fenqi.core.risk.decision import DecisionKind
from fenqi.core.risk.policy.read import read
from fenqi.flows import shadow as shadowing
from fenqi.flows.authorise import authorise
from fenqi.report import shadow as telling
from fenqi.report.language import Language, Speech
from fenqi.report.policies import show_difference
from fenqi.report.policy_difference import differ, to_json
from fenqi.report.shadow import Shadowed
from fenqi.store import features, policies
from fenqi.store.pool import Store
from fenqi.worker.admit import admit
from fenqi.worker.shadow import follow
from make_policy import one_rule

LENIENT = one_rule("purchase", "amount_minor > 0 minor", "nudge", reason="used", version=9)


@pytest.fixture
def world(store: Store) -> World:
    world = open_book(store)
    with store.transaction() as session:
        policies.install(session, world.clock.now())
    ground = dataclasses.replace(world.ground, asks_policies=True)
    return dataclasses.replace(world, ground=ground)


def beside_itself(world: World, kind: DecisionKind) -> UUID:
    return shadowing.begin(world.ground, policies.shipped(kind), by="Li Na", days=7)[0]


def parted(found: Shadowed) -> list[str]:
    rules = found.comparison.rules.items()
    return [name for name, one in rules if one.live_only or one.challenger_only]


def outcomes(world: World, kind: DecisionKind) -> set[str]:
    asked = "SELECT outcome FROM decisions WHERE kind = %(kind)s"
    return {one for (one,) in rows(world.store, asked, kind=kind.value)}


def test_what_law_and_means_decide_of_an_application_is_no_difference(world: World) -> None:
    challenger = beside_itself(world, DecisionKind.APPLICATION)
    applied(world, "ann", asked_minor=50_000_000)  # more than can be carried
    applied(world, "kid", is_student=True, income_evidenced_minor=None, evidence=None)
    admit(world.ground, SaidBureau())
    applied(world, "late")
    admit(world.ground, SaidBureau(overdue_accounts=3))
    assert outcomes(world, DecisionKind.APPLICATION) == {"smaller-limit", "decline"}
    follow(world.ground)
    found = telling.read(world.store, challenger)
    assert (found.comparison.decisions, found.comparison.differing, parted(found)) == (3, 0, [])
    rule = found.comparison.rules["deep-overdue-elsewhere"]
    assert (rule.both, rule.in_live, rule.in_challenger) == (1, True, True)


STRICT = """
id = "application"
version = 9
kind = "application"
purpose = "credit"
owner = "risk"
author = "Li Wei"
valid_from = 2026-01-01

[[rules]]
id = "anybody"
when = "amount_minor > 0 minor"
effects = [{ effect = "smaller-limit", limit_ppm = 250000 }]
reason = "anybody"

[[reasons]]
code = "anybody"
zh = "原因。"
en = "A reason."
"""


def test_a_difference_of_applications_lets_law_and_means_have_their_say(world: World) -> None:
    applied(world, "ann", asked_minor=50_000_000)  # more than can be carried
    applied(world, "kid", is_student=True, income_evidenced_minor=None, evidence=None)
    applied(world, "bob", asked_minor=1_000_000)
    admit(world.ground, SaidBureau())
    applied(world, "late")
    admit(world.ground, SaidBureau(overdue_accounts=3))
    shipped = policies.shipped(DecisionKind.APPLICATION).policy
    same = differ(world.store, world.clock, shipped, shipped, days=9)
    assert (same.compared, same.changed, same.left_out, same.limits) == (4, 0, {}, {})
    made = "SELECT outcome, COUNT(*) FROM decisions WHERE kind = 'application' GROUP BY outcome"
    told = {(one, one): count for one, count in rows(world.store, made)}
    assert dict(same.pairs) == told  # what was decided, law and means included
    assert told == {("decline", "decline"): 2, ("smaller-limit",) * 2: 1, ("approve",) * 2: 1}
    strict = read(STRICT, features.shipped().vocabulary)
    other = differ(world.store, world.clock, shipped, strict, days=9)
    assert dict(other.pairs) == {
        ("decline", "decline"): 1,  # the student, of whom no policy is asked
        ("decline", "smaller-limit"): 1,
        ("approve", "smaller-limit"): 1,
        ("smaller-limit", "smaller-limit"): 1,
    }
    assert other.limits == {"higher": 1, "lower": 2}
    assert other.lines["anybody"] == (None, 3)
    assert other.lines["deep-overdue-elsewhere"] == (1, None)
    (first, second) = other.examples
    assert {one.second.reasons for one in (first, second)} == {("anybody",)}
    assert to_json(other)["limits"] == {"higher": 1, "lower": 2}
    console = Console(width=140, record=True, file=StringIO())
    show_difference(other, console, Speech(Language.ENGLISH))
    said = "A first limit is higher for 1 of them and lower for 2."
    assert said in console.export_text()


def test_what_was_not_carried_out_is_no_difference(world: World) -> None:
    """A hold is placed once for a cause; at the next login the live policy keeps it back."""
    challenger = beside_itself(world, DecisionKind.ACCESS)
    account = enrol(world)
    buy(world, account, 50_000)
    for number in range(3):
        tell(world, account, "device-changed", device=f"d{number}")
        tell(world, account, "phone-changed", phone=f"+1 555 010{number}")
    kept = rows(world.store, "SELECT 1 FROM decisions WHERE 'held-back:hold' = ANY(effects)")
    assert kept
    follow(world.ground)
    found = telling.read(world.store, challenger)
    assert (found.comparison.decisions, found.comparison.differing, parted(found)) == (6, 0, [])


def test_what_the_house_declines_of_a_purchase_is_no_difference(world: World) -> None:
    """A policy that declines nothing: what is above the limit is declined all the same."""
    lenient = policies.book_of(read(LENIENT, features.shipped().vocabulary))
    with world.store.transaction() as session:
        policies.adopt(session, lenient, world.clock.now(), by="Wang Fang", because="tried")
    challenger = shadowing.begin(world.ground, lenient, by="Li Na", days=7)[0]
    account = enrol(world, limit_minor=10_000)
    for amount in (20_000, 5_000):
        done(authorise(world.ground, [purchase(world, account, amount)])[0])
    follow(world.ground)
    found = telling.read(world.store, challenger)
    assert dict(found.comparison.outcomes) == {("decline", "decline"): 1, ("nudge", "nudge"): 1}
