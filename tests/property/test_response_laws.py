"""P6 as a law: whatever is asked and however often, weak evidence never adds up to a freeze."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

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
    replaces,
    temper,
)

START = datetime(2026, 3, 1, tzinfo=UTC)
BOUNDS = st.builds(
    Bounds,
    hold_hours_max=st.integers(0, 48),
    pause_hours=st.integers(1, 200),
    freeze_days_alone_max=st.integers(0, 30),
    step_up_hours=st.integers(0, 400),
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


@given(
    st.sampled_from([ProtectionKind.HOLD, ProtectionKind.FREEZE]),
    st.sampled_from([Effect.HOLD, Effect.FREEZE]),
    st.integers(1, 100),
    st.integers(1, 100),
    st.booleans(),
)
def test_in_one_case_what_runs_is_enough_or_replaced_and_no_hold_stands_beside_a_freeze(
    old: ProtectionKind, effect: Effect, lasts: int, asked: int, is_same: bool
) -> None:
    mine, other = UUID(int=1), UUID(int=2)
    ends = START + lasts * HOUR
    running = Past(old, "one", Strength.STRONG, ends, None, None, mine)
    bounds = Bounds(hold_hours_max=100, pause_hours=10, freeze_days_alone_max=30)
    step = temper(
        effect,
        START + asked * HOUR,
        cause="two",
        strength=Strength.STRONG,
        past=[running],
        bounds=bounds,
        now=START,
        within=[mine if is_same else other],
    )
    if not is_same:
        assert step is not None
        assert step.effect is effect
    elif step is None:  # as much and, but for an hour, as long
        assert old is ProtectionKind.FREEZE or effect is Effect.HOLD
        assert lasts > asked - 1
    else:
        assert step.until is not None
        kind = KINDS[step.effect]
        is_gone = replaces(kind, step.until, running, START)
        assert is_gone == (lasts <= asked and (old is ProtectionKind.HOLD or old is kind))
        if old is ProtectionKind.FREEZE and kind is ProtectionKind.HOLD:
            assert asked > lasts  # it goes on once the freeze is over


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
        if step.effect not in KINDS:
            continue
        one = placed(step, cause=cause, strength=Strength.WEAK)
        if step.effect is Effect.STEP_UP:
            past.append(one)
            continue
        assert step.until is not None
        assert now < step.until <= now + bounds.hold_hours_max * HOUR
        for one in (
            each for each in past if each.kind is ProtectionKind.HOLD
        ):  # none begins while another runs, or before the pause is over
            ended = one.ended_at or one.ends_at
            assert now >= ended + bounds.pause_hours * HOUR
        one = placed(step, cause=cause, strength=Strength.WEAK)
        if ends:
            one = Past(one.kind, cause, one.strength, one.ends_at, now, Finding.LIFTED)
        past.append(one)
    assert {one.kind for one in past} <= {ProtectionKind.HOLD, ProtectionKind.STEP_UP}


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
    st.lists(
        st.tuples(
            st.integers(0, 24 * 12),
            st.integers(1, 24 * 30),
            st.sampled_from(["mei", "MEI", "li"]),
            st.booleans(),
        ),
        max_size=12,
    ),
)
def test_in_pieces_nobody_alone_freezes_for_longer_than_at_once(
    bounds: Bounds, asked: list[tuple[int, int, str, bool]]
) -> None:
    now, past = START, []
    for number, (hours, length, by, ends) in enumerate(asked):
        now += hours * HOUR
        step = temper(
            Effect.FREEZE,
            now + length * HOUR,
            cause=f"case {number}",
            strength=Strength.STRONG,
            past=past,
            bounds=bounds,
            now=now,
            by=by,
        )
        if step is None or step.until is None:
            continue
        one = placed(step, cause=f"case {number}", strength=Strength.STRONG)
        past.append(replace(one, placed_at=now, alone_by=by, ended_at=now if ends else None))
    for person in ("mei", "li"):
        began = ended = START - 10_000 * HOUR
        for one in past:
            assert one.placed_at is not None
            assert one.alone_by is not None
            if one.alone_by.lower() != person:
                continue
            if one.placed_at >= ended + bounds.pause_hours * HOUR:
                began = one.placed_at
            ended = max(ended, one.ended_at or one.ends_at)
            assert ended - began <= bounds.freeze_days_alone_max * DAY


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


@given(
    BOUNDS,
    st.sampled_from(Finding),
    st.integers(0, 24 * 40),
    st.none() | st.integers(-100, 24 * 40),
)
def test_a_check_is_asked_for_again_only_for_facts_that_came_after_it(
    bounds: Bounds, finding: Finding, hours: int, facts: int | None
) -> None:
    ended = START + HOUR
    past = Past(ProtectionKind.STEP_UP, "one", Strength.STRONG, ended, ended, finding)
    now = ended + hours * HOUR
    step = temper(
        Effect.STEP_UP,
        now + DAY,
        cause="one",
        strength=Strength.STRONG,
        past=[past],
        bounds=bounds,
        now=now,
        facts_at=None if facts is None else min(now, ended + facts * HOUR),
    )
    is_new = facts is not None and min(hours, facts) > 0 and finding is not Finding.FALSE_ALARM
    if now < ended + CLEARED and not is_new:
        assert step is None
        return
    most = min(DAY, bounds.step_up_hours * HOUR)
    asked = Step(Effect.STEP_UP, now + most, now + most)
    assert step == (asked if most else Step(Effect.REVIEW))


@given(BOUNDS, st.integers(0, 500))
def test_an_open_check_is_not_asked_for_again_whatever_is_new(bounds: Bounds, hours: int) -> None:
    ends = START + 500 * HOUR + HOUR
    past = Past(ProtectionKind.STEP_UP, "one", Strength.STRONG, ends, None, None)
    now = START + hours * HOUR
    step = temper(
        Effect.STEP_UP,
        now + DAY,
        cause="one",
        strength=Strength.STRONG,
        past=[past],
        bounds=bounds,
        now=now,
        facts_at=now,
    )
    assert step is None


def test_a_pack_that_says_nothing_allows_no_hold_at_all() -> None:
    bounds = Bounds(hold_hours_max=0, pause_hours=0, freeze_days_alone_max=0)
    for effect in (Effect.HOLD, Effect.FREEZE, Effect.STEP_UP):
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
