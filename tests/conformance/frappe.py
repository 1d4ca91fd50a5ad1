"""Published figures of Frappe Lending against the interest model: the faults of each case.

`frappe-lending/cases.json` has a few set-ups of different shapes; a case is understood by what it
expects. Cases of instalments and schedules are `is_schedule`; the others are about claims that are
no plan (demand loans, lines) or words that mean something else here, and say so.
"""

from collections.abc import Iterator, Mapping
from datetime import date
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from conformance.interest import CENTS, FAULTS_OF_INPUT, PERCENT
from conformance.known import Shape, is_any, one_of
from fenqi.core.errors import FenqiError
from fenqi.core.terms.amortise import events
from fenqi.core.terms.amortise.as_of import due_as_of, outstanding_as_of
from fenqi.core.terms.amortise.dates import first_of_next_month, spans
from fenqi.core.terms.amortise.model import Model
from fenqi.core.terms.amortise.settings import (
    DaysInYear,
    Interval,
    LevelRate,
    Settings,
    Unit,
)
from fenqi.core.values.rate import Rounding

Given = Mapping[str, Any]
Faults = tuple[str, ...]
MONTHLY = Interval(1, Unit.MONTHS)
INPUTS = (
    *("principal", "annual_rate_pct", "method", "periods", "disbursed", "first_due", "frequency"),
    *("payment", "payments", "type", "closed", "interest_days", "day_count", "schedule"),
    *("repayment_start", "paid_on", "short_by", "limit", "drawdown"),
)
FIGURES = (
    *("instalment", "total_interest_rounded", "total_payment_rounded", "rows", "first", "second"),
    *("rows_rounded_to_unit", "interest_paid", "principal_paid", "interest_rounded", "last"),
    *("excess", "auto_written_off", "days_past_due", "utilised", "available", "after_repayment"),
)
CASE = Shape(
    {
        "input": Shape(
            {},
            {
                **dict.fromkeys(INPUTS, is_any),
                "method": one_of("fixed number of periods"),
                "frequency": one_of("monthly"),
                "day_count": one_of("actual/365"),
            },
        ),
        "expect": Shape({}, dict.fromkeys(FIGURES, is_any)),
    },
    {"id": is_any, "source": is_any},
)
SCHEDULES = {"rows", "principal_paid", "first"}  # each marks a case about a schedule
ON_START, ON_FIRST = "monthly from the repayment start date", "calendar month"


def is_schedule(case: Given) -> bool:
    """Return whether a case is about instalments or a schedule."""
    expected = case.get("expect") if isinstance(case, Mapping) else None
    return isinstance(expected, Mapping) and bool(expected.keys() & SCHEDULES)


def judge_frappe(case: Given) -> Faults:
    """Return the first figure that differs, or why the case is not played."""
    if unknown := list(CASE.faults(case, "case")):
        return tuple(unknown)
    try:
        return next(((fault,) for fault in _faults(case["input"], case["expect"])), ())
    except (FenqiError, *FAULTS_OF_INPUT) as fault:
        return (f"refused: {type(fault).__name__}: {fault}",)


def _faults(given: Given, expected: Given) -> Iterator[str]:
    if "rows" in expected:
        yield from _schedule_faults(given, expected)
    elif "principal_paid" in expected:
        yield from _payment_faults(given, expected)
    elif "first" in expected:
        yield from _date_faults(given, expected)
    elif "interest_rounded" in expected:
        yield from _closure_faults(given, expected)
    else:
        yield f"not played: nothing here computes {', '.join(expected)}"


def _schedule_faults(given: Given, expected: Given) -> Iterator[str]:
    rows = _lend(given).rows()
    interest = sum(row.interest_minor for row in rows)
    figures: dict[str, tuple[object, int]] = {
        "instalment": (expected["instalment"], _units(rows[0].instalment_minor)),
        "rows": (expected["rows"], len(rows)),
        "total interest": (expected["total_interest_rounded"], _units(interest)),
        "total payment": (
            expected["total_payment_rounded"],
            _units(interest + sum(row.principal_minor for row in rows)),
        ),
    }
    for wanted_row in expected["rows_rounded_to_unit"]:
        row = rows[wanted_row["nr"] - 1]
        for name, got in (
            ("principal", row.principal_minor),
            ("interest", row.interest_minor),
            ("balance", row.balance_minor),
        ):
            figures[f"row {wanted_row['nr']} {name}"] = (wanted_row[name], _units(got))
    for name, (wanted, whole) in figures.items():
        if int(str(wanted)) != whole:
            yield f"{name}: wanted {wanted}, got {whole}"


def _payment_faults(given: Given, expected: Given) -> Iterator[str]:
    model = _lend(given)
    on = date.fromisoformat(given["payment"]["date"])
    left = int(Decimal(given["payment"]["amount"]) * CENTS)
    interest = min(left, due_as_of(model, 0, on).interest_minor)
    events.pay_interest(model, 0, on, interest)
    events.pay_principal(model, 0, on, left - interest)
    row = model.rows()[0]
    for name, got in (
        ("interest_paid", row.paid_interest_minor),
        ("principal_paid", row.paid_principal_minor),
    ):
        if Decimal(expected[name]) * CENTS != got:
            yield f"{name}: wanted {expected[name]}, got {got}"


def _date_faults(given: Given, expected: Given) -> Iterator[str]:
    start = date.fromisoformat(given["repayment_start"])
    if given["schedule"].startswith(ON_FIRST):
        first = first_of_next_month(start)
    elif given["schedule"] == ON_START:
        first = start
    else:
        raise ValueError(f"unknown schedule {given['schedule']!r}")
    disbursed = date.fromisoformat(given["disbursed"])
    days = [due for _, due in spans(disbursed, MONTHLY, given["periods"], first_due_on=first)]
    for name, got in (("first", days[0]), ("second", days[1]), ("last", days[-1])):
        if expected[name] != got.isoformat():
            yield f"{name}: wanted {expected[name]}, got {got}"


def _closure_faults(given: Given, expected: Given) -> Iterator[str]:
    """Yield what differs for a claim without a schedule, paid back on one day."""
    start, closed = (date.fromisoformat(given[name]) for name in ("disbursed", "closed"))
    model = Model(_settings(given), ((start, closed),))
    events.disburse(model, start, int(given["principal"]) * CENTS)
    got = _units(outstanding_as_of(model, closed).interest_minor)
    if int(expected["interest_rounded"]) != got:
        yield f"interest: wanted {expected['interest_rounded']}, got {got}"


def _lend(given: Given) -> Model:
    start = date.fromisoformat(given["disbursed"])
    first = date.fromisoformat(given["first_due"])
    model = Model(_settings(given), spans(start, MONTHLY, given["periods"], first_due_on=first))
    events.disburse(model, start, int(given["principal"]) * CENTS)
    return model


def _settings(given: Given) -> Settings:
    """Return the rules the file's own meta names: see its `semantics`."""
    return Settings(
        MONTHLY,
        Decimal(given["annual_rate_pct"]) / PERCENT,
        days_in_year=DaysInYear.FIXED_365,
        level_rate=LevelRate.NOMINAL,
        multiple=1,
        multiple_rounding=Rounding.UP,
        is_last_smoothed=False,
    )


def _units(minor: int) -> int:
    """Return an amount rounded to whole currency units, as the figures are printed."""
    return int((Decimal(minor) / CENTS).to_integral_value(rounding=ROUND_HALF_UP))
