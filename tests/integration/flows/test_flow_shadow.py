"""Challengers are asked about live decisions after the fact, each once, and harm nobody."""

import json
from datetime import timedelta
from io import StringIO
from uuid import UUID

import pytest
from make_book import World, beside, buy, enrol, key, open_book, row, rows
from rich.console import Console

from fenqi.core.risk.decision import DecisionKind
from fenqi.core.risk.policy.read import read
from fenqi.core.risk.rulebook import Rulebook, rulebook
from fenqi.core.values.ids import AccountId
from fenqi.flows import shadow as shadowing
from fenqi.flows.assess import Assess, assess
from fenqi.report import shadow as telling
from fenqi.report.language import Language, Speech
from fenqi.store import policies, shadows
from fenqi.store.features import shipped
from fenqi.store.pool import Store
from fenqi.store.shadows import ChallengerMissing, ChallengerRuns, ShadowInvalid
from fenqi.worker.shadow import follow

LIVE = """
[[rules]]
id = "small"
when = "limit_minor < 2000.00 CNY"
effects = [{effect = "review", priority = 3}]
reason = "small"

[[rules]]
id = "used"
when = "utilisation_ppm > 50 %"
effects = [{effect = "nudge"}]
reason = "used"
"""
STRICT = """
[[rules]]
id = "small"
when = "limit_minor < 6000.00 CNY"
effects = [{effect = "review", priority = 3}]
reason = "small"

[[rules]]
id = "busy"
when = "purchases_24h > 0"
effects = [{effect = "nudge"}]
reason = "used"
"""


def made(body: str, name: str, kind: DecisionKind = DecisionKind.LIMIT) -> Rulebook:
    reasons = "".join(
        f'[[reasons]]\ncode = "{code}"\nzh = "原因"\nen = "A reason."\n'
        for code in ("small", "used")
    )
    head = (
        f'id = "{name}"\nversion = 1\nkind = "{kind}"\npurpose = "credit"\nowner = "risk"\n'
        'author = "the risk desk"\nvalid_from = 2026-01-01\n'
    )
    vocabulary = shipped().vocabulary
    return rulebook(read(head + reasons + body, vocabulary, file=name), vocabulary)


@pytest.fixture
def world(store: Store) -> World:
    world = open_book(store, slices=1)
    with store.transaction() as session:
        live, now = made(LIVE, "live"), world.clock.now()
        policies.adopt(session, live, now, by="Wang Fang", because="tried")
    return world


def decide(world: World, *accounts: AccountId) -> None:
    """Have live decisions made about accounts, a minute later."""
    world.clock.set(world.clock.now() + timedelta(minutes=1))
    commands = [Assess(scope_id=str(one), key=key(world), account_id=one) for one in accounts]
    assess(world.ground, commands)


def begin(world: World, body: str = STRICT, name: str = "strict", *, days: int = 7) -> UUID:
    return shadowing.begin(world.ground, made(body, name), by="Li Na", days=days)[0]


def said(world: World, challenger: UUID) -> list[str]:
    found = rows(
        world.store,
        """
        SELECT outcome FROM shadow_verdicts WHERE challenger_id = %(one)s
        ORDER BY decided_at, decision_id
        """,
        one=challenger,
    )
    return [one[0] for one in found]


def test_a_challenger_sees_each_decision_of_its_kind_once_from_its_start(world: World) -> None:
    people = [enrol(world, f"p{limit}", limit_minor=limit) for limit in (100_000, 500_000)]
    decide(world, *people)  # before there was a challenger
    world.clock.set(world.clock.now() + timedelta(minutes=1))
    challenger = begin(world)
    assert follow(world.ground) == 0
    decide(world, *people)
    assert follow(world.ground) == 2
    assert follow(world.ground) == 0
    decide(world, people[1])
    assert follow(world.ground) == 1
    assert said(world, challenger) == ["review", "review", "review"]


def test_several_challengers_run_at_once_and_decide_nothing(world: World) -> None:
    person = enrol(world, limit_minor=500_000)
    first, second = begin(world), begin(world, LIVE, "same")
    events = row(world.store, "SELECT event_count FROM accounts WHERE kind = 'customer'")
    decide(world, person)
    assert follow(world.ground) == 2
    assert (said(world, first), said(world, second)) == (["review"], ["approve"])
    assert row(world.store, "SELECT event_count FROM accounts WHERE kind = 'customer'") == events
    assert rows(world.store, "SELECT 1 FROM cases") == []


def test_inputs_nobody_can_tell_any_more_are_unknown_and_told(world: World) -> None:
    challenger = begin(world, STRICT.replace("purchases_24h > 0", "account_age_days > 9 days"))
    decide(world, enrol(world, limit_minor=900_000))
    follow(world.ground)
    unknown, unrecorded = row(world.store, "SELECT unknown, unrecorded FROM shadow_verdicts")
    assert (unknown, unrecorded) == ([1], 1)
    found = telling.read(world.store, challenger)
    assert (found.lacking, found.lacking_inputs_max, found.filled) == (1, 1, 0)


def test_features_that_were_not_kept_are_computed_from_the_events_and_told(world: World) -> None:
    challenger = begin(world)
    busy, quiet = (enrol(world, name, limit_minor=900_000) for name in ("busy", "quiet"))
    buy(world, busy, 10_000)
    decide(world, busy, quiet)
    buy(world, quiet, 10_000)  # after what was decided about them
    follow(world.ground)
    assert sorted(said(world, challenger)) == ["approve", "nudge"]
    found = telling.read(world.store, challenger)
    assert (found.lacking, found.filled, found.filled_inputs_max) == (0, 2, 1)
    console = Console(width=160, record=True, file=StringIO())
    telling.show(found, console, Speech(Language.ENGLISH))
    assert "For 2 decisions up to 1 inputs were not kept" in console.export_text()
    assert telling.as_table(found)["filled_inputs"] == 2


def test_the_report_tells_outcomes_rules_and_examples(world: World) -> None:
    challenger = begin(world)
    people = [enrol(world, f"p{limit}", limit_minor=limit) for limit in (100_000, 500_000, 900_000)]
    decide(world, *people)
    follow(world.ground)
    found = telling.read(world.store, challenger)
    assert dict(found.comparison.outcomes) == {
        ("review", "review"): 1,
        ("approve", "review"): 1,
        ("approve", "approve"): 1,
    }
    rules = found.comparison.rules
    small, used, busy = rules["small"], rules["used"], rules["busy"]
    assert (small.both, small.live_only, small.challenger_only) == (1, 0, 1)
    assert (used.in_live, used.in_challenger) == (True, False)
    assert (busy.in_live, busy.in_challenger) == (False, True)
    (example,) = found.examples
    assert (example.live_outcome, example.outcome) == ("approve", "review")
    console = Console(width=140, record=True, file=StringIO())
    telling.show(found, console, Speech(Language.ENGLISH))
    text = console.export_text()
    assert "3 decisions, 1 would have come out differently" in text
    assert str(example.decision_id) in text
    assert json.loads(json.dumps(telling.as_table(found)))["differing"] == 1


def test_a_challenger_ends_by_itself_or_is_stopped_by_name(world: World) -> None:
    person = enrol(world, limit_minor=500_000)
    short, long = begin(world, days=1), begin(world, LIVE, "same", days=9)
    world.clock.set(world.clock.now() + timedelta(days=2))
    decide(world, person)
    assert follow(world.ground) == 1
    assert said(world, short) == []
    with pytest.raises(ShadowInvalid):
        shadowing.stop(world.ground, long, by=" ")
    shadowing.stop(world.ground, long, by="Li Na")
    decide(world, person)
    assert follow(world.ground) == 0
    with pytest.raises(ChallengerMissing):
        shadowing.stop(world.ground, long, by="Li Na")
    found = telling.every(world.store)
    assert [one.stopped_by for one in found if one.challenger_id == long] == ["Li Na"]


def test_a_challenger_needs_a_name_an_end_and_runs_once(world: World) -> None:
    begin(world)
    with pytest.raises(ChallengerRuns):
        begin(world)
    with pytest.raises(ShadowInvalid):
        begin(world, LIVE, "same", days=0)
    for nobody in ("", "\x1b[31mLi Na", "x" * 81):
        with pytest.raises(ShadowInvalid):
            shadowing.begin(world.ground, made(LIVE, "same"), by=nobody, days=1)


def test_a_decision_that_commits_late_is_not_passed_over(world: World) -> None:
    """Decided before the watermark, committed after it: judged the next time."""
    people = [enrol(world, f"p{number}", limit_minor=500_000) for number in range(2)]
    challenger = begin(world)
    decide(world, people[0])
    early = world.clock.now()
    follow(world.ground)
    world.clock.set(early + timedelta(minutes=10))
    follow(world.ground)
    world.clock.set(early - timedelta(seconds=90))
    decide(world, people[1])
    world.clock.set(early + timedelta(minutes=11))
    assert follow(world.ground) == 1
    assert len(said(world, challenger)) == 2


def test_two_programs_follow_a_challenger_one_at_a_time(world: World, database_url: str) -> None:
    challenger = begin(world)
    decide(world, enrol(world, limit_minor=500_000))
    other = Store.open(database_url)
    try:
        with other.transaction() as session:
            assert shadows.claim(session, challenger) is not None
            assert follow(world.ground) == 0
        assert follow(beside(world, other).ground) == 1
    finally:
        other.close()
