"""A conduct is read whole or refused by the field that is wrong."""

import copy
import tomllib
from pathlib import Path
from typing import Any

import pytest

import fenqi
from fenqi.core.risk.breaker import Caps, Window
from fenqi.core.risk.change import Subject
from fenqi.core.risk.conduct import Conduct, ConductInvalid
from fenqi.core.risk.decision import HARMFUL, DecisionKind, Effect

SHIPPED = Path(fenqi.__file__).parent / "data" / "conduct" / "standard.toml"
TABLE = tomllib.loads(SHIPPED.read_text("utf-8"))

WRONG: list[tuple[str, object, str]] = [
    ("limit.band_ppm", -1, "limit.band_ppm"),
    ("limit.band_ppm", 1_000_001, "limit.band_ppm"),
    ("limit.turn_band_ppm", 10, "limit.turn_band_ppm"),  # below the band
    ("limit.turn_days", 1, "limit.turn_days"),  # below the cool-down
    ("limit.most_minor", 1, "limit.most_minor"),  # below the least
    ("limit.unit_minor", 0, "limit.unit_minor"),
    ("limit.source", "", "limit.source"),
    ("limit.surprise", 1, "limit.surprise"),
    ("price.grade", {}, "price.grade"),
    ("price.grade.1.level_ppm", 1, "price.grade.1.level_ppm"),  # below grade 0
    ("price.grade.0.products", [], "price.grade.0.products"),
    ("breaker.hold.day_least", 1, "breaker.hold.day_least"),  # below the hour's
    ("breaker.hold.hour_ppm", 1_000_001, "breaker.hold.hour_ppm"),
    ("breaker.hold.hour_max", 1, "breaker.hold.day_max"),  # half of the older form
    ("breaker.nudge", {"hour_max": 1, "day_max": 1}, "breaker.nudge"),  # harms nobody
    ("breaker.application.hold", {"hour_least": 1}, "breaker.application.hold.day_least"),
    ("breaker.application.nudge", {"hour_least": 1}, "breaker.application.nudge"),
    ("version", 0, "version"),
]


def changed(path: str, value: object) -> dict[str, Any]:
    table = copy.deepcopy(TABLE)
    *parents, name = path.split(".")
    place = table
    for parent in parents:
        place = place[parent]
    place[name] = value
    return table


def test_the_shipped_conduct_caps_each_harm_and_its_prices_rise() -> None:
    conduct = Conduct.read(TABLE)
    assert set(conduct.caps) == HARMFUL
    levels = [grade.level_ppm for grade in conduct.grades]
    assert levels == sorted(levels) == list(conduct.price.levels)
    assert [conduct.grade_of(level) for level in levels] == list(range(len(levels)))
    assert conduct.terms(Subject.LIMIT).offer_days > 0
    assert conduct.limit.harsher_step_ppm_max < 1_000_000


@pytest.mark.parametrize(("path", "value", "field"), WRONG, ids=[one[0] for one in WRONG])
def test_what_is_wrong_is_named(path: str, value: object, field: str) -> None:
    with pytest.raises(ConductInvalid) as refused:
        Conduct.read(changed(path, value))
    assert refused.value.fields["field"] == field


def test_a_cap_is_a_share_of_what_was_decided_and_never_below_its_least() -> None:
    conduct = Conduct.read(TABLE)
    holds, hour = conduct.caps[Effect.HOLD], Window.HOUR
    assert [holds.of(hour, decided) for decided in (0, 100, 2_000, 10_000_000)] == [
        *(100, 100, 100, 500_000),
    ]
    own = conduct.caps_of(DecisionKind.APPLICATION)
    assert own[Effect.DECLINE] != conduct.caps[Effect.DECLINE]
    assert own[Effect.HOLD] == conduct.caps[Effect.HOLD]
    assert conduct.caps_of(DecisionKind.PURCHASE) == conduct.caps


def test_a_conduct_of_before_the_shares_is_read_as_it_was() -> None:
    older = changed("breaker.hold", {"hour_max": 5, "day_max": 8})
    assert Conduct.read(older).caps[Effect.HOLD] == Caps(5, 8)


@pytest.mark.parametrize("harm", sorted(HARMFUL))
def test_no_harm_goes_without_a_cap(harm: str) -> None:
    table = copy.deepcopy(TABLE)
    del table["breaker"][harm]
    with pytest.raises(ConductInvalid):
        Conduct.read(table)
