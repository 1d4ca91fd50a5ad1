"""Close step: statements are cut for the accounts whose statement day it is.

A statement names each open instalment that falls due by its due day, and what is overdue, with the
late charge up to today; what was moved to a day before the next statement too. Once cut it never
changes. Accounts on which everything is in time, nearly
all, are cut set-wise (`store/billing.py`); where a late charge moves, plans are replayed.
"""

from datetime import timedelta
from itertools import groupby

from fenqi.core.servicing.statement import named_through, statement_days_of
from fenqi.core.terms.product import Component
from fenqi.store import accounts, billing, books, closes, plans
from fenqi.store.accounts import Account
from fenqi.store.billing import Cut
from fenqi.store.booking import Booking
from fenqi.store.closes import Task
from fenqi.store.ground import Ground
from fenqi.store.plans import PlanKey, PlanRecord
from fenqi.store.pool import Session
from fenqi.store.rows import Rows
from fenqi.store.statements import STATEMENT_LINES, STATEMENTS


def bill(ground: Ground, task: Task) -> int:
    """Cut today's statements; return how many."""
    with ground.store.transaction() as session:
        book = books.read(session, task.book_id)
        if not closes.is_open(session, task, book):
            return 0
        due_on = task.day + timedelta(days=book.due_after_days)
        cut = Cut(task.day, due_on, ground.clock.now())
        count = 0
        for page in closes.to_bill(session, book, task, statement_days_of(task.day)):
            accounts.lock_page(session, page, task.book_id)
            count += _replayed(ground, session, billing.to_replay(session, page, cut), task)
            count += billing.cut_in_time(session, page, cut)
        closes.finish(session, task, count, cut.now)
    return count


def _replayed(ground: Ground, session: Session, keys: list[PlanKey], task: Task) -> int:
    """Cut the statements that name these plans, replaying each; return how many."""
    booking = Booking(ground)
    statements, lines = Rows(STATEMENTS), Rows(STATEMENT_LINES)
    booking.others += [statements, lines]
    locked = accounts.lock(session, {account for account, _ in keys}) if keys else {}
    records = plans.load(session, keys, ground.catalogue)
    for account_id, group in groupby(records.values(), key=lambda record: record.account_id):
        _cut(booking, statements, lines, locked[account_id], list(group), task)
    booking.write(session)
    return len(statements)


def _cut(
    booking: Booking,
    statements: Rows,
    lines: Rows,
    account: Account,
    records: list[PlanRecord],
    task: Task,
) -> None:
    """Cut one account's statement, unless everything on it was paid already."""
    due_on = task.day + timedelta(days=account.book.due_after_days)
    moved = named_through(account.statement_day, task.day)
    last_on = {one.plan_id: moved if one.is_rearranged else due_on for one in records}
    if not any(debt.due_on <= last_on[one.plan_id] for one in records for debt in one.debts()):
        return  # paid while this step was waiting for the account
    number = account.statement_count + 1
    happening = booking.event(
        account, "statement-cut", payload={"number": number, "due_on": due_on}, topic="notice"
    )
    total = overdue = place = 0
    for record in records:
        if record.oldest_due_on and record.oldest_due_on < task.day:
            booking.change(happening, record, charged_through=task.day)
        booking.bill(account, record, last_on[record.plan_id])
        for part in record.projection().rows:
            if part.due_on <= last_on[record.plan_id] and part.open_minor:
                place += 1
                total += part.open_minor
                overdue += part.open_minor if part.due_on < task.day else 0
                amounts = [part.open(component) for component in Component]
                lines.add(
                    account.account_id,
                    number,
                    place,
                    record.plan_id,
                    part.key,
                    part.due_on,
                    *amounts,
                )
    account.statement_count = number
    statements.add(account.account_id, number, task.day, due_on, total, overdue, happening.number)
