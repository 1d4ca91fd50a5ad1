"""What the ledger check asks of instalments (M2): they sum to what was signed, charged and moved.

Each comparison is preceded by `audit.MEMBERS` and answers (account, plan, expected, found) for what
differs.
"""

# A deferral and an extension may add their disclosed cost and an extension rows; a payment found
# later makes them cheaper, and takes the rows away again. The replay knows to the minor unit.
INSTALMENTS = """
, allowed AS (
    SELECT p.account_id, p.plan_id, p.count, p.principal_minor, p.cost_minor, p.due_on,
        p.is_rearranged,
        COALESCE(SUM(o.amount_minor) FILTER (WHERE o.kind IN ('defer', 'extend')), 0) AS more_minor,
        COALESCE(SUM((o.parameters ->> 'count')::integer) FILTER (WHERE o.kind = 'extend'), 0)
            AS more_rows
    FROM plans AS p JOIN members USING (account_id)
    LEFT JOIN operations AS o ON o.account_id = p.account_id AND o.plan_id = p.plan_id
        AND o.kind IN ('defer', 'extend')
    GROUP BY p.account_id, p.plan_id
)
SELECT p.account_id, p.plan_id,
    p.count || ' instalments of ' || p.principal_minor || ' and ' || p.cost_minor
        || CASE WHEN more_rows + more_minor > 0
            THEN ', at most ' || more_rows || ' and ' || more_minor || ' more' ELSE '' END
        || ', each sound',
    COUNT(i.number) || ' instalments of ' || COALESCE(SUM(i.principal_due_minor), 0) || ' and '
        || COALESCE(SUM(i.interest_due_minor + i.fee_due_minor), 0)
        || ', of them sound ' || COUNT(*) FILTER (WHERE sound.is_sound)
FROM allowed AS p
LEFT JOIN instalments AS i ON i.account_id = p.account_id AND i.plan_id = p.plan_id
LEFT JOIN LATERAL (
    SELECT i.open_minor >= 0 AND i.open_minor
        + i.principal_paid_minor + i.interest_paid_minor + i.fee_paid_minor + i.penalty_paid_minor
        + i.principal_relieved_minor + i.interest_relieved_minor + i.fee_relieved_minor
        + i.penalty_relieved_minor + i.principal_written_off_minor + i.interest_written_off_minor
        + i.fee_written_off_minor + i.penalty_written_off_minor + i.principal_moved_minor
        + i.interest_moved_minor + i.fee_moved_minor + i.penalty_moved_minor
        = i.principal_due_minor + i.interest_due_minor + i.fee_due_minor + i.penalty_due_minor
) AS sound (is_sound) ON TRUE
GROUP BY p.account_id, p.plan_id, p.count, p.principal_minor, p.cost_minor, p.due_on,
    p.is_rearranged, p.more_minor, p.more_rows
HAVING COUNT(*) FILTER (WHERE sound.is_sound) NOT BETWEEN p.count AND p.count + p.more_rows
    OR COUNT(*) FILTER (WHERE sound.is_sound) <> COUNT(i.number)
    OR COALESCE(SUM(i.principal_due_minor), 0) <> p.principal_minor
    OR COALESCE(SUM(i.interest_due_minor + i.fee_due_minor), 0)
        NOT BETWEEN p.cost_minor AND p.cost_minor + p.more_minor
    OR NOT p.is_rearranged AND ARRAY_AGG(i.due_on ORDER BY i.number) <> p.due_on
ORDER BY 1, 2 LIMIT %(most)s
"""
BILLS = """
, taken AS (
    SELECT p.account_id, p.plan_id, p.principal_minor, p.parent_plan_id
    FROM plans AS p JOIN members USING (account_id) WHERE p.parent_plan_id IS NOT NULL
)
SELECT t.account_id, t.plan_id, 'took over ' || t.principal_minor,
    'took over ' || COALESCE(SUM(b.amount_minor), 0)
FROM taken AS t
LEFT JOIN bill_parts AS b ON b.account_id = t.account_id AND b.plan_id = t.plan_id
GROUP BY t.account_id, t.plan_id, t.principal_minor, t.parent_plan_id
HAVING COALESCE(SUM(b.amount_minor), 0) <> t.principal_minor
    OR NOT bool_or(b.parent_plan_id = t.parent_plan_id)
UNION ALL
SELECT o.account_id, o.plan_id, 'gave over ' || o.amount_minor || ' by operation ' || o.number,
    COALESCE('gave over ' || b.amount_minor, 'to no plan')
FROM operations AS o
JOIN members USING (account_id)
LEFT JOIN bill_parts AS b ON b.account_id = o.account_id AND b.parent_plan_id = o.plan_id
    AND b.operation_number = o.number
WHERE o.kind = 'bill-instalment' AND b.amount_minor IS DISTINCT FROM o.amount_minor
ORDER BY 1, 2 LIMIT %(most)s
"""
