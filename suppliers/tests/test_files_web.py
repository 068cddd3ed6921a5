"""Files at a URL: through the gateway, like every call, and not read again for nothing."""

import gzip
import itertools
import time
from typing import Any

import pytest
from django.utils.http import http_date

from suppliers.credentials import seal
from suppliers.errors import AuthExpired, Malformed, Transient, Unchanged, UpstreamTimeout
from suppliers.gateway import Gateway, for_supplier
from suppliers.models import Supplier
from suppliers.tests.upstream import Upstream, always, reply, running_upstream

numbers = itertools.count(1)
pytestmark = pytest.mark.usefixtures("loopback_suppliers")
CONTENT = b"Article,Stock\nLAMP,3\nBULB,0\n"


def gateway(upstream: Upstream, **changes: Any) -> Gateway:
    config = {
        "base_url": upstream.url,
        "path": "/feeds/stock.csv",
        "params": {"key": "$secret.key"},
        "headers": {"X-Us": "$secret.key"},
        "format": "csv",
        "map": {"uid": "Article", "available": "Stock"},
        **changes,
        "limits": {"rate": 1000, "burst": 1000, "attempts": 1, "breaker_failures": 1000, **changes.get("limits", {})},
    }
    slug = f"web-{next(numbers)}"
    return for_supplier(Supplier(slug=slug, adapter="file", config=config, credentials=seal({"key": "hush-hush"})))


def test_a_file_is_read_with_its_own_age():
    now = time.time()
    answer = reply(body=CONTENT, Last_Modified=http_date(now - 3_600), Date=http_date(now), ETag='"v1"')
    with running_upstream(always(answer)) as upstream:
        (page,) = gateway(upstream).snapshot()
    assert [(row.uid, row.available) for row in page.rows] == [("LAMP", 3), ("BULB", 0)]
    assert page.age == pytest.approx(3_600, abs=5)
    (seen,) = upstream.seen
    assert (seen.path, seen.query, seen.headers["x-us"]) == ("/feeds/stock.csv", {"key": "hush-hush"}, "hush-hush")


def test_a_file_that_did_not_change_is_not_sent_again():
    """The answer to "if none match" has no body, and says so by its status."""
    fresh = reply(body=CONTENT, ETag='"v1"', Last_Modified="Wed, 01 Jan 2025 00:00:00 GMT")
    same = b"HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n"
    answers = iter([fresh, same])
    with running_upstream(lambda _: next(answers)) as upstream:
        ours = gateway(upstream)
        (page,) = ours.snapshot()
        with pytest.raises(Unchanged):
            next(ours.snapshot(unless=page.mark))
    assert upstream.seen[1].headers["if-none-match"] == '"v1"'
    assert upstream.seen[1].headers["if-modified-since"] == "Wed, 01 Jan 2025 00:00:00 GMT"


def test_a_server_without_conditions_sends_the_same_bytes_for_nothing():
    with running_upstream(always(reply(body=CONTENT))) as upstream:
        ours = gateway(upstream)
        (page,) = ours.snapshot()
        with pytest.raises(Unchanged):
            next(ours.snapshot(unless=page.mark))


def test_304_to_a_question_that_nobody_asked_is_no_answer():
    same = b"HTTP/1.1 304 Not Modified\r\nConnection: close\r\n\r\n"
    with running_upstream(always(same)) as upstream, pytest.raises(Malformed, match="redirected"):
        next(gateway(upstream).snapshot())


@pytest.mark.parametrize(
    ("answer", "error"),
    [
        (reply(status=500), Transient),
        (reply(status=401), AuthExpired),
        (reply(status=404), Malformed),
        (reply(status=302, Location="http://169.254.169.254/"), Malformed),
        (reply(body=CONTENT, length=len(CONTENT) + 9), Transient),
        (reply(body=gzip.compress(CONTENT)[:-9], Content_Encoding="gzip"), Malformed),
        (reply(body=b"<html>maintenance</html>", Content_Type="text/html"), Malformed),
    ],
)
def test_what_is_no_file_is_not_read(answer, error):
    with running_upstream(always(answer)) as upstream, pytest.raises(error):
        list(gateway(upstream).snapshot())


def test_a_second_try_begins_the_file_anew():
    answers = iter([reply(body=CONTENT * 9, length=len(CONTENT) * 99), reply(body=CONTENT)])
    with running_upstream(lambda _: next(answers)) as upstream:
        (page,) = gateway(upstream, limits={"attempts": 2}).snapshot()
    assert len(page.rows) == 2


def test_a_gigabyte_is_not_taken():
    """By its length or without one, packed by the wire or not."""
    limits = {"max_bytes": 100_000, "max_unpacked_bytes": 1_000_000}
    packed = gzip.compress(b"0" * 5_000_000)
    for answer, reason in (
        (reply(body=b"x" * 200_000), "larger than 100,000 bytes"),
        (reply(body=b"x" * 200_000, length=1_000_000_000), "larger than 100,000 bytes"),
        (reply(body=packed, Content_Encoding="gzip"), "unpacks to more than 1,000,000 bytes"),
    ):
        with running_upstream(always(answer)) as upstream, pytest.raises(Malformed, match=reason):
            next(gateway(upstream, limits=limits).snapshot())


def test_what_the_wire_packed_is_unpacked():
    with running_upstream(always(reply(body=gzip.compress(CONTENT), Content_Encoding="gzip"))) as upstream:
        (page,) = gateway(upstream).snapshot()
    assert len(page.rows) == 2
    assert upstream.seen[0].headers["accept-encoding"] == "identity"


def test_a_server_that_drips_holds_nobody():
    with running_upstream(lambda _: upstream.drip(b"HTTP/1.1 200 OK\r\n\r\nArticle,Stock\n")) as upstream:
        began = time.monotonic()
        with pytest.raises(UpstreamTimeout):
            next(gateway(upstream, limits={"total_seconds": 1}).snapshot())
    assert time.monotonic() - began < 3


def test_a_marker_says_that_the_file_is_whole():
    there: list[bytes] = []

    def answer(seen: Any) -> bytes:
        if seen.path == "/feeds/stock.csv.done":
            return there[0] if there else reply(status=404)
        return reply(body=CONTENT)

    with running_upstream(answer) as upstream:
        with pytest.raises(Transient, match="marker"):
            next(gateway(upstream, done="{path}.done").snapshot())
        there.append(reply(body=b""))
        assert next(gateway(upstream, done="{path}.done").snapshot()).rows
