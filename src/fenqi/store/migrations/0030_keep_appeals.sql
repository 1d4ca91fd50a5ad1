-- Each effect is told with the reasons of what asked for it, and a decision keeps those of its
-- outcome (docs/adr/0032-tell-each-effect-its-reasons.md). Decisions of before kept the reasons of
-- all effects together: 1 says so, and that is how they are made again.
ALTER TABLE decisions ADD COLUMN telling SMALLINT NOT NULL DEFAULT 1 CHECK (telling IN (1, 2));
ALTER TABLE decisions ALTER COLUMN telling SET DEFAULT 2;

-- A purchase that is not made is told to the customer with reasons, and to the merchant without
-- them: what one of several readers is told in place of the event stands on its row.
ALTER TABLE outbox ADD COLUMN told JSONB;

-- A decision is contested once, by whom it is about, and looked at by a person who did not make it.
-- `reasons` are those that were refuted, or those that stand.
CREATE TABLE appeals (
    account_id UUID NOT NULL,
    appeal_id UUID NOT NULL,
    decision_id UUID NOT NULL,
    kind TEXT NOT NULL CHECK (
        kind IN ('application', 'purchase', 'limit', 'price', 'access', 'repayment')
    ),
    case_id UUID NOT NULL,
    opened_on DATE NOT NULL,
    due_on DATE NOT NULL,
    outcome TEXT CHECK (outcome IN ('upheld', 'not-upheld')),
    reasons TEXT[] NOT NULL DEFAULT '{}' CHECK (cardinality(reasons) <= 4),
    closed_on DATE,
    closed_by TEXT,
    PRIMARY KEY (account_id, appeal_id),
    UNIQUE (account_id, decision_id),
    CHECK (due_on >= opened_on),
    CHECK (closed_on >= opened_on),
    CHECK ((outcome IS NULL) = (closed_on IS NULL) AND (outcome IS NULL) = (closed_by IS NULL)),
    CHECK (outcome IS NULL OR cardinality(reasons) >= 1)
);
CREATE INDEX appeals_open ON appeals (due_on, appeal_id) WHERE outcome IS NULL;
GRANT SELECT, INSERT, UPDATE (outcome, reasons, closed_on, closed_by) ON appeals TO fenqi_app;

-- An appeal is a case about another case, or about a decision.
ALTER TABLE cases DROP CONSTRAINT cases_check;
ALTER TABLE cases ADD CONSTRAINT cases_appeal CHECK (
    CASE WHEN kind = 'appeal' THEN about_case_id IS NOT NULL OR decision_id IS NOT NULL
    ELSE about_case_id IS NULL END
);

-- An application that was declined wrongly is decided again, without what was refuted.
ALTER TABLE applications
    ADD COLUMN reopened SMALLINT NOT NULL DEFAULT 0 CHECK (reopened >= 0),
    ADD COLUMN refuted TEXT[] NOT NULL DEFAULT '{}';
GRANT UPDATE (reopened, refuted, income_evidenced_minor, evidence) ON applications TO fenqi_app;
