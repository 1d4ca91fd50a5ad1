"""Who is asked to pay on a day, and how much: what falls due and what is overdue, charges included.

The same replay that will book the payment counts the late charge, so what is asked is exactly what
closes the debt.
"""

from dataclasses import dataclass
from datetime import date, timedelta

from fenqi.core.servicing.statement import statement_days_of
from fenqi.core.terms.replay import replay
from fenqi.core.values.ids import AccountId
from fenqi.flows.receive import Receive
from fenqi.store import books, closes, commands, plans
from fenqi.store.ground import Ground


@dataclass(frozen=True, slots=True)
class Due:
    """What one account owes by a day: open amounts per due day, oldest first, minor units."""

    account_id: AccountId
    open_by_month_minor: tuple[int, ...]


def is_paid(ground: Ground, key: str) -> bool:
    """Return whether anybody has paid with a key yet."""
    with ground.store.transaction() as session:
        return commands.is_known(session, Receive.kind, key)


def due_on(ground: Ground, book_id: str, day: date) -> list[Due]:
    """Return the accounts whose due day is `day` and that owe something by then."""
    with ground.store.transaction() as session:
        book = books.read(session, book_id)
        cut_on = day - timedelta(days=book.due_after_days)
        keys = closes.to_pay(session, book, day, statement_days_of(cut_on))
        records = plans.load(session, keys, ground.catalogue)
    owed: dict[AccountId, dict[date, int]] = {}
    for record in records.values():
        asked = replay(
            record.terms,
            record.operations,
            charged_through=max(record.charged_through, day - timedelta(days=1)),
            excused=record.excused,
        )
        months = owed.setdefault(record.account_id, {})
        for part in asked.rows:
            if part.due_on <= day and part.claim_minor:
                months[part.due_on] = months.get(part.due_on, 0) + part.claim_minor
    return [
        Due(account_id, tuple(months[due] for due in sorted(months)))
        for account_id, months in owed.items()
    ]
