"""Statements of the hot paths: prepared on the server, and several on their way at once."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import psycopg
from django.db import connection

from inventory import arrays


def execute(query: str, parameters: Sequence[Any]) -> "psycopg.Cursor[tuple[Any, ...]]":
    """Send a statement whose text is the same every time; the server plans it once per connection.

    parameters: a list becomes an array, which the query casts where its type cannot be inferred.
    Inside `pipeline` it does not wait: fetch from the cursor after all statements that can travel together were sent.
    """
    connection.ensure_connection()
    with connection.wrap_database_errors:
        cursor = psycopg.Cursor(connection.connection)
        # Django's own cursors put the values into the text, so the server would plan each anew.
        ready = [arrays.literal(each) if isinstance(each, list) else each for each in parameters]
        return cursor.execute(query.encode(), ready)


def rows(cursor: "psycopg.Cursor[tuple[Any, ...]]") -> list[tuple[Any, ...]]:
    """The rows of a statement that was sent."""
    with connection.wrap_database_errors:
        return cursor.fetchall()


@contextmanager
def pipeline() -> Iterator[None]:
    """Let statements travel without waiting for each other's answers, the COMMIT included.

    A statement that fails raises at the next fetch or at the COMMIT, and nothing after it takes effect.  So nothing
    in it may count on "0 rows": it must fail by raising.
    """
    connection.ensure_connection()
    with connection.wrap_database_errors, connection.connection.pipeline():
        yield
