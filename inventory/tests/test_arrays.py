from datetime import UTC, datetime
from typing import Any

import pytest
from django.db import connection

from inventory import arrays


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("kind", "values"),
    [
        ("bigint", [1, None, -(2**63)]),
        ("timestamptz", [datetime(2026, 1, 1, 12, 0, 0, 5, tzinfo=UTC), None]),
        ("text", ["", "NULL", 'a"b', "a\\b", "{a,b}", " a ", "%s", "é’"]),
        ("text", []),
        ("bytea", [b"", b'\x00\xff"\\', None]),
        ("float8", [0.0, 1.5, -2.0]),
    ],
)
def test_an_array_arrives_as_it_was(kind: str, values: list[Any]):
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT %s::{kind}[]", [arrays.literal(values)])
        assert cursor.fetchone() == (values,)
