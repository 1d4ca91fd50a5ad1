"""What a folder of lives says and nobody understands fails by name; what is broken, too.

The folder is the test's own and small: a loan of 90.00 without interest in three parts of 30.00,
figures that everybody can check.
"""

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conformance.life_words import BUCKETS, COLUMNS, TIERS
from conformance.published_lives import NO_TIER, judge_lives
from conformance.run import main

PRODUCT = {
    "name": "PLAIN",
    "schedule_type": "PROGRESSIVE",
    "currency_digits": 2,
    "days_in_year": "ACTUAL",
    "days_in_month": "ACTUAL",
    "rate_period": "YEAR",
    "partial_period_interest": False,
    "accounting": "NONE",
    "processing": "HORIZONTAL",
    "repayment_start": "DISBURSEMENT_DATE",
    "payment_allocation": [
        {
            "transaction_type": "DEFAULT",
            "future_installments": "NEXT_INSTALLMENT",
            "order": BUCKETS,
        }
    ],
}
LOAN = {
    "op": "create_loan",
    "product": "PLAIN",
    "submitted": "2024-01-01",
    "principal": "90.00",
    "annual_rate_pct": "0",
    "interest_type": "DECLINING_BALANCE",
    "interest_calculation_period": "DAILY",
    "amortization": "EQUAL_INSTALLMENTS",
    "term": 3,
    "term_unit": "MONTHS",
    "repay_every": 1,
    "repay_unit": "MONTHS",
    "installments": 3,
    "allocation_strategy": "ADVANCED_PAYMENT_ALLOCATION",
}
TOTALS = {"principal": "90.00", "interest": "0.00", "outstanding": "90.00"}
CHARGE = {"op": "add_charge", "charge": "LOAN_NSF_FEE", "due": "2024-02-01", "amount": "5.00"}
STEPS = [
    {"op": "business_date", "date": "2024-01-01"},
    LOAN,
    {"op": "approve", "date": "2024-01-01", "amount": "90.00"},
    {"op": "disburse", "date": "2024-01-01", "amount": "90.00", "expect": {"totals": TOTALS}},
]
SCHEDULE_INPUT = {
    **{name: value for name, value in PRODUCT.items() if name in ("days_in_year", "days_in_month")},
    **{name: LOAN[name] for name in ("annual_rate_pct", "interest_type", "amortization")},
    **{name: LOAN[name] for name in ("repay_every", "repay_unit", "installments", "submitted")},
    "interest_calculation_period": "DAILY",
    "schedule_type": "PROGRESSIVE",
    "rate_period": "YEAR",
    "partial_period_interest": False,
    "principal_disbursed": "90.00",
    "disbursed_on": "2024-01-01",
    "business_date": "2024-01-01",
    "interest_recalculation": False,
    "repayment_start": "DISBURSEMENT_DATE",
    "fixed_length_days": None,
    "down_payment_pct": None,
}
ROWS = [
    ["2024-02-01", "30.00", "0.00", "0.00", "0.00", "30.00", "60.00"],
    ["2024-03-01", "30.00", "0.00", "0.00", "0.00", "30.00", "30.00"],
    ["2024-04-01", "30.00", "0.00", "0.00", "0.00", "30.00", "0.00"],
]
ENGINE_CASE = {
    "source_test": "three equal parts",
    "settings": {
        **{name: SCHEDULE_INPUT[name] for name in ("days_in_year", "days_in_month", "repay_every")},
        **{name: SCHEDULE_INPUT[name] for name in ("annual_rate_pct", "interest_type")},
        **{name: SCHEDULE_INPUT[name] for name in ("repay_unit", "partial_period_interest")},
        "interest_calculation_period": "DAILY",
        "precision": 12,
        "rounding": "HALF_EVEN",
    },
    "periods": [["2024-01-01", "2024-02-01"], ["2024-02-01", "2024-03-01"]],
    "steps": [
        {
            "op": "disburse",
            "date": "2024-01-01",
            "amount": "60.00",
            "expect": {"periods": [{"index": 0, "principal": "30.00", "balance": "30.00"}]},
        }
    ],
}


def life(**more: Any) -> dict[str, Any]:
    """Return a life that passes, with something changed."""
    whole = {"id": "plain", "tier": TIERS[0], "steps": STEPS, **more}
    changed: dict[str, Any] = json.loads(json.dumps(whole))
    return changed


def schedule(number: int, **more: str) -> dict[str, Any]:
    given = {**SCHEDULE_INPUT, **more}
    return {"id": f"schedule {number}", "input": given, "expect": ROWS}


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of vectors of the test's own, in which everything passes."""
    monkeypatch.setenv("FENQI_VECTORS", str(tmp_path))
    fineract = tmp_path / "fineract"
    fineract.mkdir()
    write(fineract / "products.json", {"products": [PRODUCT]})
    write_lives(fineract, [life(id=f"plain {tier}", tier=tier) for tier in TIERS])
    write(
        fineract / "schedules.json",
        {
            "schedules": [
                schedule(1),
                schedule(2, interest_type="FLAT"),
                schedule(3, schedule_type="CUMULATIVE"),
            ]
        },
    )
    write(fineract / "emi_unit.json", {"cases": [ENGINE_CASE]})
    return fineract


def write(file: Path, whole: object) -> None:
    file.write_text(json.dumps(whole), encoding="utf-8")


def write_lives(folder: Path, lives: list[Any], meta: object = COLUMNS) -> None:
    write(folder / "life_plain.json", {"meta": meta, "cases": lives})


def judged(folder: Path, *lives: Any, product: dict[str, Any] | None = None) -> list[str | None]:
    """Return the faults of lives in a folder, with another product if one is given."""
    write_lives(folder, list(lives))
    if product is not None:
        write(folder / "products.json", {"products": [product]})
    return [verdict.fault for verdict in judge_lives(folder).verdicts]


def test_a_whole_folder_passes_and_ends_with_a_line_for_each_set(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert folder.is_dir()
    assert main() == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[-10:] == [
        "tier schedules_progressive: passed 1 of 1",
        "tier schedules_flat: passed 1 of 1",
        "tier schedules_cumulative: passed 1 of 1",
        "tier emi_unit: passed 1 of 1",
        *(f"tier {tier}: passed 1 of 1" for tier in TIERS),
        "tier journals: passed 0 of 0",
        "tier delinquency: passed 0 of 0",
    ]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("moon", "full"),
        ("schedule_type", "REGRESSIVE"),
        ("currency_digits", 2.5),
        ("currency_digits", True),
        ("repayment_start", "FIRST_OF_MONTH"),
        ("processing", "DIAGONAL"),
        ("accounting", "CASH"),
        ("principal_threshold_last_pct", 30),
        ("currency_multiples_of", 5),
        ("charge_off_behaviour", "FORGIVE"),
        ("interest_refund_for", ["GIFT"]),
        ("interest_recalculation", {"moon": "full"}),
        ("payment_allocation", [{**PRODUCT["payment_allocation"][0], "order": BUCKETS[1:]}]),
        ("payment_allocation", PRODUCT["payment_allocation"] * 2),
        ("down_payment", {"pct": 25, "auto_repayment": "yes"}),
        ("rate_period", None),
    ],
)
def test_a_product_setting_nobody_knows_is_named(folder: Path, name: str, value: Any) -> None:
    (fault,) = judged(folder, life(), product={**PRODUCT, name: value})
    assert str(fault).startswith("step 1 product 'PLAIN'")
    assert name in str(fault)


@pytest.mark.parametrize("name", [name for name in PRODUCT if name not in ("name", "processing")])
def test_a_product_that_leaves_out_a_setting_is_named_or_means_the_usual(
    folder: Path, name: str
) -> None:
    left = {key: value for key, value in PRODUCT.items() if key != name}
    (fault,) = judged(folder, life(), product=left)
    assert fault is None if name == "repayment_start" else fault is not None


@pytest.mark.parametrize(
    ("step", "why"),
    [
        ({"op": "levitate"}, "unknown op 'levitate'"),
        ({"op": ["repayment"]}, "unknown op ['repayment']"),
        ({}, "unknown op None"),
        (7, "is no object"),
        ({**CHARGE, "fee_on_top": "1.00"}, "add_charge: unknown fee_on_top"),
        ({**CHARGE, "charge": "LOAN_OTHER_LATE_FEE"}, "unknown value of charge"),
        ({**CHARGE, "amount": "5.005"}, "5.005 has more than 2 decimals"),
        ({**CHARGE, "amount": "much"}, "unknown value of amount"),
        ({**CHARGE, "due": "2024-02-30"}, "unknown value of due"),
        ({"op": "repayment", "amount": "5.00"}, "repayment: has no date"),
        ({**LOAN, "amortization": "EQUAL_PRINCIPAL"}, "unknown value of amortization"),
        ({**LOAN, "interest_free_period": 2}, "unknown value of interest_free_period"),
        ({**LOAN, "term": 4}, "the term is not its instalments"),
        ({**LOAN, "product": "OTHER"}, "unknown product 'OTHER'"),
        ({**LOAN, "allocation_strategy": "COIN_TOSS"}, "unknown value of allocation_strategy"),
        ({"op": "undo", "which": "moon", "nth": 1}, "no transactions are called 'moon'"),
        ({"op": "undo", "which": "repayment", "nth": 9}, "no transaction 9 of kind repayment"),
        ({"op": "undo", "which": "last_repayment_call", "nth": 1}, "nothing was received yet"),
        ({"op": "undo_charge_off"}, "not played: undo_charge_off"),
        ({"op": "re_amortize", "interest_handling": "MOON"}, "unknown value of interest_handling"),
        ({**STEPS[0], "expect": {"moon": "full"}}, "expect: unknown moon"),
        ({**STEPS[0], "expect": {"totals": {"moon": "1.00"}}}, "expect totals: unknown moon"),
        ({**STEPS[0], "expect": {"schedule": [[1, 31]]}}, "unknown value of schedule"),
        ({**STEPS[0], "expect": {"status": "ASLEEP"}}, "status: wanted ASLEEP"),
        ({**STEPS[0], "expect": None}, "expect: is no object"),
        ({**STEPS[0], "expect": {"charges": [7]}}, "expect charges 1: is no object"),
        ({"op": "reschedule", "from": "2024-02-01", "submitted": "2024-01-01"}, "of nothing"),
    ],
)
def test_a_step_nobody_knows_is_named(folder: Path, step: Any, why: str) -> None:
    good, bad = judged(folder, life(), life(steps=[*STEPS, step]))
    assert good is None
    assert str(bad).startswith("step 4 ")
    assert why in str(bad)


def test_a_figure_that_is_null_is_not_asserted(folder: Path) -> None:
    figures = ("schedule", "totals", "transactions", "charges", "journal", "status", "overpaid")
    step = {**STEPS[0], "expect": dict.fromkeys(figures)}
    assert judged(folder, life(steps=[*STEPS, step])) == [None]


@pytest.mark.parametrize("which", ["Repayment", "repayment"])
@pytest.mark.parametrize("undo_date", ["2024-02-01", "2024-02-02"])
def test_an_undo_of_another_day_is_named(folder: Path, which: str, undo_date: str) -> None:
    steps = [
        {"op": "business_date", "date": "2024-02-01"},
        {"op": "repayment", "date": "2024-02-01", "amount": "30.00"},
        {"op": "undo", "which": which, "nth": 1, "undo_date": undo_date},
    ]
    (fault,) = judged(folder, life(steps=[*STEPS, *steps]))
    assert (fault is None) is (undo_date == "2024-02-01")


@pytest.mark.parametrize(
    ("broken", "why"),
    [
        (None, "is no object"),
        ([], "is no object"),
        ({}, "has no id"),
        ({"id": "x", "tier": TIERS[0]}, "has no steps"),
        (life(steps=[]), "has no list of steps"),
        (life(steps={}), "has no list of steps"),
        (life(moon="full"), "unknown moon"),
        (life(steps=[CHARGE]), "there is no loan yet"),
        (life(steps=[{**STEPS[0], "expect": {"overpaid": "0.00"}}]), "there is no loan yet"),
    ],
)
def test_a_life_that_is_no_life_is_named(folder: Path, broken: Any, why: str) -> None:
    assert why in str(judged(folder, broken)[0])


def told(capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    """Run the harness over the test's folder; return its exit code and what it said."""
    code = main()
    return code, capsys.readouterr().out


def test_an_unknown_tier_and_a_life_without_one_have_failed(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lives = [life(id=tier, tier=tier) for tier in TIERS]
    lost = life(id="lost")
    del lost["tier"]
    write_lives(folder, [*lives, life(id="new", tier="progressive_new"), lost])
    code, said = told(capsys)
    assert code == 1
    assert "failed progressive_new new: life: unknown value of tier: 'progressive_new'" in said
    assert f"failed {NO_TIER} lost: life: has no tier" in said
    assert "tier progressive_new: passed 0 of 1" in said
    assert f"tier {NO_TIER}: passed 0 of 1" in said


def test_two_failed_lives_of_one_id_are_two(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    bad = life(tier="cumulative", steps=[*STEPS, {"op": "levitate"}])
    write_lives(folder, [life(tier=tier) for tier in TIERS] + [bad, copy.deepcopy(bad)])
    assert "tier cumulative: passed 1 of 3" in told(capsys)[1]


def no_lives(folder: Path) -> None:
    (folder / "life_plain.json").unlink()


def break_lives(folder: Path) -> None:
    (folder / "life_other.json").write_text('{"cases": [', encoding="utf-8")


def other_columns(folder: Path) -> None:
    write_lives(folder, [life()], {**COLUMNS, "schedule_columns": ["nr"]})


def one_tier_empty(folder: Path) -> None:
    write_lives(folder, [life(tier=tier) for tier in TIERS[1:]])


def two_products_of_a_name(folder: Path) -> None:
    write(folder / "products.json", {"products": [PRODUCT, PRODUCT]})


@pytest.mark.parametrize(
    ("harm", "named"),
    [
        (no_lives, "life_*.json: there is no such file"),
        (break_lives, "life_other.json: is not JSON"),
        (other_columns, "life_plain.json: its schedule_columns are not nr, days"),
        (one_tier_empty, f"empty {TIERS[0]}: there is no case"),
        (two_products_of_a_name, "product 2 has no name of its own"),
        *(
            (lambda folder, name=name: (folder / name).unlink(), f"{name}: cannot be read")
            for name in ("products.json", "schedules.json", "emi_unit.json")
        ),
        *(
            (lambda folder, name=name: write(folder / name, [1]), f"{name}: is not an object")
            for name in ("products.json", "schedules.json", "emi_unit.json", "life_plain.json")
        ),
        *(
            (
                lambda folder, name=name, key=key: write(folder / name, {key: [None]}),
                "case (1): case: is no object",
            )
            for name, key in (("schedules.json", "schedules"), ("emi_unit.json", "cases"))
        ),
    ],
)
def test_a_broken_or_missing_file_is_named_and_fails(
    folder: Path,
    capsys: pytest.CaptureFixture[str],
    harm: Callable[[Path], object],
    named: str,
) -> None:
    harm(folder)
    code, said = told(capsys)
    assert code == 1
    assert named in said
    assert said.splitlines()[-1] == "tier delinquency: passed 0 of 0"


def test_frappes_folder_without_its_file_is_named(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (folder.parent / "frappe-lending").mkdir()
    code, said = told(capsys)
    assert code == 1
    assert "cases.json: cannot be read" in said
    assert said.splitlines()[-1] == "tier frappe-lending: passed 0 of 0"
