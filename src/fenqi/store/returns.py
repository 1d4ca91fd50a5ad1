"""Goods that go back: what a refund takes off an order and its plans, and how that is booked.

A refund that reaches what another plan took over is a refund of that plan too. The order of relief
is the written one (docs/adr/0006-give-refunds-as-if-never-lent.md).
"""

from collections.abc import Sequence
from datetime import datetime, timedelta

from fenqi.core.errors import Conflict
from fenqi.core.terms.life.view import View, moved_back
from fenqi.core.terms.operation import OperationKind
from fenqi.core.terms.product import Component
from fenqi.core.values.ids import OrderId
from fenqi.store.accounts import Account
from fenqi.store.bills import Taken
from fenqi.store.booking import Booking, Happening
from fenqi.store.commands import Command
from fenqi.store.ground import Ground
from fenqi.store.orders import Order
from fenqi.store.plans import PlanRecord
from fenqi.store.receipts import REFUNDS
from fenqi.store.rows import Rows


class RefundAboveOrder(Conflict):
    """More is taken back than the order still stands for."""

    code = "refund-above-order"


def shares_of(
    order: Order, records: Sequence[PlanRecord], amount_minor: int
) -> tuple[int, list[tuple[PlanRecord, int]]]:
    """Return what a refund takes off the hold, and off each of the order's plans, newest first.

    Units: minor units.
    Errors: RefundAboveOrder.
    """
    left = order.held_minor + sum(refundable(record) for record in records)
    if not 0 < amount_minor <= left:
        raise RefundAboveOrder(order=order.order_id, amount_minor=amount_minor, left_minor=left)
    released = min(amount_minor, order.held_minor)
    left, shares = amount_minor - released, []
    for record in reversed(records):
        share = min(left, refundable(record))
        if share:
            left -= share
            shares.append((record, share))
    return released, shares


def refundable(record: PlanRecord) -> int:
    """Return how much of a plan's goods was not given back yet. Units: minor units."""
    return record.terms.principal_minor - record.projection().refunded_minor


class Returns:
    """Where one batch's goods go back; `taken` are the plans that took over debts of others."""

    def __init__(self, ground: Ground, booking: Booking, taken: Taken) -> None:
        self._ids = ground.ids
        self._booking = booking
        self._taken = taken
        self._refunds = Rows(REFUNDS)
        booking.others.append(self._refunds)

    def take_back(
        self,
        account: Account,
        record: PlanRecord,
        amount_minor: int,
        *,
        order_id: OrderId,
        returned_at: datetime,
        cause: Command,
    ) -> tuple[int, int]:
        """Refund a part of one plan; return the cost relieved and the money that goes back."""
        on = max(account.book.day_of(returned_at), record.terms.starts_on)
        happening = self._booking.event(
            account,
            "purchase-refunded",
            payload={
                "order_id": order_id,
                "plan_id": record.plan_id,
                "amount_minor": amount_minor,
            },
            occurred_at=returned_at,
            effective_on=on,
            actor=cause.actor,
            command_key=cause.key,
            topic="merchant",
        )
        cost, returned = self._relieve(happening, record, amount_minor)
        self._refunds.add(
            record.account_id,
            self._ids.new(),
            record.plan_id,
            order_id,
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
        after = self._booking.change(
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
    """Return the cost of a plan that was relieved so far. Units: minor units."""
    return sum(
        plan.total("relieved", component) for component in (Component.INTEREST, Component.FEE)
    )
