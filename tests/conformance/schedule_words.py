"""The words of the published schedules and engine cases: settings, steps and figures understood.

A case that says anything else has failed, and what it says is named. The days are text here.
"""

import re
from collections.abc import Callable, Iterator, Mapping
from datetime import date
from typing import Any

from conformance.known import (
    Each,
    Shape,
    all_of,
    is_any,
    is_flag,
    is_money,
    is_number,
    is_text,
    one_of,
    optional,
    whole,
)

COUNT_MAX = 1_200
PRECISION_MAX = 50
FIGURE = re.compile(r"-?\d+(\.\d+)?(E[-+]?\d+)?")


def is_day(value: object) -> bool:
    """Return whether a value is a day in text."""
    try:
        return isinstance(value, str) and date.fromisoformat(value).isoformat() == value
    except ValueError:
        return False


def is_figure(value: object) -> bool:
    """Return whether a value is a printed figure of any fineness."""
    return isinstance(value, str) and FIGURE.fullmatch(value) is not None


def row_of(*checks: Callable[[object], bool]) -> Callable[[object], bool]:
    """Return a check for a list whose members each pass their own check."""
    return lambda value: (
        isinstance(value, list)
        and len(value) == len(checks)
        and all(check(cell) for check, cell in zip(checks, value, strict=True))
    )


count = whole(1, COUNT_MAX)
grace = whole(0, COUNT_MAX)
SETTINGS: Mapping[str, Callable[[object], bool]] = {
    "annual_rate_pct": is_number,
    "interest_type": one_of("DECLINING_BALANCE", "FLAT"),
    "interest_calculation_period": one_of("DAILY", "SAME_AS_REPAYMENT_PERIOD"),
    "repay_every": count,
    "repay_unit": one_of("DAYS", "WEEKS", "MONTHS"),
    "days_in_year": one_of("ACTUAL", "DAYS_360", "DAYS_364", "DAYS_365"),
    "days_in_month": one_of("ACTUAL", "DAYS_30"),
    "partial_period_interest": is_flag,
}
MORE_SETTINGS = {
    "days_in_year_custom": one_of("FEB_29_PERIOD_ONLY"),
    "interest_from_disbursement_day": is_flag,
    "grace_principal": grace,
    "grace_interest": grace,
}
INPUT = Shape(
    {
        **SETTINGS,
        "schedule_type": one_of("PROGRESSIVE", "CUMULATIVE"),
        "rate_period": one_of("YEAR", "MONTH", "WHOLE_TERM"),
        "amortization": one_of("EQUAL_INSTALLMENTS"),
        "installments": count,
        "principal_disbursed": is_money,
        "disbursed_on": is_day,
        "submitted": is_day,
        "business_date": is_day,
        "interest_recalculation": is_flag,
    },
    {
        **MORE_SETTINGS,
        "interest_free_period": one_of(0),
        "principal_applied_for": is_money,
        "installment_multiples_of": count,
        "down_payment_pct": is_number,
        "down_payment_auto": is_flag,
        "fixed_length_days": count,
        "repayment_start": one_of("DISBURSEMENT_DATE", "SUBMITTED_ON_DATE"),
        "product_charges": one_of(),  # none is modelled
    },
)
is_row = row_of(is_day, *([is_money] * 6))
SCHEDULE_CASE = Shape(
    {"input": INPUT, "expect": all_of(is_row)},
    dict.fromkeys(("id", "source", "also", "reproduced_by_reference"), is_any),
)

AMOUNT = {"date": is_day, "amount": is_money}
IN_PERIOD = Shape({**AMOUNT, "period_from": is_day, "period_due": is_day})
ENGINE_STEPS = {
    "disburse": Shape(AMOUNT),
    "pay_principal": IN_PERIOD,
    "pay_interest": IN_PERIOD,
    "change_rate": Shape({"effective": is_day, "new_annual_rate_pct": is_number}),
    "interest_pause": Shape({"from": is_day, "to": is_day}),
    "credit_principal": Shape(AMOUNT),
    "credit_interest": Shape(AMOUNT),
    "balance_correction": Shape(AMOUNT),
}
ENGINE_EXPECT = Shape(
    {},
    {
        "total_interest": is_money,
        "due_amounts": Each(
            Shape(
                {
                    "args": row_of(is_day, is_day, is_day),
                    "due_principal": is_money,
                    "due_interest": is_money,
                }
            )
        ),
        "periods": Each(
            Shape(
                {"index": whole(0, COUNT_MAX)},
                {
                    **dict.fromkeys(("installment", "interest", "principal", "balance"), is_money),
                    "fully_paid": is_flag,
                    "segments": all_of(row_of(whole(0, COUNT_MAX), is_figure, is_figure)),
                },
            )
        ),
    },
)
ENGINE_CASE = Shape(
    {
        "settings": Shape(
            {**SETTINGS, "precision": whole(1, PRECISION_MAX), "rounding": one_of("HALF_EVEN")},
            {
                **MORE_SETTINGS,
                "full_term_tranche": one_of(False),
                "installments": count,
                "multiples_of": count,
            },
        ),
        "periods": all_of(row_of(is_day, is_day)),
        "steps": is_any,
    },
    {"source_test": is_text, "class": is_text, "stopped_at": optional(is_any)},
)


def unknown_in_schedule(case: Any) -> Iterator[str]:
    """Yield what of a schedule case is not understood."""
    yield from SCHEDULE_CASE.faults(case, "case")


def unknown_in_engine_case(case: Any) -> Iterator[str]:
    """Yield what of an engine case is not understood."""
    faults = list(ENGINE_CASE.faults(case, "case"))
    yield from faults
    steps = None if faults else case["steps"]
    if not isinstance(steps, list):
        return
    for number, step in enumerate(steps, start=1):
        op = step.get("op") if isinstance(step, Mapping) else None
        shape = ENGINE_STEPS.get(op) if isinstance(op, str) else None
        if shape is None:
            yield f"step {number}: unknown op {op!r}"
            continue
        given = {name: value for name, value in step.items() if name not in ("op", "expect")}
        yield from shape.faults(given, f"step {number} {op}")
        yield from ENGINE_EXPECT.faults(step.get("expect", {}), f"step {number} expect")
