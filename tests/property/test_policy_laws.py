"""Laws of every policy: the compilations mean one thing, and what is unknown harms nobody."""

import json

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from fenqi.core.risk.decision import HARMFUL, LADDER
from fenqi.core.risk.policy.columns import NO_REASON, compile_columns
from fenqi.core.risk.policy.policy import APPROVE, REASONS_MAX
from fenqi.core.risk.policy.rows import compile_row
from fenqi.core.risk.policy.trace import Status, trace
from fenqi.core.risk.rulebook import restored, rulebook
from random_policies import VOCABULARY, policies, rows

MANY = settings(max_examples=50)  # each reads and compiles a policy


@MANY
@given(st.data())
def test_what_can_be_adopted_can_be_read_again_from_its_rulebook(data: st.DataObject) -> None:
    policy = data.draw(policies())
    book = rulebook(policy, VOCABULARY)
    again = restored(json.loads(book.text))
    assert again.rulebook_id == book.rulebook_id
    row = data.draw(rows(policy))
    assert again.decide(row) == book.decide(row)


@MANY
@given(st.data())
def test_a_row_decides_as_its_parts_are_told(data: st.DataObject) -> None:
    policy = data.draw(policies())
    decide = compile_row(policy)
    for _ in range(4):
        row = data.draw(rows(policy))
        verdict, told = trace(policy, row)
        assert decide(row) == verdict
        assert {one.line.number for one in told if one.status is Status.HIT} == set(verdict.hits)


@MANY
@given(st.data())
def test_not_knowing_adds_no_harm(data: st.DataObject) -> None:
    policy = data.draw(policies())
    decide = compile_row(policy)
    nothing = decide([None] * len(policy.inputs))
    assert not HARMFUL & {act.effect for act in nothing.effects}
    whole = data.draw(rows(policy))
    hidden = data.draw(st.lists(st.booleans(), min_size=len(whole), max_size=len(whole)))
    less = [None if hide else value for hide, value in zip(hidden, whole, strict=True)]
    known = {act.effect: act for act in decide(whole).effects if act.effect in HARMFUL}
    for act in decide(less).effects:
        if act.effect in HARMFUL:
            assert act.effect in known
            assert harm(act) <= harm(known[act.effect])


def harm(act: object) -> int:
    """Return how strong an effect's parameter is; of a smaller limit, the lower the stronger."""
    amount = act.amount  # type: ignore[attr-defined]
    return -amount if act.effect == "smaller-limit" else amount  # type: ignore[attr-defined]


@MANY
@given(st.data())
def test_reasons_are_those_of_lines_that_led_to_the_effects(data: st.DataObject) -> None:
    policy = data.draw(policies())
    verdict = compile_row(policy)(data.draw(rows(policy)))
    led = [
        line for line in (policy.lines[one] for one in verdict.hits) if line.acts or line.points > 0
    ]
    assert len(verdict.reasons) <= REASONS_MAX
    assert len(set(verdict.reasons)) == len(verdict.reasons)
    assert set(verdict.reasons) <= {line.reason for line in led}
    places = [LADDER.index(act.effect) for act in verdict.effects]
    assert places == sorted(places, reverse=True)
    if verdict.effects:
        assert verdict.outcome == verdict.effects[0].effect
    else:
        assert (verdict.outcome, verdict.reasons) == (APPROVE, ())
    if verdict.effects and verdict.effects[0].effect in HARMFUL:
        assert verdict.reasons


@MANY
@given(st.data())
def test_columns_decide_as_rows(data: st.DataObject) -> None:
    policy = data.draw(policies())
    decide, decide_all = compile_row(policy), compile_columns(policy)
    many = [data.draw(rows(policy)) for _ in range(data.draw(st.integers(1, 8)))]
    if data.draw(st.booleans()):  # a block without an unknown input takes another way
        many = [[0 if value is None else value for value in row] for row in many]
    values = np.array([[value or 0 for value in row] for row in many], np.int64).T
    known = np.array([[value is not None for value in row] for row in many], bool).T
    inputs = len(policy.inputs)
    found = decide_all(
        np.ascontiguousarray(values.reshape(inputs, len(many))), known.reshape(inputs, len(many))
    )
    codes, reasons = found.reasons()
    for place, row in enumerate(many):
        verdict = decide(row)
        assert found.verdict(place) == verdict
        assert found.outcome(place) == verdict.outcome
        assert tuple(codes[one] for one in reasons[place] if one != NO_REASON) == verdict.reasons
