"""Close step: what falls due is collected from the account's credit balance first."""

from datetime import timedelta

from fenqi.core import ledger
from fenqi.core.ledger import Transfer
from fenqi.core.servicing.allocation import allocate
from fenqi.core.terms.operation import OperationKind
from fenqi.store import accounts, books, closes, plans
from fenqi.store.accounts import Account
from fenqi.store.booking import Booking
from fenqi.store.closes import Task
from fenqi.store.ground import Ground
from fenqi.store.plans import PlanRecord


def collect(ground: Ground, task: Task) -> int:
    """Use credit balances for debts due by today; return how many accounts paid that way."""
    booking = Booking(ground)
    with ground.store.transaction() as session:
        book = books.read(session, task.book_id)
        if not closes.is_open(session, task, book):
            return 0
        locked = accounts.lock(session, closes.in_credit(session, book, task))
        owing = plans.owing(session, locked.keys(), ground.catalogue)
        for account_id, account in locked.items():
            _use_credit(booking, account, owing.get(account_id, []), task)
        booking.write(session)
        closes.finish(session, task, len(locked), booking.now)
    return len(locked)


def _use_credit(booking: Booking, account: Account, owing: list[PlanRecord], task: Task) -> None:
    due = [debt for one in owing for debt in one.debts() if debt.due_on <= task.day]
    parts, _ = allocate(account.credit_minor, due, task.day)
    if not parts:
        return
    used = sum(parts.values())
    happening = booking.event(account, "credit-used", payload={"amount_minor": used})
    account.credit_minor -= used
    booking.transfer(
        happening, Transfer(ledger.Account.CREDIT_BALANCE, ledger.Account.SUSPENSE, used)
    )
    by_plan = {record.plan_id: record for record in owing}
    for plan_id, amount in parts.items():
        booking.change(
            happening,
            by_plan[plan_id],
            (OperationKind.REPAY, amount),
            charged_through=task.day - timedelta(days=1),
        )
