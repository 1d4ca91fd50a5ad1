"""Vintages: what became of the plans begun in one month, by months on book.

A plan counts from the month in which it first got there, with the principal it owed at that moment,
and counts for ever: the curves never fall. Only months that have ended are told.
Source: docs/reference/metrics.md, "Vintages".
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from itertools import accumulate

from fenqi.store import views
from fenqi.store.pool import Session

ONE_DAY = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class Vintage:
    """The plans begun in one month. Place k of each list is the end of month k on book.

    Month 0 is the month of signing itself. Units: minor units, cumulative.
    """

    month: date  # its first day
    plans: int
    lent_minor: int
    over_30_days_minor: tuple[int, ...]
    over_90_days_minor: tuple[int, ...]
    written_off_minor: tuple[int, ...]


def read(
    session: Session, book_id: str, *, as_of: date, business_date: date
) -> tuple[Vintage, ...]:
    """Return the book's vintages at the last month end that is closed by the end of `as_of`."""
    through = last_month_end(min(as_of, business_date - ONE_DAY))
    return build(views.vintages(session, book_id, through), through)


def build(sums: Sequence[views.VintageSum], through: date) -> tuple[Vintage, ...]:
    """Return one vintage per month with plans, its lists up to the month that ends `through`."""
    found = []
    for lent in sums:
        if lent.stage != "lent":
            continue
        ages = months_between(lent.vintage, through) + 1
        found.append(
            Vintage(
                month=lent.vintage,
                plans=lent.plans,
                lent_minor=lent.principal_minor,
                over_30_days_minor=_curve(sums, lent.vintage, "over-30", ages),
                over_90_days_minor=_curve(sums, lent.vintage, "over-90", ages),
                written_off_minor=_curve(sums, lent.vintage, "written-off", ages),
            )
        )
    return tuple(found)


def last_month_end(day: date) -> date:
    """Return `day` if its month ends with it, else the month end before."""
    after = day + ONE_DAY
    return after.replace(day=1) - ONE_DAY


def months_between(first: date, last: date) -> int:
    """Return how many calendar months lie from the month of `first` to that of `last`."""
    return 12 * (last.year - first.year) + last.month - first.month


def _curve(
    sums: Sequence[views.VintageSum], vintage: date, stage: str, ages: int
) -> tuple[int, ...]:
    by_age: Counter[int] = Counter()
    for one in sums:
        if (one.vintage, one.stage) == (vintage, stage):
            by_age[one.months_on_book] += one.principal_minor
    return tuple(accumulate(by_age[age] for age in range(ages)))
