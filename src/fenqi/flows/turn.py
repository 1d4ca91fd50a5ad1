"""The close's last step: the day is totalled and the book turns to the next one.

It holds the book alone, so no batch can book into the day between its totals and its end.
"""

from datetime import timedelta

from fenqi.store import books, closes, decisions
from fenqi.store.closes import Task
from fenqi.store.ground import Ground


def turn(ground: Ground, task: Task) -> int:
    """Total the day and open the next; return how many totals were written."""
    with ground.store.transaction() as session:
        book = books.hold_alone(session, task.book_id)
        if not closes.is_open(session, task, book):
            return 0
        rows = closes.total(session, task)
        books.advance(session, task.book_id, task.day + timedelta(days=1))
        now = ground.clock.now()
        decisions.forget_minutes(session, task.book_id, now)
        closes.finish(session, task, rows, now)
    return rows
