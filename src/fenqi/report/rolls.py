"""Buckets of days past due, and the rates at which plans roll from one to another in a month.

Source: docs/reference/metrics.md, "Lateness".
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from fenqi.core.terms.life.state import Status
from fenqi.core.values.rate import PPM, Rounding, divide
from fenqi.store import views

LAST_BUCKET = 7  # M7 and above are one bucket


@dataclass(frozen=True, slots=True)
class RollCell:
    """Where a part of a bucket went within the month."""

    to: str
    plans: int
    plans_ppm: int
    principal_minor: int
    principal_ppm: int


@dataclass(frozen=True, slots=True)
class RollRow:
    """Where the plans of one bucket went within the month; the cells' shares sum to one."""

    name: str
    plans: int
    principal_minor: int
    cells: tuple[RollCell, ...]


@dataclass(frozen=True, slots=True)
class RollRates:
    """The transition matrix of the last two month ends."""

    month_before: date | None
    month_end: date
    rows: tuple[RollRow, ...]


def bucket_name(bucket: int) -> str:
    """Return a bucket's name: M0 to M6, and M7+ for all beyond."""
    return f"M{bucket}" if bucket < LAST_BUCKET else f"M{LAST_BUCKET}+"


def ppm(part: int, whole: int) -> int:
    """Return a share in ppm; of nothing it is nothing."""
    return divide(part * PPM, whole, rounding=Rounding.HALF_EVEN) if whole > 0 else 0


def roll_rates(portfolio: Sequence[views.PortfolioSum]) -> RollRates | None:
    """Return where each bucket of the month end before the last went, or None without any.

    Left out: plans begun within the month; and those that are no risk any more, that is written
    off in an earlier month, or paid off while current.
    """
    ends = sorted({one.month_end for one in portfolio})
    if not ends:
        return None
    plans: Counter[tuple[int, str]] = Counter()
    principal: Counter[tuple[int, str]] = Counter()
    for one in portfolio:
        if one.month_end == ends[-1] and _is_at_risk(one):
            cell = (min(one.from_bucket, LAST_BUCKET), _arrival(one))
            plans[cell] += one.plans
            principal[cell] += one.principal_open_minor + one.principal_written_off_minor
    arrivals = [bucket_name(place) for place in range(LAST_BUCKET + 1)]
    arrivals += [Status.CLOSED.value, Status.WRITTEN_OFF.value]
    rows = []
    for place in range(LAST_BUCKET + 1):
        all_plans = sum(plans[place, to] for to in arrivals)
        all_principal = sum(principal[place, to] for to in arrivals)
        cells = tuple(
            RollCell(
                to=to,
                plans=plans[place, to],
                plans_ppm=ppm(plans[place, to], all_plans),
                principal_minor=principal[place, to],
                principal_ppm=ppm(principal[place, to], all_principal),
            )
            for to in arrivals
        )
        rows.append(RollRow(bucket_name(place), all_plans, all_principal, cells))
    return RollRates(ends[-2] if len(ends) > 1 else None, ends[-1], tuple(rows))


def _is_at_risk(one: views.PortfolioSum) -> bool:
    """Whether plans belong into the matrix: running a month ago, and not just paid on time."""
    is_paid_on_time = one.to_state == Status.CLOSED.value and one.from_bucket == 0
    return one.from_state == Status.ACTIVE.value and not is_paid_on_time


def _arrival(one: views.PortfolioSum) -> str:
    is_running = one.to_state == Status.ACTIVE.value
    return bucket_name(one.to_bucket) if is_running else one.to_state
