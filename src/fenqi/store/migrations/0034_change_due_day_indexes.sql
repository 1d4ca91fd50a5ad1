-- Plans by due day, for the close. Sorted by the day alone, a new plan goes behind the last one of
-- its day, to a page that was just written; with the account in the key it went to a page of its
-- own, which is half of what an index costs. The account is still read from the index.

DROP INDEX plans_owing, plans_to_bill;
CREATE INDEX plans_owing ON plans (oldest_due_on) INCLUDE (account_id)
    WHERE oldest_due_on IS NOT NULL;
CREATE INDEX plans_to_bill ON plans (unbilled_due_on) INCLUDE (account_id)
    WHERE unbilled_due_on IS NOT NULL;
