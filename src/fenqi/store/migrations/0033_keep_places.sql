-- Addresses that many honest people share, as somebody wrote them down: single ones and ranges, by
-- whose word, until when (docs/adr/0034-list-places-by-range.md). A row is never taken away: what
-- is no longer so was removed by somebody, or is over.
CREATE TABLE places (
    place_id UUID PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('campus', 'office', 'carrier', 'shop', 'other')),
    note TEXT NOT NULL,
    range_hash BYTEA NOT NULL, -- the seal of the range, or of its only address
    ip_version SMALLINT CHECK (ip_version IN (4, 6)), -- NULL: known by its seal only, of a case
    prefix_bits SMALLINT CHECK (prefix_bits BETWEEN 1 AND 64),
    address_count INTEGER NOT NULL CHECK (address_count >= 1),
    last_on DATE, -- in UTC; NULL: until somebody removes it
    case_id UUID,
    added_by TEXT NOT NULL,
    added_at TIMESTAMPTZ NOT NULL,
    removed_by TEXT,
    removed_at TIMESTAMPTZ,
    CHECK ((removed_by IS NULL) = (removed_at IS NULL)),
    CHECK ((ip_version IS NULL) = (prefix_bits IS NULL))
);
CREATE INDEX places_of_range ON places (range_hash);

-- Every address of a range, by keyed hash, as facts name them.
CREATE TABLE place_addresses (
    identifier_hash BYTEA NOT NULL,
    place_id UUID NOT NULL REFERENCES places,
    PRIMARY KEY (identifier_hash, place_id)
);

INSERT INTO places (place_id, kind, note, range_hash, address_count, added_by, added_at)
SELECT gen_random_uuid(), kind, note, identifier_hash, 1, known_by, known_at FROM known_places;
INSERT INTO place_addresses (identifier_hash, place_id) SELECT range_hash, place_id FROM places;
DROP TABLE known_places;

GRANT SELECT, INSERT ON places, place_addresses TO fenqi_app;
GRANT UPDATE (removed_by, removed_at) ON places TO fenqi_app;
