"""What decides now is told with why it is not, or is all the same, the version adopted last."""

from datetime import date

from make_book import BOOK, World, open_book

from fenqi.core.risk.decision import DecisionKind
from fenqi.core.risk.policy.policy import Policy
from fenqi.core.risk.policy.read import read
from fenqi.report import policies as telling
from fenqi.report.policies import Now
from fenqi.store import features, policies
from fenqi.store.pool import Store


def later(version: int, valid: str) -> Policy:
    """Return the shipped policy of purchases as another version with another time."""
    text = policies.shipped(DecisionKind.PURCHASE).policy.text
    text = text.replace("version = 3", f"version = {version}", 1)
    return read(text.replace("valid_from = 2026-01-01", valid, 1), features.shipped().vocabulary)


def adopt(world: World, policy: Policy) -> None:
    with world.store.transaction() as session:
        now = world.clock.now()
        policies.adopt(session, policies.book_of(policy), now, by="Wang Fang", because="next")


def decides(world: World) -> Now:
    (found,) = [one for one in telling.deciding(world.store) if one.kind == "purchase"]
    return found


def test_a_version_whose_time_has_not_begun_is_told_so(store: Store) -> None:
    world = open_book(store)
    adopt(world, later(4, "valid_from = 2026-01-01"))
    assert decides(world) == Now("purchase", BOOK, "purchase", 4, None, "")
    adopt(world, later(5, "valid_from = 2026-03-01"))
    found = decides(world)
    assert (found.version, found.because) == (4, "of purchase 5: its time has not begun")
    adopt(world, later(6, "valid_from = 2025-01-01\nvalid_until = 2025-12-31"))
    found = decides(world)
    assert (found.version, found.because) == (4, "of purchase 6: its time is over")


def test_what_decides_before_its_time_for_want_of_another_is_told_so(store: Store) -> None:
    world = open_book(store, opened=date(2025, 6, 2))
    with store.transaction() as session:
        policies.install(session, world.clock.now())
    found = decides(world)
    assert (found.version, found.because) == (
        3,
        "of purchase 3: its time has not begun, and it decides all the same, as nothing else does",
    )
