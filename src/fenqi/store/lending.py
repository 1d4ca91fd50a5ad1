"""Lending: goods were shipped, so a plan begins; `authorise` and `capture` share it."""

from dataclasses import dataclass
from datetime import datetime

from fenqi.core.account import POLICY
from fenqi.core.terms.cost import digest
from fenqi.core.terms.schedule import Terms
from fenqi.core.values.ids import MerchantId, OrderId, PlanId
from fenqi.store.accounts import Account
from fenqi.store.booking import Booking
from fenqi.store.ground import Ground
from fenqi.store.orders import CAPTURES
from fenqi.store.plans import PlanRecord
from fenqi.store.projections import Signed
from fenqi.store.rows import Rows


@dataclass(frozen=True, slots=True)
class Shipment:
    """What was shipped of which order, on what terms, and by whose command."""

    order_id: OrderId
    merchant_id: MerchantId
    agreement_version: int
    terms: Terms
    shipped_at: datetime
    actor: str
    command_key: str


class Lending:
    """The plans one batch begins, with their captures."""

    def __init__(self, ground: Ground, booking: Booking) -> None:
        self._ground = ground
        self._booking = booking
        self._captures = Rows(CAPTURES)
        booking.after_plans.append(self._captures)

    def begin(self, account: Account, shipment: Shipment) -> PlanId:
        """Book the plan of a shipment and return its id."""
        terms = shipment.terms
        record = PlanRecord.fresh(
            account_id=account.account_id,
            plan_id=PlanId(self._ground.ids.new()),
            merchant_id=shipment.merchant_id,
            agreement_version=shipment.agreement_version,
            pack=self._ground.catalogue.packs[account.book.pack, account.book.pack_version],
            terms=terms,
            excused=account.book.excused,
        )
        happening = self._booking.event(
            account,
            "purchase-captured",
            payload={
                "order_id": shipment.order_id,
                "plan_id": record.plan_id,
                "amount_minor": terms.principal_minor,
                "product": terms.product.product_id,
                "count": terms.count,
            },
            occurred_at=shipment.shipped_at,
            effective_on=terms.starts_on,
            actor=shipment.actor,
            command_key=shipment.command_key,
            topic="merchant",
        )
        self._booking.begin(happening, record, Signed(shipment.order_id, POLICY, digest(terms)))
        self._captures.add(
            account.account_id,
            self._ground.ids.new(),
            shipment.order_id,
            record.plan_id,
            terms.principal_minor,
            account.book.business_date,
        )
        return record.plan_id
