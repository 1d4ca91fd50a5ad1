"""Lending: goods were shipped, so plans begin; `authorise` and `capture` share it.

A checkout rush begins hundreds of plans at once, so what signing makes of them is computed as
arrays (`core.terms.batch.sign`) and goes to the tables as columns. It equals what a replay of the
one operation would say, which the ledger check compares plan by plan.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import date
from functools import lru_cache
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from fenqi.core.ledger import COST_DEFERRED, DISCOUNT_TAKEN, PRINCIPAL_LENT, Pair
from fenqi.core.terms.batch.arrays import Minor
from fenqi.core.terms.batch.schedule import Signed, sign
from fenqi.core.terms.cost import CostKind, digest_of, product_head
from fenqi.core.terms.life.state import Status
from fenqi.core.terms.operation import DERIVED, OperationKind
from fenqi.core.terms.product import Component, Product, ScheduleKind
from fenqi.core.terms.schedule import Frame
from fenqi.core.values.rate import PPM
from fenqi.store.accounts import Account
from fenqi.store.columns import ids
from fenqi.store.rows import Ragged, Rows, Sheet, Table

PLANS = Table(
    "plans",
    "account_id uuid, plan_id uuid, order_id uuid, capture_id uuid, merchant_id uuid?,"
    "product word, product_version integer, pack word, pack_version integer?, policy word,"
    "policy_version integer?, agreement_version integer?, cost_table uuid?, shown_sha256 text,"
    "count smallint, principal_minor bigint, cost_minor bigint, cost_line word, starts_on date?,"
    "due_on date[], signed_principal_minor bigint[], signed_interest_minor bigint[],"
    "signed_fee_minor bigint[], version integer, operation_count integer, state word,"
    "principal_open_minor bigint, oldest_due_on date, unbilled_due_on date, charged_through date?,"
    "recognised_through date?, is_earning boolean, price_ppm integer?",
)
# A new plan's own operation and lines: most columns are the same for a whole batch.
DISBURSEMENTS = Table(
    "operations",
    "account_id uuid, plan_id uuid, number integer, kind word, is_derived boolean,"
    "effective_on date?, booked_on date?, amount_minor bigint, cause_number bigint",
)
LENDING_LINES = Table(
    "transfers",
    "account_id uuid, event_number bigint, line smallint?, booked_on date?, effective_on date?,"
    "debit word, credit word, amount_minor bigint, currency word, plan_id uuid, merchant_id uuid?",
)
PURCHASE_CAPTURED = "purchase-captured"
CALENDARS_MAX = 4096  # lists of due days remembered as arrays
# What a plan may be charged for from the start: the line that names it, and the component it is of.
COST_LINE = {
    ScheduleKind.FREE: None,
    ScheduleKind.FLAT_FEE: CostKind.FLAT_FEE.value,
    ScheduleKind.ANNUITY: CostKind.INTEREST.value,
}
COST_COMPONENT = {
    ScheduleKind.FREE: None,
    ScheduleKind.FLAT_FEE: Component.FEE,
    ScheduleKind.ANNUITY: Component.INTEREST,
}


class Begun(NamedTuple):
    """The plan that begins because goods were shipped. Ids are their sixteen bytes."""

    account: Account
    number: int  # of its event
    plan_id: bytes
    capture_id: bytes
    order_id: bytes
    merchant_id: bytes
    agreement_version: int
    policy: str  # that decided the order, and its version
    policy_version: int


class Sale:
    """What a customer was shown, a frame and an amount, and the plan if the goods left.

    The batch signs and digests all of them at once, when it is written.
    """

    __slots__ = ("begun", "frame", "principal_minor", "sha256")

    def __init__(self, frame: Frame, principal_minor: int, begun: Begun | None) -> None:
        self.frame = frame
        self.principal_minor = principal_minor
        self.begun = begun
        self.sha256 = ""


def captured_text(
    sale: Sale, *, order_id: str, plan_id: str, merchant: str, decision_id: str | None = None
) -> str:
    """Return the payload of the event that tells of a plan's beginning, as JSON.

    The merchant is the hexadecimal digits of its id. Without a decision the order was held before:
    it was decided, and counted as a purchase, already then.
    """
    held = f',"decision_id":"{decision_id}"' if decision_id else ',"was_held":true'
    return (
        f'{{"order_id":"{order_id}","plan_id":"{plan_id}","amount_minor":{sale.principal_minor},'
        f'"product":"{sale.frame.product.product_id}","count":{sale.frame.count},'
        f'"merchant":"{merchant}"{price_text(sale.frame.product)}{held}}}'
    )


def price_text(product: Product) -> str:
    """Return what an event says of a price, as JSON; nothing where it is the listed one."""
    return "" if product.price_ppm == PPM else f',"price_ppm":{product.price_ppm}'


Lines = dict[Pair, Rows]  # a table's part for each pair, so that what they share is sent once


class Lending:
    """The sales of one batch: what was shown in each, and the plans that begin."""

    def __init__(self) -> None:
        self._sales: dict[tuple[str, int, int, int], list[Sale]] = defaultdict(list)

    def sell(self, frame: Frame, principal_minor: int, begun: Begun | None) -> Sale:
        """Take up a sale."""
        sale = Sale(frame, principal_minor, begun)
        product = frame.product
        key = (product.product_id, product.version, product.price_ppm, frame.count)
        self._sales[key].append(sale)
        return sale

    def fill(self, sheet: Sheet) -> None:
        """Put the plans on a sheet, and write each digest on its sale."""
        plans, operations = Rows(PLANS), Rows(DISBURSEMENTS)
        lines: Lines = {}
        for sales in self._sales.values():
            frame = sales[0].frame
            signed = sign(
                frame.product,
                frame.count,
                np.array([sale.principal_minor for sale in sales], dtype=np.int64),
            )
            _digest(sales, signed)
            where = [place for place, sale in enumerate(sales) if sale.begun is not None]
            if where:
                group = _Group(frame.product, [sales[place] for place in where], signed.of(where))
                group.add_plans(plans)
                group.add_operations(operations)
                group.add_lines(lines)
        for rows in (plans, operations, *lines.values()):
            sheet.add(rows)


def _digest(sales: Sequence[Sale], signed: Signed) -> None:
    """Write on each sale of one product, price and count the digest of what was shown."""
    head = product_head(sales[0].frame.product)
    amounts = signed.amounts.astype("<i8").tobytes()
    width = len(amounts) // len(sales)
    for place, sale in enumerate(sales):
        own = amounts[place * width : (place + 1) * width]
        sale.sha256 = digest_of(sale.frame, sale.principal_minor, own, head)


class _Group:
    """Plans of one product, price and count, as columns."""

    def __init__(self, product: Product, sales: Sequence[Sale], signed: Signed) -> None:
        self._product, self._count, self._signed = product, sales[0].frame.count, signed
        self._sales = sales
        self._length = len(sales)
        begun = [sale.begun for sale in sales if sale.begun is not None]
        owners, numbers, plans, captures, orders, merchants, versions, *policies = zip(
            *begun, strict=True
        )
        self._owners: tuple[Account, ...] = owners
        self._accounts = ids([one.raw for one in owners])
        self._plans, self._captures, self._orders = ids(plans), ids(captures), ids(orders)
        self._merchants, self._versions, self._policies = merchants, versions, policies
        self._numbers = np.array(numbers, dtype=np.int64)
        self._lent: Minor = np.array([one.principal_minor for one in sales], dtype=np.int64)
        self._starts_on = [one.frame.starts_on for one in sales]
        self._booked_on = [one.book.business_date for one in owners]
        self._currencies = [one.currency for one in owners]

    def add_plans(self, plans: Rows) -> None:
        """Add a row per plan: active, untouched, nothing billed."""
        amounts, rows = self._signed.amounts, np.arange(self._length)
        due_on = _calendars([one.frame.due_on for one in self._sales])
        oldest = due_on[rows, self._signed.first]
        of_cost = COST_COMPONENT[self._product.kind]
        for owner, day in zip(self._owners, oldest.tolist(), strict=True):
            if owner.oldest_due_on is None or day < owner.oldest_due_on:
                owner.oldest_due_on = day
        plans.extend(
            self._length,
            self._accounts,
            self._plans,
            self._orders,
            self._captures,
            self._merchants,
            self._product.product_id,
            self._product.version,
            [one.book.pack for one in self._owners],
            [one.book.pack_version for one in self._owners],
            *self._policies,
            self._versions,
            [one.cost_table for one in self._owners],
            [one.sha256 for one in self._sales],
            self._count,
            self._lent,
            self._signed.cost_minor,
            COST_LINE[self._product.kind],
            self._starts_on,
            self._each(due_on),
            self._each(amounts[:, :, Component.PRINCIPAL]),
            *(
                self._each(amounts[:, : self._count * (component is of_cost), component])
                for component in (Component.INTEREST, Component.FEE)
            ),
            1,
            1,
            Status.ACTIVE.value,
            self._lent,
            oldest,
            oldest,
            self._starts_on,
            self._starts_on,
            self._signed.cost_minor > 0,
            self._product.price_ppm,
        )

    def _each(self, values: NDArray[np.generic]) -> Ragged:
        """Return one array per plan. Shapes: (plans, count), or (plans, 0) for empty ones."""
        return Ragged(values.ravel(), np.full(self._length, values.shape[1]))

    def add_operations(self, operations: Rows) -> None:
        """Add the operation that begins each plan."""
        operations.extend(
            self._length,
            self._accounts,
            self._plans,
            1,
            OperationKind.DISBURSE.value,
            OperationKind.DISBURSE in DERIVED,
            self._starts_on,
            self._booked_on,
            self._lent,
            self._numbers,
        )

    def add_lines(self, lines: Lines) -> None:
        """Add the transfers that begin each plan, as the lines of its event."""
        last = np.zeros(self._length, dtype=np.int64)
        amounts = self._signed.amounts
        self._add_pair(lines, last, PRINCIPAL_LENT, self._lent)
        self._add_pair(lines, last, DISCOUNT_TAKEN, self._signed.discount_minor)
        for component, pair in COST_DEFERRED.items():
            self._add_pair(lines, last, pair, amounts[:, :, component].sum(axis=1))

    def _add_pair(self, lines: Lines, last: NDArray[np.int64], pair: Pair, amounts: Minor) -> None:
        """Add one kind of transfer where there is an amount, as each event's next line."""
        where = np.flatnonzero(amounts)
        last[where] += 1
        debit, credit = pair
        lines.setdefault(pair, Rows(LENDING_LINES)).extend(
            len(where),
            *(_picked(column, where) for column in (self._accounts, self._numbers)),
            last[where].tolist(),
            *(_picked(column, where) for column in (self._booked_on, self._starts_on)),
            debit.value,
            credit.value,
            *(
                _picked(column, where)
                for column in (amounts, self._currencies, self._plans, self._merchants)
            ),
        )


def _picked(column: Any, where: NDArray[np.int64]) -> Any:
    """Return some values of a column, or the very column if they are all of it."""
    if len(where) == len(column):
        return column
    if isinstance(column, np.ndarray):
        return column[where]
    return [column[place] for place in where.tolist()]


def _calendars(calendars: Sequence[tuple[date, ...]]) -> NDArray[np.datetime64]:
    """Return lists of due days as rows; many plans share one list, which is converted once."""
    return np.array([_calendar(one) for one in calendars], dtype="datetime64[D]")


@lru_cache(maxsize=CALENDARS_MAX)
def _calendar(days: tuple[date, ...]) -> NDArray[np.datetime64]:
    return np.array(days, dtype="datetime64[D]")
