"""Adoptions are found however many there were, and a number no version has is no version."""

import pytest
from make_book import World, open_book

from fenqi.core.risk.decision import DecisionKind
from fenqi.core.risk.policy.read import read
from fenqi.store import features, policies
from fenqi.store.policies import PolicyMissing
from fenqi.store.pool import Store


@pytest.fixture
def world(store: Store) -> World:
    return open_book(store)


def adopt(world: World, version: int) -> None:
    text = policies.shipped(DecisionKind.PRICE).policy.text
    text = text.replace("version = 1", f"version = {version}", 1)
    book = policies.book_of(read(text, features.shipped().vocabulary))
    with world.store.transaction() as session:
        policies.adopt(session, book, world.clock.now(), by="Wang Fang", because="next")


def test_a_rollback_goes_back_by_one_after_many_adoptions(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(policies, "HISTORY_MAX", 4)
    for version in range(1, 6):
        adopt(world, version)
    with world.store.transaction() as session:
        gone, back = policies.roll_back(
            session, DecisionKind.PRICE, world.clock.now(), by="Wang Fang", because="tried"
        )
        assert (gone.version, back.version) == (5, 4)
        assert policies.live(session, DecisionKind.PRICE).version == 4
        assert next(policies.earlier(session, DecisionKind.PRICE)).version == 3


def test_a_version_beyond_all_numbers_is_missing(world: World) -> None:
    adopt(world, 1)
    with world.store.transaction() as session, pytest.raises(PolicyMissing):
        policies.version(session, "price", 10**12)
