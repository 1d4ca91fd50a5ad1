"""The American yearly rate: the annual percentage rate of Regulation Z, actuarial method.

It is nominal: the rate of one unit-period times the unit-periods in a year. Inside an odd fraction
of a unit-period interest is simple, over whole ones it compounds:
sum of A / ((1 + e i) (1 + i)^q) = sum of P / ((1 + f i) (1 + i)^t).

Source: 12 CFR 1026, Appendix J, paragraph (b); its examples (c)(1) to (c)(5) are in
tests/conformance/published.csv.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, localcontext
from enum import StrEnum
from fractions import Fraction
from typing import assert_never

from fenqi.core.errors import Invalid
from fenqi.core.terms.cash_flow import netted, require_positive, sign_changes
from fenqi.core.terms.root import SOLVING, RateNotFound, decimal, root, shown
from fenqi.core.values.day import add_months, month_end

MONTHS_PER_YEAR = 12
WEEKS_PER_YEAR = 52
DAYS_PER_YEAR = 365
DAYS_PER_WEEK = 7
DAYS_PER_MONTH = 30  # every month counts as equal
DAYS_PER_SEMIMONTH = 15
SEMIMONTHS_PER_YEAR = 24
LAST_DAY = 31


class UnitPeriodInvalid(Invalid):
    """A unit-period longer than a year, shorter than a day, or of no kind the regulation knows."""

    code = "unit-period-invalid"


class PaymentBeforeAdvance(Invalid):
    """Money that flows before the first advance."""

    code = "payment-before-advance"


class UnitKind(StrEnum):
    """What a unit-period is a multiple of."""

    DAY = "day"
    WEEK = "week"
    SEMIMONTH = "semimonth"
    MONTH = "month"
    YEAR = "year"


COUNTS_MAX = {
    UnitKind.DAY: 1,
    UnitKind.WEEK: 52,
    UnitKind.SEMIMONTH: 1,
    UnitKind.MONTH: 11,  # twelve months are a year
    UnitKind.YEAR: 1,
}


@dataclass(frozen=True, slots=True)
class UnitPeriod:
    """The period most common in a transaction: `count` times its kind, a year at most.

    Errors: UnitPeriodInvalid.
    Source: Appendix J (b)(4)(i).
    """

    kind: UnitKind
    count: int = 1

    def __post_init__(self) -> None:
        """Refuse a unit-period the regulation does not know."""
        if not 1 <= self.count <= COUNTS_MAX[self.kind]:
            raise UnitPeriodInvalid(kind=self.kind, count=self.count, most=COUNTS_MAX[self.kind])

    @property
    def per_year(self) -> Fraction:
        """How many there are in a year: Appendix J (b)(5)(i) to (v)."""
        match self.kind:
            case UnitKind.DAY:
                return Fraction(DAYS_PER_YEAR)
            case UnitKind.WEEK:
                return Fraction(WEEKS_PER_YEAR, self.count)
            case UnitKind.SEMIMONTH:
                return Fraction(SEMIMONTHS_PER_YEAR)
            case UnitKind.MONTH:
                return Fraction(MONTHS_PER_YEAR, self.count)
            case UnitKind.YEAR:
                return Fraction(1)
            case _:
                assert_never(self.kind)


@dataclass(frozen=True, slots=True)
class UnitTime:
    """A time from the first advance, in unit-periods: whole ones and a fraction below one."""

    whole: int
    fraction: Fraction


def regz_apr(
    *,
    advances: Sequence[tuple[date, int]],
    payments: Sequence[tuple[date, int]],
    unit: UnitPeriod,
    is_month_end_series: bool = False,
) -> Decimal:
    """Return the annual percentage rate of dated advances and payments.

    `is_month_end_series` says that payments on last days of months belong to a series on the last
    day of each month.

    Units: minor units in; a fraction of one per year out, nominal, to 18 significant digits.
    Errors: AmountNotPositive, PaymentBeforeAdvance, RateNotFound, RateNotUnique.
    Source: 12 CFR 1026, Appendix J (b)(8).
    """
    require_positive([minor for _, minor in (*advances, *payments)])
    if not advances or not payments:
        raise RateNotFound(reason="money flows one way only")
    first = min(on for on, _ in advances)
    flows = [(on, -minor) for on, minor in advances] + list(payments)
    return _solved(
        [
            (unit_time(first, on, unit=unit, is_month_end_series=is_month_end_series), minor)
            for on, minor in flows
        ],
        unit.per_year,
    )


def regz_apr_of_single_payment(
    *, advance_minor: int, payment_minor: int, months: int | None = None, days: int | None = None
) -> Decimal:
    """Return the annual percentage rate of one advance repaid by one payment.

    The unit-period is the term itself, or a year if the term is longer. The term is given either
    as whole months or, below a year, in days.

    Units: minor units in; a fraction of one per year out, nominal, to 18 significant digits.
    Errors: AmountNotPositive; UnitPeriodInvalid if the term is not exactly one of the two, is not
    above zero, or is given in days and longer than a year.
    Source: 12 CFR 1026, Appendix J (b)(4)(ii), (b)(5)(v) to (vii).
    """
    require_positive([advance_minor, payment_minor])
    start = (UnitTime(0, Fraction(0)), -advance_minor)
    match months, days:
        case int(), None if months >= MONTHS_PER_YEAR:
            years, rest = divmod(months, MONTHS_PER_YEAR)
            end = UnitTime(years, Fraction(rest, MONTHS_PER_YEAR))
            return _solved([start, (end, payment_minor)], Fraction(1))
        case int(), None if months > 0:
            per_year = Fraction(MONTHS_PER_YEAR, months)
        case None, int() if 0 < days <= DAYS_PER_YEAR:
            per_year = Fraction(DAYS_PER_YEAR, days)
        case _:
            raise UnitPeriodInvalid(months=months, days=days)
    return _solved([start, (UnitTime(1, Fraction(0)), payment_minor)], per_year)


def unit_time(
    start: date, end: date, *, unit: UnitPeriod, is_month_end_series: bool = False
) -> UnitTime:
    """Return the time between two days in unit-periods, months measured back from the later day.

    Errors: PaymentBeforeAdvance if `end` comes before `start`.
    Source: 12 CFR 1026, Appendix J (b)(5).
    """
    if end < start:
        raise PaymentBeforeAdvance(first_advance_on=start, flow_on=end)
    days = (end - start).days
    is_last_day = is_month_end_series and end == month_end(end)
    anchor_day = LAST_DAY if is_last_day else end.day
    months, odd_days = _months_back(start, end, anchor_day=anchor_day)
    match unit.kind:
        case UnitKind.DAY:
            return _unit_time(days, 1)
        case UnitKind.WEEK:
            return _unit_time(days, DAYS_PER_WEEK * unit.count)
        case UnitKind.SEMIMONTH:
            return _unit_time(DAYS_PER_MONTH * months + odd_days, DAYS_PER_SEMIMONTH)
        case UnitKind.MONTH:
            return _unit_time(DAYS_PER_MONTH * months + odd_days, DAYS_PER_MONTH * unit.count)
        case UnitKind.YEAR:
            years, rest = divmod(months, MONTHS_PER_YEAR)
            if odd_days == 0:
                return UnitTime(years, Fraction(rest, MONTHS_PER_YEAR))
            middle = add_months(end, -years * MONTHS_PER_YEAR, anchor_day=anchor_day)
            # Across a 29 February the days that are left over may be a whole year of 365.
            whole, odd = divmod((middle - start).days, DAYS_PER_YEAR)
            return UnitTime(years + whole, Fraction(odd, DAYS_PER_YEAR))
        case _:
            assert_never(unit.kind)


def _months_back(start: date, end: date, *, anchor_day: int) -> tuple[int, int]:
    """Return the full months between two days and the days that are left before them."""
    months = MONTHS_PER_YEAR * (end.year - start.year) + end.month - start.month
    middle = add_months(end, -months, anchor_day=anchor_day)
    if middle < start:
        months -= 1
        middle = add_months(end, -months, anchor_day=anchor_day)
    return months, (middle - start).days


def _unit_time(days: int, days_per_unit: int) -> UnitTime:
    whole, odd = divmod(days, days_per_unit)
    return UnitTime(whole, Fraction(odd, days_per_unit))


def _solved(flows: Sequence[tuple[UnitTime, int]], per_year: Fraction) -> Decimal:
    """Return the yearly rate of flows timed in unit-periods, advances negative."""
    present = netted([((time.whole, time.fraction), minor) for time, minor in flows])
    (first_whole, first_fraction), _ = present[0]
    (last_whole, last_fraction), _ = present[-1]
    discount = root(
        UnitWorth(present),
        span=last_whole + last_fraction - first_whole - first_fraction,
        sign_changes=sign_changes([minor for _, minor in present]),
    )
    with localcontext(SOLVING):
        rate = (1 / discount - 1) * decimal(per_year)
    return shown(rate)


class UnitWorth:
    """The worth of flows under Appendix J, as a function of v = 1 / (1 + i).

    With whole periods t and a fraction f, 1 / ((1 + f i) (1 + i)^t) is v^(t+1) / (v + f (1 - v)),
    which rises with v wherever v is positive.
    """

    def __init__(self, flows: Sequence[tuple[tuple[int, Fraction], int]]) -> None:
        with localcontext(SOLVING):
            self._flows = [
                (whole, decimal(fraction), Decimal(minor)) for (whole, fraction), minor in flows
            ]

    def at(self, discount: Decimal) -> tuple[Decimal, Decimal]:
        """Return the worth and its slope."""
        worth = slope = Decimal(0)
        for whole, fraction, minor in self._flows:
            below = discount + fraction * (1 - discount)
            power = minor * discount**whole / below
            worth += power * discount
            slope += power * (whole + 1 - discount * (1 - fraction) / below)
        return worth, slope
