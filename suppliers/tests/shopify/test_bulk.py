"""Whole catalogues by a bulk operation."""

from urllib.parse import urlsplit

import pytest

from suppliers.errors import BlockedAddress, Malformed
from suppliers.tests.shopify.shop import LOCATION, OTHER, STARTED, jsonl, level_line, operation, rows_of


def test_a_bulk_operation_is_started_polled_and_read(shop, gateway):
    shop.file = jsonl(
        {"id": f"gid://shopify/Location/{LOCATION}"},
        level_line(1, 5),
        level_line(2, -3),
        level_line(3, 7, tracked=False),
        level_line(4, 9, OTHER),
    )
    shop.answers = {
        "bulkOperationRunQuery": [STARTED],
        "node(": [{"data": {"node": operation(shop, "RUNNING")}}, {"data": {"node": operation(shop, age=100)}}],
    }
    pages = list(gateway().snapshot())
    assert [page.pending for page in pages] == [True, False]
    assert rows_of(pages) == [("1", LOCATION, 5), ("2", LOCATION, 0), ("3", LOCATION, None)]
    assert pages[-1].cursor is None
    row = pages[1].rows[1]
    assert (row.flags, int(row.components["available"]), row.sku) == ({"negative"}, -3, "S-2")
    # As old as the start of the operation, not as its answer.
    assert 100 <= pages[1].age < 105
    assert shop.seen[0].path == "/admin/api/2026-04/graphql.json"
    assert shop.seen[0].headers["x-shopify-access-token"] == "shpat_secret"


@pytest.mark.parametrize("ranges", [True, False], ids=["ranges", "whole"])
def test_the_file_is_read_in_pieces_and_goes_on_in_another_process(ranges, shop, gateway):
    shop.file = jsonl(*(level_line(number, number) for number in range(1, 30)))
    shop.ranges = ranges
    shop.answers = {
        "bulkOperationRunQuery": [STARTED],
        "node(": [{"data": {"node": operation(shop)}}],
    }
    limits = {"max_bytes": 2_000 if ranges else 100_000}
    pages = list(gateway(limits=limits).snapshot())
    assert [uid for uid, _, _ in rows_of(pages)] == [str(number) for number in range(1, 30)]
    if not ranges:
        return
    assert len(pages) > 3
    resumed = list(gateway(limits=limits).snapshot(pages[1].cursor))
    assert rows_of(resumed) == rows_of(pages[2:])
    assert sum("bulkOperationRunQuery" in asked["query"] for asked in shop.asked) == 1


@pytest.mark.parametrize(
    ("fields", "match"),
    [
        ({"status": "FAILED", "errorCode": "TIMEOUT", "url": None}, "FAILED \\(TIMEOUT"),
        ({"status": "EXPIRED", "url": None}, "EXPIRED"),
        ({"fileSize": "1"}, "larger|another size|not JSON"),
        ({"fileSize": "100000"}, "another size"),
        ({"status": "RUNNING", "createdAt": "2026-01-01T00:00:00Z"}, "still RUNNING"),
    ],
)
def test_a_bulk_operation_that_ends_badly_gives_no_rows(fields, match, shop, gateway):
    shop.file = jsonl(level_line(1, 5))
    shop.answers = {"bulkOperationRunQuery": [STARTED], "node(": [{"data": {"node": operation(shop) | fields}}]}
    with pytest.raises(Malformed, match=match):
        list(gateway().snapshot())


def test_a_bulk_operation_that_found_nothing(shop, gateway):
    empty = operation(shop, fileSize=None, url=None)
    shop.answers = {"bulkOperationRunQuery": [STARTED], "node(": [{"data": {"node": empty}}]}
    assert [(page.rows, page.cursor) for page in gateway().snapshot()] == [([], None)]


def test_the_file_is_read_from_the_named_hosts_only(shop, gateway):
    shop.answers = {"bulkOperationRunQuery": [STARTED], "node(": [{"data": {"node": operation(shop, fileSize="9")}}]}
    with pytest.raises(BlockedAddress, match="result_hosts"):
        list(gateway(result_hosts=["storage.googleapis.com"]).snapshot())
    assert urlsplit(shop.url).hostname == "127.0.0.1"
