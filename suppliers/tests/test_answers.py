"""Every way in which an answer is not one: stock stays as it was, and the reason is told."""

import gzip
from typing import Any

import pytest

from suppliers.errors import AuthExpired, Forbidden, Malformed, SupplierError, Throttled, Transient
from suppliers.tests.conftest import MakeGateway
from suppliers.tests.upstream import reply, running_upstream

ITEM = {"id": 1, "sku": "A", "stock": 3}
GOOD = {"items": [ITEM]}
LOGIN_PAGE = b"<!doctype html><title>Please log in</title>"


def read(make_gateway: MakeGateway, answer: bytes, **config: Any):
    with running_upstream(lambda _: answer) as upstream:
        return next(make_gateway(upstream, **config).snapshot())


def test_a_good_answer(make_gateway):
    page = read(make_gateway, reply(GOOD))
    assert [(row.uid, row.sku, row.available) for row in page.rows] == [("1", "A", 3)]


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (reply(status=400, document={"message": "no"}), Malformed),
        (reply(status=401, document={}), AuthExpired),
        (reply(status=403, body=LOGIN_PAGE), Forbidden),
        (reply(status=404, body=LOGIN_PAGE), Malformed),
        (reply(status=408, document={}), Transient),
        (reply(status=429, document={}), Throttled),
        (reply(status=500, body=b"Traceback"), Transient),
        (reply(status=503, document=GOOD), Transient),
        (reply(status=301, Location="/elsewhere"), Malformed),
        (reply(body=LOGIN_PAGE, Content_Type="text/html"), Malformed),
        (reply(body=b""), Malformed),
        (reply(status=204, body=b""), Malformed),
        (reply(body=b'{"items": [{"id": 1, "sk'), Malformed),
        (reply(body=b'{"items": [{"id": 1, "sku": "A", "stock": NaN}]}'), Malformed),
        (reply(body=b'{"items": [{"id": 1, "sku": "A\xff", "stock": 1}]}'), Malformed),
        (reply(body=b"[" * 100_000), Malformed),
        (reply(document="items"), Malformed),
        (reply(document=None), Malformed),
        (reply(document={}), Malformed),
        (reply(document={"items": None}), Malformed),
        (reply(document={"items": {"0": ITEM}}), Malformed),
        (reply(document={"data": [ITEM]}), Malformed),
        (reply(document={"items": [ITEM, None]}), Malformed),
        (reply(document={"items": [ITEM, {**ITEM, "id": 2, "stock": "many"}]}), Malformed),
        (reply(document={"items": [{"id": 1, "sku": "A", "quantity": 3}]}), Malformed),
        (reply({**GOOD, "error": {"code": 7}}), Malformed),
    ],
)
def test_what_is_no_answer(answer: bytes, error: type[SupplierError], make_gateway):
    with pytest.raises(error) as caught:
        read(make_gateway, answer, errors=[{"when": "error", "is": "malformed"}])
    assert type(caught.value) is error


@pytest.mark.parametrize(
    "answer",
    [
        reply(body=b"\xef\xbb\xbf" + b'{"items": [{"id": 1, "sku": "A", "stock": 3}]}'),
        reply(
            body='{"items": [{"id": 1, "sku": "A", "stock": 3, "name": "茶"}]}'.encode("gb18030"),
            Content_Type="application/json; charset=GB18030",
        ),
        reply(body=gzip.compress(b'{"items": [{"id": 1, "sku": "A", "stock": 3}]}'), Content_Encoding="gzip"),
        reply(body=b'{"items": [{"id": 1, "sku": "A", "stock": 3}]}', Content_Type="text/plain"),
    ],
    ids=["BOM", "declared charset", "gzip", "wrong type"],
)
def test_harmless_oddities_are_read(answer: bytes, make_gateway):
    assert read(make_gateway, answer).rows[0].available == 3


@pytest.mark.parametrize(
    ("headers", "seconds"),
    [
        ({"Retry_After": "7"}, 7),
        ({"Retry_After": "0"}, None),
        ({"Retry_After": "-5"}, None),
        ({"Retry_After": "soon"}, None),
        ({}, None),
        ({"Retry_After": "999999999"}, 86_400),
        ({"Retry_After": "Thu, 01 Jan 2026 00:00:30 GMT", "Date": "Thu, 01 Jan 2026 00:00:00 GMT"}, 30),
        ({"Retry_After": "Thu, 01 Jan 2026 00:00:00 GMT"}, None),
        ({"Retry_After": "Thu, 99 Foo 2026"}, None),
    ],
)
def test_retry_after(headers: dict[str, Any], seconds: float | None, make_gateway):
    with pytest.raises(Throttled) as caught:
        read(make_gateway, reply(status=429, document={}, **headers))
    assert caught.value.retry_after == seconds


RULES = [
    {"when": "error.code == `7`", "is": "throttle", "after": "error.text", "after_regex": r"for (\d+) more"},
    {"when": "error.code == `8`", "is": "throttle", "after": "error.seconds"},
    {"when": "error.code == `27`", "is": "auth"},
    {"when": "error.code == `9`", "is": "forbidden"},
    {"when": "contains(error.text, 'busy')", "is": "transient"},
    {"when": "error", "is": "malformed"},
]


@pytest.mark.parametrize(
    ("error", "expected", "seconds"),
    [
        ({"code": 7, "text": "banned for 12 more seconds"}, Throttled, 12),
        ({"code": 7, "text": "banned"}, Throttled, None),
        ({"code": 7, "text": None}, Throttled, None),
        ({"code": 8, "seconds": 31_062}, Throttled, 31_062),
        ({"code": 27, "text": ""}, AuthExpired, None),
        ({"code": 9, "text": ""}, Forbidden, None),
        ({"code": 1, "text": "busy"}, Transient, None),
        ({"code": 1, "text": 5}, Malformed, None),
    ],
)
@pytest.mark.parametrize("status", [200, 400])
def test_errors_in_the_body(
    error: dict[str, Any], expected: type[SupplierError], seconds: float | None, status: int, make_gateway
):
    with pytest.raises(expected) as caught:
        read(make_gateway, reply({**GOOD, "error": error}, status=status), errors=RULES)
    assert type(caught.value) is expected
    assert caught.value.retry_after == seconds


DATE, HOUR_BEFORE = "Thu, 01 Jan 2026 01:00:00 GMT", "Thu, 01 Jan 2026 00:00:00 GMT"


@pytest.mark.parametrize(
    ("headers", "age"),
    [
        ({}, 0),
        ({"Age": "120"}, 120),
        ({"Age": "-1"}, 0),
        ({"Age": "young"}, 0),
        ({"Date": DATE, "Last_Modified": HOUR_BEFORE}, 3_600),
        ({"Date": DATE, "Last_Modified": HOUR_BEFORE, "Age": "60"}, 3_660),
        ({"Date": HOUR_BEFORE, "Last_Modified": DATE}, 0),
        ({"Last_Modified": HOUR_BEFORE}, 0),
    ],
)
def test_how_old_the_answer_says_it_is(headers: dict[str, Any], age: float, make_gateway):
    assert read(make_gateway, reply(GOOD, **headers)).age == age


def test_last_modified_can_be_told_to_mean_nothing(make_gateway):
    answer = reply(GOOD, Date=DATE, Last_Modified=HOUR_BEFORE)
    assert read(make_gateway, answer, ignore_last_modified=True).age == 0


def test_evidence_is_bounded_and_holds_no_secret(make_gateway):
    answer = reply({"you sent": "hush-hush", "noise": "x" * 10_000})
    with pytest.raises(Malformed) as caught:
        read(make_gateway, answer)
    assert "you sent" in caught.value.evidence
    assert "hush" not in caught.value.evidence
    assert len(caught.value.evidence) <= 500
