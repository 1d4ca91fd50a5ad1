"""The goods of an authorised order are shipped, whole or in parts; each part becomes a plan.

An order already authorised is captured even if the account was frozen since (P1).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from fenqi.core.errors import Conflict, FenqiError
from fenqi.core.servicing.statement import due_days
from fenqi.core.terms.pack import check_plan
from fenqi.core.terms.schedule import Terms
from fenqi.core.values.ids import AccountId, OrderId
from fenqi.store import accounts, orders
from fenqi.store.accounts import Account
from fenqi.store.booking import Booking
from fenqi.store.commands import Command, Inbox
from fenqi.store.ground import Ground
from fenqi.store.lending import Lending, Shipment
from fenqi.store.orders import Order, OrderMissing


class CaptureAboveHold(Conflict):
    """More was shipped than is still held, or the hold has ended."""

    code = "capture-above-hold"


@dataclass(frozen=True, slots=True, kw_only=True)
class Capture(Command):
    """Begin a plan for a shipped part of an order."""

    kind: ClassVar[str] = "capture"
    account_id: AccountId
    order_id: OrderId
    amount_minor: int
    shipped_at: datetime


@dataclass(frozen=True, slots=True)
class Captured:
    """The plan that began, and what is still held."""

    plan_id: str
    held_minor: int


def capture(ground: Ground, commands: Sequence[Capture]) -> list[Captured | FenqiError]:
    """Capture each command's part of its order."""
    booking = Booking(ground)
    lending = Lending(ground, booking)
    with ground.store.transaction() as session:
        locked = accounts.lock(session, {command.account_id for command in commands})
        inbox: Inbox[Capture, Captured] = Inbox(session, commands, Captured)
        keys = {(command.account_id, command.order_id) for command in commands}
        found = orders.lock(session, keys)
        changed = {}
        for place, command in inbox.fresh():
            try:
                account = accounts.find(locked, command.account_id)
                order = _check(found.get((command.account_id, command.order_id)), command)
                terms = _terms(ground, account, order, command)
            except FenqiError as refusal:
                inbox.refuse(place, refusal)
                continue
            account.held_minor -= command.amount_minor
            order.captured_minor += command.amount_minor
            changed[order.order_id] = order
            shipment = Shipment(
                order_id=order.order_id,
                merchant_id=order.merchant_id,
                agreement_version=order.agreement_version,
                shown=lending.show(terms),
                shipped_at=command.shipped_at,
                actor=command.actor,
                command_key=command.key,
            )
            plan_id = lending.begin(account, shipment)
            inbox.answer(place, account.account_id, Captured(str(plan_id), order.held_minor))
        orders.update(session, changed.values())
        booking.write(session)
        inbox.keep(session, booking.now)
    return inbox.answers()


def _check(order: Order | None, command: Capture) -> Order:
    if order is None:
        raise OrderMissing(order=command.order_id)
    if not 0 < command.amount_minor <= order.held_minor:
        raise CaptureAboveHold(
            order=command.order_id, amount_minor=command.amount_minor, held_minor=order.held_minor
        )
    return order


def _terms(ground: Ground, account: Account, order: Order, command: Capture) -> Terms:
    """Return what the shipped part is signed as. Errors: CapBroken for too small a part."""
    book = account.book
    terms = Terms(
        product=ground.catalogue.products[order.product, order.product_version],
        count=order.count,
        principal_minor=command.amount_minor,
        starts_on=book.day_of_lending(command.shipped_at),
        due_on=due_days(account.cycle, book.business_date, order.count),
    )
    check_plan(terms, ground.catalogue.packs[book.pack, book.pack_version])
    return terms
