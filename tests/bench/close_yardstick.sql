-- The yardstick of the day close: the simplest set-based SQL that writes the rows of this one day.
-- It knows what only this book promises (one plan an account, one product, nothing paid ahead, no
-- excused days, no month's end, nothing paid in part) and asks nothing it need not know. One statement
-- per table.

CREATE TEMPORARY TABLE billed ON COMMIT DROP AS
SELECT a.account_id, p.plan_id, a.event_count + 1 AS event_number, a.statement_count + 1 AS number,
    p.merchant_id, p.operation_count, p.cost_table, p.oldest_due_on, p.due_on,
    p.signed_principal_minor, p.signed_fee_minor, p.oldest_due_on < %(day)s AS is_late
FROM accounts AS a JOIN plans AS p USING (account_id)
WHERE a.statement_day = 12 AND p.unbilled_due_on = %(day)s + 9;
CREATE TEMPORARY TABLE parts ON COMMIT DROP AS
SELECT b.account_id, b.plan_id, b.event_number, b.number, i.number AS instalment_number, i.due_on,
    i.principal_due_minor, i.fee_due_minor, CASE WHEN %(day)s > i.due_on + 3 THEN LEAST(
        (i.principal_due_minor + i.fee_due_minor) * (%(day)s - i.due_on - 3) * 500 / 1000000,
        (i.principal_due_minor + i.fee_due_minor) * 240000 / 1000000) ELSE 0 END AS penalty_minor,
    row_number() OVER (PARTITION BY b.account_id ORDER BY i.number) AS line
FROM billed AS b CROSS JOIN LATERAL UNNEST(b.due_on, b.signed_principal_minor, b.signed_fee_minor)
    WITH ORDINALITY AS i (due_on, principal_due_minor, fee_due_minor, number)
WHERE i.due_on BETWEEN b.oldest_due_on AND %(day)s + 9;
CREATE TEMPORARY TABLE charges ON COMMIT DROP AS
SELECT b.*, c.penalty_minor FROM billed AS b JOIN (
    SELECT account_id, SUM(penalty_minor)::bigint AS penalty_minor FROM parts
    WHERE penalty_minor > 0 GROUP BY account_id
) AS c USING (account_id);
CREATE TEMPORARY TABLE crossed ON COMMIT DROP AS
SELECT p.account_id, p.plan_id, a.event_count + 1 + (a.statement_day = 12)::integer AS event_number,
    p.bucket AS from_bucket, p.bucket + 1 AS to_bucket, p.oldest_due_on,
    p.principal_open_minor
FROM plans AS p JOIN accounts AS a USING (account_id)
WHERE p.oldest_due_on IN (%(day)s - 1, %(day)s - 31, %(day)s - 61, %(day)s - 91, %(day)s - 121,
    %(day)s - 151, %(day)s - 181);
ANALYZE billed, parts, charges, crossed;

INSERT INTO events (account_id, number, schema_version, kind, actor, occurred_at, recorded_at,
    booked_on, effective_on, payload)
SELECT account_id, event_number, 1, 'statement-cut', 'system', now(), now(), %(day)s, %(day)s,
    jsonb_build_object('number', number, 'due_on', %(day)s + 9)
FROM billed
UNION ALL
SELECT account_id, event_number, 1, 'bucket-crossed', 'system', now(), now(), %(day)s, %(day)s,
    jsonb_build_object('plan_id', plan_id, 'from', from_bucket, 'to', to_bucket,
        'due_on', oldest_due_on)
FROM crossed;
INSERT INTO outbox (account_id, event_number, topic, not_before)
SELECT account_id, event_number, 'notice', now() FROM billed;
INSERT INTO statements
SELECT account_id, number, %(day)s, %(day)s + 9,
    SUM(principal_due_minor + fee_due_minor + penalty_minor),
    SUM(CASE WHEN due_on < %(day)s THEN principal_due_minor + fee_due_minor + penalty_minor ELSE 0
        END), event_number
FROM parts GROUP BY account_id, number, event_number;
INSERT INTO statement_lines
SELECT account_id, number, line, plan_id, instalment_number, due_on, principal_due_minor, 0,
    fee_due_minor, penalty_minor
FROM parts;
INSERT INTO operations (account_id, plan_id, number, kind, is_derived, effective_on, booked_on,
    amount_minor, cause_number, agreement_version, cost_table, cost_line)
SELECT account_id, plan_id, operation_count + 1, 'late-charge', TRUE, %(day)s, %(day)s,
    penalty_minor, event_number, 1, cost_table, 'late-charge'
FROM charges;
INSERT INTO transfers (account_id, event_number, line, booked_on, effective_on, debit, credit,
    amount_minor, currency, plan_id, merchant_id)
SELECT account_id, event_number, 1, %(day)s, %(day)s, 'receivable-penalty', 'deferred-income',
    penalty_minor, 'CNY', plan_id, merchant_id
FROM charges;
INSERT INTO crossings
SELECT account_id, plan_id, event_number, %(day)s, from_bucket, to_bucket, principal_open_minor
FROM crossed;
INSERT INTO changed_instalments (account_id, plan_id, number, starts_on, due_on, open_minor,
    principal_due_minor, interest_due_minor, fee_due_minor, penalty_due_minor)
SELECT account_id, plan_id, instalment_number,
    COALESCE(p.due_on[instalment_number - 1], p.starts_on), p.due_on[instalment_number],
    principal_due_minor + fee_due_minor + penalty_minor, principal_due_minor, 0, fee_due_minor,
    penalty_minor
FROM parts JOIN plans AS p USING (account_id, plan_id) WHERE penalty_minor > 0;
UPDATE plans AS p SET billed_count = p.billed_count + 1, version = p.version + 1,
    unbilled_due_on = p.due_on[p.billed_count + 2],
    charged_through = CASE WHEN b.is_late THEN %(day)s ELSE p.charged_through END,
    operation_count = p.operation_count + (c.account_id IS NOT NULL)::integer
FROM billed AS b LEFT JOIN charges AS c USING (account_id)
WHERE p.account_id = b.account_id AND p.plan_id = b.plan_id AND p.unbilled_due_on = %(day)s + 9;
UPDATE plans AS p SET bucket = c.to_bucket, version = p.version + 1
FROM crossed AS c WHERE p.account_id = c.account_id AND p.plan_id = c.plan_id;
UPDATE accounts AS a SET event_count = b.event_number, statement_count = b.number
FROM billed AS b WHERE a.account_id = b.account_id;
UPDATE accounts AS a SET event_count = c.event_number
FROM crossed AS c WHERE a.account_id = c.account_id;
INSERT INTO ledger_days (book_id, day, slice, debit, credit, amount_minor, lines)
SELECT a.book_id, t.booked_on, a.slice, t.debit, t.credit, SUM(t.amount_minor), COUNT(*)
FROM transfers AS t JOIN accounts AS a USING (account_id)
WHERE t.booked_on = %(day)s GROUP BY 1, 2, 3, 4, 5;
UPDATE books SET business_date = %(day)s + 1;
