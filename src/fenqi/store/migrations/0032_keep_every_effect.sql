-- The answer to an application tells all its effects in one list of at most four reasons: the first
-- of each effect before the second of any (3); before, those of one effect after the other (2).
ALTER TABLE decisions DROP CONSTRAINT decisions_telling_check;
ALTER TABLE decisions ADD CONSTRAINT decisions_telling_check CHECK (telling IN (1, 2, 3));
ALTER TABLE decisions ALTER COLUMN telling SET DEFAULT 3;
