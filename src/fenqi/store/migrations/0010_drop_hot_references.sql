-- A purchase writes seventeen rows into ten tables. Foreign keys between rows that one transaction
-- writes together cost more than the rows themselves (docs/adr/0010-drop-hot-references.md), so the
-- tables of that path keep only those that hold a promise: M7, from each cost to its cost line.
-- That rows which belong together are there is looked at by the ledger check.

ALTER TABLE events DROP CONSTRAINT events_account_id_fkey;
ALTER TABLE outbox DROP CONSTRAINT outbox_account_id_event_number_fkey;
ALTER TABLE decisions DROP CONSTRAINT decisions_account_id_fkey;
ALTER TABLE orders
    DROP CONSTRAINT orders_account_id_agreement_version_fkey,
    DROP CONSTRAINT orders_account_id_decision_id_fkey,
    DROP CONSTRAINT orders_merchant_id_fkey;
ALTER TABLE captures DROP CONSTRAINT captures_account_id_order_id_fkey;
ALTER TABLE plans
    DROP CONSTRAINT plans_account_id_agreement_version_fkey,
    DROP CONSTRAINT plans_account_id_fkey,
    DROP CONSTRAINT plans_account_id_order_id_fkey,
    DROP CONSTRAINT plans_merchant_id_fkey;
ALTER TABLE operations
    DROP CONSTRAINT operations_account_id_cause_number_fkey,
    DROP CONSTRAINT operations_account_id_plan_id_fkey;
ALTER TABLE instalments DROP CONSTRAINT instalments_account_id_plan_id_fkey;
ALTER TABLE allocations DROP CONSTRAINT allocations_account_id_plan_id_operation_number_fkey;
ALTER TABLE crossings
    DROP CONSTRAINT crossings_account_id_event_number_fkey,
    DROP CONSTRAINT crossings_account_id_plan_id_fkey;

-- The chart never shrinks, so its codes can be a check, which costs nothing beside a look-up.
ALTER TABLE transfers
    DROP CONSTRAINT transfers_account_id_event_number_fkey,
    DROP CONSTRAINT transfers_credit_fkey,
    DROP CONSTRAINT transfers_debit_fkey,
    ADD CONSTRAINT transfers_chart CHECK (
        debit IN ('receivable-principal', 'receivable-interest', 'receivable-fee',
            'receivable-penalty', 'allowance', 'cash-in-transit', 'cash-settled',
            'merchant-payable', 'credit-balance', 'refunds-payable', 'suspense', 'deferred-income',
            'funding', 'income-interest', 'income-fee', 'income-penalty',
            'income-merchant-discount', 'recovery', 'provision', 'goodwill')
        AND credit IN ('receivable-principal', 'receivable-interest', 'receivable-fee',
            'receivable-penalty', 'allowance', 'cash-in-transit', 'cash-settled',
            'merchant-payable', 'credit-balance', 'refunds-payable', 'suspense', 'deferred-income',
            'funding', 'income-interest', 'income-fee', 'income-penalty',
            'income-merchant-discount', 'recovery', 'provision', 'goodwill')
    );

-- An account's orders and plans are few and lie together in the primary key.
DROP INDEX captures_of_order;
DROP INDEX plans_of_order;

-- Each purchase changes its account's row in place if the page has room.
ALTER TABLE accounts SET (fillfactor = 80);
