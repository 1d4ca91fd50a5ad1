"""Builders of values for tests: each gives a plain, valid one, and takes what a test changes."""

from datetime import date

from fenqi.core.terms.product import (
    DEFAULT_ALLOCATION,
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


def product(
    kind: ScheduleKind = ScheduleKind.FREE,
    *,
    rate_ppm: int = 0,
    counts: tuple[int, ...] = tuple(range(1, 61)),
    rounding: Rounding = Rounding.HALF_EVEN,
    odd_units: OddUnits = OddUnits.FIRST,
    late: LateRule | None = None,
    product_id: str = "sample",
) -> Product:
    """Return a product; `rate_ppm` is its fee per period or its interest per year."""
    return Product(
        product_id=product_id,
        version=1,
        kind=kind,
        counts=counts,
        fee_ppm_per_period=rate_ppm if kind is ScheduleKind.FLAT_FEE else 0,
        interest_ppm_per_year=rate_ppm if kind is ScheduleKind.ANNUITY else 0,
        merchant_discount_ppm=0,
        rounding=rounding,
        odd_units=odd_units,
        allocation=DEFAULT_ALLOCATION,
        settlement=Settlement.BY_THE_DAY,
        refund_cost_bearer=CostBearer.LENDER,
        late=late or LateRule(rate_ppm_per_day=500, grace_days=3, cap_ppm=240_000),
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
