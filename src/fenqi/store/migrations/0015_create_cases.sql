-- What protects an account from new purchases, and the cases in which people look at why.
-- Everything here stops new purchases only (P1), says when it ends, and ends by itself: who decides
-- about a purchase compares the account's columns with the clock, and nobody has to be awake.

ALTER TABLE accounts
    ADD COLUMN held_until TIMESTAMPTZ,
    ADD COLUMN frozen_until TIMESTAMPTZ,
    ADD COLUMN step_up_since TIMESTAMPTZ,
    ADD COLUMN ceiling_minor BIGINT CHECK (ceiling_minor >= 0),
    ADD COLUMN ceiling_until TIMESTAMPTZ,
    ADD CHECK ((ceiling_minor IS NULL) = (ceiling_until IS NULL));

-- A case is what a person works on. It may be about several accounts, so it belongs to none.
CREATE TABLE cases (
    case_id UUID PRIMARY KEY,
    book_id TEXT NOT NULL REFERENCES books,
    kind TEXT NOT NULL CHECK (kind IN ('review', 'investigation', 'appeal')),
    cause TEXT NOT NULL,
    subject TEXT NOT NULL,
    priority SMALLINT NOT NULL CHECK (priority BETWEEN 1 AND 4),
    opened_at TIMESTAMPTZ NOT NULL,
    opened_by TEXT NOT NULL,
    due_at TIMESTAMPTZ NOT NULL,
    about_case_id UUID REFERENCES cases,
    decision_id UUID,
    assignee TEXT,
    entry_count INTEGER NOT NULL DEFAULT 0,
    outcome TEXT CHECK (outcome IN ('confirmed', 'false-alarm')),
    closed_by TEXT,
    closed_at TIMESTAMPTZ,
    CHECK ((kind = 'appeal') = (about_case_id IS NOT NULL)),
    CHECK (due_at > opened_at),
    CHECK ((outcome IS NULL) = (closed_at IS NULL) AND (outcome IS NULL) = (closed_by IS NULL))
);
-- One cause opens one case at a time, whichever program meets it first.
CREATE UNIQUE INDEX cases_open_by_cause ON cases (cause) WHERE outcome IS NULL;
CREATE INDEX cases_by_cause ON cases (cause, opened_at);
CREATE INDEX cases_open ON cases (priority, due_at) WHERE outcome IS NULL;

-- The history of a case, append-only: who took part in what. `text` is a person's own words.
CREATE TABLE case_entries (
    case_id UUID NOT NULL REFERENCES cases,
    number INTEGER NOT NULL CHECK (number >= 1),
    kind TEXT NOT NULL CHECK (
        kind IN ('opened', 'evidence', 'assigned', 'note', 'freeze', 'seconded', 'lifted', 'closed')
    ),
    author TEXT NOT NULL,
    written_at TIMESTAMPTZ NOT NULL,
    text TEXT NOT NULL DEFAULT '',
    evidence JSONB NOT NULL DEFAULT '{}',
    PRIMARY KEY (case_id, number)
);

CREATE TABLE case_accounts (
    account_id UUID NOT NULL,
    case_id UUID NOT NULL,
    added_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (account_id, case_id)
);
CREATE INDEX case_accounts_of_case ON case_accounts (case_id);

-- One row per harm done, from its cause to its end. `asked_until` is what was asked for; beyond what
-- one person may order alone it is reached only when a second one agrees.
CREATE TABLE protections (
    account_id UUID NOT NULL,
    protection_id UUID NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('hold', 'freeze', 'smaller-limit')),
    cause TEXT NOT NULL,
    strength TEXT NOT NULL CHECK (strength IN ('weak', 'strong')),
    reasons TEXT[] NOT NULL CHECK (cardinality(reasons) BETWEEN 1 AND 4),
    ceiling_minor BIGINT CHECK (ceiling_minor >= 0),
    decision_id UUID,
    case_id UUID,
    placed_by TEXT NOT NULL,
    placed_at TIMESTAMPTZ NOT NULL,
    ends_at TIMESTAMPTZ NOT NULL,
    asked_until TIMESTAMPTZ NOT NULL,
    seconded_by TEXT CHECK (seconded_by <> placed_by),
    ended_at TIMESTAMPTZ,
    ended_by TEXT,
    finding TEXT CHECK (finding IN ('expired', 'false-alarm', 'lifted')),
    PRIMARY KEY (account_id, protection_id),
    CHECK (ends_at > placed_at AND asked_until >= ends_at),
    CHECK ((kind = 'smaller-limit') = (ceiling_minor IS NOT NULL)),
    CHECK (strength = 'strong' OR kind = 'hold'),  -- P6
    CHECK ((ended_at IS NULL) = (ended_by IS NULL) AND (ended_at IS NULL) = (finding IS NULL))
);
CREATE INDEX protections_running ON protections (ends_at, account_id) WHERE ended_at IS NULL;
CREATE INDEX protections_of_case ON protections (case_id) WHERE case_id IS NOT NULL;

-- Which account was seen with which strong identifier, since when and last when (by day: a fact of
-- the same day writes nothing). Found from either side; hubs and age are left out by who reads.
CREATE TABLE links (
    identifier_hash BYTEA NOT NULL,
    account_id UUID NOT NULL,
    identifier_kind TEXT NOT NULL CHECK (identifier_kind IN ('device', 'card', 'phone')),
    first_on DATE NOT NULL,
    last_on DATE NOT NULL CHECK (last_on >= first_on),
    PRIMARY KEY (identifier_hash, account_id)
);
CREATE INDEX links_of_account ON links (account_id);
INSERT INTO links
SELECT identifier_hash, account_id, MIN(identifier_kind), MIN((occurred_at AT TIME ZONE 'UTC')::date),
    MAX((occurred_at AT TIME ZONE 'UTC')::date)
FROM identifier_facts WHERE identifier_kind IN ('device', 'card', 'phone')
GROUP BY identifier_hash, account_id;

-- Groups of accounts that strong identifiers tie together, made anew each night.
CREATE TABLE link_groups (
    account_id UUID NOT NULL,
    group_id UUID NOT NULL,
    size INTEGER NOT NULL CHECK (size >= 2),
    made_on DATE NOT NULL,
    PRIMARY KEY (account_id)
);
CREATE INDEX link_groups_by_group ON link_groups (group_id);

-- Network addresses that many honest people share, by keyed hash: there a crowd is looked at by a
-- person and holds nobody.
CREATE TABLE known_places (
    identifier_hash BYTEA PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('campus', 'office', 'carrier', 'shop', 'other')),
    known_by TEXT NOT NULL,
    known_at TIMESTAMPTZ NOT NULL,
    note TEXT NOT NULL DEFAULT ''
);

GRANT SELECT, INSERT ON case_entries, case_accounts TO fenqi_app;
GRANT SELECT, INSERT, DELETE ON known_places, link_groups TO fenqi_app;
GRANT SELECT, INSERT ON cases, protections, links TO fenqi_app;
GRANT UPDATE (assignee, entry_count, due_at, priority, outcome, closed_by, closed_at)
    ON cases TO fenqi_app;
GRANT UPDATE (ends_at, seconded_by, ended_at, ended_by, finding) ON protections TO fenqi_app;
GRANT UPDATE (first_on, last_on) ON links TO fenqi_app;
GRANT UPDATE (kind, known_by, known_at, note) ON known_places TO fenqi_app;
