-- What the running program does by itself, applications that cannot be decided, and ways to find
-- decisions (docs/adr/0026-run-duties-in-turn.md).

-- How each duty of the worker stands: when it last ran, what came of it, and where it goes on. Who
-- runs it holds an advisory lock meanwhile, so a program that dies leaves nothing locked.
CREATE TABLE duties (
    name TEXT PRIMARY KEY,
    cursor JSONB NOT NULL DEFAULT '{}',
    begun_at TIMESTAMPTZ,
    ended_at TIMESTAMPTZ,
    good_at TIMESTAMPTZ,
    due_at TIMESTAMPTZ,
    touched BIGINT NOT NULL DEFAULT 0 CHECK (touched >= 0),
    failures INTEGER NOT NULL DEFAULT 0 CHECK (failures >= 0),
    fault TEXT,
    run_by TEXT NOT NULL DEFAULT ''
);

-- An application that fails again and again is parked with what went wrong, until a person lets it
-- be tried again; those behind it go on.
ALTER TABLE applications
    ADD COLUMN failures SMALLINT NOT NULL DEFAULT 0 CHECK (failures >= 0),
    ADD COLUMN fault TEXT,
    ADD COLUMN parked_at TIMESTAMPTZ,
    ADD CHECK (parked_at IS NULL OR fault IS NOT NULL);
DROP INDEX applications_waiting;
CREATE INDEX applications_waiting ON applications (received_at)
    WHERE state = 'received' AND parked_at IS NULL;
CREATE INDEX applications_parked ON applications (parked_at)
    WHERE state = 'received' AND parked_at IS NOT NULL;

-- Purchases are most of all decisions and are found by their key, which rises with time, or by their
-- account's events. What is rarer has indexes that an approved purchase does not pay for.
CREATE INDEX decisions_of_account ON decisions (account_id, decision_id) WHERE kind <> 'purchase';
CREATE INDEX decisions_of_kind ON decisions (kind, decision_id) WHERE kind <> 'purchase';
CREATE INDEX decisions_not_approved ON decisions (outcome, decision_id) WHERE outcome <> 'approve';

GRANT SELECT, INSERT ON duties TO fenqi_app;
GRANT UPDATE (cursor, begun_at, ended_at, good_at, due_at, touched, failures, fault, run_by)
    ON duties TO fenqi_app;
GRANT UPDATE (failures, fault, parked_at) ON applications TO fenqi_app;
