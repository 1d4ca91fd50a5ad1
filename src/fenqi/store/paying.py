"""Whose payment behaviour changed, found set-wise: by what happened, and by the day alone.

What happened is read from the stream of events after a mark, below the oldest transaction that is
still open, so that one that commits late is not passed over. The day finds those of whom a policy's
conditions about days past due may turn today, and those whom an earlier decision still keeps from
something: they are asked about again until it ends.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID

from fenqi.core.risk.paying import Step
from fenqi.core.values.ids import AccountId
from fenqi.store.books import Book
from fenqi.store.pool import Session

NOBODY = UUID(int=0)
STEPS_MAX = 10_000_000  # of the accounts of a page, in all their lives


class Signal(NamedTuple):
    """Why an account is asked about: the number of the event that says so, None for the day."""

    account_id: AccountId
    number: int | None = None


@dataclass(frozen=True, slots=True)
class Mark:
    """How far the stream was read: the last event's transaction, account and number."""

    transaction: str = "0"
    account_id: UUID = NOBODY
    number: int = 0


# As migration 0027 has it, word for word, so that its index serves.
IS_PAYING = """(
    kind IN ('bucket-crossed', 'receipt-reversed')
    OR kind IN ('receipt-final', 'plan-settled')
        AND (payload ->> 'overdue_days' <> '0' OR payload ->> 'is_partial' = '1')
    OR kind = 'payment-failed' AND payload ->> 'cause' = 'customer'
)"""
CHANGED = f"""
SELECT recorded_by::text AS told, account_id, number FROM events
WHERE {IS_PAYING}
    AND (recorded_by, account_id, number) > (%(transaction)s::xid8, %(account)s, %(number)s)
    AND recorded_by < pg_snapshot_xmin(pg_current_snapshot())
ORDER BY recorded_by, account_id, number LIMIT %(most)s
"""  # noqa: S608 - constants only


def changed(session: Session, mark: Mark, most: int) -> tuple[list[Signal], Mark, bool]:
    """Return who paid differently after a mark, how far that goes, and whether it is all.

    An account is named once, by the latest of its events of the page.
    """
    asked = {
        "transaction": mark.transaction,
        "account": mark.account_id,
        "number": mark.number,
        "most": most,
    }
    found = session.rows(CHANGED, asked)
    latest: dict[AccountId, int] = {}
    for _, account_id, number in found:
        latest[AccountId(account_id)] = max(number, latest.get(AccountId(account_id), 0))
    signals = [Signal(account_id, number) for account_id, number in latest.items()]
    return signals, Mark(*found[-1]) if found else mark, len(found) < most


LOOKED = """
SELECT account_id FROM (
    SELECT a.account_id FROM plans AS p JOIN accounts AS a USING (account_id)
    WHERE p.oldest_due_on = ANY(%(due_days)s) AND a.oldest_due_on = p.oldest_due_on
        AND a.book_id = %(book_id)s
    UNION
    SELECT account_id FROM accounts
    WHERE book_id = %(book_id)s AND excused_on IS NOT NULL AND oldest_due_on < %(today)s
    UNION
    SELECT a.account_id
    FROM protections AS p JOIN decisions AS d USING (account_id, decision_id)
    JOIN accounts AS a USING (account_id)
    WHERE p.ended_at IS NULL AND p.ends_at > %(now)s AND d.kind = 'repayment'
        AND a.book_id = %(book_id)s
) AS found
WHERE account_id > %(after)s ORDER BY account_id LIMIT %(most)s
"""


def looked_at(
    session: Session,
    book: Book,
    due_days: Sequence[date],
    *,
    after: UUID,
    now: datetime,
    most: int,
) -> list[Signal]:
    """Return the next accounts of a book that are asked about for the day alone, by id.

    `due_days` are the due days whose debts are seen differently today; who has excused days of his
    own turns on days of his own and is asked about each day while he owes.
    """
    asked = {
        "book_id": book.book_id,
        "due_days": list(due_days),
        "today": book.business_date,
        "after": after,
        "now": now,
        "most": most,
    }
    return [Signal(AccountId(row[0])) for row in session.rows(LOOKED, asked)]


@dataclass(frozen=True, slots=True)
class Last:
    """The last decision about how an account pays."""

    as_of_number: int
    booked_on: date
    effects: tuple[str, ...]
    reasons: tuple[str, ...]
    hits: tuple[int, ...]
    rulebook_id: UUID

    def saw(self, signal: Signal, today: date) -> bool:
        """Whether it knew already what a signal tells."""
        if signal.number is None:
            return self.booked_on >= today
        return self.as_of_number >= signal.number


LASTS = """
SELECT k.account_id, d.as_of_number, d.booked_on, d.effects, d.reasons, d.hits,
    d.rulebook_id
FROM UNNEST(%(accounts)s::uuid[]) AS k (account_id)
CROSS JOIN LATERAL (
    SELECT as_of_number, booked_on, effects, reasons, hits, rulebook_id FROM decisions AS own
    WHERE own.account_id = k.account_id AND own.kind = 'repayment'
    ORDER BY own.as_of_number DESC, own.booked_on DESC LIMIT 1
) AS d
"""


def lasts(session: Session, account_ids: Collection[AccountId]) -> dict[AccountId, Last]:
    """Return the last decision about how each of some locked accounts pays, of those with one."""
    rows = session.rows(LASTS, {"accounts": list(account_ids)})
    return {
        AccountId(row[0]): Last(row[1], row[2], tuple(row[3]), tuple(row[4]), tuple(row[5]), row[6])
        for row in rows
    }


RUNNING = """
SELECT p.account_id, p.protection_id
FROM protections AS p JOIN decisions AS d USING (account_id, decision_id)
WHERE p.account_id = ANY(%(accounts)s::uuid[]) AND p.ended_at IS NULL AND p.ends_at > %(now)s
    AND d.kind = 'repayment'
"""


def running(
    session: Session, account_ids: Collection[AccountId], now: datetime
) -> dict[AccountId, set[UUID]]:
    """Return the protections that decisions about paying placed and that run still."""
    found: dict[AccountId, set[UUID]] = {}
    for account_id, protection_id in session.rows(
        RUNNING, {"accounts": list(account_ids), "now": now}
    ):
        found.setdefault(AccountId(account_id), set()).add(protection_id)
    return found


STEPS = """
SELECT c.account_id, c.plan_id, EXISTS (
        SELECT 1 FROM corrections AS x
        WHERE x.account_id = c.account_id AND x.number = c.event_number AND x.says IS NULL
    ), c.booked_on, CASE WHEN c.from_bucket = 0 THEN 1 ELSE -1 END, e.effective_on
FROM crossings AS c
JOIN events AS e ON e.account_id = c.account_id AND e.number = c.event_number
WHERE c.account_id = ANY(%(accounts)s::uuid[]) AND 0 IN (c.from_bucket, c.to_bucket)
ORDER BY c.account_id, c.event_number, c.plan_id LIMIT %(most)s
"""


def steps(session: Session, account_ids: Collection[AccountId]) -> dict[AccountId, list[Step]]:
    """Return when plans of some accounts became late, and late no more, in their order.

    A time of being late that was corrected is left out, its beginning and its end.
    """
    found: dict[AccountId, list[Step]] = {}
    excused: set[UUID] = set()  # plans in a time of being late that does not count
    asked = {"accounts": list(account_ids), "most": STEPS_MAX}
    for account_id, plan_id, is_corrected, *columns in session.rows(STEPS, asked):
        step = Step(*columns)
        if is_corrected and step.by > 0:
            excused.add(plan_id)
        elif step.by < 0 and plan_id in excused:
            excused.discard(plan_id)
        else:
            found.setdefault(AccountId(account_id), []).append(step)
    return found


COMING = """
SELECT account_id, SUM(amount_minor)::bigint FROM receipts
WHERE account_id = ANY(%(accounts)s::uuid[]) AND state = 'pending' GROUP BY account_id
"""


def coming(session: Session, account_ids: Collection[AccountId]) -> dict[AccountId, int]:
    """Return how much money of some accounts is on its way: paid, and not confirmed yet.

    Units: minor units of each account's currency.
    """
    rows = session.rows(COMING, {"accounts": list(account_ids)})
    return {AccountId(account_id): amount for account_id, amount in rows}
