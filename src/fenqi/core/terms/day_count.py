"""Day counts: how many days, or what part of a year, lies between two days.

A count includes the first day and leaves out the last. Which convention a contract uses is part of
its terms; none of them is the European or the American way of timing a yearly rate (`aprc`,
`regz`).

Sources: 2006 ISDA Definitions, section 4.16 (its letters stand at each convention) and ISDA's
example tables of 22 December 2008; ICMA rule 251; the AFB master agreement; ISDA's memorandum
"EMU and market conventions: recent developments" of 1998 for the actual/actual family.
"""

from calendar import isleap
from datetime import date
from enum import StrEnum
from fractions import Fraction
from typing import assert_never

from fenqi.core.errors import Invalid
from fenqi.core.values.day import add_months, month_end

MONTHS_PER_YEAR = 12
LAST_DAY = 31
THIRTY = 30
FEBRUARY = 2
YEARS_MAX = 500  # of one interval; whatever is longer is a slip of the pen


class DayCountInvalid(Invalid):
    """An interval that runs backwards or for centuries, or lacks what its convention needs."""

    code = "day-count-invalid"


class DayCount(StrEnum):
    """The conventions."""

    ACT_360 = "act/360"  # ISDA 4.16(e)
    ACT_365 = "act/365"  # ISDA 4.16(d), always 365
    ACT_ACT_ISDA = "act/act-isda"  # ISDA 4.16(b)
    ACT_ACT_ICMA = "act/act-icma"  # ISDA 4.16(c), ICMA rule 251
    ACT_ACT_AFB = "act/act-afb"  # AFB: whole years back from the end
    THIRTY_360 = "30/360"  # ISDA 4.16(f), bond basis
    THIRTY_360_US = "30/360-us"  # the same with the end of February a 30th, as American bonds have
    THIRTY_E_360 = "30e/360"  # ISDA 4.16(g), eurobond basis
    THIRTY_E_360_ISDA = "30e/360-isda"  # ISDA 4.16(h)


def days_between(
    convention: DayCount, start: date, end: date, *, terminates_on: date | None = None
) -> int:
    """Return the days between two days as the convention counts them.

    `terminates_on`, the contract's last day, is needed by 30E/360 ISDA only: that day keeps its own
    number if it ends a February.

    Errors: DayCountInvalid.
    """
    _require_forward(start, end)
    match convention:
        case (
            DayCount.ACT_360
            | DayCount.ACT_365
            | DayCount.ACT_ACT_ISDA
            | DayCount.ACT_ACT_ICMA
            | DayCount.ACT_ACT_AFB
        ):
            return (end - start).days
        case DayCount.THIRTY_360:
            first = min(start.day, THIRTY)
            last = min(end.day, THIRTY) if first == THIRTY else end.day
        case DayCount.THIRTY_360_US:
            first, last = _american_days(start, end)
        case DayCount.THIRTY_E_360:
            first, last = min(start.day, THIRTY), min(end.day, THIRTY)
        case DayCount.THIRTY_E_360_ISDA:
            if terminates_on is None:
                raise DayCountInvalid(convention=convention, needs="terminates_on")
            first = THIRTY if start == month_end(start) else start.day
            stays = _ends_february(end) and end == terminates_on
            last = THIRTY if end == month_end(end) and not stays else end.day
        case _:
            assert_never(convention)
    return 360 * (end.year - start.year) + THIRTY * (end.month - start.month) + last - first


def year_fraction(
    convention: DayCount,
    start: date,
    end: date,
    *,
    terminates_on: date | None = None,
    period: tuple[date, date] | None = None,
) -> Fraction:
    """Return the part of a year between two days, exactly.

    `terminates_on` as in `days_between`. `period` is needed by act/act ICMA only: the first and
    last day of the regular payment period that holds the interval or stands beside it.

    Errors: DayCountInvalid.
    """
    match convention:
        case DayCount.ACT_365:
            return Fraction(days_between(convention, start, end), 365)
        case DayCount.ACT_ACT_ISDA:
            return _by_calendar_year(start, end)
        case DayCount.ACT_ACT_AFB:
            return _by_years_back(start, end)
        case DayCount.ACT_ACT_ICMA:
            if period is None:
                raise DayCountInvalid(convention=convention, needs="period")
            return _by_payment_period(start, end, period_start=period[0], period_end=period[1])
        case (
            DayCount.ACT_360
            | DayCount.THIRTY_360
            | DayCount.THIRTY_360_US
            | DayCount.THIRTY_E_360
            | DayCount.THIRTY_E_360_ISDA
        ):
            return Fraction(days_between(convention, start, end, terminates_on=terminates_on), 360)
        case _:
            assert_never(convention)


def _american_days(start: date, end: date) -> tuple[int, int]:
    first, last = start.day, end.day
    if _ends_february(start):
        first = THIRTY
        if _ends_february(end):
            last = THIRTY
    first = min(first, THIRTY)
    return first, min(last, THIRTY) if first == THIRTY else last


def _by_calendar_year(start: date, end: date) -> Fraction:
    """Return the days of each calendar year over the length of that year."""
    _require_forward(start, end)
    total = Fraction(0)
    for year in range(start.year, end.year + 1):
        new_year = date(year, 1, 1)
        first = max(start, new_year)
        # The last day of the calendar has no day after it; the difference of days needs none.
        days = (min(end, date(year, 12, LAST_DAY)) - first).days + (end.year > year)
        total += Fraction(days, 366 if isleap(year) else 365)
    return total


def _by_years_back(start: date, end: date) -> Fraction:
    """Return whole years back from the end, then the rest over 366 if it holds a 29 February.

    Going back from a 28 February leads to the 29th of a leap year.
    """
    _require_forward(start, end)
    goes_to_29 = end.month == FEBRUARY and end.day >= 28
    anchor_day = LAST_DAY if goes_to_29 else end.day
    years, middle = end.year - start.year, end
    while years:
        middle = add_months(end, -MONTHS_PER_YEAR * years, anchor_day=anchor_day)
        if middle >= start:
            break
        years, middle = years - 1, end
    leap_days = [
        date(year, FEBRUARY, 29) for year in range(start.year, middle.year + 1) if isleap(year)
    ]
    holds_leap_day = any(start <= day < middle for day in leap_days)
    return years + Fraction((middle - start).days, 366 if holds_leap_day else 365)


def _by_payment_period(start: date, end: date, *, period_start: date, period_end: date) -> Fraction:
    """Return the parts of the regular periods the interval covers, each a part of a year.

    Regular periods go on before and after the given one, so a long first or short last one counts
    right. A given period between two last days of months belongs to a month-end series.
    """
    _require_forward(start, end)
    months = (period_end.year - period_start.year) * MONTHS_PER_YEAR
    months += period_end.month - period_start.month
    at_month_ends = period_start == month_end(period_start) and period_end == month_end(period_end)
    anchor_day = LAST_DAY if at_month_ends else max(period_start.day, period_end.day)

    def boundary(number: int) -> date:
        return add_months(period_start, number * months, anchor_day=anchor_day)

    if months < 1 or boundary(0) != period_start or boundary(1) != period_end:
        raise DayCountInvalid(period_start=period_start, period_end=period_end, needs="months")
    number = 0
    while boundary(number) > start:
        number -= 1
    while boundary(number + 1) <= start:
        number += 1
    total = Fraction(0)
    while boundary(number) < end:
        first, last = boundary(number), boundary(number + 1)
        total += Fraction((min(end, last) - max(start, first)).days, (last - first).days)
        number += 1
    return total * Fraction(months, MONTHS_PER_YEAR)


def _ends_february(on: date) -> bool:
    return on.month == FEBRUARY and on == month_end(on)


def _require_forward(start: date, end: date) -> None:
    if end < start or end.year - start.year > YEARS_MAX:
        raise DayCountInvalid(start=start, end=end)
