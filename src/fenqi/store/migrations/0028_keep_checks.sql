-- A check before the next purchase is a protection like the others: it has causes, ends by itself, and
-- is found again by the case it belongs to (docs/adr/0030-end-checks-and-release-whole-crowds.md).

-- Asked for only by what several accounts share, such as an address or a device: what the case of
-- that address ends, whoever placed or opened it.
ALTER TABLE protections ADD COLUMN is_shared BOOLEAN NOT NULL DEFAULT FALSE;
ALTER TABLE cases ADD COLUMN is_shared BOOLEAN NOT NULL DEFAULT FALSE;

ALTER TABLE protections DROP CONSTRAINT protections_kind_check;
ALTER TABLE protections ADD CONSTRAINT protections_kind_check CHECK (
    kind IN ('hold', 'freeze', 'smaller-limit', 'step-up')
);
ALTER TABLE protections DROP CONSTRAINT protections_finding_check;
ALTER TABLE protections ADD CONSTRAINT protections_finding_check CHECK (
    finding IN ('expired', 'false-alarm', 'lifted', 'cured', 'passed')
);
-- P6: on weak evidence new purchases are held for hours, or the customer is asked for a check.
DO $$
DECLARE
    known TEXT;
BEGIN
    SELECT conname INTO STRICT known FROM pg_constraint
    WHERE conrelid = 'protections'::regclass AND contype = 'c'
        AND pg_get_constraintdef(oid) LIKE '%strength%strong%kind%hold%'
        AND pg_get_constraintdef(oid) NOT LIKE '%ANY%';
    EXECUTE format('ALTER TABLE protections DROP CONSTRAINT %I', known);
END $$;
ALTER TABLE protections ADD CONSTRAINT protections_weak CHECK (
    strength = 'strong' OR kind IN ('hold', 'step-up')
);
GRANT UPDATE (case_id) ON protections TO fenqi_app;

-- What a crowd's own case placed is found by that.
UPDATE protections SET is_shared = TRUE
WHERE strength = 'weak' AND ended_at IS NULL AND cause NOT LIKE 'case/%';

-- Checks that are asked for now are asked for a week more: customers were told no end.
ALTER TABLE accounts ADD COLUMN step_up_until TIMESTAMPTZ;
INSERT INTO protections (account_id, protection_id, kind, cause, strength, reasons, placed_by,
    placed_at, ends_at, asked_until)
SELECT account_id, gen_random_uuid(), 'step-up', 'policy/check-asked', 'strong',
    ARRAY['check-asked'], 'system', step_up_since, GREATEST(now(), step_up_since) + INTERVAL '7 days',
    GREATEST(now(), step_up_since) + INTERVAL '7 days'
FROM accounts WHERE step_up_since IS NOT NULL;
UPDATE accounts SET step_up_until = GREATEST(now(), step_up_since) + INTERVAL '7 days'
WHERE step_up_since IS NOT NULL;
ALTER TABLE accounts DROP COLUMN step_up_since;

