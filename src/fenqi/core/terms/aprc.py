"""The European yearly rate: the annual percentage rate of charge (APRC).

It is the effective yearly rate X at which the drawdowns and the repayments are worth the same:
sum of C (1 + X)^-t = sum of D (1 + X)^-s, times in years from the first drawdown.

Sources: Directive 2008/48/EC, Annex I part I, as amended by 2011/90/EU, and carried on in Directive
(EU) 2023/2225, Annex III; the Commission's guidelines SWD(2012)128, sections 4.1.1 (time) and 4.1.2
(rounding). The United Kingdom's CONC App 1.2 has the same equation.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal, localcontext
from enum import StrEnum
from fractions import Fraction
from typing import assert_never

from fenqi.core.errors import Invalid
from fenqi.core.terms.cash_flow import discount_factor, require_positive
from fenqi.core.terms.root import SOLVING, shown
from fenqi.core.values.day import add_months
from fenqi.core.values.rate import Rounding, round_places

MONTHS_PER_YEAR = 12
WEEKS_PER_YEAR = 52
DAYS_PER_WEEK = 7


class IntervalReversed(Invalid):
    """An interval whose end comes before its start."""

    code = "interval-reversed"


class IntervalPeriod(StrEnum):
    """What an interval is counted in before its odd days: how often is paid, as a rule."""

    YEAR = "year"
    MONTH = "month"
    WEEK = "week"


@dataclass(frozen=True, slots=True)
class Interval:
    """A time in years, as whole periods and odd days.

    Units: `periods` of `periods_per_year`; `odd_days` over `days_in_year`, both 0 if there are no
    odd days.
    """

    periods: int
    periods_per_year: int
    odd_days: int
    days_in_year: int

    @property
    def years(self) -> Fraction:
        """The whole time in years, exactly."""
        odd = Fraction(self.odd_days, self.days_in_year) if self.odd_days else Fraction(0)
        return Fraction(self.periods, self.periods_per_year) + odd


@dataclass(frozen=True, slots=True)
class TimedAmount:
    """Money and its time from the first drawdown.

    Units: years, exactly; minor units above zero.
    """

    years: Fraction
    amount_minor: int


def eu_aprc(*, drawdowns: Sequence[TimedAmount], repayments: Sequence[TimedAmount]) -> Decimal:
    """Return the annual percentage rate of charge.

    Repayments are all the consumer pays, charges included; a charge kept back from a drawdown is a
    repayment on that day or a smaller drawdown, which is the same.

    Units: minor units in; a fraction of one per year out, to 18 significant digits (0.125 is
    12.5 %); `printed` rounds it as it must be shown.
    Errors: AmountNotPositive; RateNotFound if nothing is drawn or repaid; RateNotUnique.
    Source: Directive 2008/48/EC, Annex I part I.
    """
    require_positive([one.amount_minor for one in (*drawdowns, *repayments)])
    discount = discount_factor(
        [(one.years, -one.amount_minor) for one in drawdowns]
        + [(one.years, one.amount_minor) for one in repayments]
    )
    with localcontext(SOLVING):
        rate = 1 / discount - 1
    return shown(rate)


def timed(
    flows: Sequence[tuple[date, int]], *, first_on: date, period: IntervalPeriod
) -> tuple[TimedAmount, ...]:
    """Return dated amounts with their times from the first drawdown.

    Errors: IntervalReversed if an amount flows before `first_on`.
    """
    return tuple(
        TimedAmount(interval(first_on, on, period=period).years, minor) for on, minor in flows
    )


def interval(start: date, end: date, *, period: IntervalPeriod) -> Interval:
    """Return the time between two days: whole periods back from the end, then odd days.

    The odd days are those from the start to the intermediate day that the periods lead back to;
    their year is the one that ends on the intermediate day. A day that a month lacks is its last
    day. Where the whole months counted forward from the start reach the end exactly, nothing is
    odd either: 31 January to 28 February is one month.

    Errors: IntervalReversed.
    Source: Directive 2008/48/EC, Annex I part I, remark (c); SWD(2012)128, section 4.1.1.
    """
    if end < start:
        raise IntervalReversed(start=start, end=end)
    match period:
        case IntervalPeriod.YEAR:
            periods, middle = _back_by_months(start, end, step=MONTHS_PER_YEAR)
            per_year = 1
        case IntervalPeriod.MONTH:
            periods, middle = _back_by_months(start, end, step=1)
            per_year = MONTHS_PER_YEAR
        case IntervalPeriod.WEEK:
            periods = (end - start).days // DAYS_PER_WEEK
            middle = end - timedelta(days=periods * DAYS_PER_WEEK)
            per_year = WEEKS_PER_YEAR
        case _:
            assert_never(period)
    odd_days = (middle - start).days
    year = (middle - add_months(middle, -MONTHS_PER_YEAR)).days if odd_days else 0
    return Interval(periods, per_year, odd_days, year)


def printed(rate: Decimal, *, decimals: int = 1) -> str:
    """Return a rate in percent as it is printed: at least one decimal, rounded once, half up.

    Only the digit after the last printed one counts; a rounded figure is never rounded again.

    Source: Directive 2008/48/EC, Annex I part I, remark (d); SWD(2012)128, section 4.1.2.
    """
    return f"{round_places(100 * rate, decimals=decimals, rounding=Rounding.HALF_UP):f}"


def _back_by_months(start: date, end: date, *, step: int) -> tuple[int, date]:
    """Return how many steps of months fit between two days, and the day they lead back to."""
    months = MONTHS_PER_YEAR * (end.year - start.year) + end.month - start.month
    steps = months // step
    if months % step == 0 and add_months(start, months) == end:
        return steps, start
    while add_months(end, -steps * step) < start:
        steps -= 1
    return steps, add_months(end, -steps * step)
