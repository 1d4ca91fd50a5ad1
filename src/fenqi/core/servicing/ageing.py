"""How late a plan is: days past due, and the bucket they fall into.

The due day itself is day 0, the day after is 1. Days excused by an outage on our side or a
channel's do not count (P5). Days past due are derived whenever read; only crossings are written.
Source: the convention of docs/reference/metrics.md (M1 = 1-30, M2 = 31-60, ...).
"""

from bisect import bisect_left
from collections.abc import Collection, Sequence
from datetime import date, timedelta


def days_past_due(oldest_due_on: date | None, on: date, excused: Collection[date]) -> int:
    """Return how many days past due a debt is at the end of `on`; 0 if nothing is overdue."""
    if oldest_due_on is None or on <= oldest_due_on:
        return 0
    forgiven = sum(oldest_due_on < day <= on for day in excused)
    return (on - oldest_due_on).days - forgiven


def bucket_of(days: int, upper_bounds: Sequence[int]) -> int:
    """Return the bucket of so many days past due: 0 is current, k is Mk.

    `upper_bounds[k]` is the last day of Mk, as in (0, 30, 60, 90); beyond the last bound one more
    bucket holds the rest.
    """
    return bisect_left(upper_bounds, days)


def due_days_turning(days: int, on: date, excused: Collection[date]) -> list[date]:
    """Return the due days whose debts become exactly `days` past due on the day `on`.

    Usually one; none if `on` is excused; more than one where excused days follow a due day.
    """
    if on in excused:
        return []
    due_on, counted = on, 0
    while counted < days:
        counted += due_on not in excused
        due_on -= timedelta(days=1)
    turning = [due_on]
    while turning[-1] in excused:
        turning.append(turning[-1] - timedelta(days=1))
    return turning
