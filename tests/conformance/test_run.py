"""The runner counts what it cannot compute as failed, and says what it skips."""

import json
from pathlib import Path
from typing import Any

import pytest

from conformance.run import judge, main, table_tiers, vectors_folder

ROUNDING = {
    "id": "half",
    "kind": "round_half_up_last_place",
    "inputs": {"value": "3.055", "decimals": 2},
    "expected": {"text": "3.06"},
    "tolerance": {},
}
PAYMENT = {
    "id": "payment",
    "kind": "PMT",
    "inputs": {"rate": "0", "nper": 60, "pv": 15000},
    "expected": {"value": -250},
    "tolerance": {"value": 0},
}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of vectors of the test's own, as FENQI_VECTORS names it."""
    monkeypatch.setenv("FENQI_VECTORS", str(tmp_path))
    (tmp_path / "apr").mkdir()
    return tmp_path / "apr"


def write(folder: Path, name: str, *cases: dict[str, Any]) -> None:
    text = json.dumps({"family": name, "cases": cases})
    (folder / f"{name}.json").write_text(text, encoding="utf-8")


def said(capsys: pytest.CaptureFixture[str]) -> list[str]:
    """Return the lines that are not about the carried table or an absent folder."""
    beside = ("tier table-", "skipped: ")
    return [line for line in capsys.readouterr().out.splitlines() if not line.startswith(beside)]


def test_each_file_has_its_line_and_success_is_zero(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(folder, "rounding", ROUNDING)
    write(folder, "tvm", PAYMENT, PAYMENT)
    assert main() == 0
    assert said(capsys) == ["tier apr-rounding: passed 1 of 1", "tier apr-tvm: passed 2 of 2"]


def test_an_unknown_kind_has_failed_and_is_named(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    write(folder, "rounding", ROUNDING, {**ROUNDING, "id": "odd", "kind": "horoscope"})
    assert main() == 1
    assert said(capsys) == [
        "  failed odd: unknown kind 'horoscope'",
        "tier apr-rounding: passed 1 of 2",
    ]


def test_a_wrong_figure_is_shown_with_what_was_wanted_and_its_tolerance(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    off = {**PAYMENT, "expected": {"value": -250.02}, "tolerance": {"value": 0.01}}
    write(folder, "tvm", off)
    assert main() == 1
    assert said(capsys)[0] == "  failed payment: value: wanted -250.02, got -250, tolerance 0.01"


def test_a_difference_of_exactly_the_tolerance_passes() -> None:
    near = {**PAYMENT, "expected": {"value": -251}, "tolerance": {"value": 1}}
    assert judge(near).faults == ()


def test_an_input_nobody_knows_is_a_fault_and_not_left_out() -> None:
    more = {**PAYMENT, "inputs": {**PAYMENT["inputs"], "tax": 3}}
    assert judge(more).faults == ("unknown inputs of kind 'PMT': tax",)


def test_a_figure_this_kind_does_not_have_is_a_fault() -> None:
    more = {**PAYMENT, "expected": {"value": -250, "moon": 1}}
    assert judge(more).faults == ("moon: wanted 1, but this kind has no such figure",)


@pytest.mark.parametrize(
    "inputs",
    [
        {},
        {"rate": "0"},
        {"rate": "x", "nper": 60, "pv": 1},
        {"rate": "0", "nper": "60", "pv": 1},
        {"rate": "0", "nper": -1, "pv": 1},
        {"rate": "0/0", "nper": 6, "pv": 1},
        {"rate": None, "nper": 6, "pv": 1},
        {"rate": "0", "nper": 6, "pv": [1]},
        {"rate": "1e999999999", "nper": 6, "pv": 1},
    ],
)
def test_inputs_that_make_no_sense_are_a_fault_of_that_case(inputs: dict[str, Any]) -> None:
    assert len(judge({**PAYMENT, "inputs": inputs}).faults) == 1


@pytest.mark.parametrize(
    "case",
    [
        None,
        7,
        [],
        {},
        {**PAYMENT, "kind": None},
        {**PAYMENT, "inputs": []},
        {**PAYMENT, "expected": {}},
        {**PAYMENT, "expected": {"value": None}},
        {**PAYMENT, "expected": {"value": "much"}},
        {**PAYMENT, "expected": {"value": True}},
        {**PAYMENT, "tolerance": 1},
        {**PAYMENT, "tolerance": {"value": "some"}},
    ],
)
def test_a_case_that_is_no_case_has_failed(case: object) -> None:
    assert len(judge(case).faults) == 1


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("", "is not JSON"),
        ('{"cases": [', "is not JSON"),
        ('{"cases": [{"expected": NaN}]}', "is not JSON"),
        ("[]", 'is not an object with a list "cases"'),
        ('{"cases": {}}', 'is not an object with a list "cases"'),
        ("[" * 100_000, "cannot be read"),
    ],
)
def test_a_malformed_file_is_named_and_the_others_still_run(
    folder: Path, capsys: pytest.CaptureFixture[str], text: str, why: str
) -> None:
    (folder / "broken.json").write_text(text, encoding="utf-8")
    write(folder, "tvm", PAYMENT)
    assert main() == 1
    unreadable, empty, broken, whole = said(capsys)
    assert unreadable.startswith(f"  unreadable {folder / 'broken.json'}: {why}")
    assert empty == "  empty apr-broken: there is no case"
    assert broken == "tier apr-broken: passed 0 of 0"
    assert whole == "tier apr-tvm: passed 1 of 1"


def test_a_file_without_a_case_and_a_folder_without_a_file_have_failed(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main() == 1
    assert said(capsys)[0] == f"  unreadable {folder}: holds no file of cases"
    write(folder, "tvm")
    assert main() == 1
    assert said(capsys) == ["  empty apr-tvm: there is no case", "tier apr-tvm: passed 0 of 0"]


def test_bytes_that_are_no_text_are_named(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (folder / "broken.json").write_bytes(b"\xff\xfe")
    assert main() == 1
    assert "cannot be read" in said(capsys)[0]


def test_an_absent_folder_is_said_to_be_skipped_and_the_table_still_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("FENQI_VECTORS", str(tmp_path / "nowhere"))
    assert main() == 0
    lines = capsys.readouterr().out.splitlines()
    skipped = [line for line in lines if line.startswith("skipped: there is no ")]
    assert [line.split()[4] for line in skipped] == [
        str(tmp_path / "nowhere" / name) for name in ("apr", "fineract", "frappe-lending")
    ]
    assert lines[-1].startswith("tier ")
    assert "tier table-us_regz_apr: passed 18 of 18" in lines


def test_without_a_setting_the_folder_beside_the_checkout_is_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("FENQI_VECTORS", raising=False)
    checkout = Path(__file__).resolve().parents[2]
    assert vectors_folder() == checkout.parent / "shared" / "vectors"


def test_each_family_of_the_table_is_a_tier() -> None:
    names = [tier.name for tier in table_tiers()]
    assert len(names) == len(set(names)) == 11
