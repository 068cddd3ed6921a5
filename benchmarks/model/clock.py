"""The database's clock, standing still until it is moved.

The clock functions of a schema of ours stand before PostgreSQL's own in the search path, so that the statements of
production read them unchanged.  Rows need not be shifted, which the ledger would refuse anyhow, and a seed gives the
same times again.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Any

from django.db import connection
from django.db.backends.signals import connection_created

BEGINNING = datetime(2030, 1, 1, tzinfo=UTC)

_FUNCTIONS = ("now", "clock_timestamp", "statement_timestamp", "transaction_timestamp")
_NOW = "SELECT to_timestamp(current_setting('model.now')::float8)"
_DEFAULTS = """
SELECT attrelid::regclass::text, attname, pg_get_expr(adbin, adrelid)
FROM pg_attrdef JOIN pg_attribute ON attrelid = adrelid AND attnum = adnum
WHERE pg_get_expr(adbin, adrelid) ~* '(timestamp|now)[(][)]'
"""


class Clock:
    """What time it is for the database."""

    def __init__(self) -> None:
        self.now = BEGINNING

    def advance(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)
        self._tell()

    def reset(self) -> None:
        self.now = BEGINNING
        self._tell()

    def _tell(self, **_signal: Any) -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT set_config('model.now', %s, false)", [str(self.now.timestamp())])

    def _set_up(self, **_signal: Any) -> None:
        """Every connection of this process goes by this clock."""
        with connection.cursor() as cursor:
            cursor.execute("SET search_path TO model_clock, pg_catalog, public")
        self._tell()


@contextmanager
def standing() -> Iterator[Clock]:
    """Let the clock of this process's database stand still.  Requires a database of one's own."""
    clock = Clock()
    defaults = _create()
    connection_created.connect(clock._set_up)  # noqa: SLF001 - its own
    connection.close()
    try:
        _set_defaults(defaults)
        yield clock
    finally:
        connection_created.disconnect(clock._set_up)  # noqa: SLF001
        connection.close()
        connection.close_pool()  # type: ignore[attr-defined]  # PostgreSQL's has it
        _set_defaults(defaults)
        with connection.cursor() as cursor:
            cursor.execute("DROP SCHEMA model_clock CASCADE")


def _create() -> list[tuple[str, str, str]]:
    """The functions; and the columns whose defaults call them: table, column, expression."""
    with connection.cursor() as cursor:
        cursor.execute(_DEFAULTS)
        defaults: list[tuple[str, str, str]] = cursor.fetchall()
        cursor.execute("DROP SCHEMA IF EXISTS model_clock CASCADE; CREATE SCHEMA model_clock")
        for name in _FUNCTIONS:
            cursor.execute(
                f"CREATE FUNCTION model_clock.{name}() RETURNS timestamptz LANGUAGE sql STABLE AS $${_NOW}$$"
            )
    return defaults


def _set_defaults(defaults: list[tuple[str, str, str]]) -> None:
    """Parse them again: under the search path of now."""
    with connection.cursor() as cursor:
        for table, column, expression in defaults:
            cursor.execute(f'ALTER TABLE {table} ALTER COLUMN "{column}" SET DEFAULT {expression}')
