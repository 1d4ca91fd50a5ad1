"""Published schedules, engine cases and Frappe's figures: the bars, and what falls short of one.

Where the folder of vectors is absent these tests are skipped and say so.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import pytest

from conformance.frappe import is_schedule, judge_frappe
from conformance.interest import TIERS, judge_engine_case, judge_schedule, schedule_tier
from conformance.reading import read_object
from conformance.run import SETTING, vectors_folder

Case = Mapping[str, Any]
EXACT = 100
BARS = {"schedules_progressive": EXACT, "schedules_flat": 95, "schedules_cumulative": 80}
ENGINE_BAR = 93  # 28 of 30


def read(name: str, key: str = "cases") -> Sequence[Case]:
    file = vectors_folder() / name
    if not file.is_file():
        pytest.skip(f"there is no {file}; {SETTING} names another folder")
    return read_object(file, key)[1]


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


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("amortization", "EQUAL_PRINCIPAL"),
        ("interest_free_period", 2),
        ("repayment_start", "FIRST_OF_MONTH"),
        ("installments", 3.0),
        ("moon", "full"),
        ("disbursed_on", "2024-02-30"),
    ],
)
def test_a_setting_nobody_knows_is_named(name: str, value: object) -> None:
    case = read("fineract/schedules.json", "schedules")[0]
    (fault,) = judge_schedule({**case, "input": {**case["input"], name: value}})
    assert fault.startswith("case input: unknown")
    assert name in fault


@pytest.mark.parametrize("column", range(7))
def test_any_other_cell_of_a_schedule_is_found(column: int) -> None:
    case = read("fineract/schedules.json", "schedules")[0]
    row = list(case["expect"][-1])
    row[column] = "2001-02-03" if column == 0 else f"{row[column]}1"
    assert judge_schedule({**case, "expect": [*case["expect"][:-1], row]}) != ()


@pytest.mark.parametrize(
    ("step", "why"),
    [
        ({"op": "levitate"}, "unknown op 'levitate'"),
        ({"op": "disburse", "date": "2024-01-01", "amount": "1.00", "fee": "1"}, "unknown fee"),
        ({"op": "disburse", "amount": "1.00"}, "has no date"),
        ({"op": "interest_pause", "from": "2024-01-01", "to": "soon"}, "unknown value of to"),
        (7, "unknown op None"),
    ],
)
def test_a_step_nobody_knows_is_named(step: object, why: str) -> None:
    case = read("fineract/emi_unit.json")[0]
    assert why in judge_engine_case({**case, "steps": [*case["steps"], step]})[0]


@pytest.mark.parametrize("case", [None, 7, [], {}, {"input": {}}, {"settings": []}])
def test_a_case_that_is_no_case_has_failed(case: Case) -> None:
    assert schedule_tier(case) == "schedules_progressive"
    assert judge_schedule(case) != ()
    assert judge_engine_case(case) != ()
    assert judge_frappe(case) != ()


def _cents(case: Case) -> int:
    return round(100 * float(case["expect"][0][2]))
