-- Decisions about how customers pay (docs/adr/0028-heed-how-customers-pay.md): what is read to find
-- whom they are about, help as an effect of its own, and protections that end once they are cured.

-- The events after which an account is asked about: paid late or in part, money that did not come, a
-- payment that failed for the customer's own reasons, another bucket at the close. What a channel could not do is not among
-- them (P5), nor is a payment on time, so most receipts cost this index nothing.
CREATE INDEX events_of_paying ON events (recorded_by, account_id, number) WHERE
    kind IN ('bucket-crossed', 'receipt-reversed')
    OR kind IN ('receipt-final', 'plan-settled')
        AND (payload ->> 'overdue_days' <> '0' OR payload ->> 'is_partial' = '1')
    OR kind = 'payment-failed' AND payload ->> 'cause' = 'customer';

-- The last decision of an account of this kind, however often somebody logged in since, and
-- whatever a clock said meanwhile.
CREATE INDEX decisions_of_paying ON decisions (account_id, as_of_number, booked_on)
    WHERE kind = 'repayment';

ALTER TABLE decisions DROP CONSTRAINT decisions_outcome;
ALTER TABLE decisions ADD CONSTRAINT decisions_outcome CHECK (
    outcome IN ('approve', 'nudge', 'relief', 'step-up', 'cooler-menu', 'smaller-limit',
        'dearer-price', 'review', 'hold', 'freeze', 'decline')
);

ALTER TABLE protections DROP CONSTRAINT protections_finding_check;
ALTER TABLE protections ADD CONSTRAINT protections_finding_check CHECK (
    finding IN ('expired', 'false-alarm', 'lifted', 'cured')
);
