"""Rescheduling: another rate, another due day, more periods, days without interest.

Source: the vectors' README, sections "Rate change / reschedule" and "Interest pause".
"""

from datetime import date

from fenqi.core.terms.amortise import events
from fenqi.core.terms.life.interest import INTEREST, PRINCIPAL
from fenqi.core.terms.life.operations import AddPeriods, ChangeRate, MoveDueDay, PauseInterest
from fenqi.core.terms.life.walk import Walk


def change_rate(walk: Walk, operation: ChangeRate) -> None:
    """Let another rate hold from a day; unpaid rows from there follow."""
    events.change_rate(walk.the_model, operation.on, operation.rate)
    _follow(walk, operation.on)


def pause_interest(walk: Walk, operation: PauseInterest) -> None:
    """Let no interest run for some days; the instalment stays, the last row shrinks."""
    events.pause(walk.the_model, operation.on, operation.through)
    _follow(walk, operation.on)


def add_periods(walk: Walk, operation: AddPeriods) -> None:
    """Add instalments at the end."""
    raise NotImplementedError


def move_due_day(walk: Walk, operation: MoveDueDay) -> None:
    """Shift a due day and those after it."""
    raise NotImplementedError


def _follow(walk: Walk, on: date) -> None:
    """Let the rows not met that fall due on a day or later ask for what the model says."""
    model = walk.the_model
    model.settle()
    for row in walk.rows:
        place = model.index_of(row.starts_on, row.due_on)
        if row.met_on is None and row.due_on >= on and place is not None:
            period = model.periods[place]
            row.due[PRINCIPAL] = period.due_principal_minor
            row.due[INTEREST] = period.due_interest_minor
