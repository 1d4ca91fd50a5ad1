"""Links and crowds against the slow way: every group, every path, every window looked at."""

from collections import defaultdict
from datetime import UTC, date, datetime, timedelta
from uuid import UUID

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from fenqi.core.risk.components import components
from fenqi.core.risk.crowd import (
    Crowd,
    CrowdKind,
    CrowdRule,
    Manner,
    Place,
    Visit,
    gathered,
    judge,
    sort_visits,
)
from fenqi.core.risk.decision import Effect
from fenqi.core.risk.identity import Identifier
from fenqi.core.risk.links import TYING, Link, LinkRule, Web
from fenqi.core.values.ids import AccountId

ON = date(2026, 3, 1)
START = datetime(2026, 3, 1, tzinfo=UTC)
RULE = LinkRule(
    decay_days=10,
    accounts_max={Identifier.DEVICE: 4, Identifier.CARD: 2, Identifier.PHONE: 3},
)
CROWD = CrowdRule(
    rule_id="test",
    version=1,
    window_seconds=10,
    size_min=3,
    size_max=100,
    group_min=2,
    hold_hours=6,
    freeze_hours=48,
    good_age_days=90,
    place_days=30,
    place_good_min=2,
    place_good_share_ppm=300_000,
    crowd_good_share_ppm=500_000,
    place_pause_days=30,
    device_good_min=2,
    device_good_share_ppm=500_000,
    settled_age_days=7,
    settled_days_min=3,
    check_ends_hold=True,
    links=RULE,
    hold_reason="crowded-address",
    freeze_reason="shared-identifier",
    check_reason="crowded-address-check",
    texts={},
)
PAIRS = st.lists(
    st.tuples(st.integers(0, 12), st.integers(0, 8), st.integers(0, 20)), max_size=40, unique=True
)


def account(number: int) -> AccountId:
    return AccountId(UUID(int=number))


def links(pairs: list[tuple[int, int, int]]) -> list[Link]:
    return [
        Link(account(a), bytes([i]), TYING[i % 3], day := ON - timedelta(days=ago), day)
        for a, i, ago in pairs
    ]


def slow_groups(given_links: list[Link]) -> dict[AccountId, frozenset[AccountId]]:
    """Spread over shared identifiers until nothing changes."""
    sharing: dict[bytes, set[AccountId]] = defaultdict(set)
    for one in given_links:
        if RULE.is_fresh(one, ON):
            sharing[one.identifier].add(one.account_id)
    ties = [
        accounts
        for identifier, accounts in sharing.items()
        if len(accounts) <= RULE.accounts_max[TYING[identifier[0] % 3]]
    ]
    found = {one.account_id: frozenset({one.account_id}) for one in given_links}
    for _ in found:
        for tied in ties:
            whole = frozenset().union(*(found[one] for one in tied))
            found.update(dict.fromkeys(whole, whole))
    return found


@given(PAIRS)
def test_the_web_finds_the_groups_that_spreading_finds(pairs: list[tuple[int, int, int]]) -> None:
    web, slow = Web(RULE, ON, links(pairs)), slow_groups(links(pairs))
    for one, group in slow.items():
        assert web.group(one) == group
        for other in slow:
            path = web.path(one, other)
            assert (path is not None) == (other in group and other != one)
            if other in group:
                assert web.may_be_tied(one, other)


@given(PAIRS)
def test_a_path_walks_from_one_to_the_other_over_fresh_links_that_are_no_hubs(
    pairs: list[tuple[int, int, int]],
) -> None:
    web, known = Web(RULE, ON, links(pairs)), links(pairs)
    accounts = sorted({one.account_id for one in known})
    for one in accounts[:4]:
        for other in accounts:
            path = web.path(one, other)
            if path is None:
                continue
            at = one
            for step in path:
                assert step.before.account_id == at
                assert step.before.identifier == step.after.identifier
                assert not web.is_hub(step.before.identifier)
                assert RULE.is_fresh(step.before, ON)
                assert RULE.is_fresh(step.after, ON)
                at = step.after.account_id
            assert at == other
            assert len({step.after.account_id for step in path} | {one}) == len(path) + 1


@given(PAIRS)
def test_the_groups_of_the_night_are_those_of_the_day(pairs: list[tuple[int, int, int]]) -> None:
    fresh = {(a, i): 0 for a, i, ago in pairs if ago <= RULE.decay_days}
    if not fresh:
        return
    accounts, identifiers = (np.array(column, np.int64) for column in zip(*fresh, strict=True))
    bounds = [RULE.accounts_max[TYING[one % 3]] for one in range(int(identifiers.max()) + 1)]
    labels = components(accounts, identifiers, np.array(bounds, np.int64))
    slow = slow_groups(links(pairs))
    for one in set(accounts.tolist()):
        assert {other for other in set(accounts.tolist()) if labels[other] == labels[one]} == {
            other.int for other in slow[account(one)]
        } & set(accounts.tolist())
        assert labels[one] == min(other.int for other in slow[account(one)])


VISITS = st.lists(st.tuples(st.integers(0, 60), st.integers(0, 7)), max_size=40)


@given(VISITS, st.integers(1, 20), st.integers(1, 5))
def test_a_crowd_is_whoever_is_in_a_window_that_holds_enough(
    seen: list[tuple[int, int]], seconds: int, size: int
) -> None:
    rule = CrowdRule(
        **{name: getattr(CROWD, name) for name in CROWD.__slots__}
        | {"window_seconds": seconds, "size_min": size}
    )
    visits = sort_visits((START + timedelta(seconds=at), account(who)) for at, who in seen)
    slow: set[AccountId] = set()
    for last in visits:
        inside = {one.account_id for one in visits if last.at - rule.window < one.at <= last.at}
        # At one instant the facts before this one may still be too few.
        if len(inside) >= size:
            slow |= inside
    assert set(gathered(visits, rule)) == slow


@given(
    PAIRS,
    st.sets(st.integers(0, 12), min_size=3),
    st.sets(st.integers(0, 12)),
    st.booleans(),
    st.integers(0, 30),
    st.dictionaries(st.integers(0, 12).map(lambda one: account(one)), st.sampled_from(Manner)),
)
def test_a_place_holds_nobody_and_good_customers_are_never_frozen(
    pairs: list[tuple[int, int, int]],
    present: set[int],
    good: set[int],
    is_known: bool,
    seen_besides: int,
    manners: dict[AccountId, Manner],
) -> None:
    crowd = [account(one) for one in sorted(present)]
    trusted = frozenset(account(one) for one in good)
    before = len(good & present) if seen_besides > 15 else 0
    place = Place(is_known, seen_besides, before)
    web = Web(RULE, ON, links(pairs))
    found: Crowd = judge(crowd, place=place, good=trusted, web=web, rule=CROWD, manners=manners)
    came = [one for one in crowd if one in trusted and manners.get(one) is not Manner.STRANGE]
    if found.kind is CrowdKind.PLACE:
        assert found.answers == ()
        assert is_known or max(len(came), before) >= CROWD.place_good_min
        return
    assert not is_known
    assert 2 * len(came) < len(present) or len(came) < CROWD.place_good_min
    assert [one.account_id for one in found.answers] == crowd
    slow = slow_groups(links(pairs))
    for one in found.answers:
        group = slow.get(one.account_id, frozenset()) & set(crowd)
        is_tied = len(group) >= CROWD.group_min
        wanted = Effect.FREEZE if is_tied and one.account_id not in trusted else Effect.HOLD
        if not is_tied and manners.get(one.account_id) is Manner.SETTLED:
            wanted = Effect.STEP_UP
        assert one.effect is wanted
        if wanted is Effect.FREEZE:  # and it is said why
            assert one.ties[0].before.account_id == one.account_id
            assert one.ties[-1].after.account_id in group
        else:
            assert one.ties == ()


def test_visits_are_put_in_order() -> None:
    later, sooner = START + timedelta(seconds=1), START
    ordered = sort_visits([(later, account(1)), (sooner, account(2)), (sooner, account(1))])
    assert ordered == [
        Visit(sooner, account(1)),
        Visit(sooner, account(2)),
        Visit(later, account(1)),
    ]
