-- The day close: one row per (book, day, slice, step) that is done, written in the step's own
-- transaction, so that a crash repeats only what was open (M4).

CREATE TABLE close_steps (
    book_id TEXT NOT NULL REFERENCES books,
    day DATE NOT NULL,
    slice SMALLINT NOT NULL,
    step TEXT NOT NULL,
    touched INTEGER NOT NULL CHECK (touched >= 0),
    finished_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (book_id, day, slice, step)
);

-- The book at each month end: plans and open principal by vintage and by the bucket they were in
-- a month before and are in now. Written-off plans keep their bucket with what was written off.
CREATE TABLE portfolio_months (
    book_id TEXT NOT NULL REFERENCES books,
    month_end DATE NOT NULL,
    slice SMALLINT NOT NULL,
    vintage DATE NOT NULL,
    state TEXT NOT NULL,
    from_bucket SMALLINT NOT NULL,
    to_bucket SMALLINT NOT NULL,
    plans INTEGER NOT NULL CHECK (plans > 0),
    principal_minor BIGINT NOT NULL,
    principal_open_minor BIGINT NOT NULL,
    PRIMARY KEY (book_id, month_end, slice, vintage, state, from_bucket, to_bucket)
);

GRANT SELECT, INSERT ON close_steps, portfolio_months TO fenqi_app;
