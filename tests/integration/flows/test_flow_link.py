"""Links as facts bring them by day, against the groups that are made anew each night.

Random facts over months: logins, changed cards and phones, identifiers that become hubs, links that
are forgotten and come again. By day what is known is the table of links, read around some accounts
and walked by a union-find; at night everything is made anew. Both must tie the same accounts.
"""

import random
from collections import defaultdict
from datetime import date, timedelta
from typing import Any

import pytest
from make_book import BOOK, World, open_book, rows
from make_crowd import hashed, log_in, people

from fenqi.core.risk.identity import Identifier
from fenqi.core.risk.links import LinkRule, Web
from fenqi.core.values.ids import AccountId
from fenqi.store import groups, links
from fenqi.store.pool import Store

PEOPLE = 24
ROUNDS = 12
RULE = LinkRule(
    decay_days=10,
    accounts_max={Identifier.DEVICE: 4, Identifier.CARD: 2, Identifier.PHONE: 3},
)
KINDS = {"device": Identifier.DEVICE, "card": Identifier.CARD, "phone": Identifier.PHONE}


@pytest.fixture
def world(store: Store) -> World:
    return open_book(store)


Seen = dict[tuple[AccountId, str, str], date]  # the last day of each account with an identifier


def slow_groups(seen: Seen, on: date) -> set[frozenset[AccountId]]:
    """Spread over shared identifiers that are fresh and no hubs, until nothing changes."""
    sharing: dict[tuple[str, str], set[AccountId]] = defaultdict(set)
    for (account, kind, name), last in seen.items():
        if last + timedelta(days=RULE.decay_days) >= on:
            sharing[kind, name].add(account)
    ties = [who for (kind, _), who in sharing.items() if len(who) <= RULE.accounts_max[KINDS[kind]]]
    found = {account: frozenset({account}) for account, *_ in seen}
    for _ in found:
        for tied in ties:
            whole = frozenset().union(*(found[one] for one in tied))
            found.update(dict.fromkeys(whole, whole))
    return {group for group in found.values() if len(group) > 1}


def by_day(world: World, account_ids: list[AccountId], on: date) -> set[frozenset[AccountId]]:
    """Return the groups that the links of the day tie, each tie with the path that shows it."""
    with world.store.transaction() as session:
        around = links.asking_around(session, account_ids, on, RULE)()
    web = Web(RULE, on, around)
    found = set()
    for one in account_ids:
        group = web.group(one)
        for other in group - {one}:
            path = web.path(one, other)
            assert path is not None
            assert (path[0].before.account_id, path[-1].after.account_id) == (one, other)
            for step in path:
                assert step.before.identifier == step.after.identifier
                assert not web.is_hub(step.before.identifier)
                assert RULE.is_fresh(step.before, on)
                assert RULE.is_fresh(step.after, on)
        if len(group) > 1:
            found.add(group)
    return found


def by_night(world: World, on: date) -> set[frozenset[AccountId]]:
    with world.store.transaction() as session:
        made = groups.make(session, BOOK, on, RULE)
    kept: dict[Any, set[AccountId]] = defaultdict(set)
    for account, group in rows(world.store, "SELECT account_id, group_id FROM link_groups"):
        kept[group].add(account)
    assert {frozenset(one) for one in made} == {frozenset(one) for one in kept.values()}
    return {frozenset(one) for one in made}


@pytest.mark.parametrize("seed", [1, 2])
def test_links_of_the_day_and_groups_of_the_night_tie_the_same_accounts(
    world: World, seed: int
) -> None:
    chance = random.Random(seed)
    accounts = people(world, PEOPLE)
    seen: Seen = {}
    sizes, hubs, forgotten = [], 0, 0
    for _ in range(ROUNDS):
        world.clock.set(world.clock.now() + timedelta(days=chance.choice([0, 1, 3, 6])))
        for account in chance.sample(accounts, 6):
            kinds = [kind for kind in KINDS if chance.random() < 0.6]
            # Some identifiers are drawn so often that they become hubs.
            names = {kind: f"{kind}-{int(chance.random() ** 2 * 9)}" for kind in kinds}
            log_in(world, [account], f"home-{account}", **names)
            on = world.clock.now().date()
            seen |= {(account, kind, name): on for kind, name in names.items()}
        on = world.clock.now().date()
        wanted = slow_groups(seen, on)
        assert by_night(world, on) == wanted
        assert by_day(world, accounts, on) == wanted
        sizes += [len(one) for one in wanted]
        shared = defaultdict(set)
        for (account, kind, name), last in seen.items():
            if last + timedelta(days=RULE.decay_days) >= on:
                shared[kind, name].add(account)
            else:
                forgotten += 1
        hubs += sum(len(who) > RULE.accounts_max[KINDS[kind]] for (kind, _), who in shared.items())
    # The draw had all of it: groups, identifiers that tie nobody any more, links forgotten.
    assert max(sizes) >= 3
    assert hubs
    assert forgotten


def test_an_address_ties_nobody_however_many_share_it(world: World) -> None:
    crowd = people(world, 9)
    log_in(world, crowd, "one address")
    on = world.clock.now().date()
    assert by_night(world, on) == by_day(world, crowd, on) == set()
    sql = "SELECT COUNT(DISTINCT account_id) FROM identifier_facts WHERE identifier_hash = %(ip)s"
    assert rows(world.store, sql, ip=hashed("one address")) == [(9,)]  # a count, in a window
