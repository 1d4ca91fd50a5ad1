-- A large book as it stands at the start of a day, written by SQL; `big_book.py` fills the names in.
--
-- Each account has one plan of six instalments, with a flat fee and no odd cents. `k` instalments
-- are past or billed, of which the first `q` were paid by one receipt on the day the first fell
-- due. Accounts whose statement day is today are 1 in 36 (or all); one in forty is overdue.
-- Everything is what fenqi itself would have written, but for late charges not yet asked for.

CREATE UNLOGGED TABLE seed AS
WITH numbered AS (
    SELECT n, abs(hashint4(n)::bigint) %% 1000 AS h, abs(hashint4(n + 1000000000)::bigint) %% 100 AS g,
        CASE WHEN %(all)s OR n %% 36 = 0 THEN 12
            ELSE 1 + (n / 36 * 35 + n %% 36 - 1) %% 27 END AS s0
    FROM generate_series(1, %(plans)s) AS n
), placed AS (
    SELECT n, h, g, s0 + CASE WHEN s0 >= 12 AND NOT (%(all)s OR n %% 36 = 0) THEN 1 ELSE 0 END AS s
    FROM numbered
), overdue AS (
    -- Of what fell due yesterday (statement day 2) one in eight was not paid.
    SELECT n, s, h < CASE WHEN %(all)s THEN 25 WHEN s = 2 THEN 120 ELSE 22 END AS is_overdue,
        CASE WHEN s = 2 OR g < 60 THEN 1 WHEN g < 80 THEN 2 WHEN g < 90 THEN 3 ELSE 4 END AS late,
        (s BETWEEN 3 AND 11)::integer AS waiting,  -- billed, and due today or later
        (make_date(2026, 8, s) + CASE WHEN s < 12 THEN interval '1 month' ELSE interval '0' END
        )::date AS cut
    FROM placed
), staged AS (
    SELECT *, CASE WHEN is_overdue THEN 5 ELSE 1 + (n / 7) %% 3 END AS k FROM overdue
)
SELECT n, s, cut, k, waiting, is_overdue,
    k - waiting - CASE WHEN is_overdue THEN late ELSE 0 END AS q,
    200 * (10 + n %% 90)::bigint AS lent, 6 * (10 + n %% 90)::bigint AS fee,  -- per instalment
    ('01900000-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid AS account_id,
    ('01900001-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid AS plan_id,
    ('01900002-0000-7000-8000-' || lpad(to_hex(n), 12, '0'))::uuid AS receipt_id,
    ((cut - k * interval '1 month')::date - 15) AS starts_on,
    ARRAY(SELECT (cut + (j - 1 - k) * interval '1 month')::date + 9
        FROM generate_series(1, 6) AS j) AS due_on,
    0::smallint AS bucket
FROM staged;

UPDATE seed SET bucket = CASE
    WHEN %(day)s - 1 - due_on[q + 1] <= 0 THEN 0
    ELSE (%(day)s - 1 - due_on[q + 1] + 29) / 30 END
WHERE is_overdue;
ANALYZE seed;

INSERT INTO cost_tables VALUES (gen_random_uuid());
INSERT INTO cost_table_lines
SELECT cost_table, line, rate, period FROM cost_tables CROSS JOIN (VALUES
    ('flat-fee', 5000, 'instalment'), ('late-charge', 500, 'day')
) AS lines (line, rate, period);
INSERT INTO accounts (account_id, book_id, kind, person_id, slice, currency, status, opened_on,
    agreement_version, statement_day, statement_count, event_count, limit_minor,
    principal_open_minor, cost_table, oldest_due_on)
SELECT account_id, %(book)s, 'customer', account_id, n %% 64, 'CNY', 'open', starts_on, 1, s, 1,
    2 + (q > 0)::integer + (bucket > 0)::integer, 5000000, lent * (6 - q), cost_table, due_on[q + 1]
FROM seed, cost_tables ORDER BY n;
INSERT INTO agreements (account_id, version, agreed_on, pack, pack_version, cost_table)
SELECT account_id, 1, starts_on, 'cn', %(pack_version)s, cost_table FROM seed, cost_tables ORDER BY n;

INSERT INTO plans (account_id, plan_id, merchant_id, product, product_version, pack, pack_version,
    policy, policy_version, agreement_version, cost_table, shown_sha256, count, principal_minor,
    cost_minor, cost_line, starts_on, due_on, signed_principal_minor, signed_interest_minor,
    signed_fee_minor, version, operation_count, state, billed_count, bucket,
    principal_open_minor, oldest_due_on, unbilled_due_on, charged_through, recognised_through,
    is_earning)
SELECT account_id, plan_id, %(merchant)s, 'flat', %(version)s, 'cn', %(pack_version)s, 'starter', 1, 1, cost_table,
    md5(n::text), 6, lent * 6, fee * 6, 'flat-fee', starts_on, due_on,
    array_fill(lent, ARRAY[6]), '{}', array_fill(fee, ARRAY[6]), 1, 1 + (q > 0)::integer, 'active', k, bucket,
    lent * (6 - q), due_on[q + 1], due_on[k + 1],
    CASE WHEN q > 0 THEN due_on[1] - 1 ELSE starts_on END, starts_on, TRUE
FROM seed, cost_tables ORDER BY n;
INSERT INTO changed_instalments (account_id, plan_id, number, starts_on, due_on, open_minor,
    principal_due_minor, interest_due_minor, fee_due_minor, principal_paid_minor, fee_paid_minor)
SELECT account_id, plan_id, j, COALESCE(due_on[j - 1], starts_on), due_on[j], 0, lent, 0, fee, lent, fee
FROM seed CROSS JOIN LATERAL generate_series(1, q) AS j ORDER BY n, j;

CREATE UNLOGGED TABLE happened AS
SELECT n, account_id, 1 AS number, 'purchase-captured' AS kind, starts_on AS booked_on FROM seed
UNION ALL SELECT n, account_id, 2, 'receipt-final', due_on[1] FROM seed WHERE q > 0
UNION ALL SELECT n, account_id, 2 + (q > 0)::integer, 'statement-cut',
    (cut - interval '1 month')::date FROM seed
UNION ALL SELECT n, account_id, 3 + (q > 0)::integer, 'bucket-crossed',
    GREATEST(due_on[q + 1] + (bucket - 1) * 30 + 1, (cut - interval '1 month')::date)
    FROM seed WHERE bucket > 0;
INSERT INTO events (account_id, number, schema_version, kind, actor, occurred_at, recorded_at,
    booked_on, effective_on, payload)
SELECT account_id, number, 1, kind, 'system', booked_on, booked_on, booked_on, booked_on, '{}'
FROM happened ORDER BY booked_on, n;

INSERT INTO operations (account_id, plan_id, number, kind, is_derived, effective_on, booked_on,
    amount_minor, cause_number)
SELECT account_id, plan_id, 1, 'disburse', FALSE, starts_on, starts_on, lent * 6, 1
FROM seed ORDER BY n;
INSERT INTO operations (account_id, plan_id, number, kind, is_derived, effective_on, booked_on,
    amount_minor, cause_number)
SELECT account_id, plan_id, 2, 'repay', FALSE, due_on[1], due_on[1], (lent + fee) * q, 2
FROM seed WHERE q > 0 ORDER BY n;
INSERT INTO allocations
SELECT account_id, plan_id, 2, j, j, 'paid', lent, 0, fee, 0
FROM seed CROSS JOIN LATERAL generate_series(1, q) AS j WHERE q > 0 ORDER BY n, j;
INSERT INTO receipts
SELECT account_id, receipt_id, 'bank', n::text, (lent + fee) * q, 'final', due_on[1], due_on[1],
    due_on[1]
FROM seed WHERE q > 0 ORDER BY n;
INSERT INTO receipt_lines
SELECT account_id, receipt_id, 1, plan_id, (lent + fee) * q FROM seed WHERE q > 0 ORDER BY n;
INSERT INTO crossings
SELECT account_id, plan_id, 3 + (q > 0)::integer, %(day)s - 1, 0, bucket, lent * (6 - q)
FROM seed WHERE bucket > 0 ORDER BY n;
INSERT INTO statements
SELECT account_id, 1, (cut - interval '1 month')::date, (cut - interval '1 month')::date + 9,
    lent + fee, 0, 2 + (q > 0)::integer
FROM seed ORDER BY n;
INSERT INTO statement_lines
SELECT account_id, 1, 1, plan_id, k, due_on[k], lent, 0, fee, 0 FROM seed ORDER BY n;

INSERT INTO transfers (account_id, event_number, line, booked_on, effective_on, debit, credit,
    amount_minor, currency, plan_id, merchant_id, channel)
SELECT account_id, event_number, line, booked_on, booked_on, debit, credit, amount_minor, 'CNY',
    CASE WHEN channel IS NULL THEN plan_id END, CASE WHEN channel IS NULL THEN %(merchant)s::uuid END,
    channel
FROM seed CROSS JOIN LATERAL (VALUES
    (1, 1, starts_on, 'receivable-principal', 'merchant-payable', lent * 6, NULL),
    (1, 2, starts_on, 'receivable-fee', 'deferred-income', fee * 6, NULL),
    (2, 1, due_on[1], 'cash-settled', 'suspense', (lent + fee) * q, 'bank'),
    (2, 2, due_on[1], 'suspense', 'receivable-principal', lent * q, NULL),
    (2, 3, due_on[1], 'suspense', 'receivable-fee', fee * q, NULL)
) AS line (event_number, line, booked_on, debit, credit, amount_minor, channel)
WHERE amount_minor > 0 ORDER BY booked_on, n, event_number, line;
INSERT INTO ledger_days (book_id, day, slice, debit, credit, amount_minor, lines)
SELECT a.book_id, t.booked_on, a.slice, t.debit, t.credit, SUM(t.amount_minor), COUNT(*)
FROM transfers AS t JOIN accounts AS a USING (account_id)
WHERE t.booked_on < %(day)s GROUP BY 1, 2, 3, 4, 5;
UPDATE books SET business_date = %(day)s WHERE book_id = %(book)s;
DROP TABLE seed, happened;
