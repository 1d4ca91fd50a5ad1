"""What a product says about interest and instalments, as plain values.

Rates here are yearly and exact decimals; `yearly_rate` makes one of what a contract writes down.
"""

from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Context, Decimal
from enum import StrEnum
from functools import cache
from typing import assert_never

from fenqi.core.errors import Invalid
from fenqi.core.values.rate import Rounding

MONTHS_PER_YEAR = 12
WEEKS_PER_YEAR = 52
DAYS_PER_YEAR = 365
PRECISION = 19  # significant digits of every intermediate result
PRECISION_MAX = 50
# What is added up is not rounded; like all arithmetic here it owes nothing to the caller's context.
EXACT = Context(prec=2 * PRECISION_MAX, rounding=ROUND_HALF_EVEN)
INTERVALS_MAX = 366  # units between two due days
DIGITS_MAX = 4  # of a currency's minor unit
MULTIPLE_MAX = 10**9


class SettingsInvalid(Invalid):
    """Settings of interest that no schedule can follow."""

    code = "interest-settings-invalid"


class Unit(StrEnum):
    """The unit of the interval between due days."""

    DAYS = "days"
    WEEKS = "weeks"
    MONTHS = "months"


class DaysInMonth(StrEnum):
    """How long a month counts."""

    ACTUAL = "actual"
    THIRTY = "30"


class DaysInYear(StrEnum):
    """How long a year counts."""

    ACTUAL = "actual"  # 366 in leap years; a span over New Year is cut there
    ACTUAL_BY_LEAP_DAY = "actual-by-leap-day"  # 366 only for a period that holds a 29 February
    FIXED_360 = "360"
    FIXED_364 = "364"
    FIXED_365 = "365"


class Accrual(StrEnum):
    """Whether a period's interest is a matter of days or of whole repayment periods."""

    DAILY = "daily"
    PER_PERIOD = "per-period"


class Method(StrEnum):
    """What interest is charged on."""

    DECLINING_BALANCE = "declining-balance"
    FLAT = "flat"  # on all that was lent, whatever has been repaid
    FLAT_WHOLE_TERM = "flat-whole-term"  # the same, counted once for the whole term and shared out


class LevelRate(StrEnum):
    """Which rate of a period the level instalment is computed from."""

    BY_DAYS = "by-days"  # the rate factor of its real days
    NOMINAL = "nominal"  # the yearly rate over the number of periods in a year


class RatePeriod(StrEnum):
    """The time a contract's rate is for."""

    YEAR = "year"
    MONTH = "month"
    WHOLE_TERM = "whole-term"


class Rest(StrEnum):
    """How often the balance that bears interest is struck anew."""

    DAILY = "daily"
    PER_PERIOD = "per-period"


class PayOffInterest(StrEnum):
    """Up to when a pay-off before maturity bears interest."""

    TO_DATE = "to-date"
    TO_REST = "to-rest"  # to the end of the rest interval


@dataclass(frozen=True, slots=True)
class Interval:
    """The distance between due days: so many units."""

    every: int
    unit: Unit

    def __post_init__(self) -> None:
        """Refuse an interval of no length. Errors: SettingsInvalid."""
        if not 1 <= self.every <= INTERVALS_MAX:
            raise SettingsInvalid(every=self.every, least=1, most=INTERVALS_MAX)


@dataclass(frozen=True, slots=True)
class Settings:
    """What a product and a contract say of interest.

    Units: `rate` is a fraction of one per year; `multiple` in whole currency units, 0 for none.
    Errors: SettingsInvalid.
    """

    interval: Interval
    rate: Decimal
    digits: int = 2  # of the currency's minor unit
    days_in_month: DaysInMonth = DaysInMonth.ACTUAL
    days_in_year: DaysInYear = DaysInYear.ACTUAL
    accrual: Accrual = Accrual.DAILY
    is_partial_period_exact: bool = True  # of PER_PERIOD: parts of a period count by their days
    method: Method = Method.DECLINING_BALANCE
    level_rate: LevelRate = LevelRate.BY_DAYS
    multiple: int = 0
    multiple_rounding: Rounding = Rounding.HALF_EVEN
    is_last_smoothed: bool = True  # what the last instalment differs by is spread over all
    counts_first_day: bool = False  # interest is recognised from the day of disbursement
    principal_grace: int = 0  # first periods that ask for interest only
    interest_grace: int = 0  # first periods that ask for no interest
    count: int = 0  # instalments of a drawdown with its own full term; 0 if it has none
    rest: Rest = Rest.DAILY
    pay_off_interest: PayOffInterest = PayOffInterest.TO_DATE
    precision: int = PRECISION

    def __post_init__(self) -> None:
        """Refuse what no schedule can follow."""
        for name, value, most in (
            ("digits", self.digits, DIGITS_MAX),
            ("multiple", self.multiple, MULTIPLE_MAX),
            ("precision", self.precision, PRECISION_MAX),
        ):
            if not 0 <= value <= most:
                raise SettingsInvalid(**{name: value}, most=most)
        if self.rate < 0 or self.precision < 1:
            raise SettingsInvalid(rate=self.rate, precision=self.precision)

    @property
    def arithmetic(self) -> Context:
        """Return the decimal arithmetic of intermediate results."""
        return arithmetic_of(self.precision)


@cache
def arithmetic_of(precision: int) -> Context:
    """Return decimal arithmetic of so many significant digits, HALF_EVEN, of the caller's own."""
    return Context(prec=precision, rounding=ROUND_HALF_EVEN)


def yearly_rate(
    rate: Decimal, period: RatePeriod, *, interval: Interval, count: int, arithmetic: Context
) -> Decimal:
    """Return the yearly rate of a contract's rate.

    A rate for the whole term is shared out over `count` intervals and counted up to a year of 12
    months, 52 weeks or 365 days.

    Units: fractions of one.
    """
    match period:
        case RatePeriod.YEAR:
            return rate
        case RatePeriod.MONTH:
            return EXACT.multiply(rate, Decimal(MONTHS_PER_YEAR))
        case RatePeriod.WHOLE_TERM:
            per_year = intervals_per_year(interval.unit)
            term = Decimal(interval.every * count)
            return arithmetic.multiply(arithmetic.divide(rate, term), Decimal(per_year))
        case _:
            assert_never(period)


def intervals_per_year(unit: Unit) -> int:
    """Return how many units make a year."""
    match unit:
        case Unit.DAYS:
            return DAYS_PER_YEAR
        case Unit.WEEKS:
            return WEEKS_PER_YEAR
        case Unit.MONTHS:
            return MONTHS_PER_YEAR
        case _:
            assert_never(unit)
