"""Decisions, orders with their holds, and captures."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

import msgspec

from fenqi.core.account import POLICY, Standing, Verdict
from fenqi.core.errors import Missing
from fenqi.core.terms.schedule import Terms
from fenqi.core.values.ids import AccountId, DecisionId, MerchantId, OrderId
from fenqi.store.pool import Session
from fenqi.store.rows import Change, Rows, Table, array_text

DECISIONS = Table(
    "decisions",
    "account_id uuid, decision_id uuid, kind word, outcome word, reasons word>text[],"
    "inputs jsonb, menu word>jsonb, policy word, policy_version integer, decided_at timestamptz?,"
    "booked_on date",
)
ORDERS = Table(
    "orders",
    "account_id uuid, order_id uuid, merchant_id uuid, merchant_order text, decision_id uuid,"
    "product word, product_version integer, count smallint, agreement_version integer,"
    "shown_sha256 text, amount_minor bigint, captured_minor bigint, hold_expires_on date?,"
    "placed_at timestamptz, booked_on date",
)
CAPTURES = Table(
    "captures",
    "account_id uuid, capture_id uuid, order_id uuid, plan_id uuid, amount_minor bigint,"
    "booked_on date",
)


class OrderMissing(Missing):
    """No such order of this account."""

    code = "order-missing"


@dataclass(slots=True)
class Order:
    """One locked order. Its live hold is amount - captured - released."""

    account_id: AccountId
    order_id: OrderId
    merchant_id: MerchantId
    product: str
    product_version: int
    count: int
    agreement_version: int
    amount_minor: int
    captured_minor: int
    released_minor: int
    hold_expires_on: date | None

    @property
    def held_minor(self) -> int:
        """What is still kept free for the order."""
        if self.hold_expires_on is None:
            return 0
        return self.amount_minor - self.captured_minor - self.released_minor


@dataclass(frozen=True, slots=True)
class Decided:
    """A purchase decision to store, with what it looked at."""

    account_id: AccountId
    decision_id: DecisionId
    verdict: Verdict
    standing: Standing
    amount_minor: int
    menu: str  # as JSON text, see `menu_text`
    decided_at: datetime
    booked_on: date


ENCODE = msgspec.json.Encoder().encode


def menu_text(menu: Collection[tuple[str, int]]) -> str:
    """Return the plans on offer, (product, count) each, as a decision keeps them."""
    return ENCODE([{"product": name, "count": count} for name, count in menu]).decode()


def add_decision(rows: Rows, decided: Decided) -> None:
    """Add a decision with its inputs, as integers, so that it can be computed again exactly."""
    standing = decided.standing
    rows.add(
        decided.account_id,
        decided.decision_id,
        "purchase",
        decided.verdict.outcome.value,
        array_text(reason.value for reason in decided.verdict.reasons),
        ENCODE(
            {
                "status": standing.status.value,
                "limit_minor": standing.limit_minor,
                "used_minor": standing.used_minor,
                "overdue_days": standing.overdue_days,
                "amount_minor": decided.amount_minor,
            }
        ),
        decided.menu,
        *POLICY,
        decided.decided_at,
        decided.booked_on,
    )


@dataclass(slots=True)
class Shown:
    """The schedule and cost lines a customer was shown; the batch digests all of them at once."""

    terms: Terms
    sha256: str = ""


@dataclass(frozen=True, slots=True)
class Placed:
    """An approved order to store."""

    account_id: AccountId
    order_id: OrderId
    decision_id: DecisionId
    merchant_id: MerchantId
    merchant_order: str
    agreement_version: int
    shown: Shown
    captured_minor: int
    hold_expires_on: date | None
    placed_at: datetime
    booked_on: date


class Placements:
    """The orders one batch adds; sent once what was shown has its digest."""

    def __init__(self) -> None:
        self._placed: list[Placed] = []

    def add(self, placed: Placed) -> None:
        """Add one order."""
        self._placed.append(placed)

    def send(self, session: Session) -> None:
        """Send the orders."""
        rows = Rows(ORDERS)
        for one in self._placed:
            terms = one.shown.terms
            rows.add(
                one.account_id,
                one.order_id,
                one.merchant_id,
                one.merchant_order,
                one.decision_id,
                terms.product.product_id,
                terms.product.version,
                terms.count,
                one.agreement_version,
                one.shown.sha256,
                terms.principal_minor,
                one.captured_minor,
                one.hold_expires_on,
                one.placed_at,
                one.booked_on,
            )
        rows.send(session)


LOCK = """
SELECT o.account_id, o.order_id, o.merchant_id, o.product, o.product_version, o.count,
    o.agreement_version, o.amount_minor, o.captured_minor, o.released_minor, o.hold_expires_on
FROM orders AS o
JOIN UNNEST(%(accounts)s::uuid[], %(orders)s::uuid[]) AS asked (account_id, order_id)
    USING (account_id, order_id)
ORDER BY o.account_id, o.order_id FOR NO KEY UPDATE OF o
"""


def lock(
    session: Session, keys: Collection[tuple[AccountId, UUID]]
) -> dict[tuple[AccountId, UUID], Order]:
    """Return the orders that exist, locked; their accounts are locked already."""
    asked = {"accounts": [one for one, _ in keys], "orders": [one for _, one in keys]}
    return {(row[0], row[1]): Order(*row) for row in session.rows(LOCK, asked)}


EXPIRED = """
SELECT o.account_id, o.order_id FROM orders AS o JOIN accounts AS a USING (account_id)
WHERE o.hold_expires_on IS NOT NULL AND o.hold_expires_on <= %(day)s
    AND a.book_id = %(book_id)s AND a.slice >= %(first)s AND a.slice < %(last)s
"""


def expired(
    session: Session, book_id: str, day: date, slices: tuple[int, int]
) -> list[tuple[AccountId, UUID]]:
    """Return the orders of some slices whose hold ends by `day`."""
    first, last = slices
    asked = {"book_id": book_id, "day": day, "first": first, "last": last}
    return [(row[0], row[1]) for row in session.rows(EXPIRED, asked)]


HOLDS = Change(
    "orders",
    keys="account_id uuid, order_id uuid",
    columns="captured_minor bigint, released_minor bigint, hold_expires_on date?",
)


def update(session: Session, changed: Collection[Order]) -> None:
    """Write orders back; a hold that is used up has no expiry any more."""
    rows = Rows(HOLDS)
    for order in changed:
        if order.captured_minor + order.released_minor == order.amount_minor:
            order.hold_expires_on = None
        rows.add(
            order.account_id,
            order.order_id,
            order.captured_minor,
            order.released_minor,
            order.hold_expires_on,
        )
    rows.send(session)
