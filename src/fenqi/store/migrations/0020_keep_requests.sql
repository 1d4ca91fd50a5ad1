-- What a customer asks for becomes operations of a plan: a deferral, another due day, an extension,
-- a bill instalment, a withdrawal (docs/adr/0020-carry-requests-to-the-ledger.md). Rows may fall due
-- on other days than signed, there may be more of them, and what another plan took over is moved.

ALTER TABLE operations
    DROP CONSTRAINT operations_kind_check,
    DROP CONSTRAINT operations_check3,
    ADD CONSTRAINT operations_kind_check CHECK (
        kind IN ('disburse', 'repay', 'refund', 'settle', 'write-off', 'late-charge', 'defer',
            'change-due-day', 'extend', 'bill-instalment', 'withdraw')
    ),
    ADD CHECK (
        is_derived OR amount_minor > 0 OR amount_minor = 0
        AND kind IN ('defer', 'change-due-day', 'extend', 'withdraw')
    ),
    -- What was asked for stands in the parameters of its kind, and of no other.
    ADD CHECK (
        (parameters = '{}')
        = (kind NOT IN ('defer', 'change-due-day', 'extend', 'bill-instalment'))
    ),
    -- M7: a request at a price names its line of the cost table.
    ADD CHECK (
        kind <> 'defer' OR amount_minor = 0 OR cost_line IS NOT DISTINCT FROM 'deferral-fee'
    ),
    ADD CHECK (
        kind <> 'extend' OR amount_minor = 0 OR cost_line IS NOT DISTINCT FROM 'extension-fee'
    );

ALTER TABLE cost_table_lines
    DROP CONSTRAINT cost_table_lines_cost_line_check,
    DROP CONSTRAINT cost_table_lines_rate_period_check,
    ADD CONSTRAINT cost_table_lines_cost_line_check CHECK (
        cost_line IN ('flat-fee', 'interest', 'late-charge', 'deferral-fee', 'extension-fee')
    ),
    ADD CONSTRAINT cost_table_lines_rate_period_check CHECK (
        rate_period IN ('instalment', 'year', 'day', 'deferral')
    );

-- M1: what one plan takes over from another passes through an account that stands at zero.
INSERT INTO chart (code, side, export_name, tax_code)
VALUES ('bill-instalment', 'Liabilities', 'BillInstalment', 'none') ON CONFLICT DO NOTHING;
ALTER TABLE transfers
    DROP CONSTRAINT transfers_chart,
    ADD CONSTRAINT transfers_chart CHECK (
        debit IN (
            'receivable-principal', 'receivable-interest', 'receivable-fee',
            'receivable-penalty', 'allowance', 'cash-in-transit', 'cash-settled',
            'merchant-payable', 'credit-balance', 'refunds-payable', 'suspense',
            'bill-instalment', 'deferred-income', 'funding', 'income-interest', 'income-fee',
            'income-penalty', 'income-merchant-discount', 'recovery', 'provision', 'goodwill'
        )
        AND credit IN (
            'receivable-principal', 'receivable-interest', 'receivable-fee',
            'receivable-penalty', 'allowance', 'cash-in-transit', 'cash-settled',
            'merchant-payable', 'credit-balance', 'refunds-payable', 'suspense',
            'bill-instalment', 'deferred-income', 'funding', 'income-interest', 'income-fee',
            'income-penalty', 'income-merchant-discount', 'recovery', 'provision', 'goodwill'
        )
    );

-- A row says where all of it went, and when it falls due: it may be another day than was signed.
ALTER TABLE changed_instalments
    DROP CONSTRAINT instalments_check1,
    DROP CONSTRAINT instalments_check2,
    DROP CONSTRAINT instalments_check3,
    DROP CONSTRAINT instalments_check4,
    DROP CONSTRAINT instalments_check5,
    ADD COLUMN principal_moved_minor BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN interest_moved_minor BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN fee_moved_minor BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN penalty_moved_minor BIGINT NOT NULL DEFAULT 0,
    ADD COLUMN starts_on DATE,
    ADD COLUMN due_on DATE;
UPDATE changed_instalments AS c
SET starts_on = COALESCE(p.due_on[c.number - 1], p.starts_on), due_on = p.due_on[c.number]
FROM plans AS p WHERE p.account_id = c.account_id AND p.plan_id = c.plan_id;
ALTER TABLE changed_instalments
    ALTER COLUMN starts_on SET NOT NULL,
    ALTER COLUMN due_on SET NOT NULL,
    ADD CHECK (due_on > starts_on),
    -- M2, to the minor unit: due = paid + relieved + written off + moved + open, no part below zero.
    ADD CHECK (
        open_minor
        = principal_due_minor + interest_due_minor + fee_due_minor + penalty_due_minor
        - principal_paid_minor - interest_paid_minor
        - fee_paid_minor - penalty_paid_minor
        - principal_relieved_minor - interest_relieved_minor
        - fee_relieved_minor - penalty_relieved_minor
        - principal_written_off_minor - interest_written_off_minor
        - fee_written_off_minor - penalty_written_off_minor
        - principal_moved_minor - interest_moved_minor
        - fee_moved_minor - penalty_moved_minor
    ),
    ADD CHECK (
        LEAST(principal_paid_minor, principal_relieved_minor, principal_written_off_minor,
            principal_moved_minor) >= 0
        AND principal_paid_minor + principal_relieved_minor + principal_written_off_minor
        + principal_moved_minor <= principal_due_minor
    ),
    ADD CHECK (
        LEAST(interest_paid_minor, interest_relieved_minor, interest_written_off_minor,
            interest_moved_minor) >= 0
        AND interest_paid_minor + interest_relieved_minor + interest_written_off_minor
        + interest_moved_minor <= interest_due_minor
    ),
    ADD CHECK (
        LEAST(fee_paid_minor, fee_relieved_minor, fee_written_off_minor,
            fee_moved_minor) >= 0
        AND fee_paid_minor + fee_relieved_minor + fee_written_off_minor
        + fee_moved_minor <= fee_due_minor
    ),
    ADD CHECK (
        LEAST(penalty_paid_minor, penalty_relieved_minor, penalty_written_off_minor,
            penalty_moved_minor) >= 0
        AND penalty_paid_minor + penalty_relieved_minor + penalty_written_off_minor
        + penalty_moved_minor <= penalty_due_minor
    );

ALTER TABLE allocations
    DROP CONSTRAINT allocations_effect_check,
    ADD CONSTRAINT allocations_effect_check CHECK (
        effect IN ('paid', 'relieved', 'written-off', 'moved', 'recovered')
    );

-- A plan that took over what a statement asked for has parents instead of an order and a merchant;
-- one whose rows are no longer those that were signed is looked at by itself at the close.
ALTER TABLE plans
    ALTER COLUMN merchant_id DROP NOT NULL,
    ADD COLUMN is_rearranged BOOLEAN NOT NULL DEFAULT FALSE,
    ADD CHECK ((merchant_id IS NULL) = (parent_plan_id IS NOT NULL)),
    ADD CHECK (parent_plan_id IS NULL OR order_id IS NULL);
CREATE INDEX plans_rearranged ON plans (unbilled_due_on, account_id)
    WHERE is_rearranged AND unbilled_due_on IS NOT NULL;
GRANT UPDATE (is_rearranged) ON plans TO fenqi_app;

-- Which plan took over how much of which, by the operation of the plan that was relieved.
CREATE TABLE bill_parts (
    account_id UUID NOT NULL,
    parent_plan_id UUID NOT NULL,
    operation_number INTEGER NOT NULL,
    plan_id UUID NOT NULL,
    amount_minor BIGINT NOT NULL CHECK (amount_minor > 0),
    PRIMARY KEY (account_id, parent_plan_id, operation_number),
    CHECK (plan_id <> parent_plan_id)
);
GRANT SELECT, INSERT ON bill_parts TO fenqi_app;

DROP VIEW instalments;
CREATE VIEW instalments AS
SELECT p.account_id, p.plan_id, s.number::smallint AS number,
    COALESCE(c.starts_on, p.due_on[s.number - 1], p.starts_on) AS starts_on,
    COALESCE(c.due_on, s.due_on) AS due_on,
    COALESCE(c.open_minor, s.principal + COALESCE(s.interest, 0) + COALESCE(s.fee, 0))
        AS open_minor,
    COALESCE(c.principal_due_minor, s.principal) AS principal_due_minor,
    COALESCE(c.interest_due_minor, s.interest, 0) AS interest_due_minor,
    COALESCE(c.fee_due_minor, s.fee, 0) AS fee_due_minor,
    COALESCE(c.penalty_due_minor, 0) AS penalty_due_minor,
    COALESCE(c.principal_paid_minor, 0) AS principal_paid_minor,
    COALESCE(c.interest_paid_minor, 0) AS interest_paid_minor,
    COALESCE(c.fee_paid_minor, 0) AS fee_paid_minor,
    COALESCE(c.penalty_paid_minor, 0) AS penalty_paid_minor,
    COALESCE(c.principal_relieved_minor, 0) AS principal_relieved_minor,
    COALESCE(c.interest_relieved_minor, 0) AS interest_relieved_minor,
    COALESCE(c.fee_relieved_minor, 0) AS fee_relieved_minor,
    COALESCE(c.penalty_relieved_minor, 0) AS penalty_relieved_minor,
    COALESCE(c.principal_written_off_minor, 0) AS principal_written_off_minor,
    COALESCE(c.interest_written_off_minor, 0) AS interest_written_off_minor,
    COALESCE(c.fee_written_off_minor, 0) AS fee_written_off_minor,
    COALESCE(c.penalty_written_off_minor, 0) AS penalty_written_off_minor,
    COALESCE(c.principal_moved_minor, 0) AS principal_moved_minor,
    COALESCE(c.interest_moved_minor, 0) AS interest_moved_minor,
    COALESCE(c.fee_moved_minor, 0) AS fee_moved_minor,
    COALESCE(c.penalty_moved_minor, 0) AS penalty_moved_minor,
    COALESCE(c.recovered_minor, 0) AS recovered_minor
FROM plans AS p
CROSS JOIN LATERAL UNNEST(
    p.due_on, p.signed_principal_minor, p.signed_interest_minor, p.signed_fee_minor
) WITH ORDINALITY AS s (due_on, principal, interest, fee, number)
LEFT JOIN changed_instalments AS c
    ON c.account_id = p.account_id AND c.plan_id = p.plan_id AND c.number = s.number
UNION ALL
SELECT c.account_id, c.plan_id, c.number, c.starts_on, c.due_on, c.open_minor,
    c.principal_due_minor, c.interest_due_minor,
    c.fee_due_minor, c.penalty_due_minor,
    c.principal_paid_minor, c.interest_paid_minor,
    c.fee_paid_minor, c.penalty_paid_minor,
    c.principal_relieved_minor, c.interest_relieved_minor,
    c.fee_relieved_minor, c.penalty_relieved_minor,
    c.principal_written_off_minor, c.interest_written_off_minor,
    c.fee_written_off_minor, c.penalty_written_off_minor,
    c.principal_moved_minor, c.interest_moved_minor,
    c.fee_moved_minor, c.penalty_moved_minor,
    c.recovered_minor
FROM changed_instalments AS c
JOIN plans AS p ON p.account_id = c.account_id AND p.plan_id = c.plan_id
WHERE p.is_rearranged AND c.number > p.count;
GRANT SELECT ON instalments TO fenqi_app;
