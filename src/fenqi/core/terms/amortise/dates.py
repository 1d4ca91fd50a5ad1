"""Due days: always counted from the start, so that month ends keep their day.

31 January is followed by 29 February and 31 March, since the second due day is the start and two
months, not the first due day and one.
"""

from datetime import date, timedelta
from itertools import pairwise

from fenqi.core.errors import Invalid
from fenqi.core.terms.amortise.settings import MONTHS_PER_YEAR, Interval, Unit
from fenqi.core.values.day import add_months

DAYS_PER_WEEK = 7
ONE_DAY = timedelta(days=1)
PERIODS_MAX = 1_200  # a hundred years of months
Span = tuple[date, date]


class DueDatesInvalid(Invalid):
    """Too many periods, none at all, or a last day that does not follow the one before."""

    code = "due-dates-invalid"


def later(start: date, units: int, unit: Unit) -> date:
    """Return the day so many units after `start`; a day the month lacks becomes its last.

    Errors: DueDatesInvalid if the calendar ends before.
    """
    try:
        if unit is Unit.MONTHS:
            return add_months(start, units)
        return start + timedelta(days=units * (DAYS_PER_WEEK if unit is Unit.WEEKS else 1))
    except (OverflowError, ValueError) as error:
        raise DueDatesInvalid(start=start, units=units, unit=unit) from error


def spans(
    start: date,
    interval: Interval,
    count: int,
    *,
    first_due_on: date | None = None,
    length_days: int | None = None,
) -> tuple[Span, ...]:
    """Return the periods of a plan, each its first day and its due day.

    With `first_due_on` the due days are counted from that day, the first of them; it may be the
    start itself. With `length_days` the last due day is the start and that many days, whatever the
    interval.

    Shapes: `count` spans, each beginning where the one before it ends.
    Errors: DueDatesInvalid.
    """
    if not 1 <= count <= PERIODS_MAX:
        raise DueDatesInvalid(count=count, least=1, most=PERIODS_MAX)
    first, gone = (start, 0) if first_due_on is None else (first_due_on, 1)
    days = [
        later(first, interval.every * (number - gone), interval.unit) for number in range(count + 1)
    ]
    days[0] = start
    if days[1] < start:
        raise DueDatesInvalid(day=days[1], must_follow=start)
    if length_days is not None:
        days[-1] = start + timedelta(days=length_days)
        if days[-1] <= days[-2]:
            raise DueDatesInvalid(day=days[-1], must_follow=days[-2])
    return tuple(pairwise(days))


def first_of_next_month(on: date) -> date:
    """Return the first day of the month after a day's."""
    return add_months(on, 1, anchor_day=1)


def units_within(period: Span, unit: Unit, *, anchor: date) -> tuple[int, int, int]:
    """Return the whole units within a period, the days beyond them, and that last unit's days.

    The last two are 0 and 1 if the units fill the period. Units are those counted from `anchor`,
    the plan's start, if both days of the period are among them, so that 30 November to 31 December
    is one month of a plan begun on a 31st; else they are counted from the period's own start.
    """
    starts_on, due_on = period
    first, last = _units_to(anchor, starts_on, unit), _units_to(anchor, due_on, unit)
    if first is not None and last is not None:
        return last - first, 0, 1
    whole = 0
    while (following := later(starts_on, whole + 1, unit)) <= due_on:
        whole += 1
    reached = later(starts_on, whole, unit)
    if reached == due_on:
        return whole, 0, 1
    return whole, (due_on - reached).days, (following - reached).days


def _units_to(anchor: date, day: date, unit: Unit) -> int | None:
    """Return how many units after `anchor` a day is; None if it is none of the counted days."""
    if unit is Unit.MONTHS:
        is_last = day.day < anchor.day and (day + ONE_DAY).day == 1  # of a month too short for it
        is_counted = is_last or day.day == anchor.day
        units = (day.year - anchor.year) * MONTHS_PER_YEAR + day.month - anchor.month
        return units if is_counted else None
    units, rest = divmod((day - anchor).days, DAYS_PER_WEEK if unit is Unit.WEEKS else 1)
    return None if rest else units
