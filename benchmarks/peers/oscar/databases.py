"""Databases that a run creates for itself, on whatever PostgreSQL server it is given."""

from urllib.parse import urlsplit

import psycopg
from psycopg import sql


def url_of(server: str, name: str) -> str:
    """The URL of another database on the same server."""
    return urlsplit(server)._replace(path=f"/{name}").geturl()


def exists(server: str, name: str) -> bool:
    """Is there a database of that name?"""
    with psycopg.connect(server) as connection:
        return connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone() is not None


def recreate(server: str, name: str, *, template: str = "template0") -> str:
    """Replace a database by a copy of another; returns its URL."""
    names = {"name": sql.Identifier(name), "template": sql.Identifier(template)}
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("DROP DATABASE IF EXISTS {name} WITH (FORCE)").format(**names))
        connection.execute(sql.SQL("CREATE DATABASE {name} TEMPLATE {template}").format(**names))
    return url_of(server, name)


def rename(server: str, name: str, to: str) -> None:
    """Give a database its final name."""
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(sql.SQL("ALTER DATABASE {} RENAME TO {}").format(sql.Identifier(name), sql.Identifier(to)))
