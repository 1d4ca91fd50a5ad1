"""Lending: goods were shipped, so plans begin; `authorise` and `capture` share it.

A checkout rush begins hundreds of plans at once, so what signing makes of them is computed as
arrays (`core.terms.batch.sign`) and goes to the tables as columns. It equals what a replay of the
one operation would say, which the ledger check compares plan by plan.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

import numpy as np
from numpy.typing import NDArray

from fenqi.core.account import POLICY
from fenqi.core.ledger import COST_DEFERRED, DISCOUNT_TAKEN, PRINCIPAL_LENT, Pair
from fenqi.core.terms.batch.arrays import Minor
from fenqi.core.terms.batch.schedule import Signed, sign
from fenqi.core.terms.cost import CostKind, digest_of, product_head
from fenqi.core.terms.operation import OperationKind
from fenqi.core.terms.product import Component, Product, ScheduleKind
from fenqi.core.terms.replay import PlanState
from fenqi.core.terms.schedule import Terms
from fenqi.core.values.ids import MerchantId, OrderId, PlanId
from fenqi.store.accounts import Account
from fenqi.store.booking import Booking, Happening
from fenqi.store.columns import ids
from fenqi.store.ground import Ground
from fenqi.store.orders import CAPTURES, Shown
from fenqi.store.pool import Session
from fenqi.store.rows import Rows, Table, array_text

PLANS = Table(
    "plans",
    "account_id uuid, plan_id uuid, order_id uuid, merchant_id uuid, product word,"
    "product_version integer, pack word, pack_version integer, policy word,"
    "policy_version integer, agreement_version integer, shown_sha256 text, count smallint,"
    "principal_minor bigint, cost_minor bigint, cost_line word, starts_on date, due_on word>date[],"
    "version integer, operation_count integer, state word, principal_open_minor bigint,"
    "oldest_due_on date, unbilled_due_on date, charged_through date, recognised_through date,"
    "is_earning boolean",
)
INSTALMENTS = Table(
    "instalments",
    "account_id uuid, plan_id uuid, number smallint, starts_on date, due_on date,"
    "open_minor bigint, principal_due_minor bigint, interest_due_minor bigint,"
    "fee_due_minor bigint",
)
# A new plan's own operation and lines: no NULL among them, so no column needs a code per row.
DISBURSEMENTS = Table(
    "operations",
    "account_id uuid, plan_id uuid, number integer, kind word, is_derived boolean,"
    "effective_on date, booked_on date, amount_minor bigint, cause_number bigint",
)
LENDING_LINES = Table(
    "transfers",
    "account_id uuid, event_number bigint, line smallint, booked_on date, effective_on date,"
    "debit word, credit word, amount_minor bigint, currency word, plan_id uuid, merchant_id uuid",
)
COST_LINE = {
    ScheduleKind.FREE: None,
    ScheduleKind.FLAT_FEE: CostKind.FLAT_FEE.value,
    ScheduleKind.ANNUITY: CostKind.INTEREST.value,
}


@dataclass(frozen=True, slots=True)
class Shipment:
    """What was shipped of which order, on what terms, and by whose command."""

    order_id: OrderId
    merchant_id: MerchantId
    agreement_version: int
    shown: Shown
    shipped_at: datetime
    actor: str
    command_key: str


@dataclass(frozen=True, slots=True)
class _Begun:
    """A plan that begins in this batch."""

    plan_id: PlanId
    shipment: Shipment
    happening: Happening


class Lending:
    """The plans one batch begins, with their captures, and what its customers were shown."""

    def __init__(self, ground: Ground, booking: Booking) -> None:
        self._ground = ground
        self._booking = booking
        self._shown: dict[tuple[str, int, int], list[Shown]] = defaultdict(list)
        self._begun: dict[int, _Begun] = {}  # by identity of what was shown
        booking.others.append(self)

    def show(self, terms: Terms) -> Shown:
        """Take up terms that a customer was shown."""
        shown = Shown(terms)
        product = terms.product
        self._shown[product.product_id, product.version, terms.count].append(shown)
        return shown

    def begin(self, account: Account, shipment: Shipment) -> PlanId:
        """Book the plan of a shipment, whose terms were shown to nobody else; return its id."""
        terms = shipment.shown.terms
        plan_id = PlanId(self._ground.ids.new())
        happening = self._booking.event(
            account,
            "purchase-captured",
            payload={
                "order_id": shipment.order_id,
                "plan_id": plan_id,
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
        account.principal_open_minor += terms.principal_minor
        self._begun[id(shipment.shown)] = _Begun(plan_id, shipment, happening)
        return plan_id

    def send(self, session: Session) -> None:
        """Send the plans, and write each digest on what was shown."""
        plans, instalments, captures = Rows(PLANS), Rows(INSTALMENTS), Rows(CAPTURES)
        operations, lines = Rows(DISBURSEMENTS), Rows(LENDING_LINES)
        for shown in self._shown.values():
            product, count = shown[0].terms.product, shown[0].terms.count
            lent = np.array([one.terms.principal_minor for one in shown], dtype=np.int64)
            signed = sign(product, count, lent)
            head = product_head(product)
            for one, amounts in zip(shown, signed.amounts.tolist(), strict=True):
                one.sha256 = digest_of(one.terms, amounts, head)
            places = [place for place, one in enumerate(shown) if id(one) in self._begun]
            if places:
                begun = [self._begun[id(shown[place])] for place in places]
                group = _Group(product, count, begun, signed, np.array(places))
                group.add_plans(plans)
                group.add_instalments(instalments)
                group.add_operations(operations)
                group.add_lines(lines)
                self._capture(captures, group)
        for rows in (plans, instalments, captures, operations, lines):
            rows.send(session)

    def _capture(self, captures: Rows, group: "_Group") -> None:
        captures.extend(
            group.length,
            group.accounts,
            ids(self._ground.ids.many(group.length)),
            group.orders,
            group.plans,
            group.lent,
            group.booked_on,
        )


class _Group:
    """Plans of one product and count, as columns."""

    def __init__(
        self,
        product: Product,
        count: int,
        begun: Sequence[_Begun],
        signed: Signed,
        places: NDArray[np.int64],
    ) -> None:
        self._product, self._count, self._begun = product, count, begun
        self.length = len(begun)
        terms = [one.shipment.shown.terms for one in begun]
        self.accounts = ids([one.happening.account.account_id for one in begun])
        self.plans = ids([one.plan_id for one in begun])
        self.orders = ids([one.shipment.order_id for one in begun])
        self.merchants = ids([one.shipment.merchant_id for one in begun])
        self._currencies = [one.happening.account.currency for one in begun]
        self.numbers = np.array([one.happening.number for one in begun])
        self.agreements = np.array([one.shipment.agreement_version for one in begun])
        self.lent: Minor = np.array([one.principal_minor for one in terms], dtype=np.int64)
        self.starts_on = _days([one.starts_on for one in terms])
        self.booked_on = _days([one.happening.booked_on for one in begun])
        self.effective_on = _days([one.happening.effective_on for one in begun])
        self._calendars = [one.due_on for one in terms]
        self.due_on = _calendars(self._calendars)
        self._amounts = signed.amounts[places]
        self._cost = signed.cost_minor[places]
        self._discount = signed.discount_minor[places]
        self._first = signed.first[places]

    def add_plans(self, plans: Rows) -> None:
        """Add a row per plan: active, untouched, nothing billed."""
        pack = [
            (one.happening.account.book.pack, one.happening.account.book.pack_version)
            for one in self._begun
        ]
        texts: dict[int, str] = {}
        for calendar in self._calendars:
            if id(calendar) not in texts:
                texts[id(calendar)] = array_text(calendar)
        oldest = self.due_on[np.arange(self.length), self._first]
        plans.extend(
            self.length,
            self.accounts,
            self.plans,
            self.orders,
            self.merchants,
            self._product.product_id,
            self._product.version,
            [name for name, _ in pack],
            [version for _, version in pack],
            *POLICY,
            self.agreements,
            [one.shipment.shown.sha256 for one in self._begun],
            self._count,
            self.lent,
            self._cost,
            COST_LINE[self._product.kind],
            self.starts_on,
            [texts[id(calendar)] for calendar in self._calendars],
            1,
            1,
            PlanState.ACTIVE.value,
            self.lent,
            oldest,
            oldest,
            self.starts_on,
            self.starts_on,
            self._cost > 0,
        )

    def add_instalments(self, instalments: Rows) -> None:
        """Add the rows of every plan's schedule."""
        begins = np.column_stack([self.starts_on, self.due_on[:, :-1]])
        amounts = self._amounts.reshape(-1, self._amounts.shape[2])
        instalments.extend(
            self.length * self._count,
            np.repeat(self.accounts, self._count),
            np.repeat(self.plans, self._count),
            np.tile(np.arange(1, self._count + 1), self.length),
            begins.ravel(),
            self.due_on.ravel(),
            amounts.sum(axis=1),
            amounts[:, Component.PRINCIPAL],
            amounts[:, Component.INTEREST],
            amounts[:, Component.FEE],
        )

    def add_operations(self, operations: Rows) -> None:
        """Add the operation that begins each plan."""
        operations.extend(
            self.length,
            self.accounts,
            self.plans,
            1,
            OperationKind.DISBURSE.value,
            np.zeros(self.length, dtype=np.bool_),
            self.effective_on,
            self.booked_on,
            self.lent,
            self.numbers,
        )

    def add_lines(self, lines: Rows) -> None:
        """Add the transfers that begin each plan, as the lines of its event."""
        last = np.zeros(self.length, dtype=np.int64)
        self._add_pair(lines, last, PRINCIPAL_LENT, self.lent)
        self._add_pair(lines, last, DISCOUNT_TAKEN, self._discount)
        for component, pair in COST_DEFERRED.items():
            self._add_pair(lines, last, pair, self._amounts[:, :, component].sum(axis=1))

    def _add_pair(self, lines: Rows, last: NDArray[np.int64], pair: Pair, amounts: Minor) -> None:
        """Add one kind of transfer where there is an amount, as each event's next line."""
        where = np.flatnonzero(amounts)
        last[where] += 1
        debit, credit = pair
        lines.extend(
            len(where),
            self.accounts[where],
            self.numbers[where],
            last[where],
            self.booked_on[where],
            self.effective_on[where],
            debit.value,
            credit.value,
            amounts[where],
            [self._currencies[place] for place in where.tolist()],
            self.plans[where],
            self.merchants[where],
        )


def _days(days: Sequence[object]) -> NDArray[np.datetime64]:
    return np.array(days, dtype="datetime64[D]")


def _calendars(calendars: Sequence[tuple[object, ...]]) -> NDArray[np.datetime64]:
    """Return lists of due days as rows; many plans share one list, which is converted once."""
    places: dict[int, int] = {}
    different: list[tuple[object, ...]] = []
    for calendar in calendars:
        if id(calendar) not in places:
            places[id(calendar)] = len(different)
            different.append(calendar)
    rows: NDArray[np.datetime64] = np.array(different, dtype="datetime64[D]")
    return rows[[places[id(calendar)] for calendar in calendars]]
