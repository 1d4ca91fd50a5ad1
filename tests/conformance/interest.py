"""Published schedules and engine cases against the interest model: the faults of each case.

`schedules.json` has pure schedules, right after the first disbursement; `emi_unit.json` has events
on given periods with every figure after them. Run by `run.py` and by `test_interest.py`.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from conformance.schedule_words import unknown_in_engine_case, unknown_in_schedule
from fenqi.core.errors import FenqiError
from fenqi.core.terms.amortise import events
from fenqi.core.terms.amortise.as_of import correct_overdue, due_as_of
from fenqi.core.terms.amortise.dates import spans
from fenqi.core.terms.amortise.down_payment import down_payment
from fenqi.core.terms.amortise.model import Model
from fenqi.core.terms.amortise.settings import (
    Accrual,
    DaysInMonth,
    DaysInYear,
    Interval,
    LevelRate,
    Method,
    RatePeriod,
    Settings,
    Unit,
    yearly_rate,
)

Given = Mapping[str, Any]
Faults = tuple[str, ...]
DIGITS = 2
CENTS = 10**DIGITS
PERCENT = Decimal(100)
PPM_PER_PERCENT = 10_000
FAULTS_OF_INPUT = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
TIERS = ("schedules_progressive", "schedules_flat", "schedules_cumulative")


def schedule_tier(case: Given) -> str:
    """Return the tier a schedule case belongs to; one that does not say so is held to the bar."""
    given = case.get("input") if isinstance(case, Mapping) else None
    given = given if isinstance(given, Mapping) else {}
    if given.get("schedule_type") == "CUMULATIVE":
        return "schedules_cumulative"
    return "schedules_flat" if given.get("interest_type") == "FLAT" else "schedules_progressive"


def judge_schedule(case: Given) -> Faults:
    """Return what a schedule case says that is unknown, or its first wrong cell, or nothing."""
    if unknown := list(unknown_in_schedule(case)):
        return tuple(unknown)
    try:
        rows = list(_schedule(case["input"]))
        wanted = [(due_on, *(_minor(cell) for cell in cells)) for due_on, *cells in case["expect"]]
    except (FenqiError, *FAULTS_OF_INPUT) as fault:
        return (f"refused: {type(fault).__name__}: {fault}",)
    if len(rows) != len(wanted):
        return (f"rows: wanted {len(wanted)}, got {len(rows)}",)
    names = ("due_date", "principal", "interest", "fees", "penalties", "due", "balance_after")
    for number, (want, got) in enumerate(zip(wanted, rows, strict=True), start=1):
        for name, wanted_cell, cell in zip(names, want, got, strict=True):
            if wanted_cell != cell:
                return (f"row {number} {name}: wanted {wanted_cell}, got {cell}",)
    return ()


def judge_engine_case(case: Given) -> Faults:
    """Return what an engine case says that is unknown, or its first wrong figure, or nothing."""
    if unknown := list(unknown_in_engine_case(case)):
        return tuple(unknown)
    try:
        return next(((fault,) for fault in _engine_faults(case)), ())
    except (FenqiError, *FAULTS_OF_INPUT) as fault:
        return (f"refused: {type(fault).__name__}: {fault}",)


def settings_of(given: Given) -> Settings:
    """Return the settings that a case or a product names in the words of the vectors."""
    interval = Interval(int(given["repay_every"]), Unit(given["repay_unit"].lower()))
    draft = Settings(interval, Decimal(0), precision=given.get("precision", 19))
    rate = yearly_rate(
        Decimal(str(given["annual_rate_pct"])) / PERCENT,
        RatePeriod(given.get("rate_period", "YEAR").lower().replace("_", "-")),
        interval=interval,
        count=int(given.get("installments") or 1),
        arithmetic=draft.arithmetic,
    )
    is_daily = given["interest_calculation_period"] == "DAILY"
    is_cumulative = given.get("schedule_type") == "CUMULATIVE"
    return Settings(
        interval,
        rate,
        digits=DIGITS,
        days_in_month=DaysInMonth(given["days_in_month"].removeprefix("DAYS_").lower()),
        days_in_year=_days_in_year(given),
        accrual=Accrual.DAILY if is_daily else Accrual.PER_PERIOD,
        is_partial_period_exact=bool(given["partial_period_interest"]),
        method=_method(given),
        level_rate=LevelRate.NOMINAL if is_cumulative else LevelRate.BY_DAYS,
        is_last_smoothed=not is_cumulative,
        multiple=int(given.get("installment_multiples_of") or given.get("multiples_of") or 0),
        counts_first_day=bool(given.get("interest_from_disbursement_day")),
        principal_grace=int(given.get("grace_principal") or 0),
        interest_grace=int(given.get("grace_interest") or 0),
        precision=given.get("precision", 19),
    )


def _method(given: Given) -> Method:
    """Return what interest is charged on; the older engine counts flat interest for the term."""
    if given["interest_type"] == "FLAT" and given.get("schedule_type") == "CUMULATIVE":
        return Method.FLAT_WHOLE_TERM
    return Method(given["interest_type"].lower().replace("_", "-"))


def _days_in_year(given: Given) -> DaysInYear:
    """Return the length of a year; the actual year of the older engine has 365 days."""
    named = given["days_in_year"]
    if named == "ACTUAL" and given.get("schedule_type") == "CUMULATIVE":
        return DaysInYear.FIXED_365
    if named != "ACTUAL":
        return DaysInYear(named.removeprefix("DAYS_"))
    is_by_leap_day = given.get("days_in_year_custom") == "FEB_29_PERIOD_ONLY"
    return DaysInYear.ACTUAL_BY_LEAP_DAY if is_by_leap_day else DaysInYear.ACTUAL


def _schedule(given: Given) -> Iterator[tuple[object, ...]]:
    settings = settings_of(given)
    disbursed_on = date.fromisoformat(given["disbursed_on"])
    is_from_submitted = given["repayment_start"] == "SUBMITTED_ON_DATE"
    start = date.fromisoformat(given["submitted"]) if is_from_submitted else disbursed_on
    length = given["fixed_length_days"]
    model = Model(
        settings,
        spans(
            start,
            settings.interval,
            given["installments"],
            length_days=None if length is None else int(length),
        ),
    )
    amount = _minor(given["principal_disbursed"])
    if given["down_payment_pct"]:
        share = int(Decimal(str(given["down_payment_pct"])) * PPM_PER_PERCENT)
        down = down_payment(amount, share, settings)
        amount -= down
        yield (disbursed_on.isoformat(), down, 0, 0, 0, down, amount)
    events.disburse(model, disbursed_on, amount)
    if given["interest_recalculation"]:
        correct_overdue(model, date.fromisoformat(given["business_date"]))
    balance = amount
    for row in model.rows():
        balance -= row.principal_minor
        due = row.principal_minor + row.interest_minor
        yield (row.due_on.isoformat(), row.principal_minor, row.interest_minor, 0, 0, due, balance)


def _engine_faults(case: Given) -> Iterator[str]:
    periods = [(date.fromisoformat(a), date.fromisoformat(b)) for a, b in case["periods"]]
    model = Model(settings_of(case["settings"]), periods)
    for number, step in enumerate(case["steps"], start=1):
        _apply(model, step)
        for fault in _step_faults(model, step.get("expect", {})):
            yield f"step {number} {step['op']}: {fault}"


def _apply(model: Model, step: Given) -> None:
    on = date.fromisoformat(step.get("date") or step.get("effective") or step["from"])
    amount = _minor(step.get("amount", "0"))
    match step["op"]:
        case "disburse":
            events.disburse(model, on, amount)
        case "pay_principal":
            events.pay_principal(model, _row(model, step), on, amount)
        case "pay_interest":
            events.pay_interest(model, _row(model, step), on, amount)
        case "change_rate":
            events.change_rate(model, on, Decimal(str(step["new_annual_rate_pct"])) / PERCENT)
        case "interest_pause":
            events.pause(model, on, date.fromisoformat(step["to"]))
        case "credit_principal":
            events.credit(model, on, principal_minor=amount)
        case "credit_interest":
            events.credit(model, on, interest_minor=amount)
        case "balance_correction":
            events.correct_balance(model, on, amount)
        case unknown:
            raise ValueError(f"unknown op {unknown!r}")


def _row(model: Model, step: Given) -> int:
    found = model.index_of(
        date.fromisoformat(step["period_from"]), date.fromisoformat(step["period_due"])
    )
    if found is None:
        raise LookupError(f"no period from {step['period_from']} to {step['period_due']}")
    return found


def _step_faults(model: Model, expected: Given) -> Iterator[str]:
    rows = model.rows()
    if "total_interest" in expected:
        total = sum(row.interest_minor for row in rows)
        if total != _minor(expected["total_interest"]):
            yield f"total interest: wanted {expected['total_interest']}, got {total}"
    for asked in expected.get("due_amounts", ()):
        start, due_on, on = (date.fromisoformat(day) for day in asked["args"])
        row = model.index_of(start, due_on)
        due = due_as_of(model, -1 if row is None else row, on)
        for name, got in (("principal", due.principal_minor), ("interest", due.interest_minor)):
            if got != _minor(asked[f"due_{name}"]):
                yield f"due {name} {asked['args']}: wanted {asked[f'due_{name}']}, got {got}"
    for period in expected.get("periods", ()):
        index = period["index"]
        row = rows[index]
        cells: dict[str, object] = {
            "installment": row.instalment_minor,
            "interest": row.interest_minor,
            "principal": row.principal_minor,
            "balance": row.balance_minor,
        }
        for name, got in cells.items():
            if name in period and got != _minor(period[name]):
                yield f"period {index} {name}: wanted {period[name]}, got {got}"
        if "fully_paid" in period and period["fully_paid"] != row.is_paid:
            yield f"period {index} fully_paid: wanted {period['fully_paid']}, got {row.is_paid}"
        yield from _segment_faults(model, index, period.get("segments", ()))


def _segment_faults(model: Model, index: int, segments: Sequence[Any]) -> Iterator[str]:
    held, balance = model.periods[index].segments, model.periods[index].opening_minor
    for place, factor, interest in segments:
        if place >= len(held):
            yield f"period {index}: has no segment {place}"
            continue
        segment = held[place]
        run = segment.interest(balance, model.math) / CENTS
        balance = max(0, balance + segment.corrected_minor + segment.disbursed_minor)
        for name, wanted, got in (
            ("rate factor", factor, model.level_factor(segment)),
            ("unrounded interest", interest, run),
        ):
            if Decimal(wanted) != got:
                yield f"period {index} segment {place} {name}: wanted {wanted}, got {got}"


def _minor(text: str | None) -> int:
    """Return an amount printed with a point in minor units; a blank is nothing."""
    amount = Decimal(text or 0) * CENTS
    if amount != amount.to_integral_value():
        raise ValueError(f"{text} has more than {DIGITS} decimals")
    return int(amount)
