"""Receipts with their pinned lines, refunds, and final money that ends a plan."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from fenqi.core import ledger
from fenqi.core.errors import Missing
from fenqi.core.ledger import Transfer
from fenqi.core.servicing.excuse import Pending
from fenqi.core.values.ids import AccountId, PlanId, ReceiptId
from fenqi.store.booking import Booking, Happening
from fenqi.store.commands import Command
from fenqi.store.pool import Session
from fenqi.store.rows import Change, Rows, Table

RECEIPTS = Table(
    "receipts",
    "account_id uuid, receipt_id uuid, channel word, channel_reference text, amount_minor bigint,"
    "state word, received_at timestamptz, effective_on date, booked_on date",
)
RECEIPT_LINES = Table(
    "receipt_lines",
    "account_id uuid, receipt_id uuid, line smallint, plan_id uuid?, amount_minor bigint",
)
REFUNDS = Table(
    "refunds",
    "account_id uuid, refund_id uuid, plan_id uuid, order_id uuid, amount_minor bigint,"
    "cost_relieved_minor bigint, returned_minor bigint, booked_on date, effective_on date",
)


class ReceiptMissing(Missing):
    """No such receipt of this account."""

    code = "receipt-missing"


@dataclass(slots=True)
class Receipt:
    """One locked receipt."""

    account_id: AccountId
    receipt_id: ReceiptId
    channel: str
    amount_minor: int
    state: str
    received_at: datetime
    effective_on: date


LOCK = """
SELECT r.account_id, r.receipt_id, r.channel, r.amount_minor, r.state, r.received_at,
    r.effective_on
FROM receipts AS r
JOIN UNNEST(%(accounts)s::uuid[], %(receipts)s::uuid[]) AS asked (account_id, receipt_id)
    USING (account_id, receipt_id)
ORDER BY r.account_id, r.receipt_id FOR NO KEY UPDATE OF r
"""


def lock(
    session: Session, keys: Collection[tuple[AccountId, UUID]]
) -> dict[tuple[AccountId, UUID], Receipt]:
    """Return the receipts that exist, locked; their accounts are locked already."""
    asked = {"accounts": [one for one, _ in keys], "receipts": [one for _, one in keys]}
    return {(row[0], row[1]): Receipt(*row) for row in session.rows(LOCK, asked)}


STATES = Change("receipts", keys="account_id uuid, receipt_id uuid", columns="state word")


def changed(receipts: Iterable[Receipt]) -> Rows:
    """Return the rows of receipts whose state changed."""
    rows = Rows(STATES)
    for receipt in receipts:
        rows.add(receipt.account_id, receipt.receipt_id, receipt.state)
    return rows


COMING = """
SELECT account_id, receipt_id, amount_minor, effective_on FROM receipts
WHERE account_id = ANY(%(accounts)s::uuid[]) AND state = 'pending'
ORDER BY account_id, effective_on, receipt_id
"""


def coming(
    session: Session, account_ids: Collection[AccountId]
) -> dict[AccountId, dict[ReceiptId, Pending]]:
    """Return what is on its way to locked accounts, per account and receipt."""
    found: dict[AccountId, dict[ReceiptId, Pending]] = {one: {} for one in account_ids}
    for account_id, receipt_id, *money in session.rows(COMING, {"accounts": list(account_ids)}):
        found[account_id][receipt_id] = Pending(*money)
    return found


class FinalMoney(Command, frozen=True, kw_only=True):
    """Money that is there, sent to end one plan."""

    account_id: AccountId
    plan_id: PlanId
    channel: str
    channel_reference: str
    amount_minor: int
    received_at: datetime


class Pinned:
    """The receipts of one batch whose money is pinned to the plan it ends."""

    def __init__(self, booking: Booking) -> None:
        self._booking = booking
        self._receipts, self._lines = Rows(RECEIPTS), Rows(RECEIPT_LINES)
        booking.others += [self._receipts, self._lines]

    def receive(self, happening: Happening, receipt_id: ReceiptId, money: FinalMoney) -> None:
        """Book the money of an event with its receipt."""
        cash = Transfer(ledger.Account.CASH_SETTLED, ledger.Account.SUSPENSE, money.amount_minor)
        self._booking.transfer(happening, cash, channel=money.channel)
        self._receipts.add(
            money.account_id,
            receipt_id,
            money.channel,
            money.channel_reference,
            money.amount_minor,
            "final",
            money.received_at,
            happening.effective_on,
            happening.booked_on,
        )
        self._lines.add(money.account_id, receipt_id, 1, money.plan_id, money.amount_minor)
