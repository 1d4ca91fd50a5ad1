-- Which policy decides about what, since when, and who said so (docs/adr/0021-write-policies-as-data.md).
-- The texts are in `catalogue` and never change; what decides now is the last row of its kind. A
-- version is adopted by somebody other than its author; going back to what was adopted before is
-- not held up by that.

CREATE TABLE adoptions (
    kind TEXT NOT NULL CHECK (
        kind IN ('application', 'purchase', 'limit', 'price', 'access', 'repayment')
    ),
    number INTEGER NOT NULL CHECK (number >= 1),
    policy TEXT NOT NULL,
    version INTEGER NOT NULL CHECK (version >= 1),
    rulebook_id UUID NOT NULL REFERENCES rulebooks,
    author TEXT NOT NULL,
    adopted_by TEXT NOT NULL CHECK (adopted_by <> ''),
    adopted_at TIMESTAMPTZ NOT NULL,
    is_rollback BOOLEAN NOT NULL,
    because TEXT NOT NULL,
    PRIMARY KEY (kind, number),
    CHECK (is_rollback OR lower(adopted_by) <> lower(author))
);

GRANT SELECT, INSERT ON adoptions TO fenqi_app;
