-- A plan is signed at a price: a share, in ppm, of what its product lists, never above it. An order
-- keeps it until its goods are shipped (docs/adr/0027-sign-a-plan-at-the-price-of-its-menu.md). What
-- was sold before was sold at the listed price. A constant default rewrites no row.
ALTER TABLE orders ADD COLUMN price_ppm INTEGER NOT NULL DEFAULT 1000000
    CHECK (price_ppm BETWEEN 0 AND 1000000);
ALTER TABLE plans ADD COLUMN price_ppm INTEGER NOT NULL DEFAULT 1000000
    CHECK (price_ppm BETWEEN 0 AND 1000000);

-- What an order was placed for is never changed again by the program, only what became of it.
REVOKE UPDATE ON orders FROM fenqi_app;
GRANT UPDATE (captured_minor, released_minor, hold_expires_on) ON orders TO fenqi_app;
