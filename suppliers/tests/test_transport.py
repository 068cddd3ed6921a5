"""The exchange against servers that misbehave on real sockets."""

import gzip
import socket
import struct
import time
import tracemalloc
import zlib

import pytest

from suppliers.errors import BlockedAddress, Malformed, SupplierError, Transient, UpstreamTimeout
from suppliers.tests.upstream import Seen, Write, reply, running_upstream
from suppliers.transport import Deadline, Limits, Request, Response, exchange, new_session

SMALL = Limits(max_bytes=100_000)


@pytest.fixture(autouse=True)
def _loopback_is_allowed(settings) -> None:
    settings.SUPPLIER_PRIVATE_NETWORKS = True


def send(url: str, *, seconds: float = 5, limits: Limits = SMALL, **fields) -> Response:
    with new_session() as session:
        return exchange(session, Request(fields.pop("method", "GET"), url, **fields), limits, Deadline(seconds))


def test_an_answer_of_any_status_comes_back_whole():
    with running_upstream(lambda _: reply({"a": 1}, status=503, X_Extra="1")) as upstream:
        response = send(upstream.url + "/stock", params={"page": 2})
    assert (response.status, response.body, response.headers["x-extra"]) == (503, b'{"a": 1}', "1")
    assert upstream.seen[0].query == {"page": "2"}


@pytest.mark.parametrize(
    "head", [b"", b"HTTP/1.1 200 OK\r\nX-Slow: ", b"HTTP/1.1 200 OK\r\n\r\n"], ids=["status", "header", "body"]
)
def test_a_drip_ends_at_the_deadline(head: bytes):
    with running_upstream(lambda _: upstream.drip(head)) as upstream:
        started = time.monotonic()
        with pytest.raises(UpstreamTimeout) as caught:
            send(upstream.url, seconds=0.8)
    assert caught.value.sent
    assert 0.7 < time.monotonic() - started < 1.6


def test_a_drip_in_a_chunk_ends_at_the_deadline():
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffff\r\n"
    with running_upstream(lambda _: upstream.drip(head)) as upstream, pytest.raises(UpstreamTimeout):
        send(upstream.url, seconds=0.6)


def test_a_drip_in_the_length_of_a_chunk_ends_at_the_deadline():
    head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
    with running_upstream(lambda _: upstream.drip(head)) as upstream, pytest.raises(UpstreamTimeout):
        send(upstream.url, seconds=0.6)


def test_a_drip_ends_on_a_kept_connection_too():
    def answer(request: Seen) -> bytes | Write:
        return upstream.drip(b"") if request.path == "/slow" else reply({}).replace(b"close", b"keep-alive", 1)

    with running_upstream(answer) as upstream, new_session() as session:
        exchange(session, Request("GET", upstream.url + "/quick"), SMALL, Deadline(5))
        with pytest.raises(UpstreamTimeout):
            exchange(session, Request("GET", upstream.url + "/slow"), SMALL, Deadline(0.6))


def test_the_read_timeout_ends_a_hang_before_the_deadline():
    with running_upstream(lambda _: upstream.hang) as upstream:
        started = time.monotonic()
        with pytest.raises(UpstreamTimeout) as caught:
            send(upstream.url, seconds=20, limits=Limits(read_seconds=0.3))
    assert caught.value.sent
    assert time.monotonic() - started < 5


def test_a_refused_connection_was_not_sent():
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
    with pytest.raises(Transient) as caught:
        send(f"http://127.0.0.1:{port}/")
    assert not caught.value.sent


def test_a_handshake_that_never_ends_was_not_sent():
    with socket.create_server(("127.0.0.1", 0)) as server, pytest.raises(UpstreamTimeout) as caught:
        send(f"https://127.0.0.1:{server.getsockname()[1]}/", seconds=0.6)
    assert not caught.value.sent


def test_plain_http_where_tls_is_expected_was_not_sent():
    with running_upstream(lambda _: reply({})) as upstream, pytest.raises(Transient) as caught:
        send(upstream.url.replace("http://", "https://"), seconds=3)
    assert not caught.value.sent
    assert upstream.seen == []


def test_no_time_left_sends_nothing():
    with running_upstream(lambda _: reply({})) as upstream, pytest.raises(UpstreamTimeout) as caught:
        send(upstream.url, seconds=0)
    assert not caught.value.sent
    assert upstream.seen == []


def reset(sock: socket.socket) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    sock.close()


@pytest.mark.parametrize(
    "answer",
    [
        reply({"rows": [1, 2, 3]}, length=500),
        b"",
        b"\x00\x01\x02 not HTTP\r\n\r\n",
        reset,
        reply(body=gzip.compress(b"{}" * 500)[:30], Content_Encoding="gzip", length=400),
    ],
    ids=["cut body", "no answer", "not HTTP", "reset", "cut gzip"],
)
def test_a_broken_answer_may_have_taken_effect(answer):
    with running_upstream(lambda _: answer) as upstream, pytest.raises(Transient) as caught:
        send(upstream.url)
    assert caught.value.sent


def test_an_oversize_answer_is_not_read_further():
    body = b"x" * 3_000_000
    with (
        running_upstream(lambda _: reply(body=body)) as upstream,
        pytest.raises(Malformed, match="larger than 100,000"),
    ):
        send(upstream.url)


def bomb(decoded: int) -> bytes:
    packer = zlib.compressobj(9, wbits=31)
    zeros = b"\0" * 1_000_000
    return b"".join(packer.compress(zeros) for _ in range(decoded // len(zeros))) + packer.flush()


def test_a_gzip_bomb_costs_no_more_than_its_cap():
    with running_upstream(lambda _: reply(body=packed, Content_Encoding="gzip")) as upstream:
        packed = bomb(200_000_000)
        tracemalloc.start()
        with pytest.raises(Malformed, match="larger than"):
            send(upstream.url)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert peak < 10_000_000


def test_what_is_not_gzip_is_malformed():
    answer = reply(body=b"plain", Content_Encoding="gzip")
    with running_upstream(lambda _: answer) as upstream, pytest.raises(Malformed, match="decompressed"):
        send(upstream.url)


@pytest.mark.parametrize("target", ["http://169.254.169.254/latest/meta-data/", "/again", "https://elsewhere.example/"])
def test_redirects_are_not_followed(target: str):
    answer = reply(status=302, Location=target)
    with running_upstream(lambda _: answer) as upstream, pytest.raises(Malformed, match="redirect"):
        send(upstream.url)
    assert len(upstream.seen) == 1


def test_the_environment_cannot_put_a_proxy_in_between(monkeypatch):
    monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:9")
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:9")
    with running_upstream(lambda _: reply({})) as upstream:
        assert send(upstream.url).status == 200


def test_cookies_are_not_kept():
    with running_upstream(lambda _: reply({}, Set_Cookie="session=1; Path=/")) as upstream, new_session() as session:
        for _ in range(2):
            exchange(session, Request("GET", upstream.url), SMALL, Deadline(5))
    assert "cookie" not in upstream.seen[1].headers


def test_errors_hold_no_query_and_no_header():
    with running_upstream(lambda _: b"") as upstream, pytest.raises(SupplierError) as caught:
        send(upstream.url, params={"key": "hush-hush"}, headers={"X-Key": "hush-hush"})
    assert "hush" not in repr(caught.value)
    assert caught.value.__cause__ is None


@pytest.fixture
def lookups(monkeypatch) -> list[str]:
    """Every name is this machine; the names that were looked up."""
    names: list[str] = []

    def look_up(host: str, port: int, *_, **__):
        names.append(host)
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", port))]

    monkeypatch.setattr(socket, "getaddrinfo", look_up)
    return names


def test_a_name_that_resolves_into_a_private_network_is_not_called(settings, lookups):
    with running_upstream(lambda _: reply({})) as upstream:
        settings.SUPPLIER_PRIVATE_NETWORKS = False
        with pytest.raises(BlockedAddress):
            send(upstream.url.replace("http://127.0.0.1", "https://supplier.example"))
    assert lookups == ["supplier.example"]
    assert upstream.seen == []


def test_the_address_that_was_checked_is_the_one_that_is_called(lookups):
    with running_upstream(lambda _: reply({})) as upstream:
        send(upstream.url.replace("127.0.0.1", "supplier.example"))
    # A second look-up could answer otherwise; that of a literal address cannot.
    assert lookups.count("supplier.example") == 1
    assert upstream.seen[0].headers["host"].startswith("supplier.example:")
