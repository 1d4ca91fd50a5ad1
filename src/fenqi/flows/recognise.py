"""Close step: at month end, time moves cost from deferred income to income.

Plans that owe since the pack's non-accrual age are left alone until they are paid up again.
"""

from fenqi.core.servicing.ageing import due_days_turning
from fenqi.core.values.day import month_end
from fenqi.store import accounts, books, closes, plans
from fenqi.store.booking import Booking
from fenqi.store.closes import Task
from fenqi.store.ground import Ground


def recognise(ground: Ground, task: Task) -> int:
    """Recognise income through today if the month ends; return how many plans earned."""
    booking = Booking(ground)
    keys = []
    with ground.store.transaction() as session:
        book = books.read(session, task.book_id)
        if not closes.is_open(session, task, book):
            return 0
        if task.day == month_end(task.day):
            pack = ground.catalogue.packs[book.pack, book.pack_version]
            counted = task.day
            while counted in book.excused:  # an excused day turns nothing; look at the one before
                counted = counted.fromordinal(counted.toordinal() - 1)
            stopped = due_days_turning(pack.non_accrual_dpd, counted, book.excused)[0]
            keys = closes.to_recognise(session, book, task, stopped)
        locked = accounts.lock(session, {account for account, _ in keys})
        for record in plans.load(session, keys, ground.catalogue).values():
            happening = booking.event(
                locked[record.account_id],
                "income-recognised",
                payload={"plan_id": record.plan_id, "through": task.day},
            )
            booking.change(happening, record, recognised_through=task.day)
        booking.write(session)
        closes.finish(session, task, len(keys), booking.now)
    return len(keys)
