-- What was the channel's or the platform's fault never counts against a customer (P5,
-- docs/adr/0033-excuse-days.md): whose days are excused, why, and which facts no longer count.

-- Days of one account alone; those of a whole book are in excused_days. A row is never taken away:
-- what is no longer so is void since an event.
CREATE TABLE excuses (
    account_id UUID NOT NULL,
    excuse_id UUID NOT NULL,
    cause TEXT NOT NULL CHECK (cause IN ('money', 'channel', 'incident')),
    source_id UUID, -- the incident
    channel TEXT,
    from_on DATE NOT NULL,
    through_on DATE NOT NULL CHECK (through_on >= from_on),
    begun_number BIGINT NOT NULL,
    void_number BIGINT,
    PRIMARY KEY (account_id, excuse_id),
    CHECK ((cause = 'incident') = (source_id IS NOT NULL))
);
CREATE INDEX excuses_of_source ON excuses (source_id, account_id) WHERE source_id IS NOT NULL;

-- The days of the rows above that are not void, where every decision reads them: NULL is none.
ALTER TABLE accounts ADD COLUMN excused_on DATE[] CHECK (cardinality(excused_on) > 0);
CREATE INDEX accounts_excused ON accounts (book_id, account_id) WHERE excused_on IS NOT NULL;

-- A fact that was told and proved to be no fault of the customer's: it does not count any more
-- (says is NULL), or says something else. The event itself stays as it was booked.
CREATE TABLE corrections (
    account_id UUID NOT NULL,
    number BIGINT NOT NULL,
    corrected_by BIGINT NOT NULL CHECK (corrected_by > number),
    says JSONB,
    PRIMARY KEY (account_id, number, corrected_by)
);

-- An outage a person knows of. One person may excuse some days, what is beyond waits for a second.
CREATE TABLE incidents (
    incident_id UUID PRIMARY KEY,
    book_id TEXT NOT NULL REFERENCES books,
    channel TEXT, -- NULL: every customer of the book
    reason TEXT NOT NULL,
    from_on DATE NOT NULL,
    through_on DATE NOT NULL CHECK (through_on >= from_on), -- as was asked
    granted_on DATE NOT NULL CHECK (granted_on <= through_on), -- the last day that is excused
    is_running BOOLEAN NOT NULL, -- until somebody closes it
    carried_on DATE, -- through which day it has been carried to every account
    opened_by TEXT NOT NULL,
    opened_at TIMESTAMPTZ NOT NULL,
    seconded_by TEXT CHECK (seconded_by <> opened_by),
    closed_by TEXT,
    closed_at TIMESTAMPTZ,
    CHECK ((closed_by IS NULL) = (closed_at IS NULL))
);
CREATE INDEX incidents_of_book ON incidents (book_id, from_on);

GRANT SELECT, INSERT ON corrections, excuses, incidents TO fenqi_app;
GRANT UPDATE (void_number) ON excuses TO fenqi_app;
GRANT UPDATE (through_on, granted_on, is_running, carried_on, seconded_by, closed_by, closed_at)
    ON incidents TO fenqi_app;
