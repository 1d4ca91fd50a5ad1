"""Close step: plans that cross into another bucket today are noted; nothing else ages in writing.

Days past due are derived whenever read; this step looks only at plans whose oldest unpaid due day
is exactly as many days back as a bucket begins, and at those whose account has excused days of its
own, which turn on other days.
"""

from fenqi.core.servicing.ageing import due_days_turning
from fenqi.store import accounts, books, closes, crossings
from fenqi.store.closes import Task
from fenqi.store.ground import Ground


def age(ground: Ground, task: Task) -> int:
    """Note today's bucket crossings; return how many."""
    now = ground.clock.now()
    crossed = 0
    with ground.store.transaction() as session:
        book = books.read(session, task.book_id)
        if not closes.is_open(session, task, book):
            return 0
        known = ground.catalogue.packs
        starts = [bound + 1 for bound in known[book.pack, book.pack_version].bucket_bounds]
        days = {day for start in starts for day in due_days_turning(start, task.day, book.excused)}
        turning = crossings.turns(known.values(), sorted(days), task.day, book.excused)
        for page in closes.owing_since(session, book, task, sorted(days)):
            accounts.lock_page(session, page, task.book_id)
            crossed += crossings.cross(session, page, turning, task.day, now)
        for page in closes.excused(session, book, task):
            accounts.lock_page(session, page, task.book_id)
            crossed += crossings.cross_own(session, page, known, task, book.excused, now)
        closes.finish(session, task, crossed, now)
    return crossed
