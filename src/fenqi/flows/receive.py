"""Money of a customer arrives: a receipt is stored, allocated, and its lines are pinned.

Only final money pays. A pending debit is cash in transit against suspense: it pays nothing and
frees no limit until it is final, and then it counts from the day it was received, so the channel's
slowness never costs the customer a late charge.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import ClassVar

from fenqi.core import ledger
from fenqi.core.errors import Conflict, FenqiError, Invalid
from fenqi.core.ledger import Transfer
from fenqi.core.servicing.ageing import days_past_due
from fenqi.core.servicing.allocation import allocate
from fenqi.core.terms.operation import OperationKind
from fenqi.core.values.ids import AccountId, ReceiptId
from fenqi.store import accounts, plans, receipts
from fenqi.store.accounts import Account
from fenqi.store.booking import Booking, Happening
from fenqi.store.commands import Command, Inbox
from fenqi.store.ground import Ground
from fenqi.store.plans import PlanRecord
from fenqi.store.receipts import Receipt, ReceiptMissing
from fenqi.store.rows import Rows


class ReceiptInvalid(Invalid):
    """An amount that is not above zero, or a first notice that says the money was reversed."""

    code = "receipt-invalid"


class ReceiptSettled(Conflict):
    """The receipt is not pending any more."""

    code = "receipt-settled"


class MoneyState(StrEnum):
    """How sure the money is."""

    PENDING = "pending"
    FINAL = "final"
    REVERSED = "reversed"


class Receive(Command, frozen=True, kw_only=True):
    """A channel's notice about money of an account.

    Without `receipt_id` it is a new receipt, pending or final; with one, a pending receipt becomes
    final or reversed.
    """

    kind: ClassVar[str] = "receive"
    account_id: AccountId
    channel: str
    channel_reference: str
    amount_minor: int
    received_at: datetime
    state: MoneyState = MoneyState.FINAL
    receipt_id: ReceiptId | None = None


@dataclass(frozen=True, slots=True)
class Received:
    """The receipt, what of it paid plans, and what became credit balance."""

    receipt_id: str
    paid_minor: int
    credit_minor: int


def receive(ground: Ground, commands: Sequence[Receive]) -> list[Received | FenqiError]:
    """Book each notice of the batch in order."""
    with ground.store.transaction() as session:
        ids = {command.account_id for command in commands}
        locked = accounts.lock(session, ids)
        inbox: Inbox[Receive, Received] = Inbox(session, commands, Received)
        known = receipts.lock(
            session,
            {(one.account_id, one.receipt_id) for one in commands if one.receipt_id is not None},
        )
        till = _Till(ground, plans.owing(session, ids, ground.catalogue))
        changed = []
        for place, command in inbox.fresh():
            try:
                account = accounts.find(locked, command.account_id)
                if command.receipt_id is None:
                    answer = till.take(account, command)
                else:
                    receipt = known.get((command.account_id, command.receipt_id))
                    answer = till.confirm(account, receipt, command)
                    if receipt is not None:
                        changed.append(receipt)
            except FenqiError as refusal:
                inbox.refuse(place, refusal)
                continue
            inbox.answer(place, account.account_id, answer)
        now = till.booking.now
        till.booking.write(session, receipts.changed(changed), inbox.kept(now))
    return inbox.answers()


class _Till:
    """Where one batch's money is counted and booked."""

    def __init__(self, ground: Ground, owing: dict[AccountId, list[PlanRecord]]) -> None:
        self.ground = ground
        self.booking = Booking(ground)
        self._owing = owing
        self._receipts = Rows(receipts.RECEIPTS)
        self._lines = Rows(receipts.RECEIPT_LINES)
        self.booking.others += [self._receipts, self._lines]

    def take(self, account: Account, command: Receive) -> Received:
        """Book a new receipt. Errors: ReceiptInvalid."""
        if command.amount_minor < 1 or command.state is MoneyState.REVERSED:
            raise ReceiptInvalid(amount_minor=command.amount_minor, state=command.state.value)
        receipt = Receipt(
            account.account_id,
            ReceiptId(self.ground.ids.new()),
            command.channel,
            command.amount_minor,
            command.state.value,
            command.received_at,
            account.book.day_of(command.received_at),
        )
        self._receipts.add(
            receipt.account_id,
            receipt.receipt_id,
            receipt.channel,
            command.channel_reference,
            receipt.amount_minor,
            receipt.state,
            receipt.received_at,
            receipt.effective_on,
            account.book.business_date,
        )
        if command.state is MoneyState.PENDING:
            self._move(account, receipt, command, "receipt-pending", _PENDING)
            return Received(str(receipt.receipt_id), 0, 0)
        happening = self._move(account, receipt, command, "receipt-final", _FINAL)
        return self._pay(happening, receipt)

    def confirm(self, account: Account, receipt: Receipt | None, command: Receive) -> Received:
        """Make a pending receipt final or reversed. Errors: ReceiptMissing, ReceiptSettled."""
        if receipt is None:
            raise ReceiptMissing(receipt=command.receipt_id)
        if receipt.state != MoneyState.PENDING or command.state is MoneyState.PENDING:
            raise ReceiptSettled(receipt=receipt.receipt_id, state=receipt.state)
        receipt.state = command.state.value
        if command.state is MoneyState.REVERSED:
            self._move(account, receipt, command, "receipt-reversed", _REVERSED)
            return Received(str(receipt.receipt_id), 0, 0)
        happening = self._move(account, receipt, command, "receipt-final", _CONFIRMED)
        return self._pay(happening, receipt)

    def _move(
        self,
        account: Account,
        receipt: Receipt,
        command: Receive,
        kind: str,
        pair: tuple[ledger.Account, ledger.Account],
    ) -> Happening:
        happening = self.booking.event(
            account,
            kind,
            payload={
                "receipt_id": receipt.receipt_id,
                "amount_minor": receipt.amount_minor,
                "channel": receipt.channel,
                **(self._punctuality(account, receipt) if kind == "receipt-final" else {}),
            },
            occurred_at=command.received_at,
            effective_on=receipt.effective_on,
            actor=command.actor,
            command_key=command.key,
        )
        transfer = Transfer(*pair, receipt.amount_minor)
        self.booking.transfer(happening, transfer, channel=receipt.channel)
        return happening

    def _punctuality(self, account: Account, receipt: Receipt) -> dict[str, int]:
        """Return how late money came, and whether it is less than what was due by its day."""
        on, book = receipt.effective_on, account.book
        owing = self._owing.get(account.account_id, [])
        oldest = min((one.oldest_due_on for one in owing if one.oldest_due_on), default=None)
        due = sum(debt.claim_minor for one in owing for debt in one.debts() if debt.due_on <= on)
        return {
            "overdue_days": days_past_due(oldest, on, book.excused),
            "is_partial": int(receipt.amount_minor < due),
        }

    def _pay(self, happening: Happening, receipt: Receipt) -> Received:
        """Allocate final money over the account's plans and pin the lines.

        What fell due since the money was received may be paid by it too; it counts from its own
        day, so that a channel's slowness costs no late charge on any of them.
        """
        account, on = happening.account, receipt.effective_on
        credit_before = account.credit_minor
        owing = self._owing.get(account.account_id, [])
        charged = on - timedelta(days=1)
        for record in owing:
            if record.oldest_due_on and record.oldest_due_on < on:
                self.booking.change(happening, record, charged_through=charged)
        debts = [debt for record in owing for debt in record.debts()]
        parts, rest = allocate(receipt.amount_minor, debts, account.book.business_date)
        by_plan = {record.plan_id: record for record in owing}
        for line, (plan_id, amount) in enumerate(parts.items(), start=1):
            self.booking.change(
                happening,
                by_plan[plan_id],
                (OperationKind.REPAY, amount),
                charged_through=charged,
            )
            self._lines.add(account.account_id, receipt.receipt_id, line, plan_id, amount)
        if rest:
            account.credit_minor += rest
            self._lines.add(account.account_id, receipt.receipt_id, len(parts) + 1, None, rest)
            to_credit = Transfer(ledger.Account.SUSPENSE, ledger.Account.CREDIT_BALANCE, rest)
            self.booking.transfer(happening, to_credit)
        credit = account.credit_minor - credit_before  # with what a late charge no longer asks for
        return Received(str(receipt.receipt_id), receipt.amount_minor - credit, credit)


_PENDING = (ledger.Account.CASH_IN_TRANSIT, ledger.Account.SUSPENSE)
_FINAL = (ledger.Account.CASH_SETTLED, ledger.Account.SUSPENSE)
_CONFIRMED = (ledger.Account.CASH_SETTLED, ledger.Account.CASH_IN_TRANSIT)
_REVERSED = (ledger.Account.SUSPENSE, ledger.Account.CASH_IN_TRANSIT)
