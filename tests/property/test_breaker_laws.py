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
    harms_of,
    minute_of,
    softened,
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
    softer = softened(wanted, allowed)
    assert len(softer) == len(wanted)
    for effect, count in harms_of(softer).items():
        assert count == min(allowed[effect], harms_of(wanted)[effect])
    for before, after in zip(wanted, softer, strict=True):
        gone = set(before) - set(after)
        assert gone <= HARMFUL
        assert set(after) - set(before) <= ({Effect.REVIEW} if gone else set())
        assert list(after) == sorted(after, key=LADDER.index)


@given(effects)
def test_with_room_for_all_nothing_is_softened(wanted: list[tuple[Effect, ...]]) -> None:
    assert softened(wanted, harms_of(wanted)) == wanted
