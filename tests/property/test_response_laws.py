"""P6 as a law: whatever is asked and however often, weak evidence never adds up to a freeze."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from fenqi.core.risk.decision import Effect
from fenqi.core.risk.response import (
    CLEARED,
    DAY,
    HOUR,
    KINDS,
    Bounds,
    Finding,
    Past,
    ProtectionKind,
    Step,
    Strength,
    temper,
)

START = datetime(2026, 3, 1, tzinfo=UTC)
BOUNDS = st.builds(
    Bounds,
    hold_hours_max=st.integers(0, 48),
    pause_hours=st.integers(1, 200),
    freeze_days_alone_max=st.integers(0, 30),
)
ASKED = st.tuples(
    st.integers(0, 40),  # hours since the last one
    st.sampled_from(Effect),
    st.integers(1, 2_000),  # hours asked for
    st.sampled_from(["one", "two", "three"]),
    st.booleans(),  # somebody ends it at once
)
MILD = {Effect.NUDGE, Effect.RELIEF, Effect.STEP_UP, Effect.REVIEW, Effect.HOLD}


def placed(step: Step, *, cause: str, strength: Strength) -> Past:
    assert step.until is not None
    return Past(KINDS[step.effect], cause, strength, step.until, None, None)


@given(BOUNDS, st.lists(ASKED, max_size=40))
def test_weak_evidence_alone_only_ever_holds_for_hours_with_pauses(
    bounds: Bounds, asked: list[tuple[int, Effect, int, str, bool]]
) -> None:
    now, past = START, []
    for hours, effect, length, cause, ends in asked:
        now += hours * HOUR
        step = temper(
            effect,
            now + length * HOUR,
            cause=cause,
            strength=Strength.WEAK,
            past=past,
            bounds=bounds,
            now=now,
        )
        if step is None:
            continue
        assert step.effect in MILD
        if step.effect is not Effect.HOLD:
            continue
        assert step.until is not None
        assert now < step.until <= now + bounds.hold_hours_max * HOUR
        for one in past:  # no hold begins while another runs, or before the pause is over
            ended = one.ended_at or one.ends_at
            assert now >= ended + bounds.pause_hours * HOUR
        one = placed(step, cause=cause, strength=Strength.WEAK)
        if ends:
            one = Past(one.kind, cause, one.strength, one.ends_at, now, Finding.LIFTED)
        past.append(one)
    assert all(one.kind is ProtectionKind.HOLD for one in past)


@given(BOUNDS, st.sampled_from([Effect.HOLD, Effect.FREEZE]), st.integers(1, 5_000))
def test_nobody_alone_stops_purchases_for_longer_than_the_pack_says(
    bounds: Bounds, effect: Effect, hours: int
) -> None:
    until = START + hours * HOUR
    step = temper(
        effect,
        until,
        cause="one",
        strength=Strength.STRONG,
        past=[],
        bounds=bounds,
        now=START,
    )
    assert step is not None
    most = (
        bounds.hold_hours_max * HOUR
        if effect is Effect.HOLD
        else bounds.freeze_days_alone_max * DAY
    )
    if not most:
        assert step == Step(Effect.REVIEW)
        return
    assert step.until == min(until, START + most)
    assert step.asked_until == (until if effect is Effect.FREEZE else step.until)


@given(
    BOUNDS,
    st.sampled_from([Effect.HOLD, Effect.FREEZE, Effect.SMALLER_LIMIT]),
    st.sampled_from(Finding),
    st.integers(0, 24 * 40),
)
def test_the_same_cause_waits_for_its_pause_and_longer_after_a_false_alarm(
    bounds: Bounds, effect: Effect, finding: Finding, hours: int
) -> None:
    ended = START + HOUR
    past = Past(KINDS[effect], "one", Strength.STRONG, ended, ended, finding)
    now = ended + hours * HOUR
    step = temper(
        effect,
        now + HOUR,
        cause="one",
        strength=Strength.STRONG,
        past=[past],
        bounds=bounds,
        now=now,
    )
    pause = bounds.pause_hours * HOUR
    if finding is Finding.FALSE_ALARM:
        pause = max(pause, CLEARED)
    if finding is Finding.CURED and effect is Effect.SMALLER_LIMIT:
        pause = timedelta(0)  # late again is a new fact
    assert (step is None) == (now < ended + pause)


def test_a_pack_that_says_nothing_allows_no_hold_at_all() -> None:
    bounds = Bounds(hold_hours_max=0, pause_hours=0, freeze_days_alone_max=0)
    for effect in (Effect.HOLD, Effect.FREEZE):
        step = temper(
            effect,
            START + timedelta(hours=1),
            cause="one",
            strength=Strength.STRONG,
            past=[],
            bounds=bounds,
            now=START,
        )
        assert step == Step(Effect.REVIEW)
