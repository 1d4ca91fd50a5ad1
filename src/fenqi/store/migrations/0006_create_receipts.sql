-- Money in. A receipt belongs to the account; its lines say, once and for all, how much of it went
-- to which plan or to the credit balance. Only final money pays: a pending debit frees nothing.

CREATE TABLE receipts (
    account_id UUID NOT NULL REFERENCES accounts,
    receipt_id UUID NOT NULL,
    channel TEXT NOT NULL,
    channel_reference TEXT NOT NULL,
    amount_minor BIGINT NOT NULL CHECK (amount_minor > 0),
    state TEXT NOT NULL CHECK (state IN ('pending', 'final', 'reversed')),
    received_at TIMESTAMPTZ NOT NULL,
    effective_on DATE NOT NULL,
    booked_on DATE NOT NULL,
    PRIMARY KEY (account_id, receipt_id),
    UNIQUE (account_id, channel, channel_reference)
);

CREATE TABLE receipt_lines (
    account_id UUID NOT NULL,
    receipt_id UUID NOT NULL,
    line SMALLINT NOT NULL,
    plan_id UUID,
    amount_minor BIGINT NOT NULL CHECK (amount_minor > 0),
    PRIMARY KEY (account_id, receipt_id, line),
    FOREIGN KEY (account_id, receipt_id) REFERENCES receipts,
    FOREIGN KEY (account_id, plan_id) REFERENCES plans
);

-- Our own tries to collect through a channel.
CREATE TABLE attempts (
    account_id UUID NOT NULL REFERENCES accounts,
    attempt_id UUID NOT NULL,
    receipt_id UUID,
    channel TEXT NOT NULL,
    amount_minor BIGINT NOT NULL CHECK (amount_minor > 0),
    state TEXT NOT NULL CHECK (state IN ('pending', 'final', 'reversed')),
    incident_id UUID,
    tried_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (account_id, attempt_id),
    FOREIGN KEY (account_id, receipt_id) REFERENCES receipts
);

CREATE TABLE refunds (
    account_id UUID NOT NULL,
    refund_id UUID NOT NULL,
    plan_id UUID,
    order_id UUID NOT NULL,
    amount_minor BIGINT NOT NULL CHECK (amount_minor > 0),
    cost_relieved_minor BIGINT NOT NULL CHECK (cost_relieved_minor >= 0),
    returned_minor BIGINT NOT NULL CHECK (returned_minor >= 0),
    booked_on DATE NOT NULL,
    effective_on DATE NOT NULL,
    PRIMARY KEY (account_id, refund_id),
    FOREIGN KEY (account_id, order_id) REFERENCES orders,
    FOREIGN KEY (account_id, plan_id) REFERENCES plans
);

GRANT SELECT, INSERT ON receipt_lines, refunds TO fenqi_app;
GRANT SELECT, INSERT, UPDATE ON receipts, attempts TO fenqi_app;
