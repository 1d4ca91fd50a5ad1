"""Other due days at the customer's wish: one instalment deferred, or all moved to another day.

Where interest follows the balance day by day, it follows the new days; otherwise the plan costs
what was agreed, and a deferral what was disclosed for it.
Source: docs/reference/customer.md.
"""

from collections.abc import Sequence
from datetime import date, timedelta

from fenqi.core.terms.allowances import DeferralRule
from fenqi.core.terms.amortise import shift
from fenqi.core.terms.life.charge import lay_charge
from fenqi.core.terms.life.interest import INTEREST, PENALTY, PRINCIPAL
from fenqi.core.terms.life.operations import ChangeDueDay, Defer
from fenqi.core.terms.life.reschedule import join_passed_extras
from fenqi.core.terms.life.state import IN_SCHEDULE, Row
from fenqi.core.terms.life.walk import Walk
from fenqi.core.values.day import add_months, month_day
from fenqi.core.values.rate import Rounding, apply_ppm

MONTHS_TRIED_MAX = 12


def defer(walk: Walk, operation: Defer) -> None:
    """Let one instalment fall due some days later; the others stay where they are.

    If it is met by now, or another agreement has moved it, there is nothing to defer.
    """
    rows = rows_from(walk, operation.due_on)
    due_on = operation.due_on + timedelta(days=operation.days)
    if not rows or rows[0].due_on != operation.due_on or not rows[0].is_open:
        return
    if len(rows) > 1 and due_on >= rows[1].due_on:
        return
    redate(walk, rows, [due_on, *(row.due_on for row in rows[1:])])
    rule = walk.terms.rules.allowances.deferral
    if rule is not None:
        cost = min(operation.cost_minor, deferral_cost_minor(rows[0], rule))
        lay_charge(walk, operation, "deferral", rows[0], cost)


def deferral_cost_minor(row: Row, rule: DeferralRule) -> int:
    """Return what deferring an instalment costs: a share of what it still asks for.

    Units: minor units; a fraction is dropped.
    """
    return apply_ppm(row.open_minor - row.open(PENALTY), rule.cost_ppm, rounding=Rounding.DOWN)


def change_due_day(walk: Walk, operation: ChangeDueDay) -> None:
    """Let what is to come fall due on a day of the month; no instalment falls due earlier."""
    rows = rows_to_come(walk, operation.on)
    if rows:
        every = walk.terms.interest.interval.every
        redate(walk, rows, days_on([row.due_on for row in rows], operation.day, every=every))


def days_on(due_on: Sequence[date], day: int, *, every: int) -> list[date]:
    """Return due days on a day of the month, from the first such day that makes none earlier.

    A day that a month does not have becomes its last. Units: `every` months.
    """
    first = month_day(due_on[0].year, due_on[0].month, day)
    for _ in range(MONTHS_TRIED_MAX):
        days = [add_months(first, every * place, anchor_day=day) for place in range(len(due_on))]
        if all(new >= old for new, old in zip(days, due_on, strict=True)):
            break
        first = add_months(first, 1, anchor_day=day)
    return days


def rows_from(walk: Walk, due_on: date) -> list[Row]:
    """Return the rows of the schedule that fall due on a day or later."""
    return [row for row in walk.rows if row.kind in IN_SCHEDULE and row.due_on >= due_on]


def rows_to_come(walk: Walk, on: date) -> list[Row]:
    """Return the rows of the schedule from the first one on that is open and not overdue."""
    rows = rows_from(walk, on)
    place = next((place for place, row in enumerate(rows) if row.is_open), len(rows))
    return rows[place:]


def redate(walk: Walk, rows: Sequence[Row], days: Sequence[date]) -> None:
    """Let the last rows of the schedule fall due on other days."""
    _redate_model(walk, rows, days)
    starts_on = rows[0].starts_on
    for row, due_on in zip(rows, days, strict=True):
        row.starts_on, row.due_on = starts_on, due_on
        starts_on = due_on
    join_passed_extras(walk, rows[-1])
    walk.sort_rows()
    if walk.recalculates:
        _follow(walk, rows)


def _redate_model(walk: Walk, rows: Sequence[Row], days: Sequence[date]) -> None:
    """Let the model's periods fall due on the new days too, if it has these rows."""
    if walk.model is None:
        return
    spans = [(period.starts_on, period.due_on) for period in walk.model.periods[-len(rows) :]]
    if spans == [(row.starts_on, row.due_on) for row in rows]:
        shift.redate(walk.model, len(walk.model.periods) - len(rows), days)
        walk.model.settle()


def _follow(walk: Walk, rows: Sequence[Row]) -> None:
    by_days = {(period.starts_on, period.due_on): period for period in walk.the_model.periods}
    for row in rows:
        period = by_days.get((row.starts_on, row.due_on))
        if row.met_on is None and period is not None:
            row.due[PRINCIPAL] = period.due_principal_minor
            row.due[INTEREST] = period.due_interest_minor
