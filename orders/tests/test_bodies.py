"""What an order or hold may say, and what makes two of them the same."""

from hashlib import sha256
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from rest_framework.request import Request
from rest_framework.test import APIRequestFactory

from orders import bodies
from orders.bodies import MAX_QUANTITY, Line
from storefronts.problems import Problem

RESERVATION = "0f8fad5b-d9cb-469f-a165-70867728950e"


def request_with(body: bytes) -> Request:
    return Request(APIRequestFactory().generic("POST", "/", body, "application/json"))  # type: ignore[arg-type]


def order(**changes: Any) -> bytes:
    body = {"reference": "web-1", "lines": [{"sku": "A-1", "quantity": 1}], **changes}
    return msgspec.json.encode({name: value for name, value in body.items() if value is not msgspec.UNSET})


def refusal_of(body: bytes) -> tuple[int, str]:
    with pytest.raises(Problem) as refusal:
        bodies.read_order(request_with(body))
    return refusal.value.status_code, refusal.value.code


def lines_with(member: str, raw: bytes) -> bytes:
    values = {"sku": b'"A-1"', "quantity": b"1", member: raw}
    return b'{"reference":"web-1","lines":[{"sku":%b,"quantity":%b}]}' % (values["sku"], values["quantity"])


def test_a_whole_order_is_read():
    body = bodies.read_order(request_with(order(reservation=RESERVATION, destination="PT")))
    assert (body.reference, body.reservation, body.destination) == ("web-1", RESERVATION, "PT")
    assert body.lines == (Line("A-1", 1),)


def test_what_is_optional_may_be_left_out_or_null():
    assert bodies.read_order(request_with(order())) == bodies.read_order(
        request_with(order(reservation=None, destination=None))
    )


WRONG_QUANTITIES = [
    *(
        "0",
        "-1",
        "-0",
        "2147483648",
        "9223372036854775808",
        "9" * 5000,
        "-" + "9" * 5000,
        "1.0",
        "0x1",
        "1e3",
        "1E0",
        "1e400",
    ),
    *('"1"', '"1_000"', '"１"', "true", "false", "null", "[]", "[1]", "{}"),
]


@pytest.mark.parametrize("quantity", WRONG_QUANTITIES)
def test_a_wrong_quantity_is_named(quantity):
    assert refusal_of(lines_with("quantity", quantity.encode())) == (400, "invalid_quantity")


@pytest.mark.parametrize("quantity", ["NaN", "Infinity", "-Infinity", "+1", "01", "1_000", "１", "1.", ".5", ""])
def test_a_quantity_that_is_not_json_is_a_malformed_body(quantity):
    assert refusal_of(lines_with("quantity", quantity.encode())) == (400, "malformed_body")


def test_the_largest_quantity_is_taken():
    body = bodies.read_order(request_with(lines_with("quantity", b"%d" % MAX_QUANTITY)))
    assert body.lines[0].quantity == MAX_QUANTITY


WRONG_SKUS = [
    *("", "a" * 65, "a" * 200_000, "A\x00", "\x00", "A\u200b", "\u200bA", "../", "../etc/passwd", "{tag}", "lock:A"),
    *(" A", "A ", "A\n", "-A", ".A", "_A", "A/B", "A:B", "A*", "Ａ", "é", "A\u0301", "'; DROP TABLE inventory_sku; --"),
]


@pytest.mark.parametrize("sku", WRONG_SKUS)
def test_a_wrong_sku_is_named(sku):
    assert refusal_of(order(lines=[{"sku": sku, "quantity": 1}])) == (400, "invalid_sku")


@pytest.mark.parametrize("sku", ["1", "true", "null", "[]", "{}"])
def test_a_sku_that_is_no_string_is_named(sku):
    assert refusal_of(lines_with("sku", sku.encode())) == (400, "invalid_sku")


@pytest.mark.parametrize("sku", [b'"\\ud800"', b'"\xff"', b'"A\x00"'])
def test_a_sku_that_is_not_text_is_a_malformed_body(sku):
    assert refusal_of(lines_with("sku", sku)) == (400, "malformed_body")


@pytest.mark.parametrize("sku", ["a", "7", "A" * 64, "A.b_c-D", "0-", "lock.A"])
def test_a_good_sku_is_taken(sku):
    assert bodies.read_order(request_with(order(lines=[{"sku": sku, "quantity": 1}]))).lines[0].sku == sku


@pytest.mark.parametrize(
    "reference",
    ["", " ", "\u3000", "r" * 129, "a\x00", "a\nb", "a\x7f", "a\u200b", "a\u202eb", "a\u2028", 1, None, [], {}],
)
def test_a_wrong_reference_is_named(reference):
    assert refusal_of(order(reference=reference)) == (400, "invalid_reference")


@pytest.mark.parametrize("reference", ["r", "r" * 128, "web 1/2 #3", "Bestellung Nº 7", "注文", "😀"])
def test_a_printable_reference_is_taken(reference):
    assert bodies.read_order(request_with(order(reference=reference))).reference == reference


ONE = {"sku": "A", "quantity": 1}


@pytest.mark.parametrize(
    ("lines", "code"),
    [
        ([], "invalid_lines"),
        ([ONE] * 101, "invalid_lines"),
        ([ONE] * 8_000, "invalid_lines"),
        (None, "invalid_lines"),
        ({"0": ONE}, "invalid_lines"),
        ("A", "invalid_lines"),
        ([None], "malformed_body"),
        ([["A", 1]], "malformed_body"),
        ([{"sku": "A"}], "malformed_body"),
        ([{"quantity": 1}], "malformed_body"),
        ([{**ONE, "price": 1}], "malformed_body"),
        (msgspec.UNSET, "malformed_body"),
    ],
)
def test_wrong_lines_are_refused(lines, code):
    assert refusal_of(order(lines=lines)) == (400, code)


def test_a_hundred_lines_are_taken():
    lines = [{"sku": f"A-{number}", "quantity": 1} for number in range(100)]
    assert len(bodies.read_order(request_with(order(lines=lines))).lines) == 100


@pytest.mark.parametrize("member", ["note", "Reference", "lines ", "quantity", "__class__"])
def test_an_unknown_field_is_refused(member):
    assert refusal_of(order(**{member: 1})) == (400, "malformed_body")


@pytest.mark.parametrize(
    "body",
    [
        order().replace(b'"reference":"web-1"', b'"reference":"web-1","reference":"web-1"'),
        order().replace(b'"quantity":1', b'"quantity":1,"quantity":1'),
        order().replace(b'"lines":', b'"lines":[{"sku":"B","quantity":1}],"lines":'),
    ],
)
def test_a_duplicate_key_is_refused(body):
    assert refusal_of(body) == (400, "malformed_body")


@pytest.mark.parametrize("reservation", ["", "7", RESERVATION.upper(), RESERVATION + "0", f"{{{RESERVATION}}}", 7, []])
def test_a_wrong_reservation_is_named(reservation):
    assert refusal_of(order(reservation=reservation)) == (400, "invalid_reservation")


@pytest.mark.parametrize("destination", ["", "P", "pt", "PRT", "P1", "ＰＴ", "PT\n", 1, []])
def test_a_wrong_destination_is_named(destination):
    assert refusal_of(order(destination=destination)) == (400, "invalid_destination")


@pytest.mark.parametrize("seconds", [0, -1, 3_601, 10**30, 1.5, "60", True, None])
def test_a_wrong_time_to_live_is_named(seconds):
    body = msgspec.json.encode({"lines": [ONE], "ttl_seconds": seconds})
    with pytest.raises(Problem) as refusal:
        bodies.read_reservation(request_with(body))
    assert (refusal.value.status_code, refusal.value.code) == (400, "invalid_ttl_seconds")


@pytest.mark.parametrize("seconds", [1, 3_600])
def test_a_hold_is_read(seconds):
    body = bodies.read_reservation(request_with(msgspec.json.encode({"lines": [ONE], "ttl_seconds": seconds})))
    assert body.ttl_seconds == seconds


def test_lines_of_one_sku_are_merged():
    lines = (Line("B", 1), Line("A", 2), Line("B", 3), Line("a", 1))
    assert bodies.merged_lines(lines) == (("A", 2), ("B", 4), ("a", 1))


def test_a_sum_beyond_a_line_is_refused():
    most = [{"sku": "A", "quantity": MAX_QUANTITY - 1}, {"sku": "B", "quantity": 5}, {"sku": "A", "quantity": 1}]
    assert bodies.read_order(request_with(order(lines=most)))
    assert refusal_of(order(lines=[*most, ONE])) == (400, "invalid_quantity")
    with pytest.raises(Problem):
        bodies.read_reservation(request_with(msgspec.json.encode({"lines": [*most, ONE], "ttl_seconds": 1})))


def fingerprint(**changes: Any) -> bytes:
    return bodies.fingerprint(bodies.read_order(request_with(order(**changes))))


def test_the_same_order_has_the_same_fingerprint_however_it_is_written():
    lines = [{"sku": "A", "quantity": 1}, {"sku": "B", "quantity": 2}]
    split = [{"quantity": 1, "sku": "B"}, {"sku": "A", "quantity": 1}, {"sku": "B", "quantity": 1}]
    assert fingerprint(lines=lines) == fingerprint(lines=split)
    assert len(fingerprint(lines=lines)) == 32
    assert fingerprint() == fingerprint(destination=None)
    blanks = order().replace(b",", b" ,\n")
    assert bodies.fingerprint(bodies.read_order(request_with(blanks))) == fingerprint()


@pytest.mark.parametrize(
    "changes",
    [
        {"reference": "web-2"},
        {"lines": [{"sku": "A-1", "quantity": 2}]},
        {"lines": [{"sku": "a-1", "quantity": 1}]},
        {"lines": [{"sku": "A-1", "quantity": 1}, {"sku": "B", "quantity": 1}]},
        {"reservation": RESERVATION},
        {"destination": "PT"},
    ],
)
def test_another_order_has_another_fingerprint(changes):
    assert fingerprint(**changes) != fingerprint()


def test_a_hold_and_an_order_differ():
    body = msgspec.json.encode({"lines": [ONE], "ttl_seconds": 60})
    hold = bodies.read_reservation(request_with(body))
    longer = bodies.read_reservation(request_with(body.replace(b"60", b"61")))
    assert len({bodies.fingerprint(hold), bodies.fingerprint(longer), fingerprint(lines=[ONE])}) == 3
    there = msgspec.structs.replace(hold, destination="DE")
    assert bodies.fingerprint(there) != bodies.fingerprint(hold)
    # As before holds had a destination: keys of that time stand for the same.
    assert bodies.fingerprint(hold) == sha256(b'{"lines":[["A",1]],"ttl_seconds":60}').digest()


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=10), inner, max_size=3),
    max_leaves=8,
)


@given(raw=st.binary(max_size=200) | JSON.map(msgspec.json.encode))
def test_whatever_comes_is_refused_with_400(raw):
    assert refusal_of(raw)[0] == 400


@given(value=JSON, member=st.sampled_from(["reference", "lines", "reservation", "destination"]))
def test_whatever_a_member_is_it_is_read_or_refused(value, member):
    try:
        bodies.read_order(request_with(order(**{member: value})))
    except Problem as problem:
        answer = (problem.status_code, problem.code)
    else:
        return
    assert answer in {(400, f"invalid_{member}"), (400, "malformed_body")}
