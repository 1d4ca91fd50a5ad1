-- A purchase wrote seventeen rows, and half of its time went into six of them that said what the
-- plan's terms say already (docs/adr/0014-write-a-purchase-in-columns.md). From here on a row of an
-- instalment is written when something happens to it; until then it is what was signed.

-- A cost table is the same for all who agreed to it, so it is kept once, under the first half of
-- the sha256 of its lines. M7 stays a foreign key: from what is charged to the line that names it.
CREATE TABLE cost_tables (
    cost_table UUID PRIMARY KEY
);
CREATE TABLE cost_table_lines (
    cost_table UUID NOT NULL REFERENCES cost_tables,
    cost_line TEXT NOT NULL CHECK (cost_line IN ('flat-fee', 'interest', 'late-charge')),
    rate_ppm INTEGER NOT NULL CHECK (rate_ppm >= 0),
    rate_period TEXT NOT NULL CHECK (rate_period IN ('instalment', 'year', 'day')),
    PRIMARY KEY (cost_table, cost_line)
);

CREATE TEMPORARY TABLE agreed ON COMMIT DROP AS
SELECT account_id, agreement_version, substr(encode(sha256(convert_to(string_agg(
    cost_line || ' ' || rate_ppm || ' ' || rate_period, ';' ORDER BY cost_line COLLATE "C"
), 'UTF8')), 'hex'), 1, 32)::uuid AS cost_table
FROM cost_lines GROUP BY account_id, agreement_version;

INSERT INTO cost_tables SELECT DISTINCT cost_table FROM agreed;
INSERT INTO cost_table_lines
SELECT DISTINCT cost_table, cost_line, rate_ppm, rate_period
FROM cost_lines JOIN agreed USING (account_id, agreement_version);

ALTER TABLE agreements ADD COLUMN cost_table UUID;
UPDATE agreements AS a SET cost_table = g.cost_table FROM agreed AS g
WHERE g.account_id = a.account_id AND g.agreement_version = a.version;
ALTER TABLE agreements
    ALTER COLUMN cost_table SET NOT NULL,
    ADD FOREIGN KEY (cost_table) REFERENCES cost_tables;

-- The hot path reads the account's row only: its cost table, and since when it owes. The house
-- account has no agreement.
ALTER TABLE accounts ADD COLUMN cost_table UUID, ADD COLUMN oldest_due_on DATE;
UPDATE accounts AS a SET oldest_due_on = p.oldest_due_on FROM (
    SELECT account_id, MIN(oldest_due_on) AS oldest_due_on FROM plans GROUP BY account_id
) AS p WHERE p.account_id = a.account_id;
UPDATE accounts AS a SET cost_table = g.cost_table FROM agreements AS g
WHERE g.account_id = a.account_id AND g.version = a.agreement_version;
ALTER TABLE accounts ADD CHECK ((kind = 'house') = (cost_table IS NULL));

ALTER TABLE plans
    DROP CONSTRAINT plans_account_id_agreement_version_cost_line_fkey,
    ADD COLUMN cost_table UUID,
    ADD COLUMN capture_id UUID,
    ADD COLUMN signed_principal_minor BIGINT[],
    ADD COLUMN signed_interest_minor BIGINT[],
    ADD COLUMN signed_fee_minor BIGINT[];
UPDATE plans AS p
SET cost_table = g.cost_table, capture_id = c.capture_id, signed_principal_minor = s.principal,
    signed_interest_minor = CASE p.cost_line WHEN 'interest' THEN s.interest ELSE '{}' END,
    signed_fee_minor = CASE p.cost_line WHEN 'flat-fee' THEN s.fee ELSE '{}' END
FROM agreements AS g, (
    SELECT account_id, plan_id, array_agg(principal_due_minor ORDER BY number) AS principal,
        array_agg(interest_due_minor ORDER BY number) AS interest,
        array_agg(fee_due_minor ORDER BY number) AS fee
    FROM instalments GROUP BY account_id, plan_id
) AS s LEFT JOIN captures AS c USING (account_id, plan_id)
WHERE g.account_id = p.account_id AND g.version = p.agreement_version
    AND s.account_id = p.account_id AND s.plan_id = p.plan_id;

-- An empty array is all zeros. That principal and cost are the sums of what was signed, and of the
-- instalments, is looked at by the ledger check: a sum over an array costs more than an index entry.
ALTER TABLE plans
    ALTER COLUMN cost_table SET NOT NULL,
    ALTER COLUMN signed_principal_minor SET NOT NULL,
    ALTER COLUMN signed_interest_minor SET NOT NULL,
    ALTER COLUMN signed_fee_minor SET NOT NULL,
    ADD FOREIGN KEY (cost_table, cost_line) REFERENCES cost_table_lines,
    ADD CHECK ((capture_id IS NULL) = (order_id IS NULL)),
    ADD CONSTRAINT plans_signed_count CHECK (cardinality(signed_principal_minor) = count),
    ADD CHECK (cardinality(signed_interest_minor) IN (0, count)),
    ADD CHECK (cardinality(signed_fee_minor) IN (0, count)),
    ADD CHECK (0 <= ALL (signed_principal_minor) AND 0 <= ALL (signed_interest_minor)
        AND 0 <= ALL (signed_fee_minor));

-- A month's end finds open plans that earn by their due day; only what was closed since needs an
-- index of its own, and no new plan is in that.
DROP INDEX plans_earning;
CREATE INDEX plans_earning ON plans (account_id) WHERE is_earning AND oldest_due_on IS NULL;

ALTER TABLE operations
    DROP CONSTRAINT operations_account_id_agreement_version_cost_line_fkey,
    ADD COLUMN cost_table UUID;
UPDATE operations AS o SET cost_table = p.cost_table FROM plans AS p
WHERE p.account_id = o.account_id AND p.plan_id = o.plan_id AND o.cost_line IS NOT NULL;
ALTER TABLE operations
    ADD FOREIGN KEY (account_id, agreement_version) REFERENCES agreements,
    ADD FOREIGN KEY (cost_table, cost_line) REFERENCES cost_table_lines,
    ADD CHECK ((cost_line IS NULL) = (cost_table IS NULL));

DROP TABLE cost_lines;
CREATE VIEW cost_lines AS
SELECT g.account_id, g.version AS agreement_version, l.cost_line, l.rate_ppm, l.rate_period
FROM agreements AS g JOIN cost_table_lines AS l USING (cost_table);

-- What was signed is never changed again by the program: only the projection below it.
REVOKE UPDATE ON plans FROM fenqi_app;
GRANT UPDATE (version, operation_count, state, billed_count, bucket, principal_open_minor,
    oldest_due_on, unbilled_due_on, charged_through, recognised_through, is_earning)
    ON plans TO fenqi_app;

-- The statement's lines name instalments that may have no row; the ledger check looks at them. An
-- instalment's days never change, so they stand on the plan only.
ALTER TABLE instalments RENAME TO changed_instalments;
ALTER TABLE changed_instalments DROP COLUMN starts_on, DROP COLUMN due_on;
CREATE VIEW instalments AS
SELECT p.account_id, p.plan_id, s.number::smallint AS number,
    COALESCE(p.due_on[s.number - 1], p.starts_on) AS starts_on, s.due_on,
    COALESCE(c.open_minor, s.principal + COALESCE(s.interest, 0) + COALESCE(s.fee, 0))
        AS open_minor,
    COALESCE(c.principal_due_minor, s.principal) AS principal_due_minor,
    COALESCE(c.interest_due_minor, s.interest, 0) AS interest_due_minor,
    COALESCE(c.fee_due_minor, s.fee, 0) AS fee_due_minor,
    COALESCE(c.penalty_due_minor, 0) AS penalty_due_minor,
    COALESCE(c.principal_paid_minor, 0) AS principal_paid_minor,
    COALESCE(c.interest_paid_minor, 0) AS interest_paid_minor,
    COALESCE(c.fee_paid_minor, 0) AS fee_paid_minor,
    COALESCE(c.penalty_paid_minor, 0) AS penalty_paid_minor,
    COALESCE(c.principal_relieved_minor, 0) AS principal_relieved_minor,
    COALESCE(c.interest_relieved_minor, 0) AS interest_relieved_minor,
    COALESCE(c.fee_relieved_minor, 0) AS fee_relieved_minor,
    COALESCE(c.penalty_relieved_minor, 0) AS penalty_relieved_minor,
    COALESCE(c.principal_written_off_minor, 0) AS principal_written_off_minor,
    COALESCE(c.interest_written_off_minor, 0) AS interest_written_off_minor,
    COALESCE(c.fee_written_off_minor, 0) AS fee_written_off_minor,
    COALESCE(c.penalty_written_off_minor, 0) AS penalty_written_off_minor,
    COALESCE(c.recovered_minor, 0) AS recovered_minor
FROM plans AS p
CROSS JOIN LATERAL UNNEST(
    p.due_on, p.signed_principal_minor, p.signed_interest_minor, p.signed_fee_minor
) WITH ORDINALITY AS s (due_on, principal, interest, fee, number)
LEFT JOIN changed_instalments AS c
    ON c.account_id = p.account_id AND c.plan_id = p.plan_id AND c.number = s.number;

-- A capture begins one plan and a plan of an order has one capture, so they share a row.
DROP TABLE captures;
CREATE VIEW captures AS
SELECT p.account_id, p.capture_id, p.order_id, p.plan_id, p.principal_minor AS amount_minor,
    o.booked_on
FROM plans AS p
JOIN operations AS o ON o.account_id = p.account_id AND o.plan_id = p.plan_id AND o.number = 1
WHERE p.capture_id IS NOT NULL;

-- An outbox row is found by when it is to be sent, and goes with the event it tells of.
ALTER TABLE outbox DROP CONSTRAINT outbox_pkey;

-- A menu is offered to many; a decision names it by the first half of the sha256 of its text.
CREATE TABLE menus (
    menu_id UUID PRIMARY KEY,
    offers JSONB NOT NULL
);
INSERT INTO menus
SELECT DISTINCT substr(encode(sha256(convert_to(menu::text, 'UTF8')), 'hex'), 1, 32)::uuid, menu
FROM decisions;
ALTER TABLE decisions ADD COLUMN menu_id UUID;
UPDATE decisions
SET menu_id = substr(encode(sha256(convert_to(menu::text, 'UTF8')), 'hex'), 1, 32)::uuid;
ALTER TABLE decisions ALTER COLUMN menu_id SET NOT NULL, DROP COLUMN menu;

GRANT SELECT, INSERT ON cost_tables, cost_table_lines, menus TO fenqi_app;
GRANT SELECT ON cost_lines, instalments, captures TO fenqi_app;
