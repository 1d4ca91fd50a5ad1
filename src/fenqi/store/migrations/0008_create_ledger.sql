-- M1: a line is a transfer between two different accounts of the chart, of a positive amount; so
-- books balance by construction. Lines are only ever added: fenqi_app may neither change nor
-- delete them, and a correction is a new line. The customer account is the sub-ledger.

CREATE TABLE chart (
    code TEXT PRIMARY KEY,
    side TEXT NOT NULL CHECK (side IN ('Assets', 'Liabilities', 'Equity', 'Income', 'Expenses')),
    export_name TEXT NOT NULL UNIQUE,
    tax_code TEXT NOT NULL
);
INSERT INTO chart (code, side, export_name, tax_code) VALUES
    ('receivable-principal', 'Assets', 'Receivable:Principal', 'none'),
    ('receivable-interest', 'Assets', 'Receivable:Interest', 'none'),
    ('receivable-fee', 'Assets', 'Receivable:Fee', 'none'),
    ('receivable-penalty', 'Assets', 'Receivable:Penalty', 'none'),
    ('allowance', 'Assets', 'Allowance', 'none'),
    ('cash-in-transit', 'Assets', 'Cash:InTransit', 'none'),
    ('cash-settled', 'Assets', 'Cash:Settled', 'none'),
    ('merchant-payable', 'Liabilities', 'MerchantPayable', 'none'),
    ('credit-balance', 'Liabilities', 'CreditBalance', 'none'),
    ('refunds-payable', 'Liabilities', 'RefundsPayable', 'none'),
    ('suspense', 'Liabilities', 'Suspense', 'none'),
    ('deferred-income', 'Liabilities', 'DeferredIncome', 'none'),
    ('funding', 'Equity', 'Funding', 'none'),
    ('income-interest', 'Income', 'Interest', 'exempt'),
    ('income-fee', 'Income', 'Fee', 'exempt'),
    ('income-penalty', 'Income', 'Penalty', 'exempt'),
    ('income-merchant-discount', 'Income', 'MerchantDiscount', 'standard'),
    ('recovery', 'Income', 'Recovery', 'none'),
    ('provision', 'Expenses', 'Provision', 'none'),
    ('goodwill', 'Expenses', 'Goodwill', 'none');

CREATE TABLE transfers (
    account_id UUID NOT NULL,
    event_number BIGINT NOT NULL,
    line SMALLINT NOT NULL,
    booked_on DATE NOT NULL,
    effective_on DATE NOT NULL,
    debit TEXT NOT NULL REFERENCES chart,
    credit TEXT NOT NULL REFERENCES chart,
    amount_minor BIGINT NOT NULL CHECK (amount_minor > 0),
    currency CHAR(3) NOT NULL,
    plan_id UUID,
    merchant_id UUID,
    channel TEXT,
    PRIMARY KEY (account_id, event_number, line),
    FOREIGN KEY (account_id, event_number) REFERENCES events,
    CHECK (debit <> credit),
    CHECK (effective_on <= booked_on),
    CHECK (merchant_id IS NOT NULL OR 'merchant-payable' NOT IN (debit, credit))
);
CREATE INDEX transfers_by_day ON transfers USING brin (booked_on) WITH (pages_per_range = 16);

-- The closed days' totals: one row per day, slice, pair and merchant; written by the close, once.
CREATE TABLE ledger_days (
    book_id TEXT NOT NULL REFERENCES books,
    day DATE NOT NULL,
    slice SMALLINT NOT NULL,
    debit TEXT NOT NULL REFERENCES chart,
    credit TEXT NOT NULL REFERENCES chart,
    amount_minor BIGINT NOT NULL CHECK (amount_minor > 0),
    lines INTEGER NOT NULL CHECK (lines > 0),
    PRIMARY KEY (book_id, day, slice, debit, credit)
);

GRANT SELECT ON chart TO fenqi_app;
GRANT SELECT, INSERT ON transfers, ledger_days TO fenqi_app;
