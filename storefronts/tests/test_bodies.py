"""Strictness of reading, shown on a small body; the order's own is in orders/tests/test_bodies.py."""

from typing import Annotated

import msgspec
import pytest
from msgspec import Meta, Struct
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from storefronts import bodies
from storefronts.problems import Problem


class Parcel(Struct, forbid_unknown_fields=True):
    weight: Annotated[int, Meta(ge=1, le=9)]


class Crate(Struct, forbid_unknown_fields=True):
    label: str
    parcels: list[Parcel]


DECODER = msgspec.json.Decoder(Crate)
GOOD = b'{"label":"A","parcels":[{"weight":1}]}'


def post(body, content_type="application/json", **headers):
    return Request(APIRequestFactory().generic("POST", "/", body, content_type, **headers))


def test_a_good_body_is_read():
    assert bodies.read_body(post(GOOD), DECODER) == Crate("A", [Parcel(1)])


@pytest.mark.parametrize("content_type", ["application/json; charset=utf-8", "application/json;charset=UTF-8"])
def test_a_charset_that_json_has_anyway_is_allowed(content_type):
    assert bodies.read_body(post(GOOD, content_type), DECODER).label == "A"


@pytest.mark.parametrize(
    "content_type",
    ["", "text/plain", "text/json", "application/x-www-form-urlencoded", "application/json; charset=utf-16"],
)
def test_another_content_type_is_415(content_type):
    with pytest.raises(Problem) as refusal:
        bodies.read_body(post(GOOD, content_type), DECODER)
    assert (refusal.value.status_code, refusal.value.code) == (415, "unsupported_media_type")


@pytest.mark.parametrize("encoding", ["gzip", "br", "gzip, identity", ""])
def test_a_compressed_body_is_415(encoding):
    with pytest.raises(Problem) as refusal:
        bodies.read_body(post(GOOD, HTTP_CONTENT_ENCODING=encoding), DECODER)
    assert (refusal.value.status_code, refusal.value.code) == (415, "unsupported_content_encoding")


def test_a_body_without_its_length_is_411():
    with pytest.raises(Problem) as refusal:
        bodies.read_body(post(b"", HTTP_TRANSFER_ENCODING="chunked", CONTENT_TYPE="application/json"), DECODER)
    assert (refusal.value.status_code, refusal.value.code) == (411, "length_required")


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        (b"", "not JSON"),
        (b"   ", "not JSON"),
        (b"{", "not JSON"),
        (GOOD + b"x", "not JSON"),
        (b"\xef\xbb\xbf" + GOOD, "not JSON"),
        (GOOD.decode().encode("utf-16"), "not JSON"),
        (GOOD.replace(b"A", b"\xff"), "not JSON"),
        (GOOD.replace(b"A", b"\\ud800"), "not JSON"),
        (GOOD.replace(b"A", b"\n"), "not JSON"),
        (GOOD.replace(b"1", b"NaN"), "not JSON"),
        (GOOD.replace(b"1", b"Infinity"), "not JSON"),
        (GOOD.replace(b"1", b"01"), "not JSON"),
        (b"null", "Expected `object`, got `null`"),
        (b"[]", "Expected `object`, got `array`"),
        (b'"text"', "Expected `object`, got `str`"),
        (b"[" * 100_000, "Expected `object`, got `array`"),
        (b'{"label":' * 100_000, "`$.label`"),
        (b'{"other":' * 100_000, "unknown field `other`"),
        (b"{}", "required field `label`"),
        (b'{"label":"A","parcels":[{}]}', "required field `weight` - at `$.parcels[0]`"),
        (b'{"label":"A","parcels":[7]}', "at `$.parcels[0]`"),
        (b'{"label":"A","parcels":[{"weight":1,"size":2}]}', "unknown field `size` - at `$.parcels[0]`"),
        (b'{"label":"A","label":"A","parcels":[]}', "field `label` twice"),
        (b'{"label":"A","parcels":[{"weight":1,"weight":1}]}', "field `weight` twice"),
        (b'{"label":"A","parcels":[{"weight":1,"weigh\\u0074":2}]}', "field `weight` twice"),
    ],
)
def test_a_body_of_the_wrong_shape_is_refused_with_the_place(raw, says):
    with pytest.raises(Problem) as refusal:
        bodies.decode(raw, DECODER)
    assert refusal.value.status_code == 400
    # `{"label": {…` is JSON whose label is wrong; everything else here is not the object we expect.
    assert refusal.value.code == ("invalid_label" if "$.label" in says else "malformed_body")
    assert says in str(refusal.value.detail)


@pytest.mark.parametrize(
    "number",
    ["0", "-1", "10", "9" * 20, "9" * 5000, "-" + "9" * 5000, "1.0", "1e0", "1e400", '"1"', "true", "null", "[]"],
)
def test_a_wrong_value_has_the_code_of_its_field(number):
    with pytest.raises(Problem) as refusal:
        bodies.decode(b'{"label":"A","parcels":[{"weight":1},{"weight":%s}]}' % number.encode(), DECODER)
    assert (refusal.value.status_code, refusal.value.code) == (400, "invalid_weight")
    assert "$.parcels[1].weight" in str(refusal.value.detail)


@pytest.mark.parametrize("key", ["a", "~!", "0f8fad5b-d9cb-469f-a165-70867728950e", "k" * 255])
def test_an_idempotency_key_is_taken_as_it_is(key):
    assert bodies.idempotency_key(post(GOOD, HTTP_IDEMPOTENCY_KEY=key)) == key


@pytest.mark.parametrize(
    "key", ["", " ", "a b", "k" * 256, "k" * 300, "one,two", "one, one", "a\tb", "é", "\x7f", "a\n"]
)
def test_another_idempotency_key_is_refused(key):
    with pytest.raises(Problem) as refusal:
        bodies.idempotency_key(post(GOOD, HTTP_IDEMPOTENCY_KEY=key))
    assert (refusal.value.status_code, refusal.value.code) == (400, "invalid_idempotency_key")


def test_the_idempotency_key_is_required():
    with pytest.raises(Problem) as refusal:
        bodies.idempotency_key(post(GOOD))
    assert (refusal.value.status_code, refusal.value.code) == (400, "idempotency_key_missing")
