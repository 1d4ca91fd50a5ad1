"""What one plan was agreed with: rules, term, rate, and the day its due days count from."""

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from typing import assert_never

from fenqi.core.terms.life.operations import Every
from fenqi.core.terms.life.rules import LifeRules
from fenqi.core.values.day import add_months

MONTHS_PER_YEAR = 12
DAYS_PER_WEEK = 7


@dataclass(frozen=True, slots=True)
class LifeTerms:
    """The terms of a life.

    Units: `annual_percent` nominal a year; `digits` of the currency's minor unit.
    Shapes: `count` instalments, one every `every` units.
    """

    rules: LifeRules
    count: int
    every: int
    unit: Every
    annual_percent: Decimal
    submitted_on: date
    counts_from_submission: bool = False  # due days count from that day, not from the first payout
    fixed_length_days: int | None = None  # the last due day is forced
    digits: int = 2

    def start(self, disbursed_on: date) -> date:
        """Return the day due days count from."""
        return self.submitted_on if self.counts_from_submission else disbursed_on

    def due_days(self, disbursed_on: date) -> list[date]:
        """Return the due days, each counted from the start so that month ends keep.

        31 January leads to 29 February and then to 31 March.
        Source: tests' vectors, section "Dates".
        """
        start = self.start(disbursed_on)
        days = [after(start, self.every * number, self.unit) for number in range(1, self.count + 1)]
        if self.fixed_length_days is not None:
            days[-1] = start + timedelta(days=self.fixed_length_days)
        return days


def after(start: date, count: int, unit: Every) -> date:
    """Return the day `count` units after `start`; a month that is too short gives its last day."""
    match unit:
        case Every.DAYS:
            return start + timedelta(days=count)
        case Every.WEEKS:
            return start + timedelta(days=count * DAYS_PER_WEEK)
        case Every.MONTHS:
            return add_months(start, count)
        case Every.YEARS:
            return add_months(start, count * MONTHS_PER_YEAR)
        case _:
            assert_never(unit)
