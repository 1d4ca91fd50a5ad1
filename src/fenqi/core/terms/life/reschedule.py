"""Rescheduling: another rate, another due day, more periods, days without interest.

Source: the vectors' README, sections "Rate change / reschedule" and "Interest pause".
"""

from collections.abc import Sequence
from datetime import date

from fenqi.core.terms.amortise import events, shift
from fenqi.core.terms.amortise.dates import later
from fenqi.core.terms.amortise.settings import Unit
from fenqi.core.terms.life.charge import pull_into
from fenqi.core.terms.life.interest import (
    PRINCIPAL,
    ask,
    follow_model,
    keep_principal,
    lay_equally,
)
from fenqi.core.terms.life.operations import (
    AddPeriods,
    ChangeDueDay,
    ChangeRate,
    MoveDueDay,
    PauseInterest,
)
from fenqi.core.terms.life.state import BESIDE_SCHEDULE, IN_SCHEDULE, Row, RowKind
from fenqi.core.terms.life.walk import Walk
from fenqi.core.terms.product import Component
from fenqi.core.values.day import add_months, month_day, month_end


def change_rate(walk: Walk, operation: ChangeRate) -> None:
    """Let another rate hold from a day; unpaid rows from there follow.

    Interest that a re-age has settled for good no longer depends on a rate.
    """
    if walk.is_settled:
        return
    events.change_rate(walk.the_model, operation.on, operation.rate)
    _follow(walk, operation.on)


def pause_interest(walk: Walk, operation: PauseInterest) -> None:
    """Let no interest run for some days; the instalment stays, the last row shrinks."""
    walk.pauses.append(operation)
    events.pause(walk.the_model, operation.on, operation.through)
    _follow(walk, operation.on)


def add_periods(walk: Walk, operation: AddPeriods, *, due_on: Sequence[date] | None = None) -> None:
    """Add instalments at the end; those that fall due from a day on are computed anew.

    `due_on` names their days; else they are counted from the plan's start, or after the last row
    where an extension has laid rows that the model does not know.
    """
    if walk.is_called or walk.is_written_off:
        return
    model = walk.the_model
    before = len(model.periods)
    if walk.re_aged is None:
        last_due_on = max(row.due_on for row in walk.rows if row.kind in IN_SCHEDULE)
        if due_on is None and last_due_on > model.periods[-1].due_on:
            due_on = days_after(walk, operation.count)
        shift.add_periods(model, operation.on, operation.count, due_on=due_on)
    else:
        shift.add_periods(
            model,
            operation.on,
            operation.count,
            anchor=walk.re_aged.starts_on,
            taken=walk.re_aged.count - 1,
        )
    for period in model.periods[before:]:
        walk.add_row(RowKind.INSTALMENT, starts_on=period.starts_on, due_on=period.due_on)
        pull_into(walk, period.due_on)
    if walk.is_in_model:
        _follow(walk, operation.on)
    else:
        _level_plainly(walk, operation.on)
    walk.chain()


def days_after(walk: Walk, count: int) -> list[date]:
    """Return the due days that follow the last one, on the day of the month the plan keeps."""
    days = [row.due_on for row in walk.rows if row.kind in IN_SCHEDULE]
    interval = walk.terms.interest.interval
    steps = [interval.every * number for number in range(1, count + 1)]
    if interval.unit is not Unit.MONTHS:
        return [later(days[-1], step, interval.unit) for step in steps]
    anchor = _kept_day(walk, days)
    return [add_months(days[-1], step, anchor_day=anchor) for step in steps]


def _kept_day(walk: Walk, days: Sequence[date]) -> int:
    """Return the day of the month that due days keep, where the last one may have been too short.

    It is what the customer asked for, if the last day follows it; else that of the latest day that
    does not end its month; else, month ends all of them, that of the longest month.
    """
    last = days[-1]
    if last != month_end(last):
        return last.day
    asked = [one.day for one in walk.done if isinstance(one, ChangeDueDay)]
    if asked and month_day(last.year, last.month, asked[-1]) == last:
        return asked[-1]
    if walk.terms.signed is None and walk.began_on is not None:
        days = [walk.began_on, *days]  # from which they were counted
    told = [day.day for day in days if day.day >= last.day and day != month_end(day)]
    return told[-1] if told else max(day.day for day in days)


def _level_plainly(walk: Walk, on: date) -> None:
    """Spread what is open of the rows due from a day on equally over them."""
    rows = [row for row in walk.rows if row.kind in IN_SCHEDULE and row.due_on >= on]
    rows = [row for row in rows if row.is_open or not any(row.due)]
    amount = sum(row.open(PRINCIPAL) for row in rows)
    for row in rows:
        row.due[PRINCIPAL] -= row.open(PRINCIPAL)
    if rows:
        lay_equally(walk, rows, amount)
    for row in rows:  # a multiple can leave one with nothing
        row.meet(on)


def move_due_day(walk: Walk, operation: MoveDueDay) -> None:
    """Shift a due day and those after it; an extra row passed over joins the last instalment.

    If nothing falls due on that day any more (a re-age has taken its place), nothing happens.
    """
    rows = [row for row in walk.rows if row.kind in IN_SCHEDULE]
    place = next((at for at, row in enumerate(rows) if row.due_on == operation.on), None)
    if place is None:
        return
    model = walk.model
    in_model = None
    if model is not None:
        in_model = model.index_of(rows[place].starts_on, rows[place].due_on)
    if model is None or in_model is None or model.periods[in_model].due_on != operation.on:
        _move_rows(walk, rows[place:], operation.to)
    else:
        shift.move_due_day(
            model, in_model, operation.to, ends_on=_forced_end(walk, in_model, operation.to)
        )
        known = model.periods[in_model:]
        for row, period in zip(rows[place:], known, strict=False):
            row.starts_on, row.due_on = period.starts_on, period.due_on
        _move_rows(
            walk, rows[place + len(known) :], operation.to, after=rows[place : place + len(known)]
        )
        _follow(walk, min(operation.on, operation.to))
    join_passed_extras(walk, rows[-1])
    walk.sort_rows()


def _forced_end(walk: Walk, place: int, due_on: date) -> date | None:
    """Return the last due day of a plan of fixed length: its last period keeps its days."""
    after = len(walk.the_model.periods) - 1 - place
    if walk.terms.length_days is None or not after:
        return None
    last = walk.the_model.periods[-1]
    interval = walk.terms.interest.interval
    before = later(due_on, interval.every * (after - 1), interval.unit)
    return before + (last.due_on - last.starts_on)


def _move_rows(walk: Walk, rows: list[Row], due_on: date, *, after: Sequence[Row] = ()) -> None:
    """Shift rows the model does not hold, at the intervals they were made with.

    `after` are rows that were moved to the day and those that follow it.
    """
    if not rows:
        return
    every, unit = walk.terms.interest.interval.every, walk.terms.interest.interval.unit
    if walk.re_aged is not None:
        every, unit = walk.re_aged.every, walk.re_aged.unit
    starts_on = after[-1].due_on if after else rows[0].starts_on
    for number, row in enumerate(rows, start=len(after)):
        row.starts_on, row.due_on = starts_on, later(due_on, every * number, unit)
        starts_on = row.due_on


def join_passed_extras(walk: Walk, last: Row) -> None:
    """Let extra rows that the last instalment has passed over join it.

    One that asks for principal stays beside rows that follow the interest model, which knows
    nothing of it.
    """
    passed = [row for row in walk.rows if row.kind is RowKind.EXTRA and row.due_on < last.due_on]
    if walk.recalculates:
        passed = [row for row in passed if not row.due[PRINCIPAL]]
    for extra in passed:
        for component in Component:
            last.due[component] += extra.due[component]
            last.paid[component] += extra.paid[component]
            last.relieved[component] += extra.relieved[component]
            last.moved[component] += extra.moved[component]
            last.credited[component] += extra.credited[component]
        last.in_advance_minor += extra.in_advance_minor
        last.late_minor += extra.late_minor
        last.met_on = None if last.is_open else last.met_on
        for charge in walk.charges.values():
            if charge.row_key == extra.key:
                charge.row_key = last.key
    walk.rows = [row for row in walk.rows if row not in passed]


def _follow(walk: Walk, on: date) -> None:
    """Let the rows that fall due on a day or later ask for what the model says.

    A row met early is open again if the model asks more of it. A model that is not told of
    payments does not know which rows were met: those are left alone, and the last ones give way.
    """
    model = walk.the_model
    model.settle()
    if not walk.is_in_model:
        return
    principal = sum(row.due[PRINCIPAL] for row in walk.rows)
    for row in walk.rows:
        if row.kind in BESIDE_SCHEDULE:
            continue
        place = model.index_of(row.starts_on, row.due_on)
        is_asked = walk.recalculates or row.met_on is None
        if is_asked and row.due_on >= on and place is not None:
            ask(walk, row, model.periods[place])
            row.meet(on)
    if walk.recalculates:
        follow_model(walk, on)  # earlier rows too, where a change has moved what is deferred
    else:
        keep_principal(walk, principal, on)
