-- A decision is computed again years later, on another machine, from its record alone
-- (docs/adr/0018-keep-decisions-exactly.md): its inputs as integers in the order its rulebook names
-- them, NULL where one was unknown, and the rulebook itself, which is kept once.

-- What decisions are made by: a policy with the declarations of what it looks at, or the built-in
-- judge of the first books. The id is the first half of the sha256 of the content as JSON with
-- sorted keys and no spaces.
CREATE TABLE rulebooks (
    rulebook_id UUID PRIMARY KEY,
    kind TEXT NOT NULL CHECK (
        kind IN ('application', 'purchase', 'limit', 'price', 'access', 'repayment')
    ),
    name TEXT NOT NULL,
    version INTEGER NOT NULL CHECK (version >= 1),
    content JSONB NOT NULL CHECK (
        COALESCE(jsonb_typeof(content -> 'inputs'), '') = 'array'
    )
);
INSERT INTO rulebooks (rulebook_id, kind, name, version, content) VALUES (
    '242aa4a5-fa92-f4c5-6ac6-1107416136b0', 'purchase', 'starter', 1,
    '{"choices": {"account_status": ["open", "frozen", "closed"]}, "inputs": ["account_status",
      "limit_minor", "used_minor", "overdue_days", "amount_minor"], "judge": "starter"}'
);

ALTER TABLE decisions
    DROP CONSTRAINT decisions_check,
    DROP CONSTRAINT decisions_kind_check,
    DROP CONSTRAINT decisions_outcome_check,
    DROP COLUMN model,
    DROP COLUMN model_version,
    ALTER COLUMN menu_id DROP NOT NULL,
    ALTER COLUMN inputs TYPE BIGINT[] USING ARRAY[
        array_position(ARRAY['open', 'frozen', 'closed'], inputs ->> 'status') - 1,
        (inputs ->> 'limit_minor')::bigint, (inputs ->> 'used_minor')::bigint,
        (inputs ->> 'overdue_days')::bigint, (inputs ->> 'amount_minor')::bigint
    ],
    ADD COLUMN effects TEXT[] NOT NULL DEFAULT '{}',
    ADD COLUMN points INTEGER,
    ADD COLUMN hits SMALLINT[] NOT NULL DEFAULT '{}',
    ADD COLUMN rulebook_id UUID,
    ADD COLUMN would_change JSONB,
    ADD COLUMN as_of_number BIGINT CHECK (as_of_number >= 0),
    ADD COLUMN latency_us INTEGER CHECK (latency_us >= 0);

-- The number of the last event a decision saw: the one before its own. An account's purchases were
-- decided in the order of their events; a later capture of an order is no decision.
UPDATE decisions AS d
SET rulebook_id = '242aa4a5-fa92-f4c5-6ac6-1107416136b0', as_of_number = e.number - 1
FROM (
    SELECT account_id, decision_id,
        ROW_NUMBER() OVER (PARTITION BY account_id ORDER BY decision_id) AS place
    FROM decisions
) AS made LEFT JOIN (
    SELECT account_id, number, ROW_NUMBER() OVER (PARTITION BY account_id ORDER BY number) AS place
    FROM (
        SELECT account_id, number, kind, ROW_NUMBER() OVER (
            PARTITION BY account_id, payload ->> 'order_id' ORDER BY number
        ) AS telling
        FROM events
        WHERE kind IN ('purchase-declined', 'purchase-authorised', 'purchase-captured')
    ) AS told
    WHERE kind = 'purchase-declined' OR telling = 1
) AS e USING (account_id, place)
WHERE d.account_id = made.account_id AND d.decision_id = made.decision_id;

-- The outcome is the strongest effect, or approve. What harms is told with reasons (P3).
ALTER TABLE decisions
    ALTER COLUMN rulebook_id SET NOT NULL,
    ADD CONSTRAINT decisions_kind CHECK (
        kind IN ('application', 'purchase', 'limit', 'price', 'access', 'repayment')
    ),
    ADD CONSTRAINT decisions_outcome CHECK (
        outcome IN ('approve', 'nudge', 'step-up', 'cooler-menu', 'smaller-limit', 'dearer-price',
            'review', 'hold', 'freeze', 'decline')
    ),
    ADD CONSTRAINT decisions_told CHECK (
        outcome NOT IN ('smaller-limit', 'dearer-price', 'hold', 'freeze', 'decline')
        OR cardinality(reasons) > 0
    );

-- Rows that are found by their own id or their plan's, and not by their account, come in the order
-- of time: a key that begins with the account dirties a page of the index per row
-- (docs/adr/0018-keep-decisions-exactly.md). The account stays in the key, so that the tables are
-- distributed like all others.
ALTER TABLE refunds DROP CONSTRAINT refunds_account_id_order_id_fkey;
ALTER TABLE decisions DROP CONSTRAINT decisions_pkey, ADD PRIMARY KEY (decision_id, account_id);
ALTER TABLE orders DROP CONSTRAINT orders_pkey, ADD PRIMARY KEY (order_id, account_id);
ALTER TABLE operations DROP CONSTRAINT operations_pkey,
    ADD PRIMARY KEY (plan_id, account_id, number);
ALTER TABLE refunds ADD FOREIGN KEY (account_id, order_id) REFERENCES orders (account_id, order_id);

GRANT SELECT, INSERT ON rulebooks TO fenqi_app;
