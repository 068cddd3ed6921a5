"""Orders upstream: what was certain, what was not, and that nothing is sent twice."""

from typing import Any

import pytest

from suppliers.errors import AuthExpired, Forbidden, Malformed, NotConfigured, SupplierError, Throttled, Transient
from suppliers.readings import ConfirmLine, ConfirmRequest, Outcome, Ref
from suppliers.tests.conftest import MakeGateway
from suppliers.tests.upstream import Seen, always, reply, running_upstream

ORDER = ConfirmRequest("H-1", [ConfirmLine(Ref("u1", "S1"), 2), ConfirmLine(Ref("u2", "S2"), 1)])
TAKEN = {"order_id": 77}
CONFIRM = {
    "request": {"method": "POST", "path": "/orders", "json": {"ref": "$ref", "lines": "$lines"}},
    "idempotency_header": "Idempotency-Key",
    "accepted": "order_id",
    "order_id": "order_id",
    "stock_rejected": "error == 'NO_STOCK'",
}
FAST = {"total_seconds": 0.6, "attempts": 3}


def test_an_order_says_what_it_wants_once(make_gateway: MakeGateway):
    with running_upstream(lambda _: reply(TAKEN)) as upstream:
        result = make_gateway(upstream, confirm=CONFIRM).confirm(ORDER)
    assert (result.outcome, result.upstream_order, result.accepted) == (Outcome.ACCEPTED, "77", {})
    (seen,) = upstream.seen
    assert (seen.method, seen.path, seen.headers["idempotency-key"]) == ("POST", "/orders", "H-1")
    assert seen.json == {"ref": "H-1", "lines": [{"sku": "S1", "quantity": 2}, {"sku": "S2", "quantity": 1}]}


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (reply({"error": "NO_STOCK"}, status=409), Outcome.REJECTED_STOCK),
        (reply({"error": "NO_STOCK"}), Outcome.REJECTED_STOCK),
        (reply({"error": "NO_STOCK", "order_id": 7}), Outcome.REJECTED_STOCK),
        (reply({"error": "BAD_ADDRESS"}, status=422), Outcome.REJECTED_OTHER),
        (reply(body=b"<h1>Not found</h1>", status=404), Outcome.REJECTED_OTHER),
        (reply({"error": "EXISTS"}, status=409), Outcome.UNKNOWN),
        (reply(status=408, document={}), Outcome.UNKNOWN),
        (reply(status=500, document={}), Outcome.UNKNOWN),
        (reply(status=503, document={}, Retry_After="1"), Outcome.UNKNOWN),
        (reply(status=302, Location="/login"), Outcome.UNKNOWN),
        (reply(body=b"<h1>Log in</h1>"), Outcome.UNKNOWN),
        (reply(body=b""), Outcome.UNKNOWN),
        (reply(body=b'{"order_id": 7'), Outcome.UNKNOWN),
        (reply({"order_id": None}), Outcome.UNKNOWN),
        (reply({"success": False, "order_id": 7}), Outcome.UNKNOWN),
        (reply(TAKEN, length=500), Outcome.UNKNOWN),
        (b"", Outcome.UNKNOWN),
        (reply(body=b"x" * 5_000), Outcome.UNKNOWN),
    ],
)
def test_what_became_of_it(answer: bytes, outcome: Outcome, make_gateway):
    rules = [{"when": "success == `false`", "is": "malformed"}]
    with running_upstream(lambda _: answer) as upstream:
        gateway = make_gateway(upstream, confirm=CONFIRM, errors=rules, limits={"attempts": 5, "max_bytes": 2_000})
        assert gateway.confirm(ORDER).outcome is outcome
    assert len(upstream.seen) == 1


RULES = [
    {"when": "error.code == `7`", "is": "throttle", "after": "error.wait"},
    {"when": "error.code == `27`", "is": "auth"},
    {"when": "error.code == `8`", "is": "transient"},
    {"when": "error", "is": "malformed"},
]


@pytest.mark.parametrize(
    ("document", "statuses"),
    [
        ({"error": {"code": "NO_STOCK"}}, {200: Outcome.REJECTED_STOCK, 400: Outcome.REJECTED_STOCK}),
        ({"error": {"code": "CLOSED"}}, {200: Outcome.REJECTED_OTHER, 400: Outcome.REJECTED_OTHER}),
        ({"error": {"code": "?"}}, {200: Outcome.UNKNOWN, 400: Outcome.REJECTED_OTHER, 500: Outcome.UNKNOWN}),
        ({"error": {"code": 7, "wait": 5}}, {200: Throttled, 400: Throttled}),
        ({"error": {"code": 8}}, {200: Outcome.UNKNOWN, 400: Transient}),
        ({"error": {"code": 27}}, {200: AuthExpired, 400: AuthExpired}),
    ],
)
def test_what_error_rules_make_of_a_refusal(document: Any, statuses: dict[int, Any], make_gateway):
    config = {**CONFIRM, "stock_rejected": "error.code == 'NO_STOCK'", "rejected": "error.code == 'CLOSED'"}
    for status, expected in statuses.items():
        with running_upstream(always(reply(document, status))) as upstream:
            gateway = make_gateway(upstream, confirm=config, errors=RULES)
            if isinstance(expected, Outcome):
                assert gateway.confirm(ORDER).outcome is expected
            else:
                with pytest.raises(expected):
                    gateway.confirm(ORDER)


@pytest.mark.parametrize("drip", [b"", b"HTTP/1.1 200 OK\r\n\r\n"])
def test_a_timeout_after_it_was_sent_is_unknown(drip: bytes, make_gateway):
    with running_upstream(lambda _: upstream.drip(drip)) as upstream:
        assert make_gateway(upstream, confirm=CONFIRM, limits=FAST).confirm(ORDER).outcome is Outcome.UNKNOWN
    assert len(upstream.seen) == 1


def test_an_upstream_that_cannot_be_reached_was_not_told(make_gateway):
    with running_upstream(lambda _: reply(TAKEN)) as upstream:
        gateway = make_gateway(upstream, confirm=CONFIRM)
    with pytest.raises(Transient) as caught:
        gateway.confirm(ORDER)
    assert not caught.value.sent


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (reply(status=401, document={}), AuthExpired),
        (reply(status=403, document={}), Forbidden),
        (reply(status=429, document={}, Retry_After="30"), Throttled),
    ],
)
def test_not_now_and_not_you_mean_that_nothing_was_ordered(answer: bytes, error: type[SupplierError], make_gateway):
    with running_upstream(lambda _: answer) as upstream, pytest.raises(error):
        make_gateway(upstream, confirm=CONFIRM, limits={"attempts": 5}).confirm(ORDER)
    assert len(upstream.seen) == 1


@pytest.mark.parametrize(
    ("lines", "outcome", "accepted"),
    [
        ([{"code": "S1", "taken": 2}, {"code": "S2", "taken": 1}], Outcome.ACCEPTED, {"u1": 2, "u2": 1}),
        ([{"code": "S1", "taken": 1}, {"code": "S2", "taken": 1}], Outcome.PARTIAL, {"u1": 1, "u2": 1}),
        ([{"code": "S1", "taken": "2"}], Outcome.PARTIAL, {"u1": 2, "u2": 0}),
        ([], Outcome.PARTIAL, {"u1": 0, "u2": 0}),
        (None, Outcome.UNKNOWN, {}),
        ([{"code": "S1", "taken": "many"}], Outcome.UNKNOWN, {}),
    ],
)
def test_lines_that_were_taken_in_part(lines: Any, outcome: Outcome, accepted: dict[str, int], make_gateway):
    config = {**CONFIRM, "lines": {"items": "lines", "sku": "code", "quantity": "taken"}}
    with running_upstream(lambda _: reply({**TAKEN, "lines": lines})) as upstream:
        result = make_gateway(upstream, confirm=config).confirm(ORDER)
    assert (result.outcome, result.accepted) == (outcome, accepted)


BASKET = {
    "steps": [
        {
            "request": {
                "method": "POST",
                "path": "/basket",
                "headers": {"Session-Id": "s-$attempt"},
                "json": {"url": "$base_url/products/$line.uid/", "quantity": "$line.quantity"},
            },
            "for_each_line": True,
            "save": {"basket": "url", "total": "total"},
        },
        {
            "request": {
                "method": "POST",
                "path": "/checkout",
                "headers": {"Session-Id": "s-$attempt"},
                "json": {"basket": "$saved.basket", "total": "$saved.total", "email": "$ref@orders.example"},
            },
        },
    ],
    "accepted": "number",
    "order_id": "number",
    "stock_rejected": "type(reason) == 'string'",
}


def test_steps_carry_values_along(make_gateway):
    def answer(seen: Seen) -> bytes:
        if seen.path == "/checkout":
            return reply({"number": "100042"})
        return reply({"url": f"{upstream.url}/baskets/5/", "total": "9.90"})

    with running_upstream(answer) as upstream:
        result = make_gateway(upstream, confirm=BASKET).confirm(ORDER)
        make_gateway(upstream, confirm=BASKET).confirm(ORDER)
    assert (result.outcome, result.upstream_order) == (Outcome.ACCEPTED, "100042")
    first, second, checkout = upstream.seen[:3]
    assert first.json == {"url": f"{upstream.url}/products/u1/", "quantity": 2}
    assert second.json == {"url": f"{upstream.url}/products/u2/", "quantity": 1}
    assert checkout.json == {"basket": f"{upstream.url}/baskets/5/", "total": "9.90", "email": "H-1@orders.example"}
    sessions = [seen.headers["session-id"] for seen in upstream.seen]
    assert sessions[0] == sessions[1] == sessions[2]
    assert sessions[0] != sessions[3]


def basket_then(checkout: bytes, basket: bytes | None = None):
    prepared = reply({"url": "/b/5", "total": "9.90"}) if basket is None else basket
    return lambda seen: checkout if seen.path == "/checkout" else prepared


@pytest.mark.parametrize(
    ("answers", "outcome"),
    [
        (basket_then(reply(status=500)), Outcome.UNKNOWN),
        (basket_then(reply({"reason": "sold out"}, status=406)), Outcome.REJECTED_STOCK),
        (basket_then(reply({"number": 1}), reply({"reason": "too many"}, status=406)), Outcome.REJECTED_STOCK),
        (basket_then(reply({"number": 1}), reply({"x": 1}, status=400)), Outcome.REJECTED_OTHER),
    ],
)
def test_steps_that_are_refused(answers: Any, outcome: Outcome, make_gateway):
    with running_upstream(answers) as upstream:
        assert make_gateway(upstream, confirm=BASKET).confirm(ORDER).outcome is outcome


@pytest.mark.parametrize(
    ("basket", "error"),
    [
        (reply(status=500), Transient),
        (reply({"url": None, "total": 1}), Malformed),
        (reply(body=b"<h1>"), Malformed),
        (b"", Transient),
    ],
)
def test_before_the_step_that_orders_nothing_was_ordered(basket: bytes, error: type[SupplierError], make_gateway):
    with running_upstream(basket_then(reply({"number": 1}), basket)) as upstream, pytest.raises(error):
        make_gateway(upstream, confirm=BASKET).confirm(ORDER)
    assert "/checkout" not in {seen.path for seen in upstream.seen}


LINE_BY_LINE = {
    "steps": [{"request": {"method": "POST", "path": "/take", "json": {"sku": "$line.sku"}}, "for_each_line": True}],
    "idempotency_header": "Idempotency-Key",
    "accepted": "ok",
    "stock_rejected": "error == 'NO_STOCK'",
}


@pytest.mark.parametrize(
    ("second", "outcome", "accepted"),
    [
        (reply({"ok": 1}), Outcome.ACCEPTED, {}),
        (reply({"error": "NO_STOCK"}, status=409), Outcome.PARTIAL, {"u1": 2, "u2": 0}),
        (reply({"error": "?"}, status=400), Outcome.UNKNOWN, {}),
        (reply(status=429), Outcome.UNKNOWN, {}),
        (reply(status=401), Outcome.UNKNOWN, {}),
        (reply(status=500), Outcome.UNKNOWN, {}),
    ],
)
def test_lines_ordered_one_by_one(second: bytes, outcome: Outcome, accepted: dict[str, int], make_gateway):
    with running_upstream(lambda seen: reply({"ok": 1}) if seen.json["sku"] == "S1" else second) as upstream:
        result = make_gateway(upstream, confirm=LINE_BY_LINE).confirm(ORDER)
    assert (result.outcome, result.accepted) == (outcome, accepted)
    assert [seen.headers["idempotency-key"] for seen in upstream.seen] == ["H-1-u1", "H-1-u2"]


READBACK = {
    "request": {"path": "/orders", "params": {"page": "$page"}},
    "items": "orders",
    "total": "total",
    "paginate": {"type": "page"},
    "accepted": "orders[?email == join('', [$ref, '@orders.example'])] | [0]",
    "rejected": "orders[?ref == $ref && state == 'cancelled'] | [0]",
    "order_id": "orders[?email == join('', [$ref, '@orders.example'])].id | [0]",
}


def orders(*pages: list[dict[str, Any]]):
    total = sum(map(len, pages))
    return lambda seen: reply({"orders": pages[int(seen.query["page"]) - 1], "total": total})


OTHER, OURS = {"id": 1, "email": "H-2@orders.example"}, {"id": 2, "email": "H-1@orders.example"}


@pytest.mark.parametrize(
    ("answer", "outcome", "calls"),
    [
        (orders([OTHER], [OURS]), Outcome.ACCEPTED, 2),
        (orders([OURS], [OTHER]), Outcome.ACCEPTED, 1),
        (orders([OTHER], [{**OTHER, "id": 3}]), Outcome.NOT_FOUND, 2),
        (orders([]), Outcome.NOT_FOUND, 1),
        (orders([{"id": 9, "ref": "H-1", "state": "cancelled"}]), Outcome.REJECTED_OTHER, 1),
    ],
)
def test_reading_back(answer: Any, outcome: Outcome, calls: int, make_gateway):
    with running_upstream(answer) as upstream:
        result = make_gateway(upstream, readback=READBACK).readback(ORDER)
    assert (result.outcome, len(upstream.seen)) == (outcome, calls)
    assert result.upstream_order == ("2" if outcome is Outcome.ACCEPTED else "")


@pytest.mark.parametrize(
    "second",
    [
        reply(status=500),
        reply(status=404, document={}),
        reply(body=b"<h1>"),
        reply({"data": []}),
        reply({"orders": [], "total": 2}),
    ],
)
def test_a_read_back_that_was_not_answered_whole_says_nothing(second: bytes, make_gateway):
    def answer(seen: Seen) -> bytes:
        return reply({"orders": [OTHER], "total": 2}) if seen.query["page"] == "1" else second

    with running_upstream(answer) as upstream, pytest.raises(SupplierError):
        make_gateway(upstream, readback=READBACK).readback(ORDER)


@pytest.mark.parametrize("reference", ["H-1", "`", "'", "a' || 'b", "x`y", '"', "\\", "$ref"])
def test_a_reference_cannot_break_out_of_its_expression(reference: str, make_gateway):
    config = {
        "request": {"path": "/orders"},
        "items": "@",
        "accepted": "[?ref == $ref]",
        "order_id": "[?ref == $ref].id | [0]",
    }
    documents = [{"ref": "other", "id": 1}, {"ref": reference, "id": 2}]
    with running_upstream(lambda _: reply(documents)) as upstream:
        result = make_gateway(upstream, readback=config).readback(ConfirmRequest(reference, []))
    assert result.upstream_order == "2"


ONE = {"request": {"path": "/orders/$ref"}, "accepted": "state == 'open'"}


@pytest.mark.parametrize(
    ("answer", "fields", "outcome"),
    [
        (reply({"state": "open"}), {"not_found_status": [404]}, Outcome.ACCEPTED),
        (reply({"detail": "none"}, status=404), {"not_found_status": [404]}, Outcome.NOT_FOUND),
        (reply({"found": False}), {"not_found": "found == `false`"}, Outcome.NOT_FOUND),
        (reply({"status": "open"}), {"not_found_status": [404]}, Outcome.UNKNOWN),
    ],
)
def test_reading_back_a_single_order(answer: bytes, fields: dict[str, Any], outcome: Outcome, make_gateway):
    with running_upstream(lambda _: answer) as upstream:
        assert make_gateway(upstream, readback={**ONE, **fields}).readback(ORDER).outcome is outcome


CANCEL = {
    "request": {"method": "POST", "path": "/orders/$order_id/cancel", "json": {"ref": "$ref"}},
    "done_status": [410],
}


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (reply({}), Outcome.ACCEPTED),
        (reply(status=204, body=b""), Outcome.ACCEPTED),
        (reply(status=410, document={}), Outcome.ACCEPTED),
        (reply(status=409, document={"error": "shipped"}), Outcome.REJECTED_OTHER),
        (reply(body=b"<h1>Log in</h1>"), Outcome.UNKNOWN),
        (reply(status=500), Outcome.UNKNOWN),
    ],
)
def test_calling_off(answer: bytes, outcome: Outcome, make_gateway):
    with running_upstream(lambda _: answer) as upstream:
        assert make_gateway(upstream, cancel=CANCEL).cancel(ORDER, "a/b").outcome is outcome
    assert upstream.seen[0].target == "/orders/a%2Fb/cancel"


def test_what_is_not_configured_says_so(make_gateway):
    with running_upstream(lambda _: reply({})) as upstream:
        gateway = make_gateway(upstream)
    for call in (gateway.confirm, gateway.readback):
        with pytest.raises(NotConfigured):
            call(ORDER)
