"""A gate in a database: a program that closes days comes to it and goes on when it is opened.

Whatever a test does to the program meanwhile meets it at work, however slow or fast it is.
"""

import psycopg

BUILD = """
CREATE SCHEMA gate;
CREATE TABLE gate.shut (book_id TEXT PRIMARY KEY, days INTEGER NOT NULL);
CREATE FUNCTION gate.pass() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
    WHILE EXISTS (
        SELECT FROM gate.shut WHERE book_id = NEW.book_id AND days <= (
            SELECT COUNT(DISTINCT day) FROM public.close_steps WHERE book_id = NEW.book_id)
    ) LOOP
        PERFORM pg_sleep(0.02);
    END LOOP;
    RETURN NEW;
END $$;
CREATE TRIGGER gate BEFORE INSERT ON close_steps FOR EACH ROW EXECUTE FUNCTION gate.pass();
"""
BUILT = "SELECT to_regnamespace('gate') IS NOT NULL"
SHUT = """
INSERT INTO gate.shut SELECT %(book)s, COUNT(DISTINCT day) + %(days)s
FROM close_steps WHERE book_id = %(book)s
"""
CLOSED = """
SELECT s.days <= (SELECT COUNT(DISTINCT day) FROM close_steps WHERE book_id = s.book_id)
FROM gate.shut AS s WHERE book_id = %(book)s
"""
OPEN = "DELETE FROM gate.shut WHERE book_id = %(book)s"


def shut(url: str, book: str, *, days: int) -> None:
    """Let nobody close more than so many further days of a book."""
    with psycopg.connect(url) as connection:
        if connection.execute(BUILT).fetchone() == (False,):
            connection.execute(BUILD)
        connection.execute(SHUT, {"book": book, "days": days})


def is_reached(url: str, book: str) -> bool:
    """Tell whether as many days are closed as may be."""
    with psycopg.connect(url) as connection:
        return connection.execute(CLOSED, {"book": book}).fetchone() == (True,)


def open_again(url: str, book: str) -> None:
    """Let everybody pass."""
    with psycopg.connect(url) as connection:
        connection.execute(OPEN, {"book": book})
