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

-- The book at each month end: plans and principal by vintage, by where they stood a month before
-- ('new' if they began since) and where they stand now.
CREATE TABLE portfolio_months (
    book_id TEXT NOT NULL REFERENCES books,
    month_end DATE NOT NULL,
    slice SMALLINT NOT NULL,
    vintage DATE NOT NULL,
    from_state TEXT NOT NULL CHECK (from_state IN ('new', 'active', 'written-off')),
    from_bucket SMALLINT NOT NULL,
    to_state TEXT NOT NULL CHECK (to_state IN ('active', 'closed', 'written-off')),
    to_bucket SMALLINT NOT NULL,
    plans INTEGER NOT NULL CHECK (plans > 0),
    principal_minor BIGINT NOT NULL,
    principal_open_minor BIGINT NOT NULL,
    principal_written_off_minor BIGINT NOT NULL,
    PRIMARY KEY (
        book_id, month_end, slice, vintage, from_state, from_bucket, to_state, to_bucket
    )
);

GRANT SELECT, INSERT ON close_steps, portfolio_months TO fenqi_app;
