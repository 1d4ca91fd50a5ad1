"""The crowd rule as its file says it, and what it refuses."""

import tomllib
from typing import Any

import pytest

from fenqi.core.risk.crowd import (
    CrowdRule,
    CrowdRuleInvalid,
    Place,
    Seen,
    effect_of,
    is_place,
    is_shared_device,
    rule_again,
)
from fenqi.core.risk.decision import Effect
from fenqi.core.risk.identity import Identifier
from fenqi.store.crowds import SHIPPED, shipped

TABLE: dict[str, Any] = tomllib.loads(SHIPPED.read_text(encoding="utf-8"))


def test_the_shipped_rule_is_read_whole() -> None:
    rule = shipped()
    assert (rule.rule_id, rule.version, rule.window_seconds, rule.size_min) == ("crowd", 4, 600, 10)
    assert rule.links.accounts_max[Identifier.DEVICE] == 50
    assert set(rule.texts) == {rule.hold_reason, rule.freeze_reason, rule.check_reason}


def test_what_customers_read_is_in_both_languages_and_promises_that_paying_goes_on() -> None:
    for texts in shipped().texts.values():
        assert "还款" in texts["zh"]
        assert "paying and everything else goes on" in texts["en"]


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"size_min": 2}, "size_min"),
        ({"size_min": "ten"}, "size_min"),
        ({"window_seconds": 0}, "window_seconds"),
        ({"window_seconds": 90_000}, "window_seconds"),
        ({"group_min": 1}, "group_min"),
        ({"place_good_share_ppm": 1_000_001}, "place_good_share_ppm"),
        ({"hold_hours": True}, "hold_hours"),
        ({"hold_reason": "no text"}, "hold_reason"),
        ({"hold_reason": "unwritten"}, "reasons.unwritten"),
        ({"settled_age_days": 0}, "settled_age_days"),
        ({"settled_days_min": 0}, "settled_days_min"),
        ({"check_ends_hold": 2}, "check_ends_hold"),
        ({"check_reason": "unwritten"}, "reasons.unwritten"),
        ({"surprise": 1}, "surprise"),
        ({"links": {"decay_days": 1}}, "links.card_accounts_max"),
        ({"reasons": {"crowded-address": {"zh": "x"}}}, "reasons.crowded-address.en"),
    ],
)
def test_a_field_that_makes_no_sense_is_named(changes: dict[str, Any], field: str) -> None:
    with pytest.raises(CrowdRuleInvalid) as refusal:
        CrowdRule.read(TABLE | changes)
    assert str(refusal.value.fields["field"]).startswith(field.partition(".")[0])


@pytest.mark.parametrize(
    ("place", "size", "good", "wanted"),
    [
        (Place(is_known=True, seen=0, good=0), 40, 0, True),
        (Place(is_known=False, seen=16, good=5), 40, 0, True),
        (Place(is_known=False, seen=17, good=5), 40, 0, False),
        (Place(is_known=False, seen=4, good=4), 40, 0, False),
        (Place(is_known=False, seen=0, good=0), 40, 20, True),
        (Place(is_known=False, seen=0, good=0), 40, 19, False),
        (Place(is_known=False, seen=0, good=0), 8, 4, False),
    ],
)
def test_a_place_is_known_by_those_who_were_there_before_or_by_half_of_the_crowd(
    place: Place, size: int, good: int, wanted: bool
) -> None:
    assert is_place(place, shipped(), size=size, good=good) is wanted


@pytest.mark.parametrize(
    ("size", "good", "is_shared"),
    [
        (2, 2, False),  # a couple needs no excuse
        (5, 3, True),  # a family
        (8, 3, False),
        (8, 4, True),
        (50, 24, False),
        (51, 0, True),  # a hub
        (60, 60, True),
    ],
)
def test_a_device_is_shared_by_honest_people_if_half_are_long_standing_or_it_is_a_hub(
    size: int, good: int, is_shared: bool
) -> None:
    assert is_shared_device(shipped(), size=size, good=good) == is_shared


@pytest.mark.parametrize(
    ("group", "good", "settled", "wanted"),
    [
        (1, 0, 0, Effect.HOLD),
        (1, 1, 0, Effect.HOLD),
        (1, 0, 1, Effect.STEP_UP),
        (2, 1, 1, Effect.STEP_UP),  # a couple with one tablet
        (3, 0, 1, Effect.FREEZE),
        (3, 1, 1, Effect.HOLD),
    ],
)
def test_what_happens_to_an_account_of_a_ring(
    group: int, good: int, settled: int, wanted: Effect
) -> None:
    seen = Seen(40, 0, 0, 0, 0, 0, group_size=group, is_good=good, is_settled=settled)
    assert effect_of(seen, shipped()) is wanted


def test_a_record_made_before_anybody_asked_for_devices_is_made_again() -> None:
    before = {
        "rule": {
            "size_max": 500,
            "group_min": 3,
            "hold_hours": 6,
            "freeze_hours": 72,
            "place_good_min": 5,
            "place_good_share_ppm": 300_000,
            "crowd_good_share_ppm": 500_000,
            "hold_reason": "crowded-address",
            "freeze_reason": "shared-identifier",
        }
    }
    held = rule_again(before, (12, 0, 0, 0, 0, 0, 1, 0))
    frozen = rule_again(before, (12, 0, 0, 0, 0, 0, 4, 0))
    assert (held.words, held.reasons) == (("hold:6",), ("crowded-address",))
    assert (frozen.words, frozen.reasons) == (("freeze:3",), ("shared-identifier",))
