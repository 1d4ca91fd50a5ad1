"""Laws of reasons: an effect is told with those of what asked for it, harm is never without one."""

from hypothesis import given, settings
from hypothesis import strategies as st

from fenqi.core.risk.breaker import outcome_of, soften
from fenqi.core.risk.consequence import asked_as, cause_of, outcome_reasons, reasons_of
from fenqi.core.risk.decision import HARMFUL, Effect
from fenqi.core.risk.policy.policy import APPROVE, REASONS_MAX, Act
from fenqi.core.risk.policy.rows import compile_row
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
