"""A change of a limit or price: parts sum to it, bounds only hold it back, it does not swing."""

from datetime import date, timedelta
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fenqi.core.risk.change import (
    Bound,
    Change,
    ChangeInvalid,
    ChangeTerms,
    Direction,
    Past,
    Pull,
    Standing,
    Subject,
    agreed,
    apportion,
    by_points,
    left_of,
    propose,
    reconciled,
)

DAY = date(2026, 6, 1)
NAMES = ("late", "used", "loyal", "bureau", "income", "score:age-of-account")
PRICES = (0, 60_000, 120_000, 180_000, 240_000)


@st.composite
def terms(draw: st.DrawFn, subject: Subject | None = None) -> ChangeTerms:
    subject = subject or draw(st.sampled_from(Subject))
    band = draw(st.integers(0, 200_000))
    return ChangeTerms(
        subject=subject,
        band_ppm=band,
        turn_band_ppm=band + draw(st.integers(0, 200_000)),
        cool_down_days=draw(st.integers(0, 60)),
        turn_days=draw(st.integers(0, 180)),
        turns_a_year_max=draw(st.integers(0, 4)),
        harsher_step_ppm_max=draw(st.integers(0, 1_000_000)),
        milder_step_ppm_max=draw(st.integers(0, 1_000_000)),
        least=draw(st.integers(0, 10_000)),
        most=draw(st.integers(10_000, 10**9)),
        unit=draw(st.sampled_from((1, 100, 10_000))),
        levels=PRICES if subject is Subject.PRICE and draw(st.booleans()) else (),
    )


def pulls() -> st.SearchStrategy[list[Pull]]:
    one = st.builds(
        Pull,
        st.sampled_from(NAMES),
        st.integers(-900_000, 900_000),
        st.sampled_from(("late-payments", "high-use", "bureau-overdue", None)),
    )
    return st.lists(one, max_size=5, unique_by=lambda pull: pull.name)


standings = st.builds(
    Standing,
    st.integers(0, 10**8),
    st.dictionaries(st.sampled_from(NAMES), st.integers(-(10**6), 10**6), max_size=4),
)
pasts = st.lists(st.tuples(st.integers(0, 500), st.sampled_from(Direction)), max_size=5).map(
    lambda days: [Past(DAY - timedelta(days=ago), way) for ago, way in sorted(days, reverse=True)]
)
unknowns = st.sets(st.sampled_from(NAMES))


@given(standings, pulls(), unknowns, pasts, terms())
def test_the_parts_of_a_change_sum_to_it_exactly(
    standing: Standing,
    wanted: list[Pull],
    unknown: set[str],
    past: list[Past],
    bounds: ChangeTerms,
) -> None:
    change = propose(standing, wanted, unknown=unknown, past=past, on=DAY, terms=bounds)
    assert change.old == standing.value
    assert sum(change.parts.values()) == change.new - change.old
    assert change.standing.value == change.new
    assert 0 not in change.parts.values()


@given(standings, pulls(), unknowns, pasts, terms())
def test_a_bound_only_holds_a_change_back_and_never_turns_it(
    standing: Standing,
    wanted: list[Pull],
    unknown: set[str],
    past: list[Past],
    bounds: ChangeTerms,
) -> None:
    change = propose(standing, wanted, unknown=unknown, past=past, on=DAY, terms=bounds)
    least, most = sorted((change.old, change.wanted))
    assert least <= change.new <= most
    assert bool(change.bounds) == (change.new != change.wanted)
    raw = {
        name: one
        for name, one in (
            (name, _wanted(standing, wanted, unknown).get(name)) for name in change.parts
        )
        if one is not None
    }
    for name, part in change.parts.items():  # each part keeps its sign, and exceeds no wish
        assert part * raw[name] > 0
        assert abs(part) <= abs(raw[name]) + 1


def _wanted(standing: Standing, wanted: list[Pull], unknown: set[str]) -> dict[str, float]:
    shares = {one.name: standing.base * one.ppm / 1_000_000 for one in wanted}
    names = (set(shares) | set(standing.parts)) - unknown
    return {name: shares.get(name, 0) - standing.parts.get(name, 0) for name in names}


@given(standings, pulls(), unknowns, pasts, terms())
def test_what_is_unknown_moves_nothing(
    standing: Standing,
    wanted: list[Pull],
    unknown: set[str],
    past: list[Past],
    bounds: ChangeTerms,
) -> None:
    change = propose(standing, wanted, unknown=unknown, past=past, on=DAY, terms=bounds)
    assert not unknown & set(change.parts)
    for name in unknown:
        assert change.standing.parts.get(name, 0) == standing.parts.get(name, 0)


@given(standings, pulls(), unknowns, pasts, terms())
def test_a_change_that_harms_has_one_to_four_reasons_that_speak_for_it(
    standing: Standing,
    wanted: list[Pull],
    unknown: set[str],
    past: list[Past],
    bounds: ChangeTerms,
) -> None:
    change = propose(standing, wanted, unknown=unknown, past=past, on=DAY, terms=bounds)
    if change.direction is not Direction.HARSHER:
        assert change.reasons == ()
        return
    harm = bounds.subject.harm
    speaking = {one.reason for one in wanted if one.ppm * harm > 0 and one.name not in unknown}
    assert 1 <= len(change.reasons) <= 4
    assert set(change.reasons) <= speaking


@given(pulls(), terms(Subject.LIMIT), st.integers(0, 10**8))
def test_the_same_facts_seen_again_cut_nothing_twice(
    wanted: list[Pull], bounds: ChangeTerms, base: int
) -> None:
    """Step by step the value reaches what the facts want, and goes no further."""
    least = Standing(base).base + sum(min(0, base * one.ppm // 1_000_000) for one in wanted)
    standing, on, past = Standing(base), DAY, list[Past]()
    for _ in range(6):
        change = propose(standing, wanted, past=past, on=on, terms=bounds)
        if change.direction is Direction.HARSHER:
            standing = change.standing
            past.append(Past(on, Direction.HARSHER))
        assert standing.value >= least
        on += timedelta(days=400)


@settings(max_examples=50)
@given(
    terms(), st.lists(st.lists(st.integers(-900_000, 900_000), min_size=3, max_size=3), max_size=60)
)
def test_however_the_facts_swing_the_value_waits_and_turns_seldom(
    bounds: ChangeTerms, weeks: list[list[int]]
) -> None:
    standing, on = Standing(1_000_000), DAY
    past: list[Past] = []
    for week in weeks:
        on += timedelta(days=7)
        wanted = [Pull(name, ppm, name) for name, ppm in zip(NAMES[:3], week, strict=True)]
        change = propose(standing, wanted, past=past, on=on, terms=bounds)
        way = change.direction
        if way is None:
            continue
        if past:
            wait = bounds.cool_down_days if past[-1].direction is way else bounds.turn_days
            assert (on - past[-1].on).days >= max(wait, bounds.cool_down_days)
        band = bounds.band_ppm
        if past and past[-1].direction is not way:
            band = bounds.turn_band_ppm
        assert abs(change.new - change.old) * 1_000_000 >= band * change.old
        standing = agreed(change.standing, bounds.subject) if change.is_offer else change.standing
        assert standing.value == change.new
        past.append(Past(on, way))
    year = [one for one in past if one.on > on - timedelta(days=365)]
    turns = sum(a.direction is not b.direction for a, b in pairwise(year))
    assert turns <= bounds.turns_a_year_max


@given(pulls(), unknowns, standings, st.integers(0, 1_000_000), terms())
def test_parts_that_stay_unknown_never_add_to_more_harm_than_the_strongest_rule_asks(
    wanted: list[Pull], unknown: set[str], standing: Standing, most: int, bounds: ChangeTerms
) -> None:
    change = propose(standing, wanted, unknown=unknown, harm_ppm_max=most, on=DAY, terms=bounds)
    if change.direction is Direction.HARSHER:
        harm = (change.new - standing.base) * bounds.subject.harm
        assert harm * 1_000_000 <= standing.base * most


@given(
    st.integers(-900_000, 900_000),
    st.dictionaries(st.sampled_from(NAMES), st.integers(0, 90)),
)
def test_a_pull_of_a_score_is_split_by_the_points_lost(ppm: int, lost: dict[str, int]) -> None:
    split = by_points(Pull("low-score", ppm, "low-score"), lost, {"late": "late-payments"})
    assert sum(one.ppm for one in split) == ppm or not ppm
    assert all(one.ppm * ppm > 0 for one in split) or not ppm
    known = {one.name: one.reason for one in split}
    assert known.get("score:late", "late-payments") == "late-payments"
    assert known.get("score:used", "low-score") == "low-score"


@given(standings, st.integers(0, 10**8))
def test_what_was_changed_elsewhere_becomes_a_part(standing: Standing, value: int) -> None:
    found = reconciled(standing, value)
    assert found.value == value
    assert found.base == standing.base


@given(standings, st.sampled_from(Subject))
def test_what_is_agreed_keeps_its_value_and_what_speaks_against(
    standing: Standing, subject: Subject
) -> None:
    found = agreed(standing, subject)
    assert found.value == standing.value
    if found != standing:
        assert all(part * subject.harm > 0 for part in found.parts.values())


@given(st.lists(st.integers(-(10**9), 10**9), min_size=1, max_size=12), st.integers(0, 1_000_000))
def test_a_split_by_signed_weights_sums_and_is_within_one_unit(
    weights: list[int], share_ppm: int
) -> None:
    whole = sum(weights)
    total = whole * share_ppm // 1_000_000
    if not whole and total:
        return
    parts = apportion(total, weights)
    assert sum(parts) == total
    for part, weight in zip(parts, weights, strict=True):
        if whole:
            assert abs(part * whole - total * weight) < abs(whole)
        assert weight or not part


def test_weights_that_cancel_split_nothing_but_nothing() -> None:
    assert apportion(0, [5, -5]) == [0, 0]
    with pytest.raises(ChangeInvalid):
        apportion(1, [5, -5])


def limit_terms(**changes: int) -> ChangeTerms:
    fields = {
        "band_ppm": 50_000,
        "turn_band_ppm": 100_000,
        "cool_down_days": 30,
        "turn_days": 90,
        "turns_a_year_max": 2,
        "harsher_step_ppm_max": 300_000,
        "milder_step_ppm_max": 500_000,
        "least": 50_000,
        "most": 20_000_000,
        "unit": 10_000,
    } | changes
    return ChangeTerms(Subject.LIMIT, **fields)  # type: ignore[arg-type]


def cut(ppm: int = -200_000, **more: int) -> Change:
    late = Pull("late", ppm, "late-payments")
    return propose(Standing(1_000_000), [late], on=DAY, terms=limit_terms(**more))


def test_a_cut_is_told_from_old_to_new_with_its_reason() -> None:
    change = cut()
    assert (change.old, change.new, change.parts) == (1_000_000, 800_000, {"late": -200_000})
    assert (change.reasons, change.bounds, change.direction) == (
        ("late-payments",),
        (),
        Direction.HARSHER,
    )
    assert not change.is_offer


def test_a_cut_beyond_the_step_waits_for_the_next() -> None:
    change = cut(-700_000)
    assert (change.new, change.bounds) == (700_000, (Bound.STEP,))
    again = propose(
        change.standing,
        [Pull("late", -700_000, "late-payments")],
        past=[Past(DAY, Direction.HARSHER)],
        on=DAY + timedelta(days=29),
        terms=limit_terms(),
    )
    assert (again.new, again.bounds) == (700_000, (Bound.COOL_DOWN,))


def test_a_small_wish_is_within_the_band() -> None:
    change = cut(-40_000)
    assert (change.new, change.bounds, change.wanted) == (1_000_000, (Bound.BAND,), 960_000)


def test_what_fades_is_told_as_a_part_of_the_offer_that_gives_it_back() -> None:
    change = propose(
        cut().standing,
        [],
        past=[Past(DAY, Direction.HARSHER)],
        on=DAY + timedelta(days=100),
        terms=limit_terms(),
    )
    assert (change.new, change.parts) == (1_000_000, {"late": 200_000})
    assert change.is_offer
    assert agreed(change.standing, Subject.LIMIT) == Standing(1_000_000)


def test_nothing_is_cut_because_something_good_is_over() -> None:
    standing = Standing(1_000_000, {"loyal": 200_000})
    change = propose(standing, [], on=DAY, terms=limit_terms())
    assert (change.new, change.bounds) == (1_200_000, (Bound.NO_REASON,))


def test_a_price_takes_a_level_on_the_way_to_what_is_wanted() -> None:
    prices = ChangeTerms(
        Subject.PRICE,
        *(0, 0, 0, 0, 9, 1_000_000, 1_000_000, 0, 240_000),
        levels=PRICES,
    )
    late = Pull("late", 700_000, "late-payments")
    change = propose(Standing(120_000), [late], on=DAY, terms=prices)
    assert (change.new, change.wanted, change.bounds) == (180_000, 204_000, (Bound.LEVEL,))
    assert change.direction is Direction.HARSHER
    fall = propose(Standing(120_000), [Pull("loyal", -600_000)], on=DAY, terms=prices)
    assert (fall.new, fall.direction, fall.is_offer) == (60_000, Direction.MILDER, False)


PARTS = st.dictionaries(st.sampled_from(NAMES), st.integers(-1_000, 1_000))


@given(PARTS, st.lists(PARTS, max_size=5))
def test_what_is_left_of_a_change_is_never_more_than_stood_at_any_time(
    parts: dict[str, int], stood: list[dict[str, int]]
) -> None:
    left = left_of(parts, stood)
    for name, part in parts.items():
        here = [after.get(name, 0) for after in stood]
        least = min([abs(part), *(abs(one) for one in here)])
        is_gone = any(one * part <= 0 for one in here)
        assert left.get(name, 0) == (0 if is_gone else least if part > 0 else -least)
