"""Published lives of loans: the bars of the sets, and a harness that finds a wrong figure.

Where the folder of vectors is absent these tests are skipped and say so.
"""

import copy
from collections.abc import Mapping
from typing import Any

import pytest

from conformance.contracts import BARS, life_outcome
from conformance.lives import TIERS, judge_life, judge_lives, read_lives, read_products
from conformance.run import SETTING, vectors_folder

FOLDER = vectors_folder() / "fineract"
pytestmark = pytest.mark.skipif(
    not (FOLDER / "products.json").is_file(),
    reason=f"there is no {FOLDER}; {SETTING} names another folder",
)


@pytest.mark.parametrize("tier", [tier for tier in TIERS if tier in BARS])
def test_lives_agree_in_every_asserted_cell(tier: str) -> None:
    outcome = life_outcome(tier, judge_lives(FOLDER))
    assert outcome.count
    assert outcome.is_enough, "\n".join(
        f"{case}: {fault}" for case, fault in outcome.faults.items()
    )


def a_life_that_passes() -> dict[str, Any]:
    passed = {verdict.case for verdict in judge_lives(FOLDER) if verdict.fault is None}
    lives = (life for life in read_lives(FOLDER) if life["id"] in passed)
    return copy.deepcopy(dict(next(life for life in lives if expectation(life, "schedule"))))


def expectation(life: Mapping[str, Any], what: str) -> Any:
    """Return the first thing of a kind that a life asserts, or None."""
    return next((s["expect"][what] for s in life["steps"] if what in s.get("expect", {})), None)


def test_a_wrong_cell_of_a_schedule_is_found() -> None:
    life = a_life_that_passes()
    expectation(life, "schedule")[-1][5] = "0.37"
    fault = judge_life(life, read_products(FOLDER)).fault
    assert fault is not None
    assert "principal: wanted 0.37" in fault


def test_a_step_nobody_knows_is_a_fault_of_its_life() -> None:
    life = a_life_that_passes()
    life["steps"].append({"op": "levitate"})
    assert "not played: levitate" in str(judge_life(life, read_products(FOLDER)).fault)
