"""Copies of a database: what took long to live is lived once."""

from urllib.parse import urlsplit, urlunsplit

import psycopg
from psycopg import sql


def copy(server_url: str, source: str, name: str) -> str:
    """Copy a database and return the copy's URL."""
    order = sql.SQL("CREATE DATABASE {} TEMPLATE {} STRATEGY FILE_COPY")
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(order.format(sql.Identifier(name), sql.Identifier(source)))
    return urlunsplit(urlsplit(server_url)._replace(path=f"/{name}"))


def drop(server_url: str, name: str) -> None:
    with psycopg.connect(server_url, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))
