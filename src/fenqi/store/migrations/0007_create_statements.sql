-- Statements are documents: cut once, never changed. A correction appears on the next one.

CREATE TABLE statements (
    account_id UUID NOT NULL REFERENCES accounts,
    number INTEGER NOT NULL CHECK (number >= 1),
    cut_on DATE NOT NULL,
    due_on DATE NOT NULL CHECK (due_on > cut_on),
    total_minor BIGINT NOT NULL CHECK (total_minor >= 0),
    overdue_minor BIGINT NOT NULL CHECK (overdue_minor BETWEEN 0 AND total_minor),
    event_number BIGINT NOT NULL,
    PRIMARY KEY (account_id, number),
    UNIQUE (account_id, cut_on),
    FOREIGN KEY (account_id, event_number) REFERENCES events
);

CREATE TABLE statement_lines (
    account_id UUID NOT NULL,
    statement_number INTEGER NOT NULL,
    line SMALLINT NOT NULL,
    plan_id UUID NOT NULL,
    instalment_number SMALLINT NOT NULL,
    due_on DATE NOT NULL,
    principal_minor BIGINT NOT NULL,
    interest_minor BIGINT NOT NULL,
    fee_minor BIGINT NOT NULL,
    penalty_minor BIGINT NOT NULL,
    PRIMARY KEY (account_id, statement_number, line),
    FOREIGN KEY (account_id, statement_number) REFERENCES statements,
    FOREIGN KEY (account_id, plan_id, instalment_number) REFERENCES instalments
);

GRANT SELECT, INSERT ON statements, statement_lines TO fenqi_app;
