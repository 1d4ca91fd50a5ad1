"""Activity rows: what each instalment recognised, dated on its due day.

A nightly run makes or renews one for every row due by then; when a plan closes, the days up to the
closing get theirs and one on the closing day takes the rest.
Source: the published lives with `accrual_activity`.
"""

from datetime import date

from fenqi.core.terms.life.state import Kind, Parts, Row, RowKind, Transaction, no_parts
from fenqi.core.terms.life.walk import Walk
from fenqi.core.terms.product import Component

RECOGNISED = (Component.INTEREST, Component.FEE, Component.PENALTY)
Activities = dict[date, Transaction]


def post_night(activities: Activities, walk: Walk, number: int, night: date) -> None:
    """Make or renew the activity of every row due by a day."""
    if not walk.open_minor:
        return
    for row in _rows(walk):
        if row.due_on <= night:
            _post(activities, number, row.due_on, _recognised(row))


def renew(activities: Activities, walk: Walk, number: int, through: date) -> None:
    """Renew the activities of rows due by the last night that was run."""
    rows = [row for row in _rows(walk) if row.due_on <= through]
    for day in activities.keys() - {row.due_on for row in rows}:
        del activities[day]
    for row in rows:
        _post(activities, number, row.due_on, _recognised(row))


def post_closing(activities: Activities, walk: Walk, number: int, closed_on: date) -> None:
    """Recognise everything by the day a plan has closed."""
    for day in [day for day in activities if day > closed_on]:
        del activities[day]
    for row in _rows(walk):
        if row.due_on < closed_on and row.kind is not RowKind.EXTRA:
            _post(activities, number, row.due_on, _recognised(row))
    left = no_parts()
    for component in RECOGNISED:
        left[component] = sum(row.due[component] for row in _rows(walk))
        left[component] -= sum(one.parts[component] for one in activities.values())
    if any(part > 0 for part in left):
        there = activities.get(closed_on)
        if there is not None:
            left = [part + more for part, more in zip(there.parts, left, strict=True)]
        _post(activities, number, closed_on, left)


def take_back_closing(activities: Activities, walk: Walk, number: int, today: date) -> None:
    """Renew what the closing had recognised, since the plan is open again."""
    if not activities:
        return
    last = max(activities)
    rows = [row for row in _rows(walk) if last <= row.due_on < today]
    if rows or all(row.due_on != last for row in _rows(walk)):
        del activities[last]
    for row in rows:
        _post(activities, number, row.due_on, _recognised(row))


def _rows(walk: Walk) -> list[Row]:
    return [row for row in walk.rows if row.kind is not RowKind.DOWN_PAYMENT]


def _recognised(row: Row) -> Parts:
    parts = row.due[:]
    parts[Component.PRINCIPAL] = 0
    return parts


def _post(activities: Activities, number: int, on: date, parts: Parts) -> None:
    there = activities.get(on)
    if there is not None and there.parts == parts:
        return
    activities.pop(on, None)
    if any(parts):
        activities[on] = Transaction(number, Kind.ACCRUAL_ACTIVITY, on, sum(parts), parts)
        activities[on].is_replayed = there is not None
