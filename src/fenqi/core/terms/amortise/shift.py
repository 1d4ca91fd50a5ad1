"""Moved due days and extra periods.

Source: README of the published vectors, "Rate change / reschedule".
"""

from collections.abc import Sequence
from datetime import date

from fenqi.core.terms.amortise.dates import DueDatesInvalid, later, spans
from fenqi.core.terms.amortise.events import next_due, repeat_pauses, require_row
from fenqi.core.terms.amortise.leftover import place_leftover
from fenqi.core.terms.amortise.level import relevel
from fenqi.core.terms.amortise.model import ONE_DAY, Model
from fenqi.core.terms.amortise.period import Period


def move_due_day(model: Model, row: int, due_on: date, *, ends_on: date | None = None) -> None:
    """Let a row fall due on another day and all later rows at the usual intervals after it.

    Instalments stay; the period becomes longer or shorter and its interest with it. `ends_on` is
    the last due day of a plan of fixed length.

    Errors: RowUnknown; DueDatesInvalid if a period would end before something that happened in it.
    """
    require_row(model, row)
    interval = model.settings.interval
    days = [due_on]
    for number in range(1, len(model.periods) - row):
        days.append(later(due_on, interval.every * number, interval.unit))
    if ends_on is not None and len(days) > 1:
        days[-1] = ends_on
    redate(model, row, days)


def redate(model: Model, row: int, days: Sequence[date]) -> None:
    """Let the rows from one on fall due on other days; instalments stay.

    Shapes: a day for each row from `row` to the last.
    Errors: RowUnknown; DueDatesInvalid if a period would end before something that happened in it.
    """
    require_row(model, row)
    moved_from = model.periods[row].due_on
    starts_on = model.periods[row].starts_on
    for period, new_due_on in zip(model.periods[row:], days, strict=True):
        latest = max((s.starts_on for s in period.segments[1:]), default=starts_on)
        if new_due_on < latest or new_due_on <= starts_on:
            raise DueDatesInvalid(day=new_due_on, must_follow=max(latest, starts_on))
        starts_on = new_due_on
    starts_on = model.periods[row].starts_on
    for period, new_due_on in zip(model.periods[row:], days, strict=True):
        period.stretch(starts_on, new_due_on)
        starts_on = new_due_on
    model.refresh_factors(row)
    place_leftover(model, moved_from)


def add_periods(
    model: Model,
    on: date,
    count: int,
    *,
    anchor: date | None = None,
    taken: int | None = None,
    due_on: Sequence[date] | None = None,
) -> None:
    """Add periods at the end and compute the instalments that fall due after a day anew.

    Due days are those of `due_on`, if it names them. Else they are counted from `anchor` with
    `taken` intervals gone by: from the plan's start and its number of rows, unless a re-age began
    another count. Where that count is behind the last due day, it goes on from there.

    Errors: DueDatesInvalid.
    """
    last_due_on = model.periods[-1].due_on
    begin = model.periods[0].starts_on if anchor is None else anchor
    gone = len(model.periods) if taken is None else taken
    days = due_on or [day for _, day in spans(begin, model.settings.interval, gone + count)[gone:]]
    if days[0] <= last_due_on:
        days = [day for _, day in spans(last_due_on, model.settings.interval, count)]
    for day in days:
        model.periods.append(Period.between(model.periods[-1].due_on, day))
    since = on - ONE_DAY
    place = model.change_balance(since)
    if place is not None:
        relevel(model, next_due(model, place, since), is_fresh=True)
    elif since < model.periods[0].starts_on:
        relevel(model, 0, is_fresh=True)
    repeat_pauses(model, on)
