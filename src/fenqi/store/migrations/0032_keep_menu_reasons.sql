-- Where an outcome stops nothing, a decision keeps the reasons of the rows its menu is from besides
-- those of the outcome: 3 says so (docs/adr/0032-tell-each-effect-its-reasons.md).
ALTER TABLE decisions DROP CONSTRAINT decisions_telling_check;
ALTER TABLE decisions ADD CONSTRAINT decisions_telling_check CHECK (telling IN (1, 2, 3));
ALTER TABLE decisions ALTER COLUMN telling SET DEFAULT 3;
