"""The customer ends a plan early: the cost of time not used is waived, the rest is paid.

The quote is `core.terms.replay.settle_quote`; the amount sent must cover the quote of the day the
money was received, and what is above it becomes credit balance.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import ClassVar

from fenqi.core.errors import Conflict, FenqiError
from fenqi.core.servicing.ageing import days_past_due
from fenqi.core.terms.life.state import Kind, Status
from fenqi.core.terms.life.view import View
from fenqi.core.terms.operation import OperationKind
from fenqi.core.terms.replay import settle_quote
from fenqi.core.terms.schedule import check_principal
from fenqi.core.values.ids import ReceiptId
from fenqi.store import accounts, plans
from fenqi.store.accounts import Account
from fenqi.store.booking import Booking
from fenqi.store.commands import Inbox
from fenqi.store.ground import Ground
from fenqi.store.plans import PlanRecord
from fenqi.store.receipts import FinalMoney, Pinned


class PlanNotRunning(Conflict):
    """Only a running plan can be settled early."""

    code = "plan-not-running"


class SettlementShort(Conflict):
    """The amount does not cover the quote."""

    code = "settlement-short"


class Settle(FinalMoney, frozen=True, kw_only=True):
    """Pay a plan off with final money."""

    kind: ClassVar[str] = "settle"


@dataclass(frozen=True, slots=True)
class Settled:
    """What was asked, and the cost that was waived."""

    receipt_id: str
    quote_minor: int
    waived_minor: int


def settle(ground: Ground, commands: Sequence[Settle]) -> list[Settled | FenqiError]:
    """Settle each command's plan."""
    booking = Booking(ground)
    pinned = Pinned(booking)
    with ground.store.transaction() as session:
        locked = accounts.lock(session, {command.account_id for command in commands})
        inbox: Inbox[Settle, Settled] = Inbox(session, commands, Settled)
        keys = {(command.account_id, command.plan_id) for command in commands}
        found = plans.load(session, keys, ground.catalogue)
        for place, command in inbox.fresh():
            try:
                account = accounts.find(locked, command.account_id)
                record = plans.find(found, (command.account_id, command.plan_id))
                quote = _quote(account, record, command)
            except FenqiError as refusal:
                inbox.refuse(place, refusal)
                continue
            answer = _book(ground, booking, pinned, account, record, command, quote)
            inbox.answer(place, account.account_id, answer)
        booking.write(session, inbox.kept(booking.now))
    return inbox.answers()


def quote_of(record: PlanRecord, on: date) -> int:
    """Return what ending a stored plan on a day asks for. Units: minor units.

    Errors: PlanNotRunning.
    """
    if record.state is not Status.ACTIVE:
        raise PlanNotRunning(plan=record.plan_id, state=record.state.value)
    return settle_quote(record.terms, record.operations, on, excused=record.excused)


def _quote(account: Account, record: PlanRecord, command: Settle) -> int:
    on = max(account.book.day_of(command.received_at), record.terms.starts_on)
    check_principal(command.amount_minor)  # no debt is larger than what a plan can lend
    quote = quote_of(record, on)
    if command.amount_minor < quote:
        raise SettlementShort(
            plan=record.plan_id, amount_minor=command.amount_minor, quote_minor=quote
        )
    return quote


def _book(
    ground: Ground,
    booking: Booking,
    pinned: Pinned,
    account: Account,
    record: PlanRecord,
    command: Settle,
    quote: int,
) -> Settled:
    on = max(account.book.day_of(command.received_at), record.terms.starts_on)
    receipt_id = ReceiptId(ground.ids.new())
    happening = booking.event(
        account,
        "plan-settled",
        payload={
            "plan_id": record.plan_id,
            "quote_minor": quote,
            "receipt_id": receipt_id,
            "amount_minor": command.amount_minor,
            "overdue_days": days_past_due(record.oldest_due_on, on, record.excused),
        },
        occurred_at=command.received_at,
        effective_on=on,
        actor=command.actor,
        command_key=command.key,
        topic="notice",
    )
    pinned.receive(happening, receipt_id, command)
    before = record.projection()
    after = booking.change(
        happening,
        record,
        (OperationKind.SETTLE, command.amount_minor),
        charged_through=on - timedelta(days=1),
    )
    waived = _waived(after) - _waived(before)
    return Settled(str(receipt_id), quote, waived)


def _waived(plan: View) -> int:
    return sum(plan.relieved_by().get(Kind.SETTLEMENT, ()))
