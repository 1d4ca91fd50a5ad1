"""The goods of an authorised order are shipped, whole or in parts; each part becomes a plan.

An order already authorised is captured even if the account was frozen since (P1).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar

from fenqi.core.errors import Conflict, FenqiError
from fenqi.core.servicing.statement import due_days
from fenqi.core.terms.pack import check_amount
from fenqi.core.terms.schedule import Frame
from fenqi.core.values.ids import AccountId, CaptureId, OrderId, PlanId
from fenqi.store import accounts, orders
from fenqi.store.accounts import Account
from fenqi.store.booking import Booking
from fenqi.store.commands import Command, Inbox
from fenqi.store.ground import Ground
from fenqi.store.lending import PURCHASE_CAPTURED, Begun, Lending, captured_text
from fenqi.store.orders import Order, OrderMissing


class CaptureAboveHold(Conflict):
    """More was shipped than is still held, or the hold has ended."""

    code = "capture-above-hold"


class Capture(Command, frozen=True, kw_only=True):
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
    lending = Lending()
    booking.others.append(lending)
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
                frame = _frame(ground, account, order, command)
            except FenqiError as refusal:
                inbox.refuse(place, refusal)
                continue
            account.held_minor -= command.amount_minor
            order.captured_minor += command.amount_minor
            changed[order.order_id] = order
            plan_id = _begin(ground, booking, lending, account, order, frame, command)
            inbox.answer(place, account.account_id, Captured(str(plan_id), order.held_minor))
        booking.write(session, orders.changed(changed.values()), inbox.kept(booking.now))
    return inbox.answers()


def _begin(
    ground: Ground,
    booking: Booking,
    lending: Lending,
    account: Account,
    order: Order,
    frame: Frame,
    command: Capture,
) -> PlanId:
    """Book the plan that begins with the shipped part; return its id."""
    plan_id, capture_id = PlanId(ground.ids.new()), CaptureId(ground.ids.new())
    begun = Begun(
        account=account,
        number=account.event_count + 1,
        plan_id=plan_id.bytes,
        capture_id=capture_id.bytes,
        order_id=order.order_id.bytes,
        merchant_id=order.merchant_id.bytes,
        agreement_version=order.agreement_version,
        policy=order.policy,
        policy_version=order.policy_version,
    )
    sale = lending.sell(frame, command.amount_minor, begun)
    booking.event(
        account,
        PURCHASE_CAPTURED,
        payload=captured_text(
            sale,
            order_id=str(order.order_id),
            plan_id=str(plan_id),
            merchant=order.merchant_id.hex,
        ),
        occurred_at=command.shipped_at,
        effective_on=frame.starts_on,
        actor=command.actor,
        command_key=command.key,
        topic="merchant",
    )
    account.principal_open_minor += command.amount_minor
    return plan_id


def _check(order: Order | None, command: Capture) -> Order:
    if order is None:
        raise OrderMissing(order=command.order_id)
    if not 0 < command.amount_minor <= order.held_minor:
        raise CaptureAboveHold(
            order=command.order_id, amount_minor=command.amount_minor, held_minor=order.held_minor
        )
    return order


def _frame(ground: Ground, account: Account, order: Order, command: Capture) -> Frame:
    """Return what the shipped part is signed as. Errors: CapBroken for too small a part."""
    book = account.book
    frame = Frame(
        product=ground.catalogue.products[order.product, order.product_version].at(order.price_ppm),
        count=order.count,
        starts_on=book.day_of_lending(command.shipped_at),
        due_on=due_days(account.cycle, book.business_date, order.count),
    )
    check_amount(frame, command.amount_minor, ground.catalogue.packs[book.pack, book.pack_version])
    return frame
