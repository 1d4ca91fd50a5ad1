"""The rate factor: what one unit of money earns over a span of days within a period.

Two factors are asked of a segment of a period. The one for the level instalment takes a thirty-day
month at its nominal length; the one for interest counts the months that the period really has,
which differs only where a due day was moved.

Source: README of the published vectors, "Rate factor of one period".
"""

from calendar import isleap
from datetime import date
from decimal import Context, Decimal

from fenqi.core.terms.amortise.dates import DAYS_PER_WEEK, Span, units_within
from fenqi.core.terms.amortise.settings import (
    EXACT,
    Accrual,
    DaysInMonth,
    DaysInYear,
    Settings,
    Unit,
    intervals_per_year,
)

UNIT_DAYS = {Unit.DAYS: Decimal(1), Unit.WEEKS: Decimal(DAYS_PER_WEEK), Unit.MONTHS: Decimal(30)}
FIXED_YEARS = {
    DaysInYear.FIXED_360: Decimal(360),
    DaysInYear.FIXED_364: Decimal(364),
    DaysInYear.FIXED_365: Decimal(365),
}
PER_PERIOD, ACTUAL_MONTHS, ACTUAL_YEARS = Accrual.PER_PERIOD, DaysInMonth.ACTUAL, DaysInYear.ACTUAL
LEAP_YEAR = 366
PLAIN_YEAR = 365
ONE = Decimal(1)
ZERO = Decimal(0)


def rate_factor(
    settings: Settings, rate: Decimal, span: Span, period: Span, *, units: Decimal
) -> Decimal:
    """Return rate x (length of the period in years) x (days of the span / days of the period).

    `units` of the interval make the period: their nominal number for the level instalment, what the
    period really has of them for interest, whose span always runs to the due day.
    """
    arithmetic = settings.arithmetic
    if period[0] == period[1]:
        return ZERO
    days, of_days = (span[1] - span[0]).days, (period[1] - period[0]).days
    unit = settings.interval.unit
    if settings.accrual is PER_PERIOD and unit is not Unit.DAYS:
        per_year = Decimal(intervals_per_year(unit))
        years = arithmetic.divide(Decimal(settings.interval.every), per_year)
    elif _is_cut_at_new_year(settings, span, period):
        years, days, of_days = _years_by_calendar(settings, span), 1, 1
    elif settings.days_in_month is ACTUAL_MONTHS:
        years = arithmetic.divide(days, _year_days(settings, span[0], period))
        days, of_days = 1, 1
    else:
        length = arithmetic.multiply(UNIT_DAYS[unit], units)
        years = arithmetic.divide(length, _year_days(settings, span[0], period))
    earned = arithmetic.multiply(arithmetic.multiply(rate, years), days)
    return _scaled(arithmetic.divide(earned, of_days), arithmetic)


def real_units(settings: Settings, period: Span, *, anchor: date) -> Decimal:
    """Return how many units of the interval a period really has, where months have thirty days.

    `anchor` is the plan's start, from which the months of a period are counted.
    """
    if settings.days_in_month is not DaysInMonth.THIRTY:
        return Decimal(settings.interval.every)
    whole, rest, of_days = units_within(period, settings.interval.unit, anchor=anchor)
    if not rest:
        return Decimal(whole)
    return EXACT.add(whole, settings.arithmetic.divide(Decimal(rest), Decimal(of_days)))


def nominal_factor(settings: Settings, rate: Decimal) -> Decimal:
    """Return the rate of one interval whatever its days: a twelfth of a year's for a month."""
    interval, arithmetic = settings.interval, settings.arithmetic
    per_year = Decimal(intervals_per_year(interval.unit))
    return arithmetic.divide(arithmetic.multiply(rate, Decimal(interval.every)), per_year)


def _scaled(factor: Decimal, arithmetic: Context) -> Decimal:
    """Return the factor with as many decimals as the arithmetic has digits."""
    return EXACT.quantize(factor, ONE.scaleb(-arithmetic.prec))


def _year_days(settings: Settings, on: date, period: Span) -> Decimal:
    """Return the length of the year of a segment that begins on a day."""
    fixed = FIXED_YEARS.get(settings.days_in_year)
    if fixed is not None:
        return fixed
    is_long = isleap(on.year)
    if settings.days_in_year is DaysInYear.ACTUAL_BY_LEAP_DAY:
        is_long = is_long and _holds_leap_day(period)
    return Decimal(LEAP_YEAR if is_long else PLAIN_YEAR)


def _is_cut_at_new_year(settings: Settings, span: Span, period: Span) -> bool:
    if span[0].year == span[1].year:
        return False
    if settings.days_in_year is DaysInYear.ACTUAL_BY_LEAP_DAY:
        return _holds_leap_day(period)
    return settings.days_in_year is ACTUAL_YEARS


def _years_by_calendar(settings: Settings, span: Span) -> Decimal:
    """Return the parts of a span in each calendar year over the length of that year.

    The cut is the last day of December, or New Year's Day if the day of disbursement counts.
    """
    arithmetic = settings.arithmetic
    first, last = span
    years = ZERO
    for year in range(first.year, last.year + 1):
        cut = date(year + 1, 1, 1) if settings.counts_first_day else date(year, 12, 31)
        until = last if year == last.year else cut
        length = Decimal(LEAP_YEAR if isleap(year) else PLAIN_YEAR)
        part = arithmetic.divide(Decimal((until - first).days), length)
        years = arithmetic.add(years, part)
        first = until
    return years


def _holds_leap_day(period: Span) -> bool:
    """Return whether a 29 February lies in a period, after its start up to and with its end."""
    return any(
        period[0] < date(year, 2, 29) <= period[1]
        for year in range(period[0].year, period[1].year + 1)
        if isleap(year)
    )
