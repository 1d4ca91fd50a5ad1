-- A bureau is not asked beyond the day's budget, and is asked again about an offer that was made
-- without its word (docs/adr/0024-decide-applications-in-two-steps.md).
ALTER TABLE bureau_reports
    DROP CONSTRAINT bureau_reports_finding_check,
    ADD CONSTRAINT bureau_reports_finding_check CHECK (finding IN ('report', 'nobody', 'timeout',
        'unreachable', 'garbled', 'refused', 'suspended', 'over-budget'));
-- What was spent in a day: rows come in the order of time.
CREATE INDEX bureau_reports_by_time ON bureau_reports USING brin (asked_at);
CREATE INDEX applications_offered ON applications (received_at) WHERE state = 'offered';
