"""Signatures, against the published vectors of two platforms and against what really arrived."""

import hashlib
import hmac
import re
import time
from typing import Any

import pytest

from suppliers.adapters.signing import Signer
from suppliers.adapters.validation import faults_of
from suppliers.errors import NotConfigured
from suppliers.tests.conftest import LIST, MakeGateway
from suppliers.tests.upstream import Seen, reply, running_upstream
from suppliers.transport import Request

# TOP: developer.alibaba.com, article 101617; the two keyed values were computed by its rule.
TOP_FORM = {
    "method": "taobao.item.seller.get",
    "app_key": "12345678",
    "session": "test",
    "timestamp": "2016-01-01 12:00:00",
    "format": "json",
    "v": "2.0",
    "fields": "num_iid,title,nick,price,num",
    "num_iid": "11223344",
}
TOP = {"type": "hmac", "algorithm": "md5", "canonical": "$joined", "upper": True, "in": "form", "name": "sign"}
SIGNED: dict[str, Any] = {
    "type": "hmac",
    "algorithm": "sha256",
    "secret": "$secret.token",
    "canonical": "$method\n$path\n$sorted_query\n$timestamp\n$nonce\n${body.sha256}",
    "in": "header",
    "name": "X-Sign",
    "value": "Key $secret.user:$signature",
    "timestamp": {"in": "header", "name": "X-Ts", "format": "unix_ms"},
    "nonce": {"in": "query", "name": "nonce"},
}


@pytest.mark.parametrize(
    ("method", "auth", "signature"),
    [
        ("md5", {"canonical": "helloworld${joined}helloworld"}, "66987CB115214E59E6EC978214934FB8"),
        ("hmac", {"secret": "helloworld"}, "D56D7858309C31B6251083A874D48273"),
        (
            "hmac-sha256",
            {"secret": "helloworld", "algorithm": "sha256"},
            "04DB15AD0774D5CFCE2C837DE43E3FCEA9011ED74F3038FB6AB5F3C4CEA119E8",
        ),
    ],
)
def test_the_vectors_of_taobao(method: str, auth: dict[str, Any], signature: str):
    request = Request("POST", "https://gw.example/router/rest", form={**TOP_FORM, "sign_method": method})
    signed = Signer({**TOP, **auth}, {})(request, time.time())
    assert signed.body is not None
    assert signed.body.decode().endswith(f"&sign={signature}")


def test_the_vector_of_1688():
    """Source: open.1688.com/doc/signature.htm."""
    auth = {
        **TOP,
        "algorithm": "sha1",
        "secret": "test123",
        "canonical": "param2/1/system/currentTime/1000000$joined",
        "name": "_aop_signature",
    }
    request = Request("POST", "https://gw.example/openapi/param2/1/system/currentTime/1000000", form={"b": 2, "a": 1})
    signed = Signer(auth, {})(request, time.time())
    assert signed.body == b"b=2&a=1&_aop_signature=33E54F4F7B989E3E0E912D3FBD2F1A03CA7CCE88"


class Checker:
    """Checks the signature of what arrived, and takes each nonce once.  refuse: so many fail first, with a 500."""

    def __init__(self, refuse: int = 0) -> None:
        self.nonces: list[str] = []
        self.refuse = refuse

    def __call__(self, seen: Seen) -> bytes:
        _, _, query = seen.target.partition("?")
        sorted_query = "&".join(sorted(query.split("&")))
        text = (
            f"{seen.method}\n{seen.path}\n{sorted_query}\n{seen.headers['x-ts']}\n{seen.query['nonce']}\n"
            f"{hashlib.sha256(seen.body).hexdigest()}"
        )
        expected = hmac.new(b"hush-hush", text.encode(), hashlib.sha256).hexdigest()
        assert re.fullmatch(r"[0-9]{13}", seen.headers["x-ts"])
        assert seen.query["nonce"] not in self.nonces
        self.nonces.append(seen.query["nonce"])
        if len(self.nonces) <= self.refuse:
            return reply(status=500)
        believed = seen.headers["x-sign"] == f"Key anna:{expected}"
        return reply({"items": []}, 200 if believed else 401)


@pytest.mark.parametrize(
    "request_part",
    [
        {"path": "/stock", "params": {"b": "ä ö&=/+", "a": ["2", "1"]}},
        {"method": "POST", "path": "/stock", "json": {"query": "{ größe }", "after": None}},
        {"method": "POST", "path": "/stock", "form": {"a": "x y", "b": ["1", "2"]}},
    ],
)
def test_what_is_signed_is_what_arrives(request_part: dict[str, Any], make_gateway: MakeGateway):
    with running_upstream(Checker()) as upstream:
        next(make_gateway(upstream, auth=SIGNED, list={**LIST, "request": request_part}).snapshot())
    assert "hush-hush" not in str(upstream.seen)


def test_a_read_that_is_repeated_is_signed_anew(make_gateway):
    checker = Checker(refuse=2)
    with running_upstream(checker) as upstream:
        next(make_gateway(upstream, auth=SIGNED, limits={"attempts": 3}).snapshot())
    assert len(set(checker.nonces)) == 3


@pytest.mark.parametrize(
    ("stamp", "shape"),
    [
        ({"format": "unix_s"}, r"\d{10}"),
        ({"format": "iso"}, r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"),
        ({"format": "http"}, r"\w{3}, \d\d \w{3} \d{4} \d\d:\d\d:\d\d GMT"),
        ({"format": "%Y-%m-%d %H:%M", "timezone": "Asia/Shanghai"}, r"\d{4}-\d\d-\d\d \d\d:\d\d"),
    ],
)
def test_times_are_written_as_upstream_wants_them(stamp: dict[str, str], shape: str):
    auth = {**TOP, "secret": "s", "in": "query", "timestamp": {"in": "header", "name": "X-Ts", **stamp}}
    assert re.fullmatch(shape, Signer(auth, {})(Request("GET", "https://a.example/"), time.time()).headers["X-Ts"])


@pytest.mark.parametrize(("encoding", "length"), [("hex", 40), ("base64", 28)])
def test_signatures_are_hexadecimal_or_base64(encoding: str, length: int):
    auth = {**TOP, "algorithm": "sha1", "secret": "c2VjcmV0", "secret_encoding": "base64", "encoding": encoding}
    signed = Signer({**auth, "in": "header", "name": "X"}, {})(Request("GET", "https://a.example/x"), time.time())
    assert len(signed.headers["X"]) == length


def test_a_key_that_is_not_what_it_should_be_is_told_without_showing_it():
    with pytest.raises(NotConfigured, match="not base64") as caught:
        Signer({**TOP, "secret": "$secret.key", "secret_encoding": "base64"}, {"secret.key": "hush!"})
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"canonical": "$method$sessions"}, "auth.canonical: $sessions is not known here."),
        ({"timestamp": {"format": "unix_s"}}, "auth.timestamp: $timestamp is signed, so say where"),
        ({"timestamp": {"in": "header", "name": "X", "timezone": "Mars/Base"}}, "auth.timestamp.timezone: "),
        ({"algorithm": "crc32"}, "auth.algorithm: "),
        ({"nonce": {"in": "header"}}, "auth.nonce: "),
    ],
)
def test_faults_of_a_signature_name_their_path(change: dict[str, Any], message: str):
    config = {"base_url": "https://a.example", "list": LIST, "auth": {**SIGNED, **change}}
    assert [fault for fault in faults_of(config) if fault.startswith(message)], faults_of(config)
