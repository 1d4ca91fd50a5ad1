-- Order, hold, capture: what a merchant asked us to pay for, what is kept free for it, and what
-- was shipped. A hold is not a receivable and expires; it lives on its order's row.

CREATE TABLE decisions (
    account_id UUID NOT NULL REFERENCES accounts,
    decision_id UUID NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('application', 'purchase', 'limit', 'price')),
    outcome TEXT NOT NULL CHECK (outcome IN ('approve', 'decline')),
    reasons TEXT[] NOT NULL CHECK (cardinality(reasons) <= 4),
    inputs JSONB NOT NULL,
    menu JSONB NOT NULL,
    policy TEXT NOT NULL,
    policy_version INTEGER NOT NULL,
    model TEXT,
    model_version INTEGER,
    regime TEXT NOT NULL DEFAULT 'normal',
    decided_at TIMESTAMPTZ NOT NULL,
    booked_on DATE NOT NULL,
    PRIMARY KEY (account_id, decision_id),
    CHECK ((outcome = 'decline') = (cardinality(reasons) > 0))
);

CREATE TABLE orders (
    account_id UUID NOT NULL,
    order_id UUID NOT NULL,
    merchant_id UUID NOT NULL REFERENCES merchants,
    merchant_order TEXT NOT NULL,
    decision_id UUID NOT NULL,
    product TEXT NOT NULL,
    product_version INTEGER NOT NULL,
    count SMALLINT NOT NULL CHECK (count >= 1),
    agreement_version INTEGER NOT NULL,
    shown_sha256 TEXT NOT NULL,
    amount_minor BIGINT NOT NULL CHECK (amount_minor > 0),
    captured_minor BIGINT NOT NULL DEFAULT 0 CHECK (captured_minor >= 0),
    released_minor BIGINT NOT NULL DEFAULT 0 CHECK (released_minor >= 0),
    hold_expires_on DATE,
    placed_at TIMESTAMPTZ NOT NULL,
    booked_on DATE NOT NULL,
    PRIMARY KEY (account_id, order_id),
    FOREIGN KEY (account_id, decision_id) REFERENCES decisions,
    FOREIGN KEY (account_id, agreement_version) REFERENCES agreements,
    CHECK (captured_minor + released_minor <= amount_minor),
    CHECK ((hold_expires_on IS NOT NULL) = (captured_minor + released_minor < amount_minor))
);
CREATE INDEX orders_held ON orders (hold_expires_on, account_id) WHERE hold_expires_on IS NOT NULL;

CREATE TABLE captures (
    account_id UUID NOT NULL,
    capture_id UUID NOT NULL,
    order_id UUID NOT NULL,
    plan_id UUID NOT NULL,
    amount_minor BIGINT NOT NULL CHECK (amount_minor > 0),
    booked_on DATE NOT NULL,
    PRIMARY KEY (account_id, capture_id),
    FOREIGN KEY (account_id, order_id) REFERENCES orders
);
CREATE INDEX captures_of_order ON captures (account_id, order_id);

GRANT SELECT, INSERT ON decisions, captures TO fenqi_app;
GRANT SELECT, INSERT, UPDATE ON orders TO fenqi_app;
