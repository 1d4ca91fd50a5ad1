"""Laws of reasons: an effect is told with those of what asked for it, harm is never without one."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from fenqi.core.risk.breaker import outcome_of, soften
from fenqi.core.risk.consequence import (
    GOES_ON,
    Telling,
    asked_as,
    cause_of,
    left_out_reasons,
    menu_reasons,
    outcome_reasons,
    reasons_of,
)
from fenqi.core.risk.decision import HARMFUL, Effect
from fenqi.core.risk.policy.columns import compile_columns
from fenqi.core.risk.policy.policy import APPROVE, REASONS_MAX, Act, Policy, Verdict
from fenqi.core.risk.policy.rows import compile_row
from fenqi.core.risk.purchase import offered
from random_policies import policies, rows

MANY = settings(max_examples=50)  # each reads and compiles a policy


@MANY
@given(st.data())
def test_an_effect_has_the_reasons_of_the_lines_that_asked_for_it_alone(
    data: st.DataObject,
) -> None:
    policy = data.draw(policies())
    decide = compile_row(policy)
    for _ in range(4):
        said = decide(data.draw(rows(policy)))
        hit = [policy.lines[one] for one in said.hits]
        for effect in Effect:
            told = reasons_of(policy, said, effect)
            own = {one.reason for one in hit if any(act.effect is effect for act in one.acts)}
            pointed = {one.reason for one in hit if one.points > 0}
            asked = any(act.effect is effect for act in said.effects)
            assert set(told) <= (own or pointed if asked else set())
            assert len(told) == len(set(told)) <= REASONS_MAX
            if asked and effect in HARMFUL:
                assert told
                assert cause_of(policy, said, effect) == f"policy/{told[0]}"


@MANY
@given(st.data())
def test_an_outcome_has_its_own_reasons_whatever_of_the_verdict_is_held_back(
    data: st.DataObject,
) -> None:
    policy = data.draw(policies())
    decide = compile_row(policy)
    for _ in range(4):
        said = decide(data.draw(rows(policy)))
        harms = sorted(HARMFUL & {act.effect for act in said.effects})
        held = frozenset(one for one in harms if data.draw(st.booleans()))
        words = soften([act.word for act in said.effects], held)
        outcome = outcome_of(words, otherwise=APPROVE)
        told = outcome_reasons(policy, said, outcome, held)
        before = outcome_reasons(policy, said, outcome, held, Telling.OUTCOME)
        rows_of = menu_reasons(policy, said) if outcome in GOES_ON else ()
        assert told == tuple(dict.fromkeys([*before, *rows_of]))[:REASONS_MAX]
        told = before
        if outcome == APPROVE:
            assert told == ()
            continue
        asked = {act.effect for act in said.effects}
        meant = Effect(outcome) if outcome in asked else max(held, key=list(Effect).index)
        assert told == reasons_of(policy, said, meant)
        if held:  # what is carried out says the same as what is kept
            acts = tuple(act for act in said.effects if act.effect not in held)
            acts += (Act(Effect.REVIEW, 1),) if Effect.REVIEW not in asked else ()
            assert told == reasons_of(policy, said, asked_as(said, acts, Effect(outcome)))
            assert told or outcome not in HARMFUL


def by_columns(policy: Policy, row: list[int | None]) -> Verdict:
    """Return the verdict on one row of inputs by the other compilation."""
    values = np.array([[0 if value is None else value] for value in row], np.int64)
    known = np.array([[value is not None] for value in row], np.bool_)
    return compile_columns(policy)(values.reshape(-1, 1), known.reshape(-1, 1)).verdict(0)


@MANY
@given(st.data())
def test_a_plan_that_is_left_out_has_the_reasons_of_the_rows_that_leave_it_out(
    data: st.DataObject,
) -> None:
    policy = data.draw(policies())
    decide = compile_row(policy)
    every = sorted(offered(one for line in policy.lines for one in line.offers))
    row = data.draw(rows(policy))
    said = decide(row)
    hit = [policy.lines[one] for one in said.hits if policy.lines[one].offers]
    there = {plan[:2]: plan[2] for plan in offered(one for line in hit for one in line.offers)}
    other = by_columns(policy, row)
    assert menu_reasons(policy, said) == menu_reasons(policy, other)
    for plan in every:
        told = left_out_reasons(policy, said, plan)
        assert told == left_out_reasons(policy, other, plan)
        if there.get(plan[:2], plan[2] + 1) > plan[2]:  # not there at that price, elsewhere it is
            assert told == tuple(dict.fromkeys(one.reason for one in hit if one.reason))[:4]
    assert left_out_reasons(policy, said, ("flat", 59, 1_000_000)) == ()
