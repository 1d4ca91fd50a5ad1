"""Close step: at month end the allowance is brought to what the portfolio's age asks for.

The pack names a rate per bucket. What write-offs took out of the allowance comes back here as
expense, so a month's loss is the change of what it took to keep the allowance right.
"""

from fenqi.core import ledger
from fenqi.core.ledger import Transfer
from fenqi.core.values.day import month_end
from fenqi.core.values.rate import PPM, Rounding, divide
from fenqi.store import accounts, books, closes
from fenqi.store.booking import Booking
from fenqi.store.closes import Task
from fenqi.store.ground import Ground

EXPENSE = (ledger.Account.PROVISION, ledger.Account.ALLOWANCE)


def provide(ground: Ground, task: Task) -> int:
    """Book the provision in the house account if the month ends today; return lines booked."""
    booking = Booking(ground)
    booked = 0
    with ground.store.transaction() as session:
        book = books.read(session, task.book_id)
        if not closes.is_open(session, task, book):
            return 0
        if task.day == month_end(task.day):
            pack = ground.catalogue.packs[book.pack, book.pack_version]
            house = accounts.lock(session, [book.house_account_id])[book.house_account_id]
            needed = sum(
                principal * pack.provision_ppm[bucket]
                for bucket, principal in closes.principal_by_bucket(session, task)
            )
            target = divide(needed, PPM, rounding=Rounding.UP)
            missing = target - closes.allowance(session, task)
            if missing:
                happening = booking.event(
                    house, "allowance-provided", payload={"target_minor": target}
                )
                pair = EXPENSE if missing > 0 else (EXPENSE[1], EXPENSE[0])
                booking.transfer(happening, Transfer(*pair, abs(missing)))
                booked = 1
        booking.write(session)
        closes.finish(session, task, booked, booking.now)
    return booked
