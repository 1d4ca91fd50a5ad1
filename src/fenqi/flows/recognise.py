"""Close step: at month end, time moves cost from deferred income to income.

Plans that owe since the pack's non-accrual age are left alone until they are paid up again.
Accounts in time are written set-wise (`store/earning.py`), those with an overdue plan replayed.
"""

from datetime import date, timedelta

from fenqi.core.servicing.ageing import due_days_turning
from fenqi.core.values.day import month_end
from fenqi.store import accounts, books, closes, earning, plans
from fenqi.store.booking import Booking
from fenqi.store.books import Book
from fenqi.store.closes import Task
from fenqi.store.earning import Month
from fenqi.store.ground import Ground
from fenqi.store.plans import PlanKey
from fenqi.store.pool import Session


def recognise(ground: Ground, task: Task) -> int:
    """Recognise income through today if the month ends; return how many plans earned."""
    now = ground.clock.now()
    count = 0
    with ground.store.transaction() as session:
        book = books.read(session, task.book_id)
        if not closes.is_open(session, task, book):
            return 0
        if task.day == month_end(task.day):
            month = Month(task.day, _stopped(ground, book, task.day), book.currency, now)
            for page in closes.to_recognise(session, book, task, month.non_accrual):
                accounts.lock_page(session, page, task.book_id)
                count += _replayed(ground, session, earning.to_replay(session, page, month), task)
                count += earning.recognise_in_time(session, page, month)
        closes.finish(session, task, count, now)
    return count


def _stopped(ground: Ground, book: Book, day: date) -> date:
    """Return the due day since which a debt earns nothing any more."""
    pack = ground.catalogue.packs[book.pack, book.pack_version]
    while day in book.excused:  # an excused day turns nothing; look at the one before
        day -= timedelta(days=1)
    return due_days_turning(pack.non_accrual_dpd, day, book.excused)[0]


def _replayed(ground: Ground, session: Session, keys: list[PlanKey], task: Task) -> int:
    """Recognise the income of these plans, replaying each; return how many."""
    if not keys:
        return 0
    booking = Booking(ground)
    locked = accounts.lock(session, {account for account, _ in keys})
    for record in plans.load(session, keys, ground.catalogue).values():
        happening = booking.event(
            locked[record.account_id],
            "income-recognised",
            payload={"plan_id": record.plan_id, "through": task.day},
        )
        booking.change(happening, record, recognised_through=task.day)
    booking.write(session)
    return len(keys)
