-- A customer contests a purchase: it is not hers, or the goods never came. While that is open nothing
-- of the plan is claimed (docs/adr/0020-carry-requests-to-the-ledger.md).

ALTER TABLE operations
    DROP CONSTRAINT operations_kind_check,
    DROP CONSTRAINT operations_check3,
    DROP CONSTRAINT operations_check6,
    ADD CONSTRAINT operations_kind_check CHECK (
        kind IN ('disburse', 'repay', 'refund', 'settle', 'write-off', 'late-charge', 'defer',
            'change-due-day', 'extend', 'bill-instalment', 'withdraw', 'contest')
    ),
    ADD CONSTRAINT operations_amount_check CHECK (
        is_derived OR amount_minor > 0 OR amount_minor = 0
        AND kind IN ('defer', 'change-due-day', 'extend', 'withdraw', 'contest')
    ),
    ADD CONSTRAINT operations_parameters_check CHECK (
        (parameters = '{}')
        = (kind NOT IN ('defer', 'change-due-day', 'extend', 'bill-instalment', 'contest'))
    );

CREATE TABLE contests (
    account_id UUID NOT NULL,
    contest_id UUID NOT NULL,
    plan_id UUID NOT NULL,
    case_id UUID NOT NULL,
    ground TEXT NOT NULL CHECK (ground IN ('not-mine', 'not-received', 'not-as-agreed')),
    opened_on DATE NOT NULL,
    outcome TEXT CHECK (outcome IN ('upheld', 'not-upheld')),
    closed_on DATE,
    closed_by TEXT,
    PRIMARY KEY (account_id, contest_id),
    CHECK ((outcome IS NULL) = (closed_on IS NULL)),
    CHECK ((outcome IS NULL) = (closed_by IS NULL)),
    CHECK (closed_on >= opened_on)
);
CREATE UNIQUE INDEX contests_open ON contests (account_id, plan_id) WHERE outcome IS NULL;
GRANT SELECT, INSERT, UPDATE (outcome, closed_on, closed_by) ON contests TO fenqi_app;
