"""A declined purchase that was contested well: it may be tried again, and its customer is told."""

import pytest
from make_book import World, assert_sound, buy, enrol, open_book, rows
from make_case import frozen, opened
from make_shipped import running, shipped_book, tell, try_buy, wait
from test_flow_appeal import (
    appealed,
    assert_replays,
    closing,
    found,
    last_decision,
    messages,
    refusal,
)
from test_flow_ruling import OURS, shipped, under

from fenqi.core.errors import Forbidden
from fenqi.core.risk.appeal import Answer
from fenqi.core.values.ids import AccountId
from fenqi.flows.close_appeal import AppealClosed, close_appeal
from fenqi.report import told as telling
from fenqi.report.language import Language
from fenqi.store.pool import Store

BY_POINTS = (
    OURS
    + """
[[rules]]
id = "often"
when = "purchases_1h >= 1"
points = 60
reason = "many-purchases"

[[rules]]
id = "not-small"
when = "amount_minor > 2000 minor"
points = 55
reason = "limit-nearly-used"

[[rules]]
id = "large"
when = "amount_minor > 4000 minor"
effects = [{ effect = "decline" }]
reason = "unusual-amount"

[[thresholds]]
at_least = 50
effects = [{ effect = "decline" }]

[[reasons]]
code = "many-purchases"
zh = "短时间内消费次数较多。"
en = "There were many purchases within a short time."

[[reasons]]
code = "limit-nearly-used"
zh = "这笔消费后额度将几乎用完。"
en = "The purchase would use nearly all of your limit."

[[reasons]]
code = "unusual-amount"
zh = "这笔金额远高于您平时的消费。"
en = "The amount is far above what you usually buy for."
"""
)


@pytest.fixture
def world(store: Store) -> World:
    return shipped_book(store)


def contested(
    world: World, account: AccountId, *, by: str = "ola", reasons: tuple[str, ...] = ()
) -> AppealClosed:
    """Uphold an appeal against the last purchase that was not made."""
    appeal = appealed(world, account, last_decision(world, account, "purchase"))
    return found(world, account, appeal, Answer.UPHELD, actor=by, reasons=reasons)


def held(world: World) -> AccountId:
    account = enrol(world, limit_minor=100_000)
    buy(world, account, 10_000)
    tell(world, account, "device-changed", device="a")
    tell(world, account, "phone-changed", phone="0100")
    assert tell(world, account, "phone-changed", phone="0101").outcome == "hold"
    return account


def test_what_a_decline_was_made_for_ends_though_another_decision_placed_it(world: World) -> None:
    account = held(world)
    assert try_buy(world, account).outcome == "decline"
    closed = contested(world, account, reasons=("purchases-held",))
    assert (closed.ended, closed.stands) == (1, [])
    assert "hold" not in running(world, account)
    kinds = [kind for kind, _ in messages(world, account)]
    assert kinds[-2:] == ["protection-ended", "appeal-closed"]
    assert try_buy(world, account).outcome in {"approve", "step-up"}
    assert_replays(world)
    assert_sound(world)


def test_what_stands_in_the_way_still_is_said(world: World) -> None:
    account = enrol(world, limit_minor=100_000)
    assert try_buy(world, account, 200_000).outcome == "decline"
    closed = contested(world, account)
    assert (closed.ended, closed.stands) == (0, ["limit-exceeded"])
    assert messages(world, account)[-1][1]["stands"] == ["limit-exceeded"]
    assert try_buy(world, account, 200_000).outcome == "decline"


def test_a_freeze_is_not_judged_by_who_ordered_it(world: World) -> None:
    account = enrol(world)
    frozen(world, account, opened(world, account), 3)
    assert try_buy(world, account).outcome == "decline"
    appeal = appealed(world, account, last_decision(world, account, "purchase"))
    own = closing(world, account, appeal, Answer.UPHELD, actor="mei")
    assert isinstance(refusal(close_appeal(world.ground, [own])[0]), Forbidden)
    assert found(world, account, appeal, Answer.UPHELD).ended == 1
    assert try_buy(world, account).outcome == "approve"


def test_a_decline_found_wrong_does_not_come_again_for_a_month_and_others_do(store: Store) -> None:
    world = under(open_book(store), shipped(BY_POINTS))
    account, other = enrol(world), enrol(world, "bob")
    for each in (account, other):
        assert [try_buy(world, each, 1_000).outcome for _ in range(2)] == ["approve", "decline"]
    contested(world, account)
    assert try_buy(world, account, 1_000).outcome == "approve"
    assert try_buy(world, other, 1_000).outcome == "decline"
    # What nobody found wrong goes on: a line that declines, and points that are enough alone.
    assert try_buy(world, account, 5_000).outcome == "decline"
    assert try_buy(world, account, 3_000).outcome == "decline"
    ((words,),) = rows(
        world.store,
        "SELECT effects FROM decisions WHERE account_id = %(a)s AND outcome = 'approve' "
        "AND cardinality(effects) > 0",
        a=account,
    )
    assert words == ["held-back:review", "held-back:decline"]
    assert rows(world.store, "SELECT 1 FROM cases WHERE kind = 'review'") == []
    wait(world, days=31)
    assert [try_buy(world, account, 1_000).outcome for _ in range(2)] == ["approve", "decline"]
    assert_replays(world)


@pytest.mark.parametrize("language", Language)
def test_what_follows_from_an_appeal_reads_in_whole_sentences(
    world: World, language: Language
) -> None:
    """What was refuted is not told as a reason, and what stands in the way still is in words."""
    account = enrol(world, limit_minor=100_000)
    try_buy(world, account, 200_000)
    contested(world, account)
    ended, *_ = telling.told(world.ground, account, language)
    assert (ended.kind, ended.because) == ("appeal-closed", ())
    made, stands = ended.follows
    assert "limit-exceeded" not in stands
    frozen(world, account, opened(world, account), 3)
    (placed, *_) = telling.told(world.ground, account, language)
    assert placed.kind == "protection-placed"
    assert placed.because
    assert "shared-identifier" not in placed.because  # a person's freeze is told in words too
    try_buy(world, account)
    contested(world, account)
    ended, *_ = telling.told(world.ground, account, language)
    assert len(ended.follows) == 2
    assert ended.follows[1] == made
