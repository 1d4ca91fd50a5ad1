-- Changes of a limit or a price, from old to new by signed parts that sum to the change, and offers
-- of a higher limit (docs/adr/0025-move-limits-by-signed-parts.md). A change is never changed.

CREATE FUNCTION sum_of(amounts BIGINT[]) RETURNS BIGINT LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS 'SELECT COALESCE(SUM(amount), 0)::bigint FROM UNNEST(amounts) AS given (amount)';

CREATE TABLE changes (
    account_id UUID NOT NULL,
    subject TEXT NOT NULL CHECK (subject IN ('limit', 'price')),
    event_number BIGINT NOT NULL,
    direction TEXT NOT NULL CHECK (direction IN ('harsher', 'milder')),
    old_value BIGINT NOT NULL CHECK (old_value >= 0),
    new_value BIGINT NOT NULL CHECK (new_value >= 0),
    wanted_value BIGINT NOT NULL,
    part_names TEXT[] NOT NULL,
    part_values BIGINT[] NOT NULL,
    base_value BIGINT NOT NULL,
    standing_names TEXT[] NOT NULL,
    standing_values BIGINT[] NOT NULL,
    reasons TEXT[] NOT NULL CHECK (cardinality(reasons) <= 4),
    bounds TEXT[] NOT NULL,
    decision_id UUID,
    offer_id UUID,
    conduct TEXT NOT NULL,
    conduct_version INTEGER NOT NULL,
    actor TEXT NOT NULL,
    booked_on DATE NOT NULL,
    changed_at TIMESTAMPTZ NOT NULL,
    PRIMARY KEY (account_id, subject, event_number),
    CHECK (old_value <> new_value),
    CHECK ((direction = 'harsher') = (cardinality(reasons) > 0)),
    CHECK ((direction = 'harsher') = ((new_value > old_value) = (subject = 'price'))),
    CHECK (cardinality(part_names) = cardinality(part_values)),
    CHECK (cardinality(standing_names) = cardinality(standing_values)),
    CHECK (sum_of(part_values) = new_value - old_value),
    CHECK (base_value + sum_of(standing_values) = new_value)
);

CREATE TABLE offers (
    account_id UUID NOT NULL,
    offer_id UUID NOT NULL,
    event_number BIGINT NOT NULL,
    old_value BIGINT NOT NULL,
    new_value BIGINT NOT NULL CHECK (new_value > old_value),
    wanted_value BIGINT NOT NULL,
    part_names TEXT[] NOT NULL,
    part_values BIGINT[] NOT NULL,
    base_value BIGINT NOT NULL,
    standing_names TEXT[] NOT NULL,
    standing_values BIGINT[] NOT NULL,
    bounds TEXT[] NOT NULL,
    decision_id UUID,
    conduct TEXT NOT NULL,
    conduct_version INTEGER NOT NULL,
    offered_on DATE NOT NULL,
    last_on DATE NOT NULL CHECK (last_on >= offered_on),
    state TEXT NOT NULL CHECK (state IN ('open', 'accepted', 'declined', 'overtaken')),
    answered_at TIMESTAMPTZ,
    PRIMARY KEY (account_id, offer_id),
    CHECK ((state = 'open') = (answered_at IS NULL)),
    CHECK (cardinality(part_names) = cardinality(part_values)),
    CHECK (sum_of(part_values) = new_value - old_value),
    CHECK (base_value + sum_of(standing_values) = new_value)
);
CREATE UNIQUE INDEX offers_open ON offers (account_id) WHERE state = 'open';

-- The grade of price a purchase is offered plans by; 0 is where every account begins.
ALTER TABLE accounts ADD COLUMN price_grade SMALLINT NOT NULL DEFAULT 0
    CHECK (price_grade BETWEEN 0 AND 31);

ALTER TABLE catalogue
    DROP CONSTRAINT catalogue_kind_check,
    ADD CONSTRAINT catalogue_kind_check CHECK (kind IN ('product', 'pack', 'policy', 'conduct'));

GRANT SELECT, INSERT ON changes, offers TO fenqi_app;
GRANT UPDATE (state, answered_at) ON offers TO fenqi_app;
