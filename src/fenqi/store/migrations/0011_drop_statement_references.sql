-- A statement, its lines and its event are written by one statement of the close. Looking each up
-- again locks the row it names, which writes to a page of `instalments` per line and was a fifth of
-- the whole close (docs/adr/0012-write-the-close-set-wise.md). The ledger check looks at them.

ALTER TABLE statements
    DROP CONSTRAINT statements_account_id_event_number_fkey,
    DROP CONSTRAINT statements_account_id_fkey;
ALTER TABLE statement_lines
    DROP CONSTRAINT statement_lines_account_id_plan_id_instalment_number_fkey,
    DROP CONSTRAINT statement_lines_account_id_statement_number_fkey;
