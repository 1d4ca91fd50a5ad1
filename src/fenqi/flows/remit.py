"""Close steps: money we owe goes out, to customers for refunds and to merchants for yesterday.

A merchant's day may end below zero, when more came back than was sold: then the merchant pays us.
"""

from fenqi.core import ledger
from fenqi.core.ledger import Transfer
from fenqi.core.values.ids import MerchantId
from fenqi.store import accounts, books, closes
from fenqi.store.booking import Booking
from fenqi.store.closes import Task
from fenqi.store.ground import Ground

CASH = ledger.Account.CASH_SETTLED


def remit_refunds(ground: Ground, task: Task) -> int:
    """Pay back what refunds freed; return to how many accounts."""
    booking = Booking(ground)
    with ground.store.transaction() as session:
        book = books.read(session, task.book_id)
        if not closes.is_open(session, task, book):
            return 0
        locked = accounts.lock(session, closes.owed_refunds(session, book, task))
        for account in locked.values():
            amount, account.refunds_payable_minor = account.refunds_payable_minor, 0
            if not amount:
                continue  # paid while this step was waiting for the account
            happening = booking.event(
                account, "refund-paid", payload={"amount_minor": amount}, topic="notice"
            )
            transfer = Transfer(ledger.Account.REFUNDS_PAYABLE, CASH, amount)
            booking.transfer(happening, transfer)
        booking.write(session)
        closes.finish(session, task, len(locked), booking.now)
    return len(locked)


def remit_merchants(ground: Ground, task: Task) -> int:
    """Pay each merchant yesterday's balance out of the house account; return how many.

    Yesterday is closed, so nothing can be booked into it after it was counted.
    """
    booking = Booking(ground)
    paid = 0
    with ground.store.transaction() as session:
        book = books.read(session, task.book_id)
        if not closes.is_open(session, task, book):
            return 0
        house = accounts.lock(session, [book.house_account_id])[book.house_account_id]
        for merchant, owed in closes.merchants_day(session, task):
            if not owed:
                continue
            paid += 1
            merchant_id = MerchantId(merchant)  # type: ignore[arg-type] # a uuid column
            happening = booking.event(
                house,
                "merchant-remitted",
                payload={"merchant_id": merchant_id, "amount_minor": owed},
            )
            payable = ledger.Account.MERCHANT_PAYABLE
            pair = (payable, CASH) if owed > 0 else (CASH, payable)
            booking.transfer(happening, Transfer(*pair, abs(owed)), merchant_id=merchant_id)
        booking.write(session)
        closes.finish(session, task, paid, booking.now)
    return paid
