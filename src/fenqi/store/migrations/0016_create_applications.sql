-- Who applies, under which consents, what a bureau said, and how it was decided
-- (docs/adr/0024-decide-applications-in-two-steps.md).

-- A person's identity as given, append-only; the highest number counts. Numbers that programs could
-- guess (of a passport, a phone) are kept as keyed hashes only.
CREATE TABLE identities (
    person_id UUID NOT NULL,
    number INTEGER NOT NULL CHECK (number >= 1),
    legal_name TEXT NOT NULL,
    born_on DATE NOT NULL,
    is_student BOOLEAN,
    national_id_hash BYTEA,
    given_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (person_id, number)
);
CREATE INDEX identities_by_national_id ON identities (national_id_hash)
    WHERE national_id_hash IS NOT NULL;

-- What a person agreed to, by class of data and purpose, append-only: of each pair the highest
-- number says how it stands. `text_sha256` is of the wording that was agreed to.
CREATE TABLE consents (
    person_id UUID NOT NULL,
    number INTEGER NOT NULL CHECK (number >= 1),
    data_class TEXT NOT NULL CHECK (
        data_class IN ('identity', 'contact', 'device', 'payment', 'income', 'bureau')
    ),
    purpose TEXT NOT NULL CHECK (purpose IN ('credit', 'fraud', 'service')),
    is_given BOOLEAN NOT NULL,
    stated_at TIMESTAMPTZ NOT NULL,
    recorded_at TIMESTAMPTZ NOT NULL,
    text_sha256 TEXT NOT NULL,
    PRIMARY KEY (person_id, number)
);

-- Every call to a bureau and every report of a file, append-only: who asked, under which consent,
-- what it cost, how long it took, what came of it. What is unknown is NULL.
CREATE TABLE bureau_reports (
    person_id UUID NOT NULL,
    report_id UUID NOT NULL,
    bureau TEXT NOT NULL,
    source TEXT NOT NULL CHECK (source IN ('channel', 'file')),
    finding TEXT NOT NULL CHECK (finding IN ('report', 'nobody', 'timeout', 'unreachable',
        'garbled', 'refused', 'suspended')),
    asked_by TEXT NOT NULL,
    asked_for UUID,
    consent_number INTEGER NOT NULL,
    asked_at TIMESTAMPTZ NOT NULL,
    cost_minor BIGINT CHECK (cost_minor >= 0),
    latency_us BIGINT CHECK (latency_us >= 0),
    tries SMALLINT NOT NULL CHECK (tries >= 0),
    said TEXT NOT NULL,
    as_of TIMESTAMPTZ,
    score INTEGER,
    enquiries_30d INTEGER,
    overdue_accounts INTEGER,
    worst_overdue_days INTEGER,
    open_credit_minor BIGINT,
    monthly_due_minor BIGINT,
    PRIMARY KEY (person_id, report_id),
    CHECK ((finding = 'report') = (as_of IS NOT NULL)),
    FOREIGN KEY (person_id, consent_number) REFERENCES consents (person_id, number)
);

-- One application. Its id is that of the account it may open, so that its events and decision are
-- the account's from the first on.
CREATE TABLE applications (
    account_id UUID PRIMARY KEY,
    book_id TEXT NOT NULL REFERENCES books,
    person_id UUID NOT NULL,
    state TEXT NOT NULL CHECK (
        state IN ('received', 'offered', 'review', 'declined', 'accepted')
    ),
    received_at TIMESTAMPTZ NOT NULL,
    booked_on DATE NOT NULL,
    statement_day SMALLINT NOT NULL CHECK (statement_day BETWEEN 1 AND 31),
    asked_minor BIGINT NOT NULL CHECK (asked_minor > 0),
    income_declared_minor BIGINT NOT NULL CHECK (income_declared_minor >= 0),
    income_evidenced_minor BIGINT CHECK (income_evidenced_minor >= 0),
    evidence TEXT CHECK (evidence IN ('payslip', 'bank-statement', 'tax-record')),
    obligations_minor BIGINT CHECK (obligations_minor >= 0),
    applications_24h SMALLINT NOT NULL CHECK (applications_24h >= 1),
    is_stepped_up BOOLEAN NOT NULL DEFAULT false,
    event_count BIGINT NOT NULL,
    -- Until then somebody asks the bureau for it; past, another may.
    leased_until TIMESTAMPTZ,
    decision_id UUID,
    outcome TEXT,
    reasons TEXT[] NOT NULL DEFAULT '{}' CHECK (cardinality(reasons) <= 4),
    effects TEXT[] NOT NULL DEFAULT '{}',
    limit_minor BIGINT CHECK (limit_minor > 0),
    counts_max SMALLINT CHECK (counts_max >= 1),
    price_grade SMALLINT NOT NULL DEFAULT 0 CHECK (price_grade >= 0),
    menu_id UUID,
    cost_table UUID,
    decided_at TIMESTAMPTZ,
    decided_by TEXT,
    offer_ends_on DATE,
    CHECK ((income_evidenced_minor IS NULL) = (evidence IS NULL)),
    CHECK ((state = 'received') = (decided_at IS NULL)),
    CHECK (state NOT IN ('offered', 'accepted')
        OR (limit_minor IS NOT NULL AND cost_table IS NOT NULL AND offer_ends_on IS NOT NULL)),
    CHECK (state <> 'declined' OR cardinality(reasons) >= 1)
);
CREATE INDEX applications_waiting ON applications (received_at) WHERE state = 'received';
CREATE INDEX applications_of_person ON applications (person_id, received_at);

GRANT SELECT, INSERT ON identities, consents, bureau_reports, applications TO fenqi_app;
GRANT UPDATE (state, is_stepped_up, event_count, leased_until, decision_id, outcome, reasons,
    effects, limit_minor, counts_max, price_grade, menu_id, cost_table, decided_at, decided_by, offer_ends_on)
    ON applications TO fenqi_app;
