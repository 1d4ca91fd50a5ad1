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
    lent = [one for one in sums if one.stage == "lent"]
    reached: Counter[tuple[date, str, int]] = Counter()
    for one in sums:
        reached[one.vintage, one.stage, one.months_on_book] += one.principal_minor

    def curve(month: date, stage: str) -> tuple[int, ...]:
        ages = range(months_between(month, through) + 1)
        return tuple(accumulate(reached[month, stage, age] for age in ages))

    return tuple(
        Vintage(
            month=one.vintage,
            plans=one.plans,
            lent_minor=one.principal_minor,
            over_30_days_minor=curve(one.vintage, "over-30"),
            over_90_days_minor=curve(one.vintage, "over-90"),
            written_off_minor=curve(one.vintage, "written-off"),
        )
        for one in lent
    )


def last_month_end(day: date) -> date:
    """Return `day` if its month ends with it, else the month end before."""
    after = day + ONE_DAY
    return after.replace(day=1) - ONE_DAY


def months_between(first: date, last: date) -> int:
    """Return how many calendar months lie from the month of `first` to that of `last`."""
    return 12 * (last.year - first.year) + last.month - first.month
