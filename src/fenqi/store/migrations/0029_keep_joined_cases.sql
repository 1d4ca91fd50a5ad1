-- What is found of one account, or of one device, goes on in the case of the ring it belongs to
-- (docs/adr/0029-join-what-belongs-to-one-finding.md): the earlier case says where, and so do the
-- protections that were placed for it. A protection that a harsher one of its case replaced has ended.
ALTER TABLE cases ADD COLUMN joined_case_id UUID;
ALTER TABLE cases DROP CONSTRAINT cases_outcome_check;
ALTER TABLE cases ADD CONSTRAINT cases_outcome_check CHECK (
    outcome IN ('confirmed', 'false-alarm', 'joined')
);
ALTER TABLE cases ADD CONSTRAINT cases_joined CHECK (
    (joined_case_id IS NOT NULL) = (outcome IS NOT NULL AND outcome = 'joined')
);
GRANT UPDATE (joined_case_id) ON cases TO fenqi_app;

ALTER TABLE protections DROP CONSTRAINT protections_finding_check;
ALTER TABLE protections ADD CONSTRAINT protections_finding_check CHECK (
    finding IN ('expired', 'false-alarm', 'lifted', 'cured', 'passed', 'replaced')
);
