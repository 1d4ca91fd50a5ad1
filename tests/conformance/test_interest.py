"""Published schedules, engine cases and Frappe's figures: the bars, and what falls short of one.

Where the folder of vectors is absent these tests are skipped and say so.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from conformance.frappe import is_schedule, judge_frappe
from conformance.interest import TIERS, judge_engine_case, judge_schedule, schedule_tier
from conformance.run import SETTING, vectors_folder

Case = Mapping[str, Any]
EXACT = 100
BARS = {"schedules_progressive": EXACT, "schedules_flat": 95, "schedules_cumulative": 80}
ENGINE_BAR = 93  # 28 of 30


def read(name: str, key: str = "cases") -> Sequence[Case]:
    file = vectors_folder() / name
    if not file.is_file():
        pytest.skip(f"there is no {file}; {SETTING} names another folder")
    cases: Sequence[Case] = json.loads(file.read_text(encoding="utf-8"))[key]
    return cases


def failures(cases: Sequence[Case], judge: Callable[[Case], tuple[str, ...]], name: str) -> str:
    """Return the bar's text: the failed cases, each with its first differing cell."""
    return "\n".join(f"{case[name]}: {fault}" for case in cases for fault in judge(case)[:1])


def percent(cases: Sequence[Case], judge: Callable[[Case], tuple[str, ...]]) -> int:
    return 100 * sum(not judge(case) for case in cases) // len(cases)


@pytest.mark.parametrize("tier", TIERS)
def test_published_schedules_agree_in_every_cell(tier: str) -> None:
    cases = [
        case for case in read("fineract/schedules.json", "schedules") if schedule_tier(case) == tier
    ]
    assert cases
    assert percent(cases, judge_schedule) >= BARS[tier], failures(cases, judge_schedule, "id")


def test_engine_cases_agree_in_every_figure() -> None:
    cases = read("fineract/emi_unit.json")
    told = failures(cases, judge_engine_case, "source_test")
    assert percent(cases, judge_engine_case) >= ENGINE_BAR, told


def test_frappe_instalments_and_schedules_agree() -> None:
    cases = [case for case in read("frappe-lending/cases.json") if is_schedule(case)]
    assert cases
    assert percent(cases, judge_frappe) == EXACT, failures(cases, judge_frappe, "id")


def test_a_wrong_figure_is_found() -> None:
    case = read("fineract/schedules.json", "schedules")[0]
    row = list(case["expect"][0])
    row[2] = "999.99"
    wrong = {**case, "expect": [row, *case["expect"][1:]]}
    assert judge_schedule(wrong) == (f"row 1 interest: wanted 99999, got {_cents(case)}",)


def _cents(case: Case) -> int:
    return round(100 * float(case["expect"][0][2]))
