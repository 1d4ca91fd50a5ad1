"""Close step: holds that expired give the limit back."""

from fenqi.store import accounts, books, closes, orders
from fenqi.store.booking import Booking
from fenqi.store.closes import Task
from fenqi.store.ground import Ground


def release(ground: Ground, task: Task) -> int:
    """Release every hold that ends today; return how many."""
    booking = Booking(ground)
    with ground.store.transaction() as session:
        book = books.read(session, task.book_id)
        if not closes.is_open(session, task, book):
            return 0
        keys = orders.expired(session, task.book_id, task.day, task.bounds(book.slices))
        locked = accounts.lock(session, {account for account, _ in keys})
        found = orders.lock(session, keys)
        for order in found.values():
            released = order.held_minor
            if not released:
                continue  # captured while this step was waiting for the account
            order.released_minor += released
            account = locked[order.account_id]
            account.held_minor -= released
            booking.event(
                account,
                "hold-expired",
                payload={"order_id": order.order_id, "amount_minor": released},
                topic="merchant",
            )
        booking.write(session, orders.changed(found.values()))
        closes.finish(session, task, len(found), booking.now)
    return len(found)
