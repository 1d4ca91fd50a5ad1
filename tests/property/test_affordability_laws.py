"""Laws of what a person can carry: never above a bound, more income never carries less, more owed
never carries more, and what an outage keeps us from knowing never turns somebody away."""

from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from fenqi.core.risk.affordability import Bound, Carried, Means, carried
from make import LENDING

AMOUNTS = st.integers(0, 10_000_000)


@st.composite
def means(draw: st.DrawFn) -> Means:
    return Means(
        income_declared_minor=draw(AMOUNTS),
        income_evidenced_minor=draw(st.none() | AMOUNTS),
        obligations_declared_minor=draw(st.none() | AMOUNTS),
        obligations_reported_minor=draw(st.none() | AMOUNTS),
        is_reported=draw(st.booleans()),
    )


@given(means(), st.none() | AMOUNTS)
def test_a_limit_is_above_no_bound_and_not_above_what_was_asked(
    known: Means, asked: int | None
) -> None:
    found = carried(known, LENDING, asked)
    assert 0 <= found.limit_minor <= LENDING.limit_minor_max
    assert asked is None or found.limit_minor <= asked
    assert found.limit_minor <= 3 * known.income_minor
    if known.income_evidenced_minor is None:
        assert found.limit_minor <= LENDING.limit_unevidenced_minor_max
    if not known.is_reported:
        assert found.limit_minor <= LENDING.limit_unknown_minor_max


@given(means(), AMOUNTS)
def test_more_income_never_carries_less_and_more_owed_never_carries_more(
    known: Means, more: int
) -> None:
    before = carried(known, LENDING).limit_minor
    if known.income_evidenced_minor is not None:
        richer = replace(known, income_evidenced_minor=known.income_evidenced_minor + more)
    else:
        richer = replace(known, income_declared_minor=known.income_declared_minor + more)
    assert carried(richer, LENDING).limit_minor >= before
    owed = replace(known, obligations_reported_minor=(known.obligations_minor or 0) + more)
    assert carried(owed, LENDING).limit_minor <= before


@given(means())
def test_a_bureau_that_is_down_is_a_smaller_beginning_and_no_decline(known: Means) -> None:
    reported = replace(known, is_reported=True)
    silent = replace(known, is_reported=False, obligations_reported_minor=None)
    if carried(reported, LENDING).limit_minor >= LENDING.limit_minor_least:
        assert carried(silent, LENDING).limit_minor >= LENDING.limit_minor_least


def test_what_holds_a_limit_down_is_named() -> None:
    steady = Means(1_000_000, 1_000_000, 100_000, 0, is_reported=True)
    assert carried(steady, LENDING) == Carried(3_000_000, Bound.INCOME)
    assert carried(steady, LENDING, 70_000) == Carried(70_000, Bound.ASKED)
    burdened = replace(steady, obligations_reported_minor=400_000)
    assert carried(burdened, LENDING) == Carried(1_200_000, Bound.OBLIGATIONS)
    said = replace(steady, income_evidenced_minor=None)
    assert carried(said, LENDING) == Carried(500_000, Bound.UNEVIDENCED)
    assert carried(replace(said, is_reported=False), LENDING) == Carried(300_000, Bound.UNKNOWN)
    rich = Means(50_000_000, 50_000_000, 0, 0, is_reported=True)
    assert carried(rich, LENDING) == Carried(20_000_000, Bound.PACK)
