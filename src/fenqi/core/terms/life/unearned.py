"""Unearned cost: what a plan that ends on a day does not ask for, by the method of its product.

Cost is the interest and the fees of the instalments, whatever they depend on; penalties are not
cost. By every method a plan that ends on the day it began has cost nothing.
Source: docs/adr/0007-settle-early-by-the-day.md; each formula in `core.terms.settlement`. All costs
count: Directive 2008/48/EC art. 16, CJEU C-383/18 (Lexitor).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, localcontext
from fractions import Fraction
from typing import assert_never

from fenqi.core.terms.amortise.settings import Interval, intervals_per_year
from fenqi.core.terms.cash_flow import discount_factor
from fenqi.core.terms.life.rules import SettlementRule
from fenqi.core.terms.life.state import Parts, Row, no_parts
from fenqi.core.terms.product import CONTRACT, COST, Component, Settlement
from fenqi.core.terms.root import SOLVING, WhenSeveral
from fenqi.core.terms.settlement import (
    actuarial_unearned,
    rule_of_78_unearned,
    straight_line_unearned,
    uk_period_rate,
    uk_rebate,
)
from fenqi.core.values.rate import Rounding, divide, round_places

YEARLY_DECIMALS = 3  # of a fraction: a yearly rate is disclosed to a tenth of a percent
Lent = tuple[date, int]


@dataclass(frozen=True, slots=True)
class Ending:
    """A plan that ends on a day: its rows in the order of their due days, and what it lent when."""

    rows: Sequence[Row]
    lent: Sequence[Lent]
    on: date
    interval: Interval

    @property
    def costs(self) -> list[Parts]:
        """The cost each row asks for, by component."""
        return [
            [asked(row, part) if part in COST else 0 for part in Component] for row in self.rows
        ]

    @property
    def payments(self) -> list[int]:
        """What each row asks for, without penalties."""
        return [sum(asked(row, part) for part in CONTRACT) for row in self.rows]

    @property
    def days(self) -> int:
        """The length of the plan."""
        return (self.rows[-1].due_on - self.rows[0].starts_on).days

    @property
    def days_left(self) -> int:
        """The days that are still to come."""
        return (self.rows[-1].due_on - self.on).days

    def periods_until(self, on: date) -> Fraction:
        """Return how many periods have gone by on a day, the running one by its days."""
        for number, row in enumerate(self.rows):
            if on < row.due_on:
                days = max(1, (row.due_on - row.starts_on).days)
                return number + Fraction(max(0, (on - row.starts_on).days), days)
        return Fraction(len(self.rows))


def asked(row: Row, component: Component) -> int:
    """Return what a row asks of the customer here: what was neither relieved nor moved away."""
    return row.due[component] - row.relieved[component] - row.moved[component]


def unearned(ending: Ending, rule: SettlementRule) -> list[Parts]:
    """Return the cost of each row that time has not earned when the plan ends.

    What a method finds for the plan as a whole comes off the last row first, in a row off interest
    before fees.

    Units: minor units by component. Shapes: as the rows.
    """
    costs, rows = ending.costs, ending.rows
    total = sum(map(sum, costs))
    if not total or ending.days_left <= 0:
        return [no_parts() for _ in rows]
    if ending.on <= rows[0].starts_on:
        return costs
    gone, rounding = ending.periods_until(ending.on), rule.rounding
    match rule.method:
        case Settlement.BY_THE_DAY:
            return [
                _by_the_day(row, cost, ending.on, rounding=rounding)
                for row, cost in zip(rows, costs, strict=True)
            ]
        case Settlement.LINEAR:
            whole = straight_line_unearned(
                total, left=ending.days_left, whole=ending.days, rounding=rounding
            )
        case Settlement.RULE_OF_78:
            count = len(rows)
            whole = rule_of_78_unearned(total, left=count - gone, count=count, rounding=rounding)
        case Settlement.ACTUARIAL:
            whole = actuarial_unearned(
                ending.payments[int(gone) :],
                rate=Fraction(_period_rate(ending)),
                gone=gone % 1,
                rounding=rounding,
            )
        case Settlement.UK_REGULATION:
            whole = uk_rebate(
                credits_given=_credits(ending),
                repayments=_numbered(ending.payments),
                settled_after=gone,
                period_rate=_uk_rate(ending),
                rounding=rounding,
            )
        case _:
            assert_never(rule.method)
    return _from_the_end(costs, max(0, min(whole, total)))


def _by_the_day(row: Row, cost: Parts, on: date, *, rounding: Rounding) -> Parts:
    """Return the cost of the days of a row that are still to come."""
    days = (row.due_on - row.starts_on).days
    left = min(max(0, (row.due_on - on).days), days)
    if not left:
        return no_parts()
    return [divide(part * left, days, rounding=rounding) for part in cost]


def _from_the_end(costs: Sequence[Parts], whole: int) -> list[Parts]:
    """Lay an amount on costs, the last row first."""
    laid = []
    for cost in reversed(costs):
        parts = no_parts()
        for component in COST:
            parts[component] = min(whole, cost[component])
            whole -= parts[component]
        laid.append(parts)
    return laid[::-1]


def _credits(ending: Ending) -> list[tuple[Fraction, int]]:
    """Return what the rows repay, each amount at the time it was lent.

    What was paid at once or returned is repaid by no row, so it leaves the earliest amounts first.
    """
    outside = sum(amount for _, amount in ending.lent)
    outside -= sum(asked(row, Component.PRINCIPAL) for row in ending.rows)
    given = []
    for on, amount in ending.lent:
        taken = max(0, min(outside, amount))
        outside -= taken
        given.append((ending.periods_until(on), amount - taken))
    return given


def _numbered(payments: Sequence[int]) -> list[tuple[Fraction, int]]:
    return [(Fraction(number), minor) for number, minor in enumerate(payments, start=1)]


def _period_rate(ending: Ending) -> Decimal:
    """Return the contract's own rate of a period: what makes its payments worth what was lent.

    It is none where its rows repay nothing any more, and the one nearest to none of several.
    """
    flows = [(time, -minor) for time, minor in _credits(ending) if minor]
    if not flows:
        return Decimal(0)
    discount = discount_factor(
        [*flows, *_numbered(ending.payments)], when_several=WhenSeveral.NEAREST_TO_ZERO
    )
    with localcontext(SOLVING):
        return max(Decimal(0), 1 / discount - 1)


def _uk_rate(ending: Ending) -> Decimal:
    """Return the rate of a period that follows from the yearly rate as it is disclosed."""
    per_year = max(1, intervals_per_year(ending.interval.unit) // ending.interval.every)
    with localcontext(SOLVING):
        yearly = (1 + _period_rate(ending)) ** per_year - 1
    disclosed = round_places(yearly, decimals=YEARLY_DECIMALS, rounding=Rounding.HALF_UP)
    return uk_period_rate(disclosed, periods_per_year=per_year)
