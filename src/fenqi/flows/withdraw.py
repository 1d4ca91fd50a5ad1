"""The customer withdraws from the contract: what was used is paid, by the day, and no fee.

Within the days of the pack, whatever the product's settlement method. Fees that were paid count
towards what is owed; what is left of them, and what was sent above the quote, is the customer's
credit. Where nothing is left to pay, no money has to move.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import ClassVar

from fenqi.core.errors import FenqiError
from fenqi.core.terms.life import customer
from fenqi.core.terms.life.preview import Preview, preview
from fenqi.core.terms.operation import OperationKind
from fenqi.core.terms.schedule import check_principal
from fenqi.core.values.ids import ReceiptId
from fenqi.store import accounts, plans
from fenqi.store.accounts import Account
from fenqi.store.booking import Booking, Happening
from fenqi.store.commands import Inbox
from fenqi.store.ground import Ground
from fenqi.store.plans import PlanRecord
from fenqi.store.receipts import FinalMoney, Pinned


class Withdraw(FinalMoney, frozen=True, kw_only=True):
    """Withdraw from one purchase's contract with final money."""

    kind: ClassVar[str] = "withdraw"


@dataclass(frozen=True, slots=True)
class Withdrawn:
    """What was asked, the cost that need not be paid, and what is the customer's credit now."""

    receipt_id: str | None
    quote_minor: int
    saving_minor: int
    credit_minor: int


def withdraw(ground: Ground, commands: Sequence[Withdraw]) -> list[Withdrawn | FenqiError]:
    """End each command's plan as if only the days used had been agreed."""
    booking = Booking(ground)
    pinned = Pinned(booking)
    with ground.store.transaction() as session:
        locked = accounts.lock(session, {command.account_id for command in commands})
        inbox: Inbox[Withdraw, Withdrawn] = Inbox(session, commands, Withdrawn)
        keys = {(command.account_id, command.plan_id) for command in commands}
        found = plans.load(session, keys, ground.catalogue)
        for place, command in inbox.fresh():
            try:
                account = accounts.find(locked, command.account_id)
                record = plans.find(found, (command.account_id, command.plan_id))
                on = max(account.book.day_of(command.received_at), record.terms.starts_on)
                quote, shown = _quote(record, command, on)
            except FenqiError as refusal:
                inbox.refuse(place, refusal)
                continue
            receipt_id = ReceiptId(ground.ids.new()) if command.amount_minor else None
            happening = _tell(booking, account, command, quote, on)
            if receipt_id is not None:
                pinned.receive(happening, receipt_id, command)
            booking.change(
                happening,
                record,
                (OperationKind.WITHDRAW, command.amount_minor),
                charged_through=on - timedelta(days=1),
            )
            answer = Withdrawn(
                receipt_id=None if receipt_id is None else str(receipt_id),
                quote_minor=quote,
                saving_minor=-shown.cost_minor,
                credit_minor=shown.after.excess_minor - shown.before.excess_minor,
            )
            inbox.answer(place, account.account_id, answer)
        booking.write(session, inbox.kept(booking.now))
    return inbox.answers()


def _quote(record: PlanRecord, command: Withdraw, on: date) -> tuple[int, Preview]:
    """Return what withdrawing asks for, and what it makes of the plan.

    Errors: OperationUntimely after the days to withdraw, or if the amount is less;
    PrincipalOutOfRange.
    """
    if command.amount_minor:  # of a purchase that is paid back already nothing is sent
        check_principal(command.amount_minor)  # no debt is larger than what a plan can lend
    life = record.life()
    asked = customer.withdrawal(life, on)
    shown = preview(life, replace(asked, amount_minor=command.amount_minor))
    return asked.amount_minor, shown


def _tell(
    booking: Booking, account: Account, command: Withdraw, quote_minor: int, on: date
) -> Happening:
    return booking.event(
        account,
        "contract-withdrawn",
        payload={"plan_id": command.plan_id, "quote_minor": quote_minor},
        occurred_at=command.received_at,
        effective_on=on,
        actor=command.actor,
        command_key=command.key,
        topic="customer",
    )
