"""Where a book's decisions, orders and operations contradict other rows.

Their keys rise with time (docs/adr/0018-keep-decisions-exactly.md), so they cannot be walked by
account as all else is: each comparison reads the whole table once.
"""

from collections.abc import Iterator
from uuid import UUID

from fenqi.store.audit import Difference, Range, belongings, walk
from fenqi.store.pool import Session

FIRST, LAST = UUID(int=0), UUID(int=2**128 - 1)

LIMIT_HELD = """
, held AS (
    SELECT o.account_id, SUM(o.amount_minor - o.captured_minor - o.released_minor) AS minor
    FROM orders AS o JOIN members USING (account_id)
    WHERE o.hold_expires_on IS NOT NULL GROUP BY o.account_id
)
SELECT m.account_id, NULL, 'held ' || COALESCE(held.minor, 0), 'held ' || m.held_minor
FROM members AS m LEFT JOIN held USING (account_id)
WHERE m.held_minor <> COALESCE(held.minor, 0)
ORDER BY 1 LIMIT %(most)s
"""
ORDERS = """
SELECT o.account_id, NULL, 'captured ' || COALESCE(SUM(c.amount_minor), 0) || ' of ' || o.order_id,
    'captured ' || o.captured_minor || ' of ' || o.order_id
FROM orders AS o
JOIN members USING (account_id)
LEFT JOIN captures AS c ON c.account_id = o.account_id AND c.order_id = o.order_id
GROUP BY o.account_id, o.order_id, o.captured_minor
HAVING COALESCE(SUM(c.amount_minor), 0) <> o.captured_minor
ORDER BY 1, 2 LIMIT %(most)s
"""
MENUS = """
SELECT d.account_id, NULL, 'a menu for decision ' || d.decision_id, 'no menu ' || d.menu_id
FROM decisions AS d JOIN members USING (account_id)
WHERE d.menu_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM menus AS m WHERE m.menu_id = d.menu_id)
ORDER BY 1, 2, 3 LIMIT %(most)s
"""
# A decision without its rulebook, or with other inputs than that names, can never be made again.
RULEBOOKS = """
SELECT d.account_id, NULL,
    'inputs of rulebook ' || d.rulebook_id || ' for decision ' || d.decision_id || ': '
        || COALESCE(jsonb_array_length(r.content -> 'inputs')::text, 'no such rulebook'),
    'inputs of rulebook ' || d.rulebook_id || ' for decision ' || d.decision_id || ': '
        || cardinality(d.inputs)
FROM decisions AS d JOIN members USING (account_id)
LEFT JOIN rulebooks AS r ON r.rulebook_id = d.rulebook_id AND r.kind = d.kind
    AND r.name = d.policy AND r.version = d.policy_version
WHERE jsonb_array_length(r.content -> 'inputs') IS DISTINCT FROM cardinality(d.inputs)
ORDER BY 1, 2, 3 LIMIT %(most)s
"""
BELONGINGS = (
    ("orders", "decision_id", "decisions", "decision_id"),
    ("orders", "agreement_version", "agreements", "version"),
    ("plans", "order_id", "orders", "order_id"),
    ("operations", "plan_id", "plans", "plan_id"),
    ("operations", "cause_number", "events", "number"),
)
COST_TABLES = """
SELECT o.account_id, o.plan_id,
    'operation ' || o.number || ' with the cost table of agreement ' || o.agreement_version,
    'operation ' || o.number || ' with ' || o.cost_table
FROM operations AS o JOIN members USING (account_id)
LEFT JOIN agreements AS g ON g.account_id = o.account_id AND g.version = o.agreement_version
WHERE o.cost_table IS NOT NULL AND g.cost_table IS DISTINCT FROM o.cost_table
ORDER BY 1, 2, 3 LIMIT %(most)s
"""

MERCHANTS = """
, named (account_id, plan_id, what, merchant_id) AS (
    SELECT o.account_id, NULL::uuid, 'order ' || o.order_id, o.merchant_id
    FROM orders AS o JOIN members USING (account_id)
    UNION ALL
    SELECT p.account_id, p.plan_id, 'plan', p.merchant_id
    FROM plans AS p JOIN members USING (account_id) WHERE p.parent_plan_id IS NULL
)
SELECT account_id, plan_id, what || ' of a merchant of the book', what || ' of ' || merchant_id
FROM named
WHERE NOT EXISTS (
    SELECT 1 FROM merchants AS m
    WHERE m.merchant_id = named.merchant_id AND m.book_id = %(book_id)s
)
UNION ALL
SELECT p.account_id, p.plan_id, 'the merchant of its order, ' || o.merchant_id,
    p.merchant_id::text
FROM plans AS p
JOIN members USING (account_id)
JOIN orders AS o ON o.account_id = p.account_id AND o.order_id = p.order_id
WHERE o.merchant_id <> p.merchant_id
ORDER BY 1, 2 LIMIT %(most)s
"""
# A plan is signed as its order was placed: the price too, however long it was held.
PRICES = """
SELECT p.account_id, p.plan_id,
    'what its order was placed for, ' || o.product || ' ' || o.product_version || ' x ' || o.count
        || ' at ' || o.price_ppm,
    p.product || ' ' || p.product_version || ' x ' || p.count || ' at ' || p.price_ppm
FROM plans AS p
JOIN members USING (account_id)
JOIN orders AS o ON o.account_id = p.account_id AND o.order_id = p.order_id
WHERE (o.product, o.product_version, o.count, o.price_ppm)
    IS DISTINCT FROM (p.product, p.product_version, p.count, p.price_ppm)
ORDER BY 1, 2 LIMIT %(most)s
"""
# Nothing is sold but what the decision about it offered, at that very price.
OFFERS = """
, offered AS (
    SELECT m.menu_id, e ->> 'product' AS product, (e ->> 'count')::integer AS count,
        COALESCE((e ->> 'price_ppm')::integer, 1000000) AS price_ppm
    FROM menus AS m, jsonb_array_elements(m.offers) AS e
)
SELECT o.account_id, NULL,
    'a plan of the menu of decision ' || d.decision_id,
    'order ' || o.order_id || ': ' || o.product || ' x ' || o.count || ' at ' || o.price_ppm
FROM orders AS o
JOIN members USING (account_id)
JOIN decisions AS d ON d.account_id = o.account_id AND d.decision_id = o.decision_id
WHERE d.menu_id IS NOT NULL AND NOT EXISTS (
    SELECT 1 FROM offered AS f
    WHERE (f.menu_id, f.product, f.count, f.price_ppm)
        = (d.menu_id, o.product, o.count, o.price_ppm)
)
ORDER BY 1, 4 LIMIT %(most)s
"""
COMPARISONS = {
    "merchants": MERCHANTS,
    "prices of orders": PRICES,
    "offers that orders took": OFFERS,
    "rows that belong together": belongings(BELONGINGS),
    "M5 limit used": LIMIT_HELD,
    "M7 cost tables": COST_TABLES,
    "captures of orders": ORDERS,
    "menus of decisions": MENUS,
    "rulebooks of decisions": RULEBOOKS,
}


def compare(session: Session, book_id: str) -> Iterator[Difference]:
    """Yield where a book's decisions, orders and operations contradict other rows."""
    yield from walk(session, COMPARISONS, Range(book_id, FIRST, LAST, 0))
