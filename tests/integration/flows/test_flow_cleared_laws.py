"""Whoever was suspected and found harmless buys like somebody nobody ever suspected."""

from collections.abc import Callable
from itertools import count
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, event, given, settings
from hypothesis import strategies as st
from make_book import LIMIT, World, buy, enrol
from make_crowd import people
from make_shipped import (
    found_harmless,
    gather,
    open_cases,
    running,
    shipped_book,
    tell,
    told,
    try_buy,
    wait,
)

from fenqi.core.values.ids import AccountId
from fenqi.store.pool import Store

NUMBERS = count(1)
SMALL = LIMIT * 3 // 10  # up to here a new phone or device asks nobody for a check


def changes(world: World, account: AccountId, kinds: list[str]) -> None:
    for kind in kinds:
        wait(world, hours=2)
        tell(world, account, f"{kind}-changed", **{kind: f"{kind} {next(NUMBERS)}"})


def crowd(world: World, account: AccountId, others: int, device: str) -> None:
    number = next(NUMBERS)
    ring = [*people(world, others, f"ring-{number}"), account]
    gather(world, ring, f"address {number}", device=device and f"{device} {number}")


SUSPECTED = st.one_of(
    st.lists(st.sampled_from(["device", "phone", "card", "address"]), min_size=3, max_size=6).map(
        lambda kinds: lambda world, account: changes(world, account, kinds)
    ),
    st.tuples(st.integers(9, 24), st.sampled_from(["", "farm"])).map(
        lambda how: lambda world, account: crowd(world, account, *how)
    ),
)
PURCHASES = st.lists(
    st.tuples(
        st.integers(1, 72),  # hours since the last one
        st.integers(100, SMALL // 8),
        st.sampled_from([("unsplit", 1), ("flat", 3), ("annuity18", 24), ("free4", 4)]),
    ),
    min_size=1,
    max_size=6,
)


@pytest.fixture
def world(store: Store) -> World:
    return shipped_book(store)  # one for all examples: each has customers of its own


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(suspect=SUSPECTED, purchases=PURCHASES)
def test_a_cleared_customer_is_decided_about_like_one_who_was_never_touched(
    world: World, suspect: Callable[[World, AccountId], None], purchases: list[Any]
) -> None:
    wait(world, days=8)  # what the example before was about is over
    number = next(NUMBERS)
    cleared, untouched = (enrol(world, f"{name}-{number}") for name in ("cleared", "untouched"))
    for one in (cleared, untouched):
        buy(world, one, 10_000)
    suspect(world, cleared)
    before = try_buy(world, cleared).outcome
    assume(before != "approve" and open_cases(world, cleared))
    event(f"a purchase before: {before}")

    while cases := open_cases(world, cleared):
        found_harmless(world, cases[0])

    assert running(world, cleared) == []
    try_buy(world, untouched)
    said = len(told(world, cleared))
    for hours, amount, (product, instalments) in purchases:
        wait(world, hours=hours)
        how = {"product": product, "count": instalments}
        mine, other = (try_buy(world, one, amount, **how) for one in (cleared, untouched))
        assert other.outcome in ("approve", "other-plan")
        assert (mine.outcome, mine.reasons, mine.offers) == (
            other.outcome,
            other.reasons,
            other.offers,
        )
    assert running(world, cleared) == []
    assert len(told(world, cleared)) == said
