-- What an account's facts have come to, written down now and then, so that nobody ever has to read
-- an account's whole life to decide about it (docs/adr/0022-declare-features-once.md). A projection:
-- whoever holds the account's row writes it with the events it rests on, up to `number`; one of
-- other features, or none, and the events are read.
CREATE TABLE trails (
    account_id UUID PRIMARY KEY REFERENCES accounts,
    number BIGINT NOT NULL CHECK (number >= 1),
    features_id UUID NOT NULL,
    packed BYTEA NOT NULL
);

GRANT SELECT, INSERT, UPDATE ON trails TO fenqi_app;
