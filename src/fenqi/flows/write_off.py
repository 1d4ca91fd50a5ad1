"""Close step: debts too long overdue are given up in the accounts.

The claim and its days go on, what comes in later is a recovery, and the account can buy no more.
"""

from fenqi.core.account import AccountStatus
from fenqi.core.servicing.ageing import days_past_due, due_days_turning
from fenqi.core.terms.life.state import Status
from fenqi.core.terms.operation import OperationKind
from fenqi.core.terms.product import Component
from fenqi.core.terms.replay import replay
from fenqi.store import accounts, books, closes, plans
from fenqi.store.booking import Booking
from fenqi.store.closes import Task
from fenqi.store.ground import Ground


def write_off(ground: Ground, task: Task) -> int:
    """Write off what reached the pack's age today; return how many plans."""
    booking, count = Booking(ground), 0
    with ground.store.transaction() as session:
        book = books.read(session, task.book_id)
        if not closes.is_open(session, task, book):
            return 0
        pack = ground.catalogue.packs[book.pack, book.pack_version]
        turning = due_days_turning(pack.write_off_dpd, task.day, book.excused)
        keys = closes.to_write_off(session, book, task, turning[0]) if turning else []
        locked = accounts.lock(session, {account for account, _ in keys})
        for record in plans.load(session, keys, ground.catalogue).values():
            since = record.oldest_due_on
            days = days_past_due(since, task.day, record.excused)
            if record.state is not Status.ACTIVE or days < pack.write_off_dpd:
                continue  # paid while this step waited, or with excused days of its own
            count += 1
            account = locked[record.account_id]
            account.status = AccountStatus.CLOSED
            # What is lost includes the late charge of today, which the change below books.
            charged = replay(
                record.terms, record.operations, charged_through=task.day, excused=record.excused
            )
            happening = booking.event(
                account,
                "written-off",
                payload={
                    "plan_id": record.plan_id,
                    "principal_minor": charged.open_of(Component.PRINCIPAL),
                },
                topic="notice",
            )
            booking.change(
                happening,
                record,
                (OperationKind.WRITE_OFF, charged.open_minor),
                charged_through=task.day,
            )
        booking.write(session)
        closes.finish(session, task, count, booking.now)
    return count
