-- The circuit breaker: how many decisions of one kind had one harmful effect, by the minute; and
-- policies that are judged beside the live one (docs/adr/0025-move-limits-by-signed-parts.md).

-- One row per cap: whoever wants a harmful effect locks it until his transaction ends, so that
-- programs count one after another and never past the cap.
CREATE TABLE breakers (
    book_id TEXT NOT NULL REFERENCES books,
    kind TEXT NOT NULL,
    effect TEXT NOT NULL,
    last_wanted_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (book_id, kind, effect)
);
CREATE TABLE breaker_minutes (
    book_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    effect TEXT NOT NULL,
    minute TIMESTAMPTZ NOT NULL,
    taken INTEGER NOT NULL CHECK (taken >= 0),
    PRIMARY KEY (book_id, kind, effect, minute)
);
-- A cap that was met. While one is open the policy of that kind is its last good version; a named
-- person closes it.
CREATE TABLE breaker_trips (
    trip_id UUID PRIMARY KEY,
    book_id TEXT NOT NULL,
    kind TEXT NOT NULL,
    effect TEXT NOT NULL,
    span TEXT NOT NULL CHECK (span IN ('hour', 'day')),
    cap INTEGER NOT NULL,
    policy TEXT NOT NULL,
    policy_version INTEGER NOT NULL,
    event_number BIGINT NOT NULL,
    tripped_at TIMESTAMPTZ NOT NULL,
    reset_at TIMESTAMPTZ,
    reset_by TEXT,
    finding TEXT,
    CHECK ((reset_at IS NULL) = (reset_by IS NULL)),
    CHECK ((reset_at IS NULL) = (finding IS NULL))
);
CREATE UNIQUE INDEX breaker_trips_open ON breaker_trips (book_id, kind, effect)
    WHERE reset_at IS NULL;

-- A policy that is judged on the inputs of live decisions until its last instant, harming nobody.
CREATE TABLE challengers (
    challenger_id UUID PRIMARY KEY,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    rulebook_id UUID NOT NULL,
    started_by TEXT NOT NULL,
    started_at TIMESTAMPTZ NOT NULL,
    ends_at TIMESTAMPTZ NOT NULL CHECK (ends_at > started_at),
    stopped_at TIMESTAMPTZ,
    stopped_by TEXT,
    seen_through TIMESTAMPTZ NOT NULL,
    CHECK ((stopped_at IS NULL) = (stopped_by IS NULL))
);
CREATE UNIQUE INDEX challengers_running ON challengers (kind, name, version)
    WHERE stopped_at IS NULL;
CREATE TABLE shadow_verdicts (
    account_id UUID NOT NULL,
    challenger_id UUID NOT NULL,
    decision_id UUID NOT NULL,
    outcome TEXT NOT NULL,
    effects TEXT[] NOT NULL,
    reasons TEXT[] NOT NULL CHECK (cardinality(reasons) <= 4),
    points INTEGER NOT NULL,
    hits SMALLINT[] NOT NULL,
    unknown SMALLINT[] NOT NULL,
    unrecorded SMALLINT NOT NULL CHECK (unrecorded >= 0),
    decided_at TIMESTAMPTZ NOT NULL,
    judged_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (account_id, challenger_id, decision_id)
);
CREATE INDEX shadow_verdicts_of ON shadow_verdicts (challenger_id, decided_at);
-- What was decided since a moment: rows come in the order of time, so a block range is enough.
CREATE INDEX decisions_by_time ON decisions USING brin (decided_at);

GRANT SELECT, INSERT ON breaker_minutes, breaker_trips, breakers, challengers, shadow_verdicts
    TO fenqi_app;
GRANT UPDATE (last_wanted_at) ON breakers TO fenqi_app;
GRANT UPDATE (taken) ON breaker_minutes TO fenqi_app;
GRANT UPDATE (reset_at, reset_by, finding) ON breaker_trips TO fenqi_app;
GRANT UPDATE (stopped_at, stopped_by, seen_through) ON challengers TO fenqi_app;
