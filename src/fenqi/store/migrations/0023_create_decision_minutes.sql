-- The caps of the circuit breaker are shares of the decisions of their window, so decisions are
-- counted by the minute (docs/adr/0025-move-limits-by-signed-parts.md). Each connection counts in
-- a row of its own: programs that decide at once never wait for one another here.
CREATE TABLE decision_minutes (
    book_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    minute TIMESTAMPTZ NOT NULL,
    writer INTEGER NOT NULL DEFAULT pg_backend_pid(),
    decided INTEGER NOT NULL CHECK (decided >= 0),
    PRIMARY KEY (book_id, kind, minute, writer)
) WITH (fillfactor = 50);  -- a row is counted up many times within its minute

-- A breaker is open for the version that met the cap: another version that meets it too, or the
-- rule of the crowds beside the policy of the accesses, opens one of its own.
DROP INDEX breaker_trips_open;
CREATE UNIQUE INDEX breaker_trips_open
    ON breaker_trips (book_id, kind, effect, policy, policy_version) WHERE reset_at IS NULL;

GRANT SELECT, INSERT, DELETE ON decision_minutes TO fenqi_app;
GRANT UPDATE (decided) ON decision_minutes TO fenqi_app;
