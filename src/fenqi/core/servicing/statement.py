"""The statement calendar: when an account is billed and when that falls due.

Written rules. A statement is cut at the end of its day; a purchase of that day goes to the next
one. A statement day of 29 to 31 becomes the last day of a shorter month. The due day is a fixed
number of days after the statement day. A statement once cut never changes: what is paid before
the cut is not on it, what is refunded after it appears on the next.
"""

from dataclasses import dataclass
from datetime import date, timedelta
from functools import lru_cache

from fenqi.core.errors import Invalid
from fenqi.core.values.day import add_months, month_end, next_month_day


class CycleInvalid(Invalid):
    """A statement cycle that no month can follow."""

    code = "cycle-invalid"


DUE_AFTER_DAYS_MAX = 27  # a statement falls due before the next one is cut
REMEMBERED = 4096  # lists of due days; a day has one per statement day and count


@dataclass(frozen=True, slots=True)
class Cycle:
    """An account's billing rhythm."""

    statement_day: int  # 1..31
    due_after_days: int

    def __post_init__(self) -> None:
        """Refuse a day no month has, or a due day after the next statement."""
        if not 1 <= self.statement_day <= 31 or not 1 <= self.due_after_days <= DUE_AFTER_DAYS_MAX:
            raise CycleInvalid(statement_day=self.statement_day, due_after_days=self.due_after_days)


@lru_cache(maxsize=REMEMBERED)
def due_days(cycle: Cycle, purchased_on: date, count: int) -> tuple[date, ...]:
    """Return the due days of the first `count` statements after a purchase.

    Shapes: a tuple of `count` rising days, the first at least one day after the purchase.
    """
    first = next_month_day(purchased_on, cycle.statement_day)
    wait = timedelta(days=cycle.due_after_days)
    return tuple(
        add_months(first, index, anchor_day=cycle.statement_day) + wait for index in range(count)
    )


def named_through(statement_day: int, cut_on: date) -> date:
    """Return the last day whose debts a statement names if their due days were moved.

    That is the day before the next statement is cut, so that nothing falls due before a statement
    has named it; a debt whose day was not moved falls due with its statement.
    """
    return next_month_day(cut_on, statement_day) - timedelta(days=1)


def statement_days_of(on: date) -> tuple[int, ...]:
    """Return the statement days that are cut on this day: on a month's last day, all later ones."""
    if on == month_end(on):
        return tuple(range(on.day, 32))
    return (on.day,)
