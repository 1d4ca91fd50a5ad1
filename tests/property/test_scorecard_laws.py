"""Laws of scorecards: one person and many are scored alike, better is never worse, unknown is
neutral, and the reasons are what was truly lost."""

from collections.abc import Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fenqi.core.risk.input import Value
from fenqi.core.risk.scorecard import (
    REASONS_MAX,
    Characteristic,
    Column,
    Direction,
    Scaling,
    Scorecard,
    bad_ppm,
    compile_points,
    from_json,
    reasons_of,
    score,
    score_columns,
    to_json,
)

CODES = ("late", "short", "many", "full", "elsewhere", "other")


@st.composite
def characteristics(draw: st.DrawFn, place: int) -> Characteristic:
    bounds = sorted(draw(st.sets(st.integers(0, 60), min_size=1, max_size=6)))
    points = draw(st.lists(st.integers(0, 90), min_size=len(bounds) + 1, max_size=len(bounds) + 1))
    direction = draw(st.sampled_from(Direction))
    if direction is not Direction.FREE:
        points = sorted(points, reverse=direction is Direction.FALLING)
    return Characteristic(
        input=f"input_{place}",
        reason=draw(st.sampled_from(CODES)),
        direction=direction,
        bounds=tuple(bounds),
        points=tuple(points),
        unknown=draw(st.integers(min(points), max(points))),
        note="as it is",
    )


@st.composite
def cards(draw: st.DrawFn) -> Scorecard:
    count = draw(st.integers(1, 8))
    parts = tuple(draw(characteristics(place)) for place in range(count))
    return Scorecard(
        card_id="drawn",
        version=1,
        base_points=draw(st.integers(0, 500)),
        scaling=Scaling(600, draw(st.integers(1, 100)), draw(st.integers(1, 80))),
        characteristics=parts,
        reasons={one.reason: {"zh": "因", "en": "why"} for one in parts},
    )


VALUES = st.one_of(st.none(), st.integers(-5, 70), st.sampled_from([2**63 - 1, -(2**63)]))


@st.composite
def scored(draw: st.DrawFn) -> tuple[Scorecard, list[list[Value]]]:
    card = draw(cards())
    row = st.lists(VALUES, min_size=len(card.inputs), max_size=len(card.inputs))
    return card, draw(st.lists(row, min_size=1, max_size=20))


def columns(rows: Sequence[Sequence[Value]]) -> list[Column]:
    return [
        Column(
            np.array([0 if one is None else one for one in column], np.int64),
            np.array([one is not None for one in column]),
        )
        for column in zip(*rows, strict=True)
    ]


@given(scored())
def test_many_are_scored_as_one_is(drawn: tuple[Scorecard, list[list[Value]]]) -> None:
    card, rows = drawn
    points, lost = score_columns(card, columns(rows))
    each = [score(card, row) for row in rows]
    assert points.tolist() == [one.points for one in each]
    assert [tuple(row) for row in lost.tolist()] == [one.lost for one in each]
    assert reasons_of(card, lost) == [one.reasons for one in each]
    points_of = compile_points(card, range(len(card.inputs)))
    assert [points_of(row) for row in rows] == [one.points for one in each]


@given(scored())
def test_a_score_lies_in_its_range_and_its_losses_make_up_the_rest(
    drawn: tuple[Scorecard, list[list[Value]]],
) -> None:
    card, rows = drawn
    least, most = card.range
    for row in rows:
        found = score(card, row)
        assert least <= found.points <= most
        neutral = sum(
            one.best - one.unknown
            for one, value in zip(card.characteristics, row, strict=True)
            if value is None
        )
        assert found.points == most - neutral - sum(found.lost)


@given(scored())
def test_reasons_are_at_most_four_different_and_truly_lost_most_first(
    drawn: tuple[Scorecard, list[list[Value]]],
) -> None:
    card, rows = drawn
    for row in rows:
        found = score(card, row)
        cost = {
            code: sum(
                lost
                for one, lost in zip(card.characteristics, found.lost, strict=True)
                if one.reason == code
            )
            for code in {one.reason for one in card.characteristics}
        }
        costs = [cost[code] for code in found.reasons]
        assert len(set(found.reasons)) == len(found.reasons) <= REASONS_MAX
        assert all(costs)
        assert costs == sorted(costs, reverse=True)
        left = sorted(
            (one for code, one in cost.items() if code not in found.reasons), reverse=True
        )
        assert not left or not left[0] or (len(costs) == REASONS_MAX and left[0] <= costs[-1])


@given(scored())
def test_what_is_unknown_is_neutral_and_never_a_reason(
    drawn: tuple[Scorecard, list[list[Value]]],
) -> None:
    card, _ = drawn
    nothing = score(card, [None] * len(card.inputs))
    assert nothing.reasons == ()
    assert nothing.points == card.base_points + sum(one.unknown for one in card.characteristics)


@given(scored(), st.integers(-5, 70), st.integers(-5, 70))
def test_points_follow_the_direction(
    drawn: tuple[Scorecard, list[list[Value]]], one: int, other: int
) -> None:
    card, rows = drawn
    low, high = sorted((one, other))
    for place, part in enumerate(card.characteristics):
        if part.direction is Direction.FREE:
            continue
        row = list(rows[0])
        row[place] = low
        of_low = score(card, row).points
        row[place] = high
        of_high = score(card, row).points
        assert of_low <= of_high if part.direction is Direction.RISING else of_low >= of_high


@given(cards())
def test_a_card_comes_back_from_its_json_as_it_was(card: Scorecard) -> None:
    assert from_json(to_json(card)) == card
    assert to_json(from_json(to_json(card))) == to_json(card)


@given(cards(), st.integers(-2000, 2000), st.integers(0, 2000))
def test_more_points_are_never_a_higher_risk(card: Scorecard, points: int, more: int) -> None:
    assert 0 <= bad_ppm(card, points + more) <= bad_ppm(card, points) <= 1_000_000
