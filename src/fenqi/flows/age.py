"""Close step: plans that cross into another bucket today are noted; nothing else ages in writing.

Days past due are derived whenever read; this step looks only at plans whose oldest unpaid due day
is exactly as many days back as a bucket begins.
"""

from fenqi.core.servicing.ageing import bucket_of, days_past_due, due_days_turning
from fenqi.store import accounts, books, closes, plans
from fenqi.store.booking import Booking
from fenqi.store.closes import Task
from fenqi.store.ground import Ground


def age(ground: Ground, task: Task) -> int:
    """Note today's bucket crossings; return how many."""
    booking = Booking(ground)
    crossed = 0
    with ground.store.transaction() as session:
        book = books.read(session, task.book_id)
        if not closes.is_open(session, task, book):
            return 0
        pack = ground.catalogue.packs[book.pack, book.pack_version]
        starts = [bound + 1 for bound in pack.bucket_bounds]
        days = {day for start in starts for day in due_days_turning(start, task.day, book.excused)}
        keys = closes.owing_since(session, book, task, sorted(days))
        locked = accounts.lock(session, {account for account, _ in keys})
        for record in plans.load(session, keys, ground.catalogue).values():
            late = days_past_due(record.oldest_due_on, task.day, book.excused)
            bucket = bucket_of(late, record.pack.bucket_bounds)
            if bucket == record.bucket:
                continue
            happening = booking.event(
                locked[record.account_id],
                "bucket-crossed",
                payload={"plan_id": record.plan_id, "from": record.bucket, "to": bucket},
            )
            booking.age(happening, record, bucket)
            crossed += 1
        booking.write(session)
        closes.finish(session, task, crossed, booking.now)
    return crossed
