"""Operations that make no sense, or come at the wrong time, are refused and say why."""

import ast
from dataclasses import replace
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from fenqi.cli.phrases import PHRASES
from fenqi.core.terms import life as life_room
from fenqi.core.terms.amortise.settings import Unit
from fenqi.core.terms.life.life import Life
from fenqi.core.terms.life.operations import (
    AddCharge,
    AddPeriods,
    ChangeRate,
    Chargeback,
    ChargeOff,
    Disburse,
    MoveDueDay,
    NightlyRun,
    Operation,
    PauseInterest,
    ReAge,
    ReAgeInterest,
    ReAmortise,
    Receipt,
    Receive,
    RefundCash,
    RefundCredit,
    Terminate,
    Undo,
    WaiveCharge,
    WriteOff,
)
from fenqi.core.terms.life.refusal import OperationSenseless, OperationUntimely
from random_lives import lend, receive, terms

START = date(2024, 1, 1)
TODAY = date(2024, 2, 10)
REPAYMENT = Receipt.REPAYMENT
RE_AGE: dict[str, Any] = {"every": 1, "unit": Unit.MONTHS, "starts_on": TODAY}
COMMON: dict[str, Any] = {"number": 4, "on": TODAY, "booked_on": TODAY}
PAUSE_END = date(2024, 2, 9)
FEE: dict[str, Any] = {"name": "fee", "is_penalty": False, "due_on": TODAY}


@pytest.fixture
def life() -> Life:
    """A plan of 1,200.00 in four instalments: the first is paid, a fee of 10.00 is open."""
    life = lend(terms("0.12"), 120_000)
    receive(life, date(2024, 2, 1), 30_754)
    life.record(replace(AddCharge(**FEE, amount_minor=1_000, **COMMON), number=3))
    return life


@pytest.mark.parametrize(
    ("operation", "reason"),
    [
        (Receive(receipt=REPAYMENT, amount_minor=-1, **COMMON), "amount out of range"),
        (Receive(receipt=REPAYMENT, amount_minor=10**16, **COMMON), "amount out of range"),
        (Receive(receipt=REPAYMENT, amount_minor=1, **COMMON | {"number": 9}), "out of number"),
        (
            Receive(receipt=REPAYMENT, amount_minor=1, **COMMON | {"on": date(2024, 3, 1)}),
            "dated ahead",
        ),
        (
            Receive(receipt=REPAYMENT, amount_minor=1, **COMMON | {"on": date(2023, 12, 31)}),
            "before anything was lent",
        ),
        (
            Receive(receipt=Receipt.CHARGE_ADJUSTMENT, amount_minor=1, charge=2, **COMMON),
            "no such charge",
        ),
        (AddCharge(**FEE, **COMMON), "a charge is an amount or a percentage"),
        (AddCharge(**FEE, percent=Decimal(-1), **COMMON), "percentage out of range"),
        (WaiveCharge(charge=2, **COMMON), "no such charge"),
        (Chargeback(of=1, of_receipt=REPAYMENT, amount_minor=1, **COMMON), "no such receipt"),
        (Undo(of=4, **COMMON), "nothing to undo"),
        (Undo(of=0, **COMMON), "nothing to undo"),
        (ChangeRate(rate=Decimal(-1), **COMMON), "rate out of range"),
        (PauseInterest(through=PAUSE_END, **COMMON), "ends before it begins"),
        (AddPeriods(count=0, **COMMON), "count out of range"),
        (ReAge(**RE_AGE, count=1_201, **COMMON), "count out of range"),
        (
            ReAge(
                **RE_AGE | {"starts_on": START},
                count=2,
                interest=ReAgeInterest.EQUAL_FULL,
                **COMMON,
            ),
            "new rows from the first day",
        ),
        (Receive(receipt=REPAYMENT, amount_minor=None, **COMMON), "not of its type"),
        (Receive(receipt="repayment", amount_minor=1, **COMMON), "not of its type"),
        (Receive(receipt=REPAYMENT, amount_minor=1.5, **COMMON), "not of its type"),
        (ChangeRate(rate=0.1, **COMMON), "not of its type"),
        (
            Receive(receipt=Receipt.INTEREST_REFUND, amount_minor=1, **COMMON),
            "follows from a refund only",
        ),
        (
            Receive(receipt=REPAYMENT, charge=3, amount_minor=1, **COMMON),
            "an adjustment names its charge",
        ),
        (
            Receive(receipt=Receipt.CHARGE_ADJUSTMENT, amount_minor=1, **COMMON),
            "an adjustment names its charge",
        ),
        *(
            (AddCharge(**FEE, percent=percent, **COMMON), "percentage out of range")
            for percent in (Decimal("NaN"), Decimal("Infinity"), Decimal("1e40"))
        ),
        (
            AddCharge(**FEE, percent=Decimal(1), amount_minor=1, **COMMON),
            "a charge is an amount or a percentage",
        ),
        *(
            (ChangeRate(rate=rate, **COMMON), "rate out of range")
            for rate in (Decimal("NaN"), Decimal("Infinity"), Decimal(101), Decimal("1e40"))
        ),
        *(
            (operation, "day out of range")
            for operation in (
                ChangeRate(rate=Decimal("0.1"), **COMMON | {"on": date.min}),
                AddPeriods(count=1, **COMMON | {"on": date.min}),
                PauseInterest(through=TODAY, **COMMON | {"on": date.min}),
                MoveDueDay(to=date.max, **COMMON | {"on": date(2024, 3, 1)}),
                ReAge(**RE_AGE | {"starts_on": date.max}, count=2, **COMMON),
                NightlyRun(**COMMON | {"on": date.max}),
                Receive(receipt=REPAYMENT, amount_minor=1, **COMMON | {"booked_on": date.max}),
                Disburse(amount_minor=1, **COMMON | {"on": date.min}),
            )
        ),
        (Disburse(amount_minor=1, **COMMON | {"on": date(2023, 1, 1)}), "before it was submitted"),
        *(
            (ReAge(**RE_AGE | {"every": every}, count=2, **COMMON), "interval out of range")
            for every in (0, -1, 367)
        ),
        (
            Chargeback(
                of=2, of_receipt=REPAYMENT, amount_minor=1, **COMMON | {"on": date(2024, 1, 15)}
            ),
            "before the receipt",
        ),
        (Undo(of=2, of_receipt=Receipt.INTEREST_REFUND, **COMMON), "no such receipt"),
        (MoveDueDay(to=TODAY, **COMMON), "nothing falls due on that day"),
        (
            MoveDueDay(to=date(2024, 2, 1), **COMMON | {"on": date(2024, 3, 1)}),
            "before the instalment begins",
        ),
    ],
)
def test_what_makes_no_sense_is_refused(life: Life, operation: Operation, reason: str) -> None:
    before = life.view(TODAY)
    with pytest.raises(OperationSenseless) as refused:
        life.record(operation)
    assert refused.value.fields["reason"] == reason
    assert life.view(TODAY).open_minor == before.open_minor
    assert len(life.recorded) == 3


@pytest.mark.parametrize(
    ("operation", "reason"),
    [
        (RefundCredit(amount_minor=1, **COMMON), "more than was overpaid"),
        (
            Receive(receipt=Receipt.MERCHANT_REFUND, amount_minor=120_001, **COMMON),
            "refund above what was lent",
        ),
        (
            RefundCash(amount_minor=1, **COMMON | {"on": date(2024, 1, 15)}),
            "before the last receipt",
        ),
        (AddPeriods(count=1_197, **COMMON), "too many rows"),
        (RefundCash(amount_minor=30_755, **COMMON), "more than was paid"),
        (
            Chargeback(of=2, of_receipt=REPAYMENT, amount_minor=30_755, **COMMON),
            "more than is left of the receipt",
        ),
        (
            Receive(receipt=Receipt.CHARGE_ADJUSTMENT, amount_minor=1_001, charge=3, **COMMON),
            "more than the charge",
        ),
        (
            MoveDueDay(to=date(2024, 2, 5), **COMMON | {"on": date(2024, 2, 1)}),
            "that instalment is met",
        ),
    ],
)
def test_what_comes_at_the_wrong_time_is_refused(
    life: Life, operation: Operation, reason: str
) -> None:
    with pytest.raises(OperationUntimely) as refused:
        life.record(operation)
    assert refused.value.fields["reason"] == reason
    assert len(life.recorded) == 3


@pytest.mark.parametrize(
    ("first", "second", "reason"),
    [
        (WriteOff(**COMMON), ReAmortise(**COMMON), "the plan was written off"),
        (Terminate(**COMMON), AddPeriods(count=1, **COMMON), "everything has fallen due"),
        (ChargeOff(**COMMON), ChargeOff(**COMMON), "charged off or called already"),
        (WriteOff(**COMMON), WriteOff(**COMMON), "written off already"),
        (WaiveCharge(charge=3, **COMMON), WaiveCharge(charge=3, **COMMON), "nothing of it is open"),
        (NightlyRun(**COMMON), NightlyRun(**COMMON | {"on": START}), "a later night was run"),
        (
            Chargeback(of=2, of_receipt=REPAYMENT, amount_minor=1, **COMMON),
            Undo(of=2, **COMMON),
            "a later operation stands on it",
        ),
        (Undo(of=2, **COMMON), Undo(of=2, **COMMON), "undone already"),
        (WaiveCharge(charge=3, **COMMON), Undo(of=3, **COMMON), "a later operation stands on it"),
        (
            Receive(receipt=REPAYMENT, amount_minor=200_000, **COMMON),
            ReAge(**RE_AGE, count=2, **COMMON),
            "nothing is open",
        ),
    ],
)
def test_what_an_earlier_operation_forbids_is_refused(
    life: Life, first: Operation, second: Operation, reason: str
) -> None:
    life.record(first)
    with pytest.raises(OperationUntimely) as refused:
        life.record(replace(second, number=5))
    assert refused.value.fields["reason"] == reason


def test_nothing_happens_before_anything_was_lent() -> None:
    life = Life(terms())
    with pytest.raises(OperationUntimely):
        life.record(Receive(number=1, on=START, booked_on=START, receipt=REPAYMENT, amount_minor=1))
    life.record(Disburse(number=1, on=START, booked_on=START, amount_minor=100))
    assert life.view(START).open_minor == 100


def test_an_undone_chargeback_frees_its_receipt(life: Life) -> None:
    taken_back = Chargeback(of=2, of_receipt=REPAYMENT, amount_minor=30_754, **COMMON)
    before = life.view(TODAY).open_minor
    life.record(taken_back)
    assert life.view(TODAY).open_minor > before
    life.record(Undo(of=4, **COMMON | {"number": 5}))
    life.record(replace(taken_back, number=6))
    assert life.view(TODAY).open_minor == before + 30_754


def test_a_receipt_that_went_back_in_cash_cannot_be_undone(life: Life) -> None:
    life.record(RefundCash(amount_minor=5_000, **COMMON))
    before = life.view(TODAY).open_minor
    with pytest.raises(OperationUntimely):
        life.record(Undo(of=2, **COMMON | {"number": 5}))
    assert life.view(TODAY).open_minor == before


def test_a_write_off_before_something_was_lent_is_refused(life: Life) -> None:
    life.record(Disburse(amount_minor=100, **COMMON))
    with pytest.raises(OperationUntimely) as refused:
        life.record(WriteOff(number=5, on=date(2024, 2, 9), booked_on=TODAY))
    assert refused.value.fields["later"] == 4


def test_a_refusal_of_what_comes_later_names_both(life: Life) -> None:
    life.record(ReAmortise(**COMMON))
    ends = ReAge(**RE_AGE | {"starts_on": date(2024, 2, 5)}, count=1, **COMMON)
    with pytest.raises(OperationUntimely) as refused:
        life.record(replace(ends, number=5, on=date(2024, 2, 5)))
    assert refused.value.fields == {
        "operation": 5,
        "reason": "a later operation would be refused",
        "later": 4,
        "because": "no instalment is to come",
    }


def test_a_credit_that_is_owed_again_stands_in_the_way_of_a_re_age() -> None:
    life = lend(terms("0.12", recalculates=True), 120_000)
    receive(life, START, 130_000)
    life.record(RefundCredit(number=3, on=START, booked_on=START, amount_minor=10_000))
    life.record(Undo(number=4, on=TODAY, booked_on=TODAY, of=2))
    with pytest.raises(OperationUntimely) as refused:
        life.record(ReAge(**RE_AGE, count=2, **COMMON | {"number": 5}))
    assert refused.value.fields["reason"] == "more was paid out than was overpaid"
    assert refused.value.fields["paid_out"] == 10_000


def test_every_reason_of_a_refusal_is_a_phrase_that_can_be_said() -> None:
    raised: set[str] = set()
    for file in Path(life_room.__file__).parent.glob("*.py"):
        for one in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(one, ast.Call) and getattr(one.func, "id", "") in ("refuse", "not_now"):
                raised |= {text.value for text in one.args if isinstance(text, ast.Constant)}
            elif isinstance(one, ast.keyword) and one.arg == "reason":
                raised |= {one.value.value} if isinstance(one.value, ast.Constant) else set()
    assert len(raised) > 40
    assert raised - PHRASES == frozenset()
