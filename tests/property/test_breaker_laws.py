"""The circuit breaker: never more harm than the cap in any hour or day, wherever it begins."""

from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from fenqi.core.risk.breaker import (
    Admission,
    Caps,
    Taken,
    Window,
    admit,
    begins,
    effect_of,
    harms_of,
    held_back,
    held_in,
    minute_of,
    outcome_of,
    soften,
)
from fenqi.core.risk.decision import HARMFUL, LADDER, Effect

START = datetime(2026, 3, 1, 23, 17, 42, 5, tzinfo=UTC)
arrivals = st.lists(
    st.tuples(st.integers(0, 40_000), st.integers(1, 30)), max_size=40
)  # seconds since the one before, how many
effects = st.lists(
    st.lists(st.sampled_from(LADDER), unique=True, max_size=5).map(
        lambda some: tuple(one for one in LADDER if one in some)
    ),
    max_size=30,
)


@given(arrivals, st.integers(0, 40), st.integers(0, 120))
def test_no_window_wherever_it_begins_holds_more_than_its_cap(
    waves: list[tuple[int, int]], hour_max: int, day_max: int
) -> None:
    caps, at = Caps(hour_max, day_max), START
    minutes: dict[datetime, int] = {}
    harmed: list[datetime] = []
    for seconds, wanted in waves:
        at += timedelta(seconds=seconds)
        counts = {
            window: sum(n for minute, n in minutes.items() if minute >= begins(window, at))
            for window in Window
        }
        taken = Taken(counts[Window.HOUR], counts[Window.DAY])
        allowed = admit(wanted, taken, caps).allowed
        minutes[minute_of(at)] = minutes.get(minute_of(at), 0) + allowed
        harmed += [at] * allowed
    for window in Window:
        for first in harmed:
            inside = [one for one in harmed if first <= one < first + window.length]
            assert len(inside) <= caps.of(window)


@given(st.integers(0, 99), st.integers(0, 99), st.integers(0, 99), st.integers(0, 99))
def test_as_many_are_admitted_as_fit_and_no_fewer(
    wanted: int, taken: int, hour_max: int, day_max: int
) -> None:
    admission = admit(wanted, Taken(taken, taken), Caps(hour_max, day_max))
    assert admission.allowed == max(0, min(wanted, hour_max - taken, day_max - taken))
    assert (admission.tripped is None) == (admission.allowed == wanted)


def test_the_cap_that_was_met_is_named() -> None:
    assert admit(5, Taken(8, 8), Caps(10, 99)) == Admission(2, Window.HOUR)
    assert admit(5, Taken(0, 99), Caps(10, 99)) == Admission(0, Window.DAY)
    assert admit(5, Taken(0, 0), Caps(10, 99)) == Admission(5, None)


@given(effects, st.dictionaries(st.sampled_from(sorted(HARMFUL)), st.integers(0, 20)))
def test_beyond_the_room_harm_becomes_a_review_and_nothing_else_changes(
    wanted: list[tuple[Effect, ...]], allowed: dict[Effect, int]
) -> None:
    held = held_back(wanted, allowed)
    softer = [soften(words, none) for words, none in zip(wanted, held, strict=True)]
    kept = [[one for one in map(effect_of, words) if one is not None] for words in softer]
    for effect, count in harms_of(wanted).items():
        assert harms_of(kept).get(effect, 0) == min(allowed.get(effect, 0), count)
    for before, none, after, words in zip(wanted, held, kept, softer, strict=True):
        assert none <= set(before) & HARMFUL
        assert held_in(words) == none
        assert set(before) - set(after) == none
        assert set(after) - set(before) <= ({Effect.REVIEW} if none else set())
        assert not none or Effect.REVIEW in after


@given(effects)
def test_with_room_for_all_nothing_is_softened(wanted: list[tuple[Effect, ...]]) -> None:
    assert held_back(wanted, harms_of(wanted)) == [frozenset()] * len(wanted)


def test_a_record_tells_what_was_held_back_and_what_is_left_is_the_outcome() -> None:
    words = soften(("hold:24", "decline", "nudge"), {Effect.DECLINE})
    assert words == ("hold:24", "nudge", "review:1", "held-back:decline")
    assert outcome_of(words, otherwise="approve") == "hold"
    assert outcome_of(soften(("freeze:3",), {Effect.FREEZE}), otherwise="approve") == "review"
    assert outcome_of((), otherwise="approve") == "approve"


def test_nobody_looks_again_in_place_of_what_was_looked_at_or_of_a_check() -> None:
    held = {Effect.HOLD, Effect.REVIEW, Effect.STEP_UP}
    words = soften(("hold:24", "review:1", "step-up"), held)
    assert words == ("held-back:step-up", "held-back:review", "held-back:hold")
    assert held_in(words) == held
    assert outcome_of(words, otherwise="approve") == "approve"
    assert soften(("hold:24",), {Effect.HOLD, Effect.REVIEW})[-1] == "held-back:hold"
    assert soften(("step-up",), {Effect.STEP_UP}) == ("held-back:step-up",)
