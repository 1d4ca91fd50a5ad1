-- Identity fields live in the person table only. Everything an account owns has account_id first
-- in every key, so that the schema can be distributed by account.

CREATE TABLE persons (
    person_id UUID PRIMARY KEY,
    reference TEXT NOT NULL UNIQUE
);

CREATE TABLE accounts (
    account_id UUID PRIMARY KEY,
    book_id TEXT NOT NULL REFERENCES books,
    kind TEXT NOT NULL CHECK (kind IN ('customer', 'house')),
    person_id UUID,
    slice SMALLINT NOT NULL CHECK (slice BETWEEN 0 AND 63),
    currency CHAR(3) NOT NULL,
    status TEXT NOT NULL CHECK (status IN ('open', 'frozen', 'closed')),
    opened_on DATE NOT NULL,
    agreement_version INTEGER NOT NULL,
    statement_day SMALLINT NOT NULL CHECK (statement_day BETWEEN 1 AND 31),
    statement_count INTEGER NOT NULL DEFAULT 0,
    event_count BIGINT NOT NULL DEFAULT 0,
    limit_minor BIGINT NOT NULL CHECK (limit_minor >= 0),
    principal_open_minor BIGINT NOT NULL DEFAULT 0 CHECK (principal_open_minor >= 0),
    held_minor BIGINT NOT NULL DEFAULT 0 CHECK (held_minor >= 0),
    credit_minor BIGINT NOT NULL DEFAULT 0 CHECK (credit_minor >= 0),
    refunds_payable_minor BIGINT NOT NULL DEFAULT 0 CHECK (refunds_payable_minor >= 0),
    CHECK ((kind = 'house') = (person_id IS NULL))
);
CREATE INDEX accounts_owed_refunds ON accounts (account_id) WHERE refunds_payable_minor > 0;
CREATE INDEX accounts_in_credit ON accounts (account_id) WHERE credit_minor > 0;

-- One account per person and book.
CREATE TABLE enrolments (
    book_id TEXT NOT NULL REFERENCES books,
    person_id UUID NOT NULL,
    account_id UUID NOT NULL,
    PRIMARY KEY (book_id, person_id)
);

-- The one history of statement days.
CREATE TABLE cycles (
    account_id UUID NOT NULL REFERENCES accounts,
    from_on DATE NOT NULL,
    statement_day SMALLINT NOT NULL CHECK (statement_day BETWEEN 1 AND 31),
    PRIMARY KEY (account_id, from_on)
);

-- The framework agreement and the lines of its cost table: nothing else may ever be charged (M7).
CREATE TABLE agreements (
    account_id UUID NOT NULL REFERENCES accounts,
    version INTEGER NOT NULL,
    agreed_on DATE NOT NULL,
    pack TEXT NOT NULL,
    pack_version INTEGER NOT NULL,
    PRIMARY KEY (account_id, version)
);
CREATE TABLE cost_lines (
    account_id UUID NOT NULL,
    agreement_version INTEGER NOT NULL,
    cost_line TEXT NOT NULL CHECK (cost_line IN ('flat-fee', 'interest', 'late-charge')),
    rate_ppm INTEGER NOT NULL CHECK (rate_ppm >= 0),
    rate_period TEXT NOT NULL CHECK (rate_period IN ('instalment', 'year', 'day')),
    PRIMARY KEY (account_id, agreement_version, cost_line),
    FOREIGN KEY (account_id, agreement_version) REFERENCES agreements
);

GRANT SELECT, INSERT ON persons, enrolments, cycles, agreements, cost_lines TO fenqi_app;
GRANT SELECT, INSERT, UPDATE ON accounts TO fenqi_app;
