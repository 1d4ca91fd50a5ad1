"""Money of a customer arrives: a receipt is stored, allocated, and its lines are pinned.

Only final money pays. A pending debit is cash in transit against suspense: it pays nothing and
frees no limit until it is final, and then it counts from the day it was received, so the channel's
slowness never costs the customer a late charge. Meanwhile the days it is on its way are excused as
far as it pays what falls due; if it does not come for the customer's own reasons they count after
all, if a channel failed they stay excused until it is back (P5).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import ClassVar

from msgspec import UNSET, UnsetType

from fenqi.core import ledger
from fenqi.core.errors import Conflict, FenqiError, Invalid
from fenqi.core.ledger import Transfer
from fenqi.core.risk.fact import Cause
from fenqi.core.servicing.ageing import days_past_due
from fenqi.core.servicing.allocation import allocate
from fenqi.core.servicing.excuse import (
    ExcuseCause,
    Pending,
    Span,
    channel_excuse,
    money_excuses,
)
from fenqi.core.terms.operation import OperationKind
from fenqi.core.terms.schedule import PRINCIPAL_MINOR_MAX
from fenqi.core.values.ids import AccountId, ReceiptId
from fenqi.store import accounts, excuses, plans, receipts
from fenqi.store.accounts import Account
from fenqi.store.booking import Booking, Happening
from fenqi.store.commands import Command, Inbox
from fenqi.store.excuses import Excuses
from fenqi.store.ground import Ground
from fenqi.store.plans import PlanRecord
from fenqi.store.pool import Session
from fenqi.store.receipts import Receipt, ReceiptMissing
from fenqi.store.rows import Rows


class ReceiptInvalid(Invalid):
    """An amount of nothing or beyond any debt, or a first notice that the money was reversed."""

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
    final or reversed. `cause` says whose fault it is that money was reversed.
    """

    kind: ClassVar[str] = "receive"
    account_id: AccountId
    channel: str
    channel_reference: str
    amount_minor: int
    received_at: datetime
    state: MoneyState = MoneyState.FINAL
    receipt_id: ReceiptId | None = None
    cause: Cause | UnsetType = UNSET  # unset in what was sent before there was one: same digest


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
        till = _Till(ground, session, plans.owing(session, ids, ground.catalogue))
        till.look(locked, commands)
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

    def __init__(
        self, ground: Ground, session: Session, owing: dict[AccountId, list[PlanRecord]]
    ) -> None:
        self.ground, self._session = ground, session
        self.booking = Booking(ground)
        self._owing = owing
        self._excuses = Excuses(ground, self.booking, session)
        self._coming: dict[AccountId, dict[ReceiptId, Pending]] = {}
        self._receipts = Rows(receipts.RECEIPTS)
        self._lines = Rows(receipts.RECEIPT_LINES)
        self.booking.others += [self._receipts, self._lines]

    def look(self, locked: Mapping[AccountId, Account], commands: Sequence[Receive]) -> None:
        """Read what is on its way to accounts, of those to which it matters, and their excuses."""
        ids = {one.account_id for one in commands if one.state is MoneyState.PENDING}
        ids |= {one.account_id for one in commands if one.receipt_id is not None}
        ids |= {one for one, account in locked.items() if account.excused_on is not None}
        known = [locked[one] for one in sorted(ids & locked.keys())]
        if known:
            self._coming = receipts.coming(self._session, [one.account_id for one in known])
            self._excuses.know(known)

    def take(self, account: Account, command: Receive) -> Received:
        """Book a new receipt. Errors: ReceiptInvalid."""
        if (
            not 1 <= command.amount_minor <= PRINCIPAL_MINOR_MAX
            or command.state is MoneyState.REVERSED
        ):
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
            happening = self._move(account, receipt, command, "receipt-pending", _PENDING)
            coming = self._coming.setdefault(account.account_id, {})
            coming[receipt.receipt_id] = Pending(receipt.amount_minor, receipt.effective_on)
            self._excuse(account, happening, works=receipt)
            return Received(str(receipt.receipt_id), 0, 0)
        happening = self._move(account, receipt, command, "receipt-final", _FINAL)
        received = self._pay_in_time(happening, receipt)
        if account.account_id in self._coming:
            self._excuse(account, happening, works=receipt)
        return received

    def confirm(self, account: Account, receipt: Receipt | None, command: Receive) -> Received:
        """Make a pending receipt final or reversed. Errors: ReceiptMissing, ReceiptSettled."""
        if receipt is None:
            raise ReceiptMissing(receipt=command.receipt_id)
        if receipt.state != MoneyState.PENDING or command.state is MoneyState.PENDING:
            raise ReceiptSettled(receipt=receipt.receipt_id, state=receipt.state)
        receipt.state = command.state.value
        self._coming[account.account_id].pop(receipt.receipt_id, None)
        if command.state is MoneyState.REVERSED:
            happening = self._move(account, receipt, command, "receipt-reversed", _REVERSED)
            spans: list[Span] = []
            if command.cause is Cause.CHANNEL:
                days_max = self._excuses.pack_of(account).excused_days_max
                spans = [channel_excuse(receipt.effective_on, days_max)]
            self._excuse(account, happening, spans, channel=receipt.channel)
            return Received(str(receipt.receipt_id), 0, 0)
        happening = self._move(account, receipt, command, "receipt-final", _CONFIRMED)
        received = self._pay_in_time(happening, receipt)
        self._excuse(account, happening, works=receipt)
        return received

    def _excuse(
        self,
        account: Account,
        happening: Happening,
        spans: Sequence[Span] = (),
        *,
        channel: str | None = None,
        works: Receipt | None = None,
    ) -> None:
        """Bring the days excused in step with what is on its way now.

        `spans` are of a channel that failed, `works` is what a channel brought.
        """
        owing = self._owing.get(account.account_id, [])
        coming = self._coming.get(account.account_id, {}).values()
        days_max = self._excuses.pack_of(account).excused_days_max
        wanted = money_excuses(coming, excuses.owed_by(owing), days_max)
        stand = self._excuses.of(account, ExcuseCause.MONEY)
        failed = self._excuses.of(account, ExcuseCause.CHANNEL) if works else []
        spans_there = [one.span for one in (*stand, *failed)]
        if not failed and not spans and [one.span for one in stand] == wanted:
            return
        since = min(span.from_on for span in (*wanted, *spans, *spans_there))
        records = self._touched(account, since)
        self._excuses.end(account, happening, stand)
        self._excuses.begin(account, happening, ExcuseCause.MONEY, wanted)
        if works:
            self._excuses.back(account, happening, works.channel, works.effective_on)
        self._excuses.begin(account, happening, ExcuseCause.CHANNEL, spans, channel=channel)
        self._excuses.carry(account, happening, records)

    def _touched(self, account: Account, since: date) -> list[PlanRecord]:
        """Return the plans that excused days since one may change."""
        owing = self._owing.get(account.account_id, [])
        if since > account.book.business_date:
            return owing  # no day of the past is among them
        found = excuses.touched(self._session, {account.account_id: since}, self.ground)
        records = excuses.merged(owing, found[account.account_id])
        self._owing[account.account_id] = records
        return records

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
        on = receipt.effective_on
        owing = self._owing.get(account.account_id, [])
        oldest = min((one.oldest_due_on for one in owing if one.oldest_due_on), default=None)
        due = sum(debt.claim_minor for one in owing for debt in one.debts() if debt.due_on <= on)
        return {
            "overdue_days": days_past_due(oldest, on, account.excused),
            "is_partial": int(receipt.amount_minor < due),
        }

    def _pay_in_time(self, happening: Happening, receipt: Receipt) -> Received:
        """Pay; what was told of the days since money came, as if it had not, is corrected."""
        account = happening.account
        waited = (account.book.business_date - receipt.effective_on).days
        if not waited:
            return self._pay(happening, receipt)
        records = self._owing.get(account.account_id, [])
        money = Pending(receipt.amount_minor, receipt.effective_on)
        spans = money_excuses([money], excuses.owed_by(records), waited)
        received = self._pay(happening, receipt)
        before = account.excused
        after = before.union(*(span.days for span in spans))
        self._excuses.review(account, happening, records, before=before, after=after)
        return received

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
