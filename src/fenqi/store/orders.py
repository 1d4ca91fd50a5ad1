"""Decisions, orders with their holds, and captures."""

import json
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from uuid import UUID

from fenqi.core.account import POLICY, Standing, Verdict
from fenqi.core.errors import Missing
from fenqi.core.values.ids import AccountId, DecisionId, MerchantId, OrderId
from fenqi.store.pool import Session
from fenqi.store.rows import Rows, Table, array_text

DECISIONS = Table(
    "decisions",
    "account_id uuid, decision_id uuid, kind text, outcome text, reasons text>text[],"
    "inputs jsonb, menu jsonb, policy text, policy_version integer, decided_at timestamptz,"
    "booked_on date",
)
ORDERS = Table(
    "orders",
    "account_id uuid, order_id uuid, merchant_id uuid, merchant_order text, decision_id uuid,"
    "product text, product_version integer, count smallint, agreement_version integer,"
    "shown_sha256 text, amount_minor bigint, captured_minor bigint, hold_expires_on date,"
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
    menu: Collection[tuple[str, int]]
    decided_at: datetime
    booked_on: date


def add_decision(rows: Rows, decided: Decided) -> None:
    """Add a decision with its inputs, as integers, so that it can be computed again exactly."""
    standing = decided.standing
    rows.add(
        decided.account_id,
        decided.decision_id,
        "purchase",
        decided.verdict.outcome.value,
        array_text(reason.value for reason in decided.verdict.reasons),
        json.dumps(
            {
                "status": standing.status.value,
                "limit_minor": standing.limit_minor,
                "used_minor": standing.used_minor,
                "overdue_days": standing.overdue_days,
                "amount_minor": decided.amount_minor,
            }
        ),
        json.dumps([{"product": name, "count": count} for name, count in decided.menu]),
        *POLICY,
        decided.decided_at,
        decided.booked_on,
    )


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


UPDATE = """
UPDATE orders AS o SET captured_minor = c, released_minor = r, hold_expires_on = h
FROM UNNEST(%(accounts)s::uuid[], %(orders)s::uuid[], %(captured)s::bigint[],
    %(released)s::bigint[], %(expires)s::date[]) AS t (a, i, c, r, h)
WHERE o.account_id = t.a AND o.order_id = t.i
"""


def update(session: Session, changed: Collection[Order]) -> None:
    """Write orders back; a hold that is used up has no expiry any more."""
    if not changed:
        return
    for order in changed:
        if order.captured_minor + order.released_minor == order.amount_minor:
            order.hold_expires_on = None
    session.run(
        UPDATE,
        {
            "accounts": [one.account_id for one in changed],
            "orders": [one.order_id for one in changed],
            "captured": [one.captured_minor for one in changed],
            "released": [one.released_minor for one in changed],
            "expires": [one.hold_expires_on for one in changed],
        },
    )
