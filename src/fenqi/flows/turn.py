"""The close's last step: the day is totalled and the book turns to the next one.

It holds the book alone, so no batch can book into the day between its totals and its end. A day
that an outage of the whole book reaches is excused before anybody books in it.
"""

from datetime import timedelta

from fenqi.store import books, closes, decisions, incidents
from fenqi.store.closes import Task
from fenqi.store.ground import Ground


def turn(ground: Ground, task: Task) -> int:
    """Total the day and open the next; return how many totals were written."""
    with ground.store.transaction() as session:
        book = books.hold_alone(session, task.book_id)
        if not closes.is_open(session, task, book):
            return 0
        rows = closes.total(session, task)
        tomorrow = task.day + timedelta(days=1)
        books.advance(session, task.book_id, tomorrow)
        incidents.begin_day(session, task.book_id, tomorrow)
        now = ground.clock.now()
        decisions.forget_minutes(session, task.book_id, now)
        closes.finish(session, task, rows, now)
    return rows
