-- What was asked (commands, for idempotency), what happened (events, append-only), and what is to
-- be told or done later (outbox, jobs, steps of long processes).

CREATE TABLE commands (
    scope_kind TEXT NOT NULL CHECK (scope_kind IN ('account', 'merchant', 'book', 'channel')),
    scope_id TEXT NOT NULL,
    key TEXT NOT NULL,
    account_id UUID NOT NULL,
    kind TEXT NOT NULL,
    body_sha256 TEXT NOT NULL,
    answer JSONB NOT NULL,
    recorded_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (scope_kind, scope_id, key)
);

-- `number` counts per account without a hole. Readers of the whole stream order by
-- recorded_by and stop below pg_snapshot_xmin(pg_current_snapshot()): a transaction that commits
-- late has an id above that mark, so it cannot slip under it.
CREATE TABLE events (
    account_id UUID NOT NULL REFERENCES accounts,
    number BIGINT NOT NULL CHECK (number >= 1),
    schema_version SMALLINT NOT NULL,
    kind TEXT NOT NULL,
    command_key TEXT,
    cause_number BIGINT,
    actor TEXT NOT NULL,
    occurred_at TIMESTAMPTZ NOT NULL,
    recorded_at TIMESTAMPTZ NOT NULL,
    booked_on DATE NOT NULL,
    effective_on DATE NOT NULL,
    recorded_by XID8 NOT NULL DEFAULT pg_current_xact_id(),
    payload JSONB NOT NULL,
    PRIMARY KEY (account_id, number)
);
CREATE INDEX events_by_recorded ON events (recorded_by);

-- Facts about things several accounts share, by keyed hash of the identifier.
CREATE TABLE identifier_facts (
    identifier_hash BYTEA NOT NULL,
    identifier_kind TEXT NOT NULL CHECK (identifier_kind IN ('ip', 'device', 'card', 'phone')),
    occurred_at TIMESTAMPTZ NOT NULL,
    account_id UUID NOT NULL,
    event_number BIGINT NOT NULL,
    PRIMARY KEY (identifier_hash, occurred_at, account_id, event_number)
);

CREATE TABLE outbox (
    account_id UUID NOT NULL,
    event_number BIGINT NOT NULL,
    topic TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'sent', 'dead')),
    attempts SMALLINT NOT NULL DEFAULT 0,
    not_before TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (account_id, event_number, topic),
    FOREIGN KEY (account_id, event_number) REFERENCES events
);
CREATE INDEX outbox_waiting ON outbox (not_before) WHERE state = 'waiting';

CREATE TABLE jobs (
    job_id UUID PRIMARY KEY,
    kind TEXT NOT NULL,
    dedupe_key TEXT UNIQUE,
    state TEXT NOT NULL DEFAULT 'waiting' CHECK (state IN ('waiting', 'done', 'dead')),
    attempts SMALLINT NOT NULL DEFAULT 0,
    not_before TIMESTAMPTZ NOT NULL,
    leased_until TIMESTAMPTZ,
    payload JSONB NOT NULL
);
CREATE INDEX jobs_waiting ON jobs (not_before) WHERE state = 'waiting';

CREATE TABLE process_steps (
    process_id UUID NOT NULL,
    step SMALLINT NOT NULL,
    name TEXT NOT NULL,
    result JSONB NOT NULL,
    finished_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (process_id, step)
);

GRANT SELECT, INSERT ON commands, events, identifier_facts, process_steps TO fenqi_app;
GRANT SELECT, INSERT, UPDATE, DELETE ON outbox, jobs TO fenqi_app;
