-- A plan is one signed contract. Its operations are its truth and are only ever appended; plan
-- columns below the line, instalments and allocations are their projection, with a version.

CREATE TABLE plans (
    account_id UUID NOT NULL REFERENCES accounts,
    plan_id UUID NOT NULL,
    order_id UUID,
    parent_plan_id UUID,
    merchant_id UUID NOT NULL REFERENCES merchants,
    pool TEXT NOT NULL DEFAULT 'own',
    funder TEXT NOT NULL DEFAULT 'own',
    product TEXT NOT NULL,
    product_version INTEGER NOT NULL,
    pack TEXT NOT NULL,
    pack_version INTEGER NOT NULL,
    policy TEXT NOT NULL,
    policy_version INTEGER NOT NULL,
    agreement_version INTEGER NOT NULL,
    shown_sha256 TEXT NOT NULL,
    count SMALLINT NOT NULL CHECK (count >= 1),
    principal_minor BIGINT NOT NULL CHECK (principal_minor > 0),
    cost_minor BIGINT NOT NULL CHECK (cost_minor >= 0),
    cost_line TEXT,
    starts_on DATE NOT NULL,
    due_on DATE[] NOT NULL CHECK (cardinality(due_on) = count),
    -- projection
    version INTEGER NOT NULL,
    operation_count INTEGER NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('active', 'closed', 'written-off')),
    billed_count SMALLINT NOT NULL DEFAULT 0,
    bucket SMALLINT NOT NULL DEFAULT 0,
    principal_open_minor BIGINT NOT NULL CHECK (principal_open_minor >= 0),
    oldest_due_on DATE,
    unbilled_due_on DATE,
    charged_through DATE NOT NULL,
    recognised_through DATE NOT NULL,
    is_earning BOOLEAN NOT NULL,
    PRIMARY KEY (account_id, plan_id),
    FOREIGN KEY (account_id, order_id) REFERENCES orders,
    FOREIGN KEY (account_id, agreement_version) REFERENCES agreements,
    -- M7: a cost signed with the plan names its line of the agreement's cost table.
    FOREIGN KEY (account_id, agreement_version, cost_line) REFERENCES cost_lines,
    CHECK (cost_minor = 0 OR cost_line IS NOT NULL),
    CHECK ((state = 'closed') = (oldest_due_on IS NULL))
);
CREATE INDEX plans_owing ON plans (oldest_due_on, account_id) WHERE oldest_due_on IS NOT NULL;
CREATE INDEX plans_to_bill ON plans (unbilled_due_on, account_id)
    WHERE unbilled_due_on IS NOT NULL;
CREATE INDEX plans_earning ON plans (account_id) WHERE is_earning;
CREATE INDEX plans_of_order ON plans (account_id, order_id);

CREATE TABLE operations (
    account_id UUID NOT NULL,
    plan_id UUID NOT NULL,
    number INTEGER NOT NULL CHECK (number >= 1),
    kind TEXT NOT NULL CHECK (
        kind IN ('disburse', 'repay', 'refund', 'settle', 'write-off', 'late-charge')
    ),
    is_derived BOOLEAN NOT NULL,
    effective_on DATE NOT NULL,
    booked_on DATE NOT NULL,
    amount_minor BIGINT NOT NULL,
    parameters JSONB NOT NULL DEFAULT '{}',
    cause_number BIGINT NOT NULL,
    agreement_version INTEGER,
    cost_line TEXT,
    PRIMARY KEY (account_id, plan_id, number),
    FOREIGN KEY (account_id, plan_id) REFERENCES plans,
    FOREIGN KEY (account_id, cause_number) REFERENCES events,
    -- M7: so does what is charged later.
    FOREIGN KEY (account_id, agreement_version, cost_line) REFERENCES cost_lines,
    CHECK ((cost_line IS NULL) = (agreement_version IS NULL)),
    CHECK (kind <> 'late-charge' OR cost_line IS NOT DISTINCT FROM 'late-charge'),
    CHECK (is_derived = (kind = 'late-charge')),
    CHECK (is_derived OR amount_minor > 0),
    CHECK (effective_on <= booked_on)
);

CREATE TABLE instalments (
    account_id UUID NOT NULL,
    plan_id UUID NOT NULL,
    number SMALLINT NOT NULL CHECK (number >= 1),
    starts_on DATE NOT NULL,
    due_on DATE NOT NULL CHECK (due_on > starts_on),
    open_minor BIGINT NOT NULL,
    principal_due_minor BIGINT NOT NULL,
    interest_due_minor BIGINT NOT NULL,
    fee_due_minor BIGINT NOT NULL,
    penalty_due_minor BIGINT NOT NULL DEFAULT 0,
    principal_paid_minor BIGINT NOT NULL DEFAULT 0,
    interest_paid_minor BIGINT NOT NULL DEFAULT 0,
    fee_paid_minor BIGINT NOT NULL DEFAULT 0,
    penalty_paid_minor BIGINT NOT NULL DEFAULT 0,
    principal_relieved_minor BIGINT NOT NULL DEFAULT 0,
    interest_relieved_minor BIGINT NOT NULL DEFAULT 0,
    fee_relieved_minor BIGINT NOT NULL DEFAULT 0,
    penalty_relieved_minor BIGINT NOT NULL DEFAULT 0,
    principal_written_off_minor BIGINT NOT NULL DEFAULT 0,
    interest_written_off_minor BIGINT NOT NULL DEFAULT 0,
    fee_written_off_minor BIGINT NOT NULL DEFAULT 0,
    penalty_written_off_minor BIGINT NOT NULL DEFAULT 0,
    recovered_minor BIGINT NOT NULL DEFAULT 0,
    PRIMARY KEY (account_id, plan_id, number),
    FOREIGN KEY (account_id, plan_id) REFERENCES plans,
    -- M2, to the minor unit: due = paid + relieved + written off + open, and no part below zero.
    CHECK (
        open_minor
        = principal_due_minor + interest_due_minor + fee_due_minor + penalty_due_minor
        - principal_paid_minor - interest_paid_minor - fee_paid_minor - penalty_paid_minor
        - principal_relieved_minor - interest_relieved_minor
        - fee_relieved_minor - penalty_relieved_minor
        - principal_written_off_minor - interest_written_off_minor
        - fee_written_off_minor - penalty_written_off_minor
    ),
    CHECK (
        LEAST(principal_paid_minor, principal_relieved_minor, principal_written_off_minor) >= 0
        AND principal_paid_minor + principal_relieved_minor + principal_written_off_minor
        <= principal_due_minor
    ),
    CHECK (
        LEAST(interest_paid_minor, interest_relieved_minor, interest_written_off_minor) >= 0
        AND interest_paid_minor + interest_relieved_minor + interest_written_off_minor
        <= interest_due_minor
    ),
    CHECK (
        LEAST(fee_paid_minor, fee_relieved_minor, fee_written_off_minor) >= 0
        AND fee_paid_minor + fee_relieved_minor + fee_written_off_minor <= fee_due_minor
    ),
    CHECK (
        LEAST(penalty_paid_minor, penalty_relieved_minor, penalty_written_off_minor) >= 0
        AND penalty_paid_minor + penalty_relieved_minor + penalty_written_off_minor
        <= penalty_due_minor
    ),
    CHECK (
        recovered_minor BETWEEN 0 AND principal_written_off_minor + interest_written_off_minor
        + fee_written_off_minor + penalty_written_off_minor
    )
);

-- What each operation did to each instalment; rewritten when a backdated operation changes it.
CREATE TABLE allocations (
    account_id UUID NOT NULL,
    plan_id UUID NOT NULL,
    operation_number INTEGER NOT NULL,
    line SMALLINT NOT NULL,
    instalment_number SMALLINT NOT NULL,
    effect TEXT NOT NULL CHECK (effect IN ('paid', 'relieved', 'written-off', 'recovered')),
    principal_minor BIGINT NOT NULL,
    interest_minor BIGINT NOT NULL,
    fee_minor BIGINT NOT NULL,
    penalty_minor BIGINT NOT NULL,
    PRIMARY KEY (account_id, plan_id, operation_number, line),
    FOREIGN KEY (account_id, plan_id, operation_number) REFERENCES operations
);

-- Bucket crossings: the only trace of ageing that is written.
CREATE TABLE crossings (
    account_id UUID NOT NULL,
    plan_id UUID NOT NULL,
    event_number BIGINT NOT NULL,
    booked_on DATE NOT NULL,
    from_bucket SMALLINT NOT NULL,
    to_bucket SMALLINT NOT NULL,
    principal_open_minor BIGINT NOT NULL,
    PRIMARY KEY (account_id, plan_id, event_number),
    FOREIGN KEY (account_id, plan_id) REFERENCES plans,
    FOREIGN KEY (account_id, event_number) REFERENCES events
);

GRANT SELECT, INSERT ON operations, crossings TO fenqi_app;
GRANT SELECT, INSERT, UPDATE ON plans, instalments TO fenqi_app;
GRANT SELECT, INSERT, DELETE ON allocations TO fenqi_app;
