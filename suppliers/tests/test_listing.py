"""Lists that go on, break off and go round in circles."""

from collections.abc import Callable, Sequence
from typing import Any

import pytest

from suppliers.errors import BlockedAddress, Malformed, Transient
from suppliers.readings import Ref
from suppliers.tests.conftest import LIST, MakeGateway
from suppliers.tests.upstream import Seen, reply, running_upstream

ITEMS = [{"id": number, "sku": f"S{number}", "stock": number} for number in range(1, 6)]


def listing(paginate: dict[str, Any], params: dict[str, Any] | None = None, **fields: Any) -> dict[str, Any]:
    return {**LIST, "request": {"path": "/stock", "params": params or {}}, "paginate": paginate, **fields}


def uids(pages: Sequence[Any]) -> list[str]:
    return [row.uid for page in pages for row in page.rows]


def by_page(seen: Seen) -> bytes:
    first = (int(seen.query["page"]) - 1) * 2
    return reply({"items": ITEMS[first : first + 2], "total": 5, "more": first + 2 < 5})


def by_offset(seen: Seen) -> bytes:
    first = int(seen.query["offset"])
    return reply({"items": ITEMS[first : first + 2], "total": "5"}, X_Total="5")


def by_cursor(seen: Seen) -> bytes:
    first = int(seen.query.get("after", "c0")[1:])
    return reply({"items": ITEMS[first : first + 2], "next": f"c{first + 2}" if first + 2 < 5 else None})


def by_link(seen: Seen) -> bytes:
    first = int(seen.query.get("from", 0))
    links = f'<?from={first + 2}>; rel="next", </stock>; rel="first"' if first + 2 < 5 else '</stock>; rel="first"'
    return reply({"items": ITEMS[first : first + 2]}, Link=links)


PAGE, OFFSET = {"page": "$page"}, {"offset": "$offset", "limit": "$size"}
STYLES = [
    (by_page, listing({"type": "page"}, PAGE, total="total")),
    (by_page, listing({"type": "page"}, PAGE)),
    (by_page, listing({"type": "page", "size": 2, "stop": "short"}, PAGE)),
    (by_page, listing({"type": "page", "stop": {"while": "more"}}, PAGE)),
    (by_offset, listing({"type": "offset", "size": 2}, OFFSET, total="total")),
    (by_offset, listing({"type": "offset", "size": 2}, OFFSET, total_header="X-Total")),
    (by_offset, listing({"type": "offset", "size": 2}, OFFSET)),
    (by_cursor, listing({"type": "cursor", "next": "next"}, {"after": "$cursor"})),
    (by_link, listing({"type": "link"})),
]


@pytest.mark.parametrize(("answer", "config"), STYLES)
def test_every_style_reads_every_row_and_resumes_anywhere(
    answer: Callable[[Seen], bytes], config: Any, make_gateway: MakeGateway
):
    with running_upstream(answer) as upstream:
        gateway = make_gateway(upstream, list=config)
        pages = list(gateway.snapshot())
        resumed = [uids(list(gateway.snapshot(page.cursor))) for page in pages if page.cursor]
    assert uids(pages) == ["1", "2", "3", "4", "5"]
    assert pages[-1].cursor is None
    assert resumed[:2] == [["3", "4", "5"], ["5"]]


def test_next_urls_are_followed_on_the_same_host_only(make_gateway):
    def answer(seen: Seen) -> bytes:
        if seen.path == "/stock":
            return reply({"items": ITEMS[:2], "next": f"{upstream.url}/more?$x=1"})
        return reply({"items": ITEMS[2:], "next": "http://127.0.0.1:1/more"})

    with running_upstream(answer) as upstream:
        config = listing({"type": "next_url", "next": "next"})
        pages = make_gateway(upstream, list=config).snapshot()
        assert uids([next(pages)]) == ["1", "2"]
        with pytest.raises(BlockedAddress):
            next(pages)
    assert upstream.seen[1].target == "/more?$x=1"


@pytest.mark.parametrize(
    "link",
    ["<http://169.254.169.254/latest>; rel=next", "<//elsewhere.example/stock>; rel=next", "<file:///etc>; rel=next"],
)
def test_links_elsewhere_are_not_followed(link: str, make_gateway):
    with running_upstream(lambda _: reply({"items": ITEMS}, Link=link)) as upstream, pytest.raises(BlockedAddress):
        list(make_gateway(upstream, list=listing({"type": "link"})).snapshot())
    assert len(upstream.seen) == 1


PAGED = listing({"type": "page"}, PAGE, total="total")
CURSORED = listing({"type": "cursor", "next": "next"}, {"after": "$cursor"})


def one_page_of_three(seen: Seen) -> bytes:
    return reply({"items": ITEMS[:2] if seen.query["page"] == "1" else [], "total": 5})


def to_and_fro(seen: Seen) -> bytes:
    return reply({"items": ITEMS[2:] if seen.query.get("after") == "a" else ITEMS[:2], "next": "a"})


BROKEN = [
    (lambda _: reply({"items": ITEMS[:2], "total": 5}), PAGED, "equals"),
    (one_page_of_three, PAGED, "without rows"),
    (lambda _: reply({"items": ITEMS[:2]}), PAGED, "total"),
    (lambda _: reply({"items": ITEMS[:2], "total": None}), PAGED, "total"),
    (lambda _: reply({"items": ITEMS[:2]}), CURSORED, "whether another"),
    (lambda _: reply({"items": ITEMS[:2], "next": ["c"]}), CURSORED, "neither text"),
    (to_and_fro, CURSORED, "circles"),
]


@pytest.mark.parametrize(("answer", "config", "reason"), BROKEN)
def test_a_list_that_breaks_off_is_no_snapshot(answer: Any, config: Any, reason: str, make_gateway):
    with running_upstream(answer) as upstream, pytest.raises(Malformed, match=reason):
        list(make_gateway(upstream, list=config).snapshot())
    assert len(upstream.seen) <= 2


def test_a_position_of_another_style_is_refused(make_gateway):
    with running_upstream(by_page) as upstream, pytest.raises(Malformed, match="another paging style"):
        list(make_gateway(upstream, list=listing({"type": "page"}, PAGE)).snapshot({"offset": 2}))


REFS = [Ref("1", "S1"), Ref("2", "S2"), Ref("9", "S9")]


def fetching(**fields: Any) -> dict[str, Any]:
    return {"request": {"path": "/stock", "params": {"sku": "$skus_csv"}}, "items": "items", **fields}


def asked(seen: Seen) -> bytes:
    return reply({"items": [item for item in ITEMS if item["sku"] in seen.query["sku"].split(",")]})


@pytest.mark.parametrize("batch", [1, 2, 50])
@pytest.mark.parametrize("absent", ["missing", "unanswered"])
def test_asked_rows_are_read_in_batches(batch: int, absent: str, make_gateway):
    with running_upstream(asked) as upstream:
        result = make_gateway(upstream, fetch=fetching(batch=batch, absent=absent)).fetch(REFS)
    assert [row.uid for row in result.rows] == ["1", "2"]
    assert getattr(result, absent) == [REFS[2]]
    assert len(result.missing) + len(result.unanswered) == 1
    assert len(upstream.seen) == -(-3 // batch)


def test_an_ignored_filter_proves_nothing_missing(make_gateway):
    with running_upstream(lambda _: reply({"items": ITEMS})) as upstream:
        result = make_gateway(upstream, fetch=fetching(absent="missing")).fetch(REFS)
    assert ([row.uid for row in result.rows], result.missing, result.unanswered) == (["1", "2"], [], [REFS[2]])


@pytest.mark.parametrize(("parameter", "proven"), [("sku", True), ("skus", False)])
def test_an_empty_answer_means_missing_only_once_the_filter_has_found_something(parameter, proven, make_gateway):
    """With a parameter of the wrong name this supplier finds nothing at all."""

    def answer(seen: Seen) -> bytes:
        if not seen.query:
            return reply({"items": ITEMS})
        return asked(seen) if "sku" in seen.query else reply({"items": []})

    fetch = fetching(absent="missing", request={"path": "/stock", "params": {parameter: "$skus_csv"}})
    with running_upstream(answer) as upstream:
        gateway = make_gateway(upstream, fetch=fetch)
        assert gateway.fetch(REFS[2:]).missing == (REFS[2:] if proven else [])
        asked_before = len(upstream.seen)
        gateway.fetch(REFS[2:])
    assert asked_before == 3, "the row, a page to know a row that exists, and that row"
    assert len(upstream.seen) - asked_before == (1 if proven else 3), "one proof is enough"


def test_a_code_that_moved_to_another_row_is_flagged(make_gateway):
    with running_upstream(asked) as upstream:
        result = make_gateway(upstream, fetch=fetching()).fetch([Ref("1", "S2"), Ref("2", "S1")])
    assert [set(row.flags) for row in result.rows] == [{"sku_changed"}, {"sku_changed"}]


def test_what_cannot_be_asked_for_is_unanswered_and_not_sent(make_gateway):
    refs = [Ref("1", ""), Ref("2", "A,B")]
    with running_upstream(asked) as upstream:
        assert make_gateway(upstream, fetch=fetching(absent="missing")).fetch(refs).unanswered == refs
    assert upstream.seen == []


def test_a_later_batch_that_fails_is_unanswered(make_gateway):
    def answer(seen: Seen) -> bytes:
        return asked(seen) if seen.query["sku"] == "S1" else reply(status=500)

    with running_upstream(answer) as upstream:
        result = make_gateway(upstream, fetch=fetching(batch=1, absent="missing")).fetch(REFS)
        assert ([row.uid for row in result.rows], result.missing, result.unanswered) == (["1"], [], REFS[1:])
        with pytest.raises(Transient):
            make_gateway(upstream, fetch=fetching(batch=1)).fetch(REFS[1:])


SINGLE = {"request": {"path": "/stock/$uid"}, "items": "[@]", "batch": 1, "missing_status": [404]}


def single(seen: Seen) -> bytes:
    if seen.path == "/stock":
        return reply({"items": ITEMS})
    found = [item for item in ITEMS if seen.path == f"/stock/{item['id']}"]
    return reply(found[0]) if found else reply({"detail": "Not found"}, status=404)


def test_a_status_can_say_missing_but_a_wrong_address_cannot(make_gateway):
    with running_upstream(single) as upstream:
        assert make_gateway(upstream, fetch=SINGLE).fetch(REFS[2:]).missing == REFS[2:]
    with running_upstream(lambda _: reply(body=b"<h1>404</h1>", status=404)) as upstream, pytest.raises(Malformed):
        make_gateway(upstream, fetch=SINGLE).fetch(REFS[:1])


def test_a_uid_cannot_leave_its_place_in_the_path(make_gateway):
    with running_upstream(lambda _: reply(ITEMS[0])) as upstream:
        make_gateway(upstream, fetch=SINGLE).fetch([Ref("../admin?x=1#/ä", "S1")])
    assert upstream.seen[0].target == "/stock/..%2Fadmin%3Fx%3D1%23%2F%C3%A4"
