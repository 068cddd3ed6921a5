"""Statements of the hot paths: prepared on the server, and several on their way at once."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import datetime
from typing import Any

import psycopg
from django.db import DatabaseError, connection
from psycopg_pool import PoolTimeout

from inventory import arrays

# An array of SKUs, as `= ANY({CODES})`.  Behind the SELECT the planner cannot see how many they are, so it keeps one
# plan for all; else it would plan each statement anew, which takes longer than to run it.
CODES = "(SELECT %s::text[])::text[]"
_CONNECTION_LOST = ("08", "57P")  # SQLSTATE: connection exceptions, shutdown of the server or of this backend


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


def clock() -> datetime:
    """The database's time, now."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT clock_timestamp()")
        now: datetime = cursor.fetchone()[0]
        return now


@contextmanager
def pipeline() -> Iterator[None]:
    """Let statements travel without waiting for each other's answers, the COMMIT included.

    A statement that fails raises at the next fetch or at the COMMIT, and nothing after it takes effect.  So nothing
    in it may count on "0 rows": it must fail by raising.
    """
    connection.ensure_connection()
    try:
        with connection.wrap_database_errors, connection.connection.pipeline():
            yield
    except DatabaseError:
        _discard()
        raise


def _discard() -> None:
    """Throw the connection away instead of giving it back to the pool.

    Statements behind the one that failed were never prepared, but psycopg has their names noted already: whoever got
    this connection next would be told that they do not exist.  Inside a caller's transaction its ROLLBACK forgets them.
    """
    if connection.connection is not None and not connection.in_atomic_block:
        connection.connection.close()
        connection.close()


def is_undecided(error: Exception) -> bool:
    """Whether the transaction that ended with this error may have been committed nevertheless.

    Not if no connection was to be had, nor if the server itself refused a statement: then nothing took effect.
    """
    cause = error.__cause__
    if isinstance(cause, PoolTimeout):
        return False
    code = getattr(cause, "sqlstate", None)
    return code is None or code.startswith(_CONNECTION_LOST)
