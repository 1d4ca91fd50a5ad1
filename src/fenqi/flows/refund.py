"""The merchant takes goods back: the customer pays nothing for what was returned.

The order of relief is the written one: what is still held, unbilled parts, billed unpaid parts,
what another plan took over, then money back to where it came from. A refund that reaches what was
taken over is a refund of the other plan too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar

from fenqi.core.errors import Conflict, FenqiError
from fenqi.core.terms.life.view import View, moved_back
from fenqi.core.terms.operation import OperationKind
from fenqi.core.terms.product import Component
from fenqi.core.values.ids import AccountId, OrderId
from fenqi.store import accounts, bills, orders, plans
from fenqi.store.accounts import Account
from fenqi.store.bills import Taken
from fenqi.store.booking import Booking, Happening
from fenqi.store.commands import Command, Inbox
from fenqi.store.ground import Ground
from fenqi.store.orders import Order, OrderMissing
from fenqi.store.plans import PlanRecord
from fenqi.store.receipts import REFUNDS
from fenqi.store.rows import Rows


class RefundAboveOrder(Conflict):
    """More is taken back than the order still stands for."""

    code = "refund-above-order"


class Refund(Command, frozen=True, kw_only=True):
    """Take back goods of an order."""

    kind: ClassVar[str] = "refund"
    account_id: AccountId
    order_id: OrderId
    amount_minor: int
    returned_at: datetime


@dataclass(frozen=True, slots=True)
class Refunded:
    """What the customer need no longer pay, and what goes back to them."""

    principal_minor: int
    cost_minor: int
    returned_minor: int
    released_minor: int


def refund(ground: Ground, commands: Sequence[Refund]) -> list[Refunded | FenqiError]:
    """Refund each command's order, newest plan first if it was captured in parts."""
    with ground.store.transaction() as session:
        locked = accounts.lock(session, {command.account_id for command in commands})
        inbox: Inbox[Refund, Refunded] = Inbox(session, commands, Refunded)
        keys = {(command.account_id, command.order_id) for command in commands}
        found = orders.lock(session, keys)
        by_order = plans.of_orders(session, keys, ground.catalogue)
        parents = [record for records in by_order.values() for record in records]
        counter = _Counter(ground, bills.taken_over(session, parents, ground.catalogue))
        changed = {}
        for place, command in inbox.fresh():
            try:
                account = accounts.find(locked, command.account_id)
                order = found.get((command.account_id, command.order_id))
                if order is None:
                    raise OrderMissing(order=command.order_id)
                records = by_order.get((command.account_id, command.order_id), [])
                _check(order, records, command)
            except FenqiError as refusal:
                inbox.refuse(place, refusal)
                continue
            changed[order.order_id] = order
            answer = counter.refund(account, order, records, command)
            inbox.answer(place, account.account_id, answer)
        now = counter.booking.now
        counter.booking.write(session, orders.changed(changed.values()), inbox.kept(now))
    return inbox.answers()


def _refundable(record: PlanRecord) -> int:
    return record.terms.principal_minor - record.projection().refunded_minor


def _check(order: Order, records: Sequence[PlanRecord], command: Refund) -> None:
    left = order.held_minor + sum(_refundable(record) for record in records)
    if not 0 < command.amount_minor <= left:
        raise RefundAboveOrder(
            order=order.order_id, amount_minor=command.amount_minor, left_minor=left
        )


class _Counter:
    """Where one batch's refunds are booked."""

    def __init__(self, ground: Ground, taken: Taken) -> None:
        self.ground = ground
        self._taken = taken
        self.booking = Booking(ground)
        self._refunds = Rows(REFUNDS)
        self.booking.others += [self._refunds]

    def refund(
        self, account: Account, order: Order, records: Sequence[PlanRecord], command: Refund
    ) -> Refunded:
        """Release what is held, then take the rest off the order's plans."""
        released = min(command.amount_minor, order.held_minor)
        order.released_minor += released
        account.held_minor -= released
        left = command.amount_minor - released
        cost = returned = 0
        for record in reversed(records):
            part = min(left, _refundable(record))
            if part:
                left -= part
                relieved, freed = self._take_back(account, record, part, command)
                cost += relieved
                returned += freed
        if released == command.amount_minor:
            self.booking.event(
                account,
                "hold-released",
                payload={"order_id": order.order_id, "amount_minor": released},
                occurred_at=command.returned_at,
                actor=command.actor,
                command_key=command.key,
                topic="merchant",
            )
        return Refunded(command.amount_minor - released, cost, returned, released)

    def _take_back(
        self, account: Account, record: PlanRecord, amount_minor: int, command: Refund
    ) -> tuple[int, int]:
        """Refund a part of one plan; return the cost relieved and the money that goes back."""
        on = max(account.book.day_of(command.returned_at), record.terms.starts_on)
        happening = self.booking.event(
            account,
            "purchase-refunded",
            payload={
                "order_id": command.order_id,
                "plan_id": record.plan_id,
                "amount_minor": amount_minor,
            },
            occurred_at=command.returned_at,
            effective_on=on,
            actor=command.actor,
            command_key=command.key,
            topic="merchant",
        )
        cost, returned = self._relieve(happening, record, amount_minor)
        self._refunds.add(
            record.account_id,
            self.ground.ids.new(),
            record.plan_id,
            command.order_id,
            amount_minor,
            cost,
            returned,
            happening.booked_on,
            on,
        )
        return cost, returned

    def _relieve(
        self, happening: Happening, record: PlanRecord, amount_minor: int
    ) -> tuple[int, int]:
        """Refund a plan, and each plan that took over what this reaches, as much."""
        before, number = record.projection(), len(record.operations) + 1
        on = max(happening.effective_on, record.terms.starts_on)
        after = self.booking.change(
            happening,
            record,
            (OperationKind.REFUND, amount_minor),
            charged_through=on - timedelta(days=1),
        )
        cost = _cost_relieved(after) - _cost_relieved(before)
        returned = after.returned_minor - before.returned_minor
        for bill, moved in moved_back(after, number).items():
            other = self._taken[record.account_id, record.plan_id, bill]
            relieved, freed = self._relieve(happening, other, moved)
            cost += relieved
            returned += freed
        return cost, returned


def _cost_relieved(plan: View) -> int:
    """Return the cost relieved so far."""
    return sum(
        plan.total("relieved", component) for component in (Component.INTEREST, Component.FEE)
    )
