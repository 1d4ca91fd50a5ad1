"""Copies of a database: what took long to live is lived once."""

import time
from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql

WAIT_SECONDS_MAX = 240  # against what hangs
IN_USE = "SELECT FROM pg_stat_activity WHERE datname = %(name)s LIMIT 1"


def copy(server_url: str, source: str, name: str) -> str:
    """Copy a database that nobody uses and return the copy's URL."""
    order = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY")
    with psycopg.connect(server_url, autocommit=True) as connection:
        until = time.monotonic() + WAIT_SECONDS_MAX
        while connection.execute(IN_USE, {"name": source}).fetchone() is not None:
            assert time.monotonic() < until, f"somebody uses {source}"
            time.sleep(0.01)  # a connection that was closed may still be there for a moment
        connection.execute(order.format(sql.Identifier(name), sql.Identifier(source)))
    return urlunsplit(urlsplit(server_url)._replace(path=f"/{name}"))


def drop(server_url: str, name: str) -> None:
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
