"""Close step: at month end the portfolio is measured, by vintage and by bucket then and now."""

from fenqi.core.values.day import month_end
from fenqi.store import books, closes
from fenqi.store.closes import Task
from fenqi.store.ground import Ground


def measure(ground: Ground, task: Task) -> int:
    """Write the month's rows if the month ends today; return how many."""
    with ground.store.transaction() as session:
        book = books.read(session, task.book_id)
        if not closes.is_open(session, task, book):
            return 0
        rows = closes.measure(session, book, task) if task.day == month_end(task.day) else 0
        closes.finish(session, task, rows, ground.clock.now())
    return rows
