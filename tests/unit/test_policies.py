"""The policies that come with fenqi: sound, fair, and saying what the mission asks for."""

import re
from pathlib import Path

import pytest

from fenqi.core.account import AccountStatus, Standing
from fenqi.core.risk.application import INPUTS, UNCLEAR, ApplicationReason
from fenqi.core.risk.decision import HARMFUL, DecisionKind, Effect
from fenqi.core.risk.given import given_of
from fenqi.core.risk.input import Purpose
from fenqi.core.risk.paying import OVERDUE_MINOR, SPELLS
from fenqi.core.risk.policy.check import check
from fenqi.core.risk.policy.expression import names
from fenqi.core.risk.policy.handed_in import (
    APPLICATION,
    BUREAU,
    COUNTED,
    GIVEN,
    HANDED_IN,
    ROW,
    is_handed_in,
)
from fenqi.core.risk.policy.policy import Policy
from fenqi.core.risk.policy.read import read
from fenqi.core.risk.policy.rows import compile_row
from fenqi.core.risk.policy.turn import turned
from fenqi.store import bureau
from fenqi.store.catalogue import from_files
from fenqi.store.features import shipped
from fenqi.store.policies import SHIPPED, policies_of

FEATURES = shipped()
NUMBER = re.compile(r"\d+")
POLICIES = {one.kind: one for one in policies_of(SHIPPED)}


def policy(kind: DecisionKind) -> Policy:
    return POLICIES[kind]


@pytest.mark.parametrize("kind", DecisionKind)
def test_each_kind_of_decision_has_a_policy_without_a_fault_or_a_note(kind: DecisionKind) -> None:
    assert check(policy(kind)).findings == ()


@pytest.mark.parametrize("kind", DecisionKind)
def test_a_hold_lasts_as_long_as_it_says_and_no_longer_than_the_pack_allows(
    kind: DecisionKind,
) -> None:
    made = policy(kind)
    most = from_files(None).hold_hours_max()
    assert check(made, hold_hours_max=most).findings == ()
    for line in made.lines:
        for act in line.acts if line.reason else ():
            if act.effect is Effect.HOLD:
                texts = made.reasons[line.reason or ""]
                told = {int(one) for text in texts.values() for one in NUMBER.findall(text)}
                assert told <= {act.amount}
                assert not [one for one in texts.values() if "a day" in one or "一天" in one]


@pytest.mark.parametrize("kind", DecisionKind)
def test_each_input_a_shipped_policy_names_is_one_its_flow_hands_in(kind: DecisionKind) -> None:
    named = {one.name for one in policy(kind).inputs}
    assert [one for one in sorted(named) if not is_handed_in(kind, one)] == []


def test_what_is_handed_in_is_what_the_flows_hand_in() -> None:
    assert {one.name for one in FEATURES.given} == GIVEN
    standing = Standing(AccountStatus.OPEN, 100, 10, 0)
    assert set(given_of(standing, age_days=1, needs_step_up=False)) == ROW
    assert set(bureau.INPUTS) == BUREAU
    assert {OVERDUE_MINOR, SPELLS} <= HANDED_IN[DecisionKind.REPAYMENT]
    # Whether a bureau was heard and who somebody is are no policy's matter, and none can name them.
    assert set(INPUTS) - {"is_bureau_heard", *UNCLEAR} == APPLICATION | COUNTED


@pytest.mark.parametrize("kind", DecisionKind)
def test_who_is_unknown_is_harmed_by_nothing(kind: DecisionKind) -> None:
    made = policy(kind)
    assert compile_row(made)([None] * len(made.inputs)).outcome == "approve"


def test_the_policy_of_the_handbook_can_be_adopted() -> None:
    page = Path(__file__).parents[2] / "docs" / "reference" / "policies.md"
    text = page.read_text("utf-8").partition("```toml\n")[2].partition("```")[0]
    assert check(read(text, FEATURES.vocabulary)).findings == ()


def test_the_purchase_policy_looks_at_fifteen_features_and_more() -> None:
    computed = {one.name for one in FEATURES.features}
    assert len(computed & {one.name for one in policy(DecisionKind.PURCHASE).inputs}) >= 15


@pytest.mark.parametrize("kind", DecisionKind)
def test_failures_of_a_channel_count_against_nobody(kind: DecisionKind) -> None:
    """They may take harm away, by a rule that suppresses others, and lead to nothing themselves."""
    for line in policy(kind).lines:
        if "channel_failures_30d" in names(line.when):
            assert (line.acts, line.points, line.reason, line.offers) == ((), 0, None, ())
    assert FEATURES.vocabulary["channel_failures_30d"].purposes == {Purpose.SERVICE}


@pytest.mark.parametrize("kind", DecisionKind)
def test_an_address_alone_leads_to_hours_at_most(kind: DecisionKind) -> None:
    made = policy(kind)
    weak = {one.name for one in made.inputs if one.is_weak}
    for line in made.lines:
        if names(line.when) & weak:
            for act in line.acts:
                assert act.effect in {Effect.STEP_UP, Effect.REVIEW, Effect.HOLD}
                assert act.effect is not Effect.HOLD or act.amount <= 24


@pytest.mark.parametrize("kind", DecisionKind)
def test_the_market_alone_harms_nobody_who_has_an_account(kind: DecisionKind) -> None:
    made = policy(kind)
    for regime in range(3):
        effects = compile_row(made)(made.row({"regime": regime})).effects
        harms = {act.effect for act in effects} & HARMFUL
        assert harms <= ({Effect.SMALLER_LIMIT} if kind is DecisionKind.APPLICATION else set())


def test_every_reason_is_told_in_both_languages() -> None:
    for made in POLICIES.values():
        for texts in made.reasons.values():
            assert any("\u4e00" <= one <= "\u9fff" for one in texts["zh"])
            assert texts["en"].isascii()


@pytest.mark.parametrize("kind", [DecisionKind.APPLICATION, DecisionKind.PURCHASE])
def test_nobody_is_told_to_have_applied_where_others_may_have(kind: DecisionKind) -> None:
    """Applications with one phone, device or card count together, whoever made them."""
    made = policy(kind)
    codes = {one.reason for one in made.lines if "applications_24h" in names(one.when)}
    assert codes == {"many-applications"}
    for code in filter(None, codes):
        texts = made.reasons[code]
        assert ("You applied" in texts["en"], texts["zh"].startswith("您")) == (False, False)
        assert "phone, device or card" in texts["en"]
        assert "手机号、设备或银行卡" in texts["zh"]


def test_a_policy_of_applications_means_nothing_else_by_a_reason_of_law_or_means() -> None:
    """One code in one application is told in one text."""
    own = policy(DecisionKind.APPLICATION).reasons.keys()
    assert not own & {one.value for one in ApplicationReason}


def test_a_row_that_leaves_plans_out_says_so_in_both_languages() -> None:
    made = policy(DecisionKind.PURCHASE)
    rows = [made.lines[one] for table in made.tables for one in table.lines]
    told = {one.name: one.reason for one in rows}
    assert told == {
        "menu.low-and-new": "score-low-and-new",
        "menu.low": "score-low",
        "menu.standard": None,
    }


def test_a_purchase_above_the_limit_is_told_what_would_fit() -> None:
    made = policy(DecisionKind.PURCHASE)
    given = {"used_minor": 900_000, "limit_minor": 1_000_000, "amount_minor": 150_000}
    found = turned(made, compile_row(made), made.row({"account_status": 0, **given}))
    assert found is not None
    assert (found.name, found.would_be, found.outcome) == ("used_minor", 850_000, "approve")


def test_a_tight_market_shortens_the_menu_and_says_so() -> None:
    made = policy(DecisionKind.PURCHASE)
    verdict = compile_row(made)(made.row({"regime": 2, "account_status": 0}))
    assert (verdict.outcome, verdict.reasons) == ("cooler-menu", ("market-tight",))
    assert {one.product: one.counts for one in verdict.offers}["flat"] == (3, 6, 12)


def test_files_are_named_by_what_they_decide() -> None:
    assert {file.stem for file in Path(SHIPPED).glob("*.toml")} == {
        one.value for one in DecisionKind
    }
    text = (Path(SHIPPED) / "purchase.toml").read_text("utf-8")
    assert read(text, FEATURES.vocabulary).kind is DecisionKind.PURCHASE


def test_what_harms_for_how_somebody_pays_is_suppressed_by_a_channels_failure_and_has_a_case() -> (
    None
):
    made = policy(DecisionKind.REPAYMENT)
    harmful = [line for line in made.lines if line.is_harmful]
    assert len(harmful) == 3
    reasons = [line.reason for line in made.lines if line.acts]
    for line in harmful:
        assert "channel_failures_30d" in names(made.condition(line))
        assert Effect.REVIEW in {act.effect for act in line.acts}
        assert reasons.count(line.reason) == 1
