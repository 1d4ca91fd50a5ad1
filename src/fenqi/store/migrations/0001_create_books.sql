-- A book is a legal entity's set of accounts in one currency; merchants and the versioned
-- catalogue (products, packs, policies) are small reference tables every node may hold.

CREATE TABLE catalogue (
    kind TEXT NOT NULL CHECK (kind IN ('product', 'pack', 'policy')),
    name TEXT NOT NULL,
    version INTEGER NOT NULL CHECK (version >= 1),
    body JSONB NOT NULL,
    body_sha256 TEXT NOT NULL,
    author TEXT NOT NULL,
    adopted_by TEXT NOT NULL CHECK (adopted_by <> author),
    adopted_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (kind, name, version)
);

CREATE TABLE books (
    book_id TEXT PRIMARY KEY,
    legal_entity TEXT NOT NULL,
    currency CHAR(3) NOT NULL,
    zone TEXT NOT NULL,
    calendar TEXT NOT NULL,
    cut_off TIME NOT NULL,
    business_date DATE NOT NULL,
    opened_on DATE NOT NULL,
    slices SMALLINT NOT NULL CHECK (slices BETWEEN 1 AND 64),
    due_after_days SMALLINT NOT NULL CHECK (due_after_days BETWEEN 1 AND 27),
    pack TEXT NOT NULL,
    pack_version INTEGER NOT NULL,
    house_account_id UUID NOT NULL
);

-- Days on which an outage on our side or a channel's kept customers from paying (P5).
CREATE TABLE excused_days (
    book_id TEXT NOT NULL REFERENCES books,
    day DATE NOT NULL,
    incident_id UUID NOT NULL,
    PRIMARY KEY (book_id, day, incident_id)
);

CREATE TABLE merchants (
    merchant_id UUID PRIMARY KEY,
    book_id TEXT NOT NULL REFERENCES books,
    name TEXT NOT NULL,
    UNIQUE (book_id, name)
);

GRANT SELECT, INSERT ON catalogue TO fenqi_app;
GRANT SELECT, INSERT, UPDATE ON books TO fenqi_app;
GRANT SELECT, INSERT ON excused_days, merchants TO fenqi_app;
