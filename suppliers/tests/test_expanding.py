"""Lists below a list: every row, bounded pages, and a place to go on anywhere."""

from typing import Any

import pytest

from suppliers.errors import Malformed, Transient
from suppliers.tests.conftest import MakeGateway
from suppliers.tests.test_listing import uids
from suppliers.tests.upstream import Seen, reply, running_upstream

HEADS = 30  # on the second page, with ten rows each
LIST: dict[str, Any] = {
    "request": {"path": "/products", "params": {"page": "$page"}},
    "items": "@",
    "total_header": "X-Total",
    "paginate": {"type": "page", "key": "id"},
    "map": {"uid": "id", "sku": "sku", "available": "stock"},
    "expand": {
        "for_each": "type == 'variable'",
        "keep_when": "stock != null",
        "request": {"path": "/products/$item.id/variations", "params": {"page": "$page"}},
        "items": "@",
        "paginate": {"type": "page", "size": 6, "stop": "short"},
    },
}


def product(number: int, kind: str = "simple", stock: int | None = 1) -> dict[str, Any]:
    return {"id": number, "sku": f"P{number}", "type": kind, "stock": stock}


FIRST = [product(1), product(2, "variable", None), product(3, "variable", 9), product(4)]
SECOND = [product(number, "variable", None) for number in range(10, 10 + HEADS)]


def shop(seen: Seen) -> bytes:
    if seen.path == "/products":
        return reply(FIRST if seen.query["page"] == "1" else SECOND, X_Total=len(FIRST + SECOND))
    head = int(seen.path.split("/")[2])
    rows = [product(head * 100 + number) for number in range(10)] if head != 2 else []
    first = (int(seen.query["page"]) - 1) * 6
    return reply(rows[first : first + 6])


def test_every_row_is_read_once_on_pages_of_bounded_size(make_gateway: MakeGateway):
    with running_upstream(shop) as upstream:
        pages = list(make_gateway(upstream, list=LIST).snapshot())
    rows = uids(pages)
    assert rows[:3] == ["1", "3", "4"], "a head is a row itself only where that is said"
    assert len(rows) == len(set(rows)) == 3 + 10 + HEADS * 10
    assert [len(page.rows) for page in pages] == [13, 200, 100]
    assert {page.total for page in pages} == {None}, "the total counts products, not rows"


def test_it_goes_on_anywhere_without_reading_what_it_has(make_gateway):
    with running_upstream(shop) as upstream:
        gateway = make_gateway(upstream, list=LIST)
        pages = list(gateway.snapshot())
        for number, page in enumerate(pages[:-1]):
            upstream.seen.clear()
            assert uids(list(gateway.snapshot(page.cursor))) == uids(pages[number + 1 :])
    assert len(upstream.seen) == 1 + 10 * 2, "from the middle of the page only its last heads are asked for"


def test_heads_without_rows_make_no_page_of_their_own(make_gateway):
    with running_upstream(
        lambda seen: reply([product(2, "variable", None)] if seen.path == "/products" else [], X_Total=1)
    ) as upstream:
        (page,) = make_gateway(upstream, list=LIST).snapshot()
    assert (page.rows, page.cursor) == ([], None)


@pytest.mark.parametrize(("status", "error"), [(500, Transient), (404, Malformed)])
def test_a_list_below_that_fails_fails_the_snapshot(status: int, error: type[Exception], make_gateway):
    def answer(seen: Seen) -> bytes:
        return shop(seen) if seen.path != "/products/3/variations" else reply({"code": "x"}, status)

    with running_upstream(answer) as upstream, pytest.raises(error):
        list(make_gateway(upstream, list=LIST).snapshot())


NESTED: dict[str, Any] = {
    "request": {"path": "/items"},
    "items": "items",
    "total": "count",
    "rows": "levels",
    "map": {"uid": "parent.id", "sku": "parent.sku", "location": "place", "available": "free"},
}


def test_rows_inside_an_item_know_what_they_belong_to(make_gateway):
    levels = [{"place": "A", "free": 1}, {"place": "B", "free": 2}]
    document = {"items": [{"id": 1, "sku": "X", "levels": levels}, {"id": 2, "sku": "Y", "levels": []}], "count": 2}
    with running_upstream(lambda _: reply(document)) as upstream:
        (page,) = make_gateway(upstream, list=NESTED).snapshot()
    assert [(row.uid, row.sku, row.location, row.available) for row in page.rows] == [
        ("1", "X", "A", 1),
        ("1", "X", "B", 2),
    ]
    assert page.total is None


@pytest.mark.parametrize("levels", [None, {}, [1]])
def test_rows_inside_an_item_that_are_none_refuse_the_page(levels: Any, make_gateway):
    document = {"items": [{"id": 1, "sku": "X", "levels": levels}], "count": 1}
    with running_upstream(lambda _: reply(document)) as upstream, pytest.raises(Malformed, match="rows of an item"):
        next(make_gateway(upstream, list=NESTED).snapshot())
