"""Activity rows: what each instalment recognised, dated on its due day.

A nightly run makes or renews one for every row due by then; when a plan closes, the days up to the
closing get theirs and one on the closing day takes the rest.
Source: the published lives with `accrual_activity`.
"""

from dataclasses import replace
from datetime import date

from fenqi.core.terms.life.state import Kind, Parts, RowKind, Transaction, no_parts
from fenqi.core.terms.life.walk import Walk
from fenqi.core.terms.product import Component

RECOGNISED = (Component.INTEREST, Component.FEE, Component.PENALTY)
Activities = dict[date, Transaction]


def post_night(activities: Activities, walk: Walk, number: int, night: date) -> None:
    """Make or renew the activity of every day something was due by a night."""
    if not walk.open_minor:
        return
    for day, parts in _by_day(walk).items():
        if day <= night:
            _post(activities, number, day, parts)


def renew(activities: Activities, walk: Walk, number: int, through: date) -> None:
    """Renew the activities up to the last night that was run; days nothing is due lose theirs."""
    by_day = _by_day(walk)
    for day in activities.keys() - by_day.keys():
        del activities[day]
    for day, parts in by_day.items():
        if day <= through:
            _post(activities, number, day, parts)
        else:
            activities.pop(day, None)


def post_closing(activities: Activities, walk: Walk, number: int, closed_on: date) -> None:
    """Recognise everything by the day a plan has closed."""
    for day in [day for day in activities if day > closed_on]:
        del activities[day]
    for day, parts in _by_day(walk, without_extra=True).items():
        if day < closed_on:
            _post(activities, number, day, parts)
    left = no_parts()
    for component in RECOGNISED:
        left[component] = sum(row.due[component] for row in walk.rows)
        left[component] -= sum(one.parts[component] for one in activities.values())
    if any(part > 0 for part in left):
        there = activities.get(closed_on)
        if there is not None:
            left = [part + more for part, more in zip(there.parts, left, strict=True)]
        _post(activities, number, closed_on, left)


def take_back_closing(activities: Activities, walk: Walk, number: int, today: date) -> None:
    """Take back the last activity, since the plan is open again, and post the days since then."""
    if not activities:
        return
    last = max(activities)
    closing: Transaction | None = activities.pop(last)
    for day, parts in sorted(_by_day(walk).items()):
        if last <= day < today:
            if closing is not None and day == last and closing.parts == parts:
                activities[day] = closing
            else:
                _post(activities, number, day, parts)
                if closing is not None and day in activities:
                    activities[day] = replace(activities[day], is_replayed=True)
            closing = None


def _by_day(walk: Walk, *, without_extra: bool = False) -> dict[date, Parts]:
    """Return what is recognised by due day; down payments recognise nothing."""
    by_day: dict[date, Parts] = {}
    for row in walk.rows:
        if row.kind is RowKind.DOWN_PAYMENT or (without_extra and row.kind is RowKind.EXTRA):
            continue
        parts = by_day.setdefault(row.due_on, no_parts())
        for component in RECOGNISED:
            parts[component] += row.due[component]
    return by_day


def _post(activities: Activities, number: int, on: date, parts: Parts) -> None:
    there = activities.get(on)
    if there is not None and there.parts == parts:
        return
    activities.pop(on, None)
    if any(parts):
        activities[on] = Transaction(number, Kind.ACCRUAL_ACTIVITY, on, sum(parts), parts[:])
        activities[on].is_replayed = there is not None
