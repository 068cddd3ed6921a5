"""What comes in on a page lies in the staging table as it is."""

import json
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from django.db import connection, transaction

from inventory.snapshots import copying, staging
from suppliers.readings import StockRow

pytestmark = pytest.mark.django_db

READ_AT = datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC)
TROUBLE = ["plain", r"back\slash", r"\N", r"\.", "tab\tbed", "line\nfeed", "carriage\rreturn", "100 %s", "有货", '"{}"']


def staged() -> list[tuple[Any, ...]]:
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT uid, location, code, available, components::text, flags::text, read_at FROM inventory_staging"
        )
        return sorted(cursor.fetchall())


@pytest.mark.parametrize("text", TROUBLE)
def test_text_is_stored_as_it_came(text):
    row = StockRow(text, text, text, text, 7, {text: Decimal("1.50")}, flags=frozenset({text, "sentinel"}))
    with transaction.atomic():
        staging.store(1, copying.lines([row, StockRow("other", "", "", "", 0)]), READ_AT)
    uid, location, code, available, components, flags, read_at = next(one for one in staged() if one[0] != "other")
    assert (uid, location, code, available, read_at) == (text, text, text, 7, READ_AT)
    assert (json.loads(components), json.loads(flags)) == ({text: "1.50"}, sorted([text, "sentinel"]))


def test_what_is_not_counted_is_null_and_told():
    rows = [StockRow("a", "A", "A", "", None), StockRow("b", "B", "B", "", 2**40), StockRow("c", "C", "C", "", -3)]
    lines = copying.lines(rows)
    with transaction.atomic():
        staging.store(1, lines, READ_AT)
    assert lines.uncounted == 2
    assert [one[3] for one in staged()] == [None, None, -3]


def test_what_only_some_rows_have_is_the_others_default():
    rows = [StockRow("a", "A", "A", "", 1), StockRow("b", "B", "B", "", 2, {"x": Decimal(1)}, lot=6, min_order=12)]
    with transaction.atomic():
        staging.store(1, copying.lines(rows), READ_AT)
    with connection.cursor() as cursor:
        cursor.execute("SELECT lot, min_order, components, flags FROM inventory_staging ORDER BY uid")
        assert cursor.fetchall() == [(1, 1, "{}", "[]"), (6, 12, '{"x": "1"}', "[]")]


def test_an_empty_page_is_a_page():
    with transaction.atomic():
        staging.store(1, copying.lines([]), READ_AT)
    assert staged() == []
