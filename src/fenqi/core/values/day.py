"""Days: month arithmetic with an anchor day, and the days an account's cycle falls on.

A day that a month does not have becomes the month's last day, and the anchor is kept, so that the
31st goes 31 January, 28 February, 31 March.
"""

import calendar
from collections.abc import Iterator
from datetime import date, timedelta


def month_day(year: int, month: int, day: int) -> date:
    """Return that day of the month, or the month's last day if it has none such."""
    return date(year, month, min(day, calendar.monthrange(year, month)[1]))


def add_months(start: date, months: int, *, anchor_day: int | None = None) -> date:
    """Return the day `months` after `start`; `anchor_day` (default: the day of `start`) is kept."""
    index = start.year * 12 + start.month - 1 + months
    return month_day(index // 12, index % 12 + 1, anchor_day or start.day)


def month_end(on: date) -> date:
    """Return the last day of the month of `on`."""
    return month_day(on.year, on.month, 31)


def next_month_day(after: date, day: int) -> date:
    """Return the first day strictly after `after` that falls on `day` of its month."""
    candidate = month_day(after.year, after.month, day)
    return candidate if candidate > after else add_months(candidate, 1, anchor_day=day)


def days_after(start: date, days: int) -> date:
    """Return the day `days` after `start`, or the calendar's last: people may name any day."""
    return start + timedelta(days=min(days, (date.max - start).days))


def days_between(first: date, last: date) -> Iterator[date]:
    """Yield the days from `first` to `last`, both included; none if `last` is earlier."""
    for ordinal in range(first.toordinal(), last.toordinal() + 1):
        yield date.fromordinal(ordinal)
