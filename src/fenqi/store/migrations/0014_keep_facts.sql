-- What others tell of an account is an event of it; here is what several accounts share.

ALTER TABLE identifier_facts DROP CONSTRAINT identifier_facts_identifier_kind_check;
ALTER TABLE identifier_facts ADD CONSTRAINT identifier_facts_identifier_kind_check
    CHECK (identifier_kind IN ('ip', 'device', 'card', 'phone', 'address'));

-- When each account was last seen with each identifier: one row a pair however often it comes, so
-- that the accounts of a window are counted by reading no more of them than the count's cap.
CREATE TABLE presences (
    identifier_hash BYTEA NOT NULL,
    account_id UUID NOT NULL,
    seen_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (identifier_hash, account_id)
);
CREATE INDEX presences_by_time ON presences (identifier_hash, seen_at);

-- Which keys have sealed identity values, by what tells them apart: a program with another key would
-- see nobody again, so it is refused until somebody says that the key has changed.
CREATE TABLE identity_keys (
    fingerprint TEXT PRIMARY KEY,
    since TIMESTAMPTZ NOT NULL
);

GRANT SELECT, INSERT, UPDATE ON presences TO fenqi_app;
GRANT SELECT, INSERT ON identity_keys TO fenqi_app;
