"""Lists by keys, lists that repeat their end, positions that expire, and orders that must hold."""

import time
from typing import Any

import pytest

from suppliers.errors import Malformed, Throttled
from suppliers.tests.conftest import MakeGateway
from suppliers.tests.test_listing import ITEMS, PAGE, listing, uids
from suppliers.tests.upstream import Seen, reply, running_upstream

KEYSET = listing({"type": "keyset", "key": "id", "size": 2}, {"after": "$cursor", "limit": "$size"})


def by_key(seen: Seen) -> bytes:
    after = int(seen.query.get("after", 0))
    return reply({"items": ITEMS[after : after + 2]})  # the keys are 1, 2, 3, …


@pytest.mark.parametrize("stop", ["empty", "short"])
def test_a_keyset_reads_every_row_and_resumes_anywhere(stop: str, make_gateway: MakeGateway):
    config = listing({"type": "keyset", "key": "id", "size": 2, "stop": stop}, {"after": "$cursor"})
    with running_upstream(by_key) as upstream:
        pages = list(make_gateway(upstream, list=config).snapshot())
        resumed = list(make_gateway(upstream, list=config).snapshot(pages[0].cursor))
    assert uids(pages) == ["1", "2", "3", "4", "5"]
    assert uids(resumed) == ["3", "4", "5"]
    assert "after" not in upstream.seen[0].query


def test_a_keyset_can_begin_with_a_key(make_gateway):
    config = listing({"type": "keyset", "key": "id", "first": 3}, {"after": "$cursor"})
    with running_upstream(by_key) as upstream:
        assert uids(list(make_gateway(upstream, list=config).snapshot())) == ["4", "5"]


@pytest.mark.parametrize(
    "items", [ITEMS[::-1], [ITEMS[0], ITEMS[0]], [{**ITEMS[0], "id": None}], [ITEMS[0], {**ITEMS[1], "id": "2"}]]
)
def test_a_list_out_of_order_is_refused(items: Any, make_gateway):
    with (
        running_upstream(lambda _: reply({"items": items})) as upstream,
        pytest.raises(Malformed, match="order of 'id'"),
    ):
        list(make_gateway(upstream, list=KEYSET).snapshot())


def test_an_ignored_key_is_noticed(make_gateway):
    with running_upstream(lambda _: reply({"items": ITEMS[:2]})) as upstream, pytest.raises(Malformed):
        list(make_gateway(upstream, list=KEYSET).snapshot())
    assert len(upstream.seen) == 2


def shifting(seen: Seen) -> bytes:
    """While we page, a row is inserted at the front (Medusa: 27 duplicates in 379 rows)."""
    first = (int(seen.query["page"]) - 1) * 2
    items = ITEMS if first == 0 else [{"id": 0, "sku": "S0", "stock": 1}, *ITEMS]
    return reply({"items": items[first : first + 2], "total": len(items)})


def test_without_a_key_a_row_that_moved_comes_twice(make_gateway):
    """The control."""
    with running_upstream(shifting) as upstream:
        pages = list(make_gateway(upstream, list=listing({"type": "page"}, PAGE, total="total")).snapshot())
    assert uids(pages) == ["1", "2", "2", "3", "4", "5"]


def test_a_key_refuses_rows_that_moved(make_gateway):
    config = listing({"type": "page", "key": "id"}, PAGE, total="total")
    with running_upstream(shifting) as upstream, pytest.raises(Malformed, match="rising order"):
        list(make_gateway(upstream, list=config).snapshot())


def test_a_total_beside_a_key_must_be_met(make_gateway):
    def answer(seen: Seen) -> bytes:
        return reply({"items": ITEMS[:3] if seen.query["page"] == "1" else ITEMS[3:], "total": 4})

    config = listing({"type": "page", "key": "id"}, PAGE, total="total")
    with running_upstream(answer) as upstream, pytest.raises(Malformed, match="5 rows were read of 4"):
        list(make_gateway(upstream, list=config).snapshot())


def repeating(seen: Seen) -> bytes:
    """As Magento: beyond the end the last page comes again (magento2#3787)."""
    page = min(int(seen.query["page"]), 3)
    return reply({"items": ITEMS[(page - 1) * 2 : page * 2]})


REPEAT = listing({"type": "page", "size": 2, "stop": "repeat"}, PAGE)


def test_a_last_page_that_comes_again_ends_the_list_where_that_is_said(make_gateway):
    with running_upstream(repeating) as upstream:
        pages = list(make_gateway(upstream, list=REPEAT).snapshot())
        with pytest.raises(Malformed, match="equals the one before"):
            list(make_gateway(upstream, list=listing({"type": "page"}, PAGE)).snapshot())
    assert (uids(pages), pages[-1].cursor) == (["1", "2", "3", "4", "5"], None)


@pytest.mark.parametrize(("rows", "ends"), [(1, True), (2, False)])
def test_a_full_first_page_that_comes_again_proves_no_end(rows: int, ends: bool, make_gateway):
    """It may as well mean that the parameter is ignored."""
    with running_upstream(lambda _: reply({"items": ITEMS[:rows]})) as upstream:
        gateway = make_gateway(upstream, list=REPEAT)
        if ends:
            assert uids(list(gateway.snapshot())) == ["1"]
        else:
            with pytest.raises(Malformed):
                list(gateway.snapshot())


def test_a_position_that_upstream_has_forgotten_is_not_asked_for(make_gateway, monkeypatch):
    config = listing({"type": "cursor", "next": "next", "expires_seconds": 30}, {"after": "$cursor"})
    answers = [reply({"items": ITEMS[:2], "next": "c2"}), reply({"items": ITEMS[2:], "next": None})]
    with running_upstream(lambda _: answers[len(upstream.seen) - 1]) as upstream:
        gateway = make_gateway(upstream, list=config)
        first = next(gateway.snapshot())
        assert uids(list(gateway.snapshot(first.cursor))) == ["3", "4", "5"]
        assert isinstance(first.cursor, dict)
        late = {**first.cursor, "until": time.time() - 1}
        with pytest.raises(Malformed, match="start the list anew"):
            next(gateway.snapshot(late))
    assert len(upstream.seen) == 2


GRAPHQL = listing({"type": "cursor", "next": "data.stocks.pageInfo | hasNextPage && endCursor"})
GRAPHQL |= {
    "request": {"method": "POST", "path": "/graphql", "json": {"query": "{…}", "variables": {"after": "$cursor"}}},
    "items": "data.stocks.edges[].node",
}
THROTTLE = {
    "when": "errors[?extensions.code == 'THROTTLED'] | [0]",
    "is": "throttle",
    "after": {
        "plus": ["extensions.cost.requestedQueryCost"],
        "minus": ["extensions.cost.throttleStatus.currentlyAvailable"],
    },
    "after_per": "extensions.cost.throttleStatus.restoreRate",
}


def test_graphql_is_paged_through_its_variables(make_gateway):
    def answer(seen: Seen) -> bytes:
        assert seen.method == "POST"
        more = seen.json["variables"]["after"] is None
        nodes = ITEMS[:2] if more else ITEMS[2:]
        info = {"hasNextPage": more, "endCursor": "c2"}
        return reply({"data": {"stocks": {"edges": [{"node": node} for node in nodes], "pageInfo": info}}})

    with running_upstream(answer) as upstream:
        assert uids(list(make_gateway(upstream, list=GRAPHQL).snapshot())) == ["1", "2", "3", "4", "5"]


@pytest.mark.parametrize(("rate", "wait"), [(50, 2.0), (0, None), ("soon", None)])
def test_a_cost_that_is_not_covered_says_how_long_to_wait(rate: Any, wait: float | None, make_gateway):
    status = {"maximumAvailable": 1000, "currentlyAvailable": 20, "restoreRate": rate}
    document = {
        "errors": [{"message": "Throttled", "extensions": {"code": "THROTTLED"}}],
        "extensions": {"cost": {"requestedQueryCost": 120, "throttleStatus": status}},
    }
    with running_upstream(lambda _: reply(document)) as upstream, pytest.raises(Throttled) as caught:
        next(make_gateway(upstream, list=GRAPHQL, errors=[THROTTLE]).snapshot())
    assert caught.value.retry_after == wait


def test_an_error_beside_status_200_is_no_empty_list(make_gateway):
    rules = [THROTTLE, {"when": "errors", "is": "malformed"}]
    document = {"errors": [{"message": "boom"}], "data": {"stocks": {"edges": [], "pageInfo": {"hasNextPage": False}}}}
    with running_upstream(lambda _: reply(document)) as upstream, pytest.raises(Malformed) as caught:
        next(make_gateway(upstream, list=GRAPHQL, errors=rules).snapshot())
    assert "boom" in caught.value.evidence
