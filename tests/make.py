"""Builders of values for tests: each gives a plain, valid one, and takes what a test changes."""

from datetime import date, timedelta

from fenqi.core.terms.lending_rules import LendingRules, Students
from fenqi.core.terms.operation import Operation, OperationKind
from fenqi.core.terms.product import (
    DEFAULT_ALLOCATION,
    Component,
    CostBearer,
    LateRule,
    Product,
    ScheduleKind,
    Settlement,
)
from fenqi.core.terms.schedule import Terms
from fenqi.core.values.day import add_months
from fenqi.core.values.money import OddUnits
from fenqi.core.values.rate import Rounding

START = date(2026, 12, 5)
FIRST_DUE = date(2027, 1, 10)
LATE = LateRule(rate_ppm_per_day=500, grace_days=3, cap_ppm=240_000)
LENDING = LendingRules(
    age_years_min=18,
    students=Students.NONE,
    multiple_evidenced_ppm=3_000_000,
    multiple_declared_ppm=1_000_000,
    service_share_max_ppm=500_000,
    service_months=12,
    limit_minor_max=20_000_000,
    limit_unevidenced_minor_max=500_000,
    limit_unknown_minor_max=300_000,
    limit_minor_least=50_000,
    report_days=30,
    offer_days=14,
)

Step = tuple[OperationKind, date, int]  # what happened, when it counts, how much


def product(
    kind: ScheduleKind = ScheduleKind.FREE,
    *,
    rate_ppm: int = 0,
    counts: tuple[int, ...] = tuple(range(1, 61)),
    rounding: Rounding = Rounding.HALF_EVEN,
    odd_units: OddUnits = OddUnits.FIRST,
    allocation: tuple[Component, ...] = DEFAULT_ALLOCATION,
    merchant_discount_ppm: int = 0,
    refund_cost_bearer: CostBearer = CostBearer.LENDER,
    late: LateRule = LATE,
    product_id: str = "sample",
) -> Product:
    """Return a product as its file would be read; `rate_ppm` is per period or, of interest, a year.

    The file's own checks run, so no test builds a product that no file can hold.
    """
    return Product.read(
        {
            "id": product_id,
            "version": 1,
            "schedule": kind.value,
            "counts": list(counts),
            "fee_ppm_per_period": rate_ppm if kind is ScheduleKind.FLAT_FEE else 0,
            "interest_ppm_per_year": rate_ppm if kind is ScheduleKind.ANNUITY else 0,
            "merchant_discount_ppm": merchant_discount_ppm,
            "rounding": rounding.value,
            "odd_units": odd_units.value,
            "allocation": [component.name.lower() for component in allocation],
            "settlement": Settlement.BY_THE_DAY.value,
            "refund_cost_bearer": refund_cost_bearer.value,
            "late_charge": {
                "rate_ppm_per_day": late.rate_ppm_per_day,
                "grace_days": late.grace_days,
                "cap_ppm": late.cap_ppm,
            },
        }
    )


def terms(
    of: Product,
    principal_minor: int,
    count: int,
    *,
    starts_on: date = START,
    first_due_on: date = FIRST_DUE,
) -> Terms:
    """Return signed terms with one due day a month."""
    due_on = tuple(add_months(first_due_on, month) for month in range(count))
    return Terms(
        product=of,
        count=count,
        principal_minor=principal_minor,
        starts_on=starts_on,
        due_on=due_on,
    )


def flat(rate_ppm: int = 5_000, **changes: object) -> Product:
    """Return a flat-fee product."""
    return product(ScheduleKind.FLAT_FEE, rate_ppm=rate_ppm, **changes)  # type: ignore[arg-type]


def annuity(rate_ppm: int = 180_000, **changes: object) -> Product:
    """Return a level-payment product."""
    return product(ScheduleKind.ANNUITY, rate_ppm=rate_ppm, **changes)  # type: ignore[arg-type]


def operation(
    number: int,
    kind: OperationKind,
    on: date,
    amount_minor: int,
    *,
    booked_on: date | None = None,
) -> Operation:
    """Return an operation, booked on the day it counts unless told otherwise."""
    return Operation(number, kind, on, booked_on or on, amount_minor)


def life(plan: Terms, *steps: Step) -> list[Operation]:
    """Return a plan's operations: the disbursement, then the steps in the order of booking."""
    happened = [(OperationKind.DISBURSE, plan.starts_on, plan.principal_minor), *steps]
    operations: list[Operation] = []
    booked_on = plan.starts_on
    for number, (kind, on, amount_minor) in enumerate(happened, start=1):
        booked_on = max(booked_on, on)
        operations.append(operation(number, kind, on, amount_minor, booked_on=booked_on))
    return operations


def pay(on: date, amount_minor: int) -> Step:
    """Return money of the customer reaching the plan."""
    return OperationKind.REPAY, on, amount_minor


def refund(on: date, amount_minor: int) -> Step:
    """Return goods going back."""
    return OperationKind.REFUND, on, amount_minor


def settle(on: date, amount_minor: int) -> Step:
    """Return an early pay-off."""
    return OperationKind.SETTLE, on, amount_minor


def write_off(on: date, amount_minor: int = 0) -> Step:
    """Return a write-off; the replay itself knows how much is open."""
    return OperationKind.WRITE_OFF, on, amount_minor


def later(day: date, days: int) -> date:
    """Return the day so many days later."""
    return day + timedelta(days=days)
