"""Orders with their holds."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date
from uuid import UUID

from fenqi.core.errors import Missing
from fenqi.core.values.ids import AccountId, MerchantId, OrderId
from fenqi.store.pool import Session
from fenqi.store.rows import Change, Rows, Table

ORDERS = Table(
    "orders",
    "account_id uuid, order_id uuid, merchant_id uuid?, merchant_order text, decision_id uuid,"
    "product word, product_version integer?, count smallint?, agreement_version integer?,"
    "shown_sha256 text, amount_minor bigint, captured_minor bigint, hold_expires_on date?,"
    "placed_at timestamptz, booked_on date?, price_ppm integer?",
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
    policy: str  # that decided it, and its version
    policy_version: int
    price_ppm: int  # of the product's own price, at which its plans are signed

    @property
    def held_minor(self) -> int:
        """What is still kept free for the order."""
        if self.hold_expires_on is None:
            return 0
        return self.amount_minor - self.captured_minor - self.released_minor


LOCK = """
SELECT o.account_id, o.order_id, o.merchant_id, o.product, o.product_version, o.count,
    o.agreement_version, o.amount_minor, o.captured_minor, o.released_minor, o.hold_expires_on,
    d.policy, d.policy_version, o.price_ppm
FROM orders AS o
JOIN UNNEST(%(accounts)s::uuid[], %(orders)s::uuid[]) AS asked (account_id, order_id)
    USING (account_id, order_id)
JOIN decisions AS d ON d.decision_id = o.decision_id AND d.account_id = o.account_id
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


def changed(orders: Iterable[Order]) -> Rows:
    """Return the rows of orders that changed; a hold that is used up has no expiry any more."""
    rows = Rows(HOLDS)
    for order in orders:
        if order.captured_minor + order.released_minor == order.amount_minor:
            order.hold_expires_on = None
        rows.add(
            order.account_id,
            order.order_id,
            order.captured_minor,
            order.released_minor,
            order.hold_expires_on,
        )
    return rows
