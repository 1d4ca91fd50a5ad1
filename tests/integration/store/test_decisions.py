"""Decisions of every kind are kept as they were made, and found with what they name."""

import hashlib
import json
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest
from make_book import World, enrol, open_book, rows

from fenqi.core.risk.decision import DecisionKind
from fenqi.report.check import check
from fenqi.store import accounts
from fenqi.store.accounts import Account
from fenqi.store.booking import Booking
from fenqi.store.decisions import (
    LATENCY_MAX,
    STARTER,
    Decision,
    Decisions,
    Menu,
    Rulebook,
    built,
    latency_us,
)
from fenqi.store.pool import Store

LIMITS = built(DecisionKind.LIMIT, "limits", 3, {"inputs": ["a", "b"], "policy": "分期"})
ACCESS = built(DecisionKind.ACCESS, "access", 1, {"inputs": []})
FIRST = UUID("242aa4a5-fa92-f4c5-6ac6-1107416136b0")  # migration 0013 names it
KEPT = """
SELECT kind, outcome, reasons, effects, inputs, points, hits, menu_id, rulebook_id, would_change,
    as_of_number, regime, policy, policy_version, latency_us
FROM decisions ORDER BY decision_id
"""


@pytest.fixture
def world(store: Store) -> World:
    world = open_book(store)
    enrol(world)
    return world


def keep(world: World, *made: tuple[Rulebook, dict[str, object]]) -> None:
    """Keep decisions about the one account, in one batch."""
    with world.store.transaction() as session:
        ((account_id,),) = session.rows("SELECT account_id FROM accounts WHERE kind = 'customer'")
        account: Account = accounts.lock(session, [account_id])[account_id]
        booking = Booking(world.ground)
        decisions = Decisions(booking)
        for rulebook, words in made:
            known: dict[str, object] = {
                "account": account,
                "decision_id": world.ground.ids.new().bytes,
                "outcome": "approve",
                "reasons": (),
                "inputs": (),
                "as_of_number": account.event_count,
            }
            decisions.add(rulebook, Decision(**(known | words)))  # type: ignore[arg-type] # words
        booking.write(session)


def test_decisions_of_many_kinds_are_kept_in_one_batch(world: World) -> None:
    menu = Menu([("flat", 3, 1_000_000)])
    keep(
        world,
        (
            LIMITS,
            {
                "outcome": "smaller-limit",
                "reasons": ("late-often",),
                "effects": ("smaller-limit:500000", 'says "so", NULL\\', "NULL", "null"),
                "inputs": (None, -(2**63)),
                "points": 612,
                "hits": (3, 17),
                "would_change": '{"late": 0}',
                "latency_us": 850,
                "regime": "tight",
            },
        ),
        (ACCESS, {}),
        (LIMITS, {"inputs": (2**63 - 1, 0), "menu": menu}),
        (LIMITS, {"inputs": (None, None)}),
    )
    common = (LIMITS.rulebook_id, "normal", "limits", 3)
    kept = rows(world.store, KEPT)
    assert kept[0] == (
        *("limit", "smaller-limit", ["late-often"]),
        ["smaller-limit:500000", 'says "so", NULL\\', "NULL", "null"],
        *([None, -(2**63)], 612, [3, 17], None, LIMITS.rulebook_id, {"late": 0}),
        *(1, "tight", "limits", 3, 850),
    )
    assert kept[1][:7] == ("access", "approve", [], [], [], None, [])
    assert kept[2][4] == [2**63 - 1, 0]
    assert (kept[2][7], kept[2][8], *kept[2][11:14]) == (menu.menu_id, *common)
    assert kept[3][4] == [None, None]
    assert check(world.store).findings == ()


def test_a_rulebook_is_kept_once_under_the_hash_of_its_text(world: World) -> None:
    for _ in range(2):
        keep(world, (LIMITS, {"inputs": (1, 2)}), (ACCESS, {}), (LIMITS, {"inputs": (3, 4)}))
    kept = rows(world.store, "SELECT rulebook_id, content FROM rulebooks")
    assert len(kept) == 3  # one is from before there were others
    assert {one for one, _ in kept} == {LIMITS.rulebook_id, ACCESS.rulebook_id, FIRST}
    for rulebook_id, content in kept:
        text = json.dumps(content, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        assert rulebook_id == UUID(bytes=hashlib.sha256(text.encode()).digest()[:16])


def test_decisions_from_before_have_the_rulebook_of_the_first_judge(world: World) -> None:
    found = rows(world.store, "SELECT rulebook_id, kind, name, version, content FROM rulebooks")
    assert [one[:4] for one in found] == [(FIRST, "purchase", "starter", 1)]
    assert [*found[0][4]["inputs"], "is_held"] == json.loads(STARTER.text)["inputs"]


def test_a_clock_that_is_set_meanwhile_undoes_no_decision() -> None:
    begun = datetime(2026, 11, 27, tzinfo=UTC)
    assert latency_us(begun, begun + timedelta(milliseconds=2)) == 2_000
    assert latency_us(begun, begun + timedelta(days=1)) == LATENCY_MAX
    assert latency_us(begun, begun - timedelta(hours=1)) == 0
