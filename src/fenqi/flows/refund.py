"""The merchant takes goods back: the customer pays nothing for what was returned.

The order of relief is the written one: what is still held, unbilled parts, billed unpaid parts,
what another plan took over, then money back to where it came from. A refund that reaches what was
taken over is a refund of the other plan too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from fenqi.core.errors import FenqiError
from fenqi.core.values.ids import AccountId, OrderId
from fenqi.store import accounts, bills, orders, plans
from fenqi.store.accounts import Account
from fenqi.store.bills import Taken
from fenqi.store.booking import Booking
from fenqi.store.commands import Command, Inbox
from fenqi.store.ground import Ground
from fenqi.store.orders import Order, OrderMissing
from fenqi.store.plans import PlanRecord
from fenqi.store.returns import Returns, shares_of


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
                shares_of(order, records, command.amount_minor)  # refuses what cannot be
            except FenqiError as refusal:
                inbox.refuse(place, refusal)
                continue
            changed[order.order_id] = order
            answer = counter.refund(account, order, records, command)
            inbox.answer(place, account.account_id, answer)
        now = counter.booking.now
        counter.booking.write(session, orders.changed(changed.values()), inbox.kept(now))
    return inbox.answers()


class _Counter:
    """Where one batch's refunds are booked."""

    def __init__(self, ground: Ground, taken: Taken) -> None:
        self.booking = Booking(ground)
        self._returns = Returns(ground, self.booking, taken)

    def refund(
        self, account: Account, order: Order, records: Sequence[PlanRecord], command: Refund
    ) -> Refunded:
        """Release what is held, then take the rest off the order's plans."""
        released, shares = shares_of(order, records, command.amount_minor)
        order.released_minor += released
        account.held_minor -= released
        cost = returned = 0
        for record, share in shares:
            relieved, freed = self._returns.take_back(
                account,
                record,
                share,
                order_id=command.order_id,
                returned_at=command.returned_at,
                cause=command,
            )
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
