"""A cursor for a statement or two, in whatever thread."""

from collections.abc import Iterator
from contextlib import contextmanager

from django.db import connection
from django.db.backends.utils import CursorWrapper


@contextmanager
def cursor() -> Iterator[CursorWrapper]:
    # Pages are read in threads that end without giving their connection back: what was opened here is closed here.
    opened_here = connection.connection is None
    try:
        with connection.cursor() as opened:
            yield opened
    finally:
        if opened_here:
            connection.close()
