"""The `push` part: which event it is, what it says of a row, and what it cannot be relied on for."""

import json
from datetime import UTC, datetime

import pytest

from suppliers.adapters import kind_of
from suppliers.adapters.pushes import MOST_EVENTS, ConfiguredPushes
from suppliers.adapters.validation import faults_of
from suppliers.errors import Malformed
from suppliers.readings import PushEvent

SECRETS = {"push": "a-secret-of-the-supplier"}
MAP = {
    "uid": "id",
    "location": "place",
    "available": "units",
    "unknown_when": "untracked",
    "updated_at": {"path": "at", "format": "epoch_ms"},
}
CONFIG = {"scheme": "token", "header": "X-Token", "secret": "$secret.push", "events": "data", "map": MAP}
AT = datetime(2019, 8, 5, 6, 2, 9, 147000, UTC)


def pushes(**config: object) -> ConfiguredPushes:
    return ConfiguredPushes({**CONFIG, **config}, SECRETS)


def parse(document: object, **config: object) -> list[PushEvent]:
    return pushes(**config).parse(json.dumps(document).encode())


def event(**item: object) -> PushEvent:
    return parse({"data": [{"id": 7, "place": "HAM", "units": 3, "at": "1564984929147", **item}]})[0]


def test_an_event_with_everything():
    assert event() == PushEvent("7", "", "HAM", 3, AT)


@pytest.mark.parametrize(
    ("item", "units"),
    [
        ({"units": "12"}, 12),
        ({"units": -4}, 0),
        ({"units": 4.5}, 4),
        ({"units": "10+"}, 10),
        ({"units": None}, None),
        ({"units": "many"}, None),
        ({"units": True}, None),
        ({"units": 1e308}, None),
        ({"untracked": True}, None),
    ],
)
def test_only_a_number_is_a_number(item, units):
    assert event(**item).available == units


@pytest.mark.parametrize("at", [None, "soon", [], 1e300, "NaN"])
def test_a_time_that_makes_no_sense_is_none(at):
    assert event(at=at).at is None


@pytest.mark.parametrize("item", [{"id": None}, {"id": ["7"]}, {"id": "\x00"}, {"id": "x" * 201}, {"place": {}}])
def test_an_event_that_names_no_row_is_left_out(item):
    assert parse({"data": [{"id": 7, "place": "HAM", **item}, {"id": 8, "place": "HAM"}]}) == [
        PushEvent("8", "", "HAM", None, None)
    ]


def test_a_push_of_one_event_needs_no_list():
    assert parse({"id": 7}, events="@", map={"uid": "id"}) == [PushEvent("7", "")]


def test_a_row_may_be_named_by_its_sku():
    assert parse({"code": " ＬＡＭＰ "}, events="@", map={"sku": "code"}) == [PushEvent("", "LAMP")]


@pytest.mark.parametrize("body", [b"", b"id=7&units=3", b'{"data": [', b"\xff\xfe", b"[" * 100_000])
def test_what_is_not_json_is_malformed(body):
    with pytest.raises(Malformed):
        pushes().parse(body)


def test_more_events_than_anybody_sends_are_malformed():
    with pytest.raises(Malformed):
        parse({"data": [{"id": 7}] * (MOST_EVENTS + 1)})


@pytest.mark.parametrize(
    ("config", "headers", "expected"),
    [
        ({"id": "header:X-Event"}, {"x-event": "e-1"}, "e-1"),
        ({"id": "header:X-Event"}, {}, ""),
        ({"id": "event.id"}, {}, "12"),
        ({"id": "absent"}, {}, ""),
        ({}, {}, ""),
    ],
)
def test_the_id_of_an_event(config, headers, expected):
    body = b'{"event": {"id": 12}}'
    sent = {**headers, "X-Token": SECRETS["push"]}
    assert pushes(**config).verify(sent, body, AT).id == expected


def test_an_id_that_cannot_be_stored_is_kept_by_its_hash():
    sent = {"X-Event": "e" * 300, "X-Token": SECRETS["push"]}
    assert len(pushes(id="header:X-Event").verify(sent, b"", AT).id) == 64


def test_the_secret_is_taken_out_of_the_body_and_nothing_else_is_touched():
    body = b'{"token": "a-secret-of-the-supplier", "name": "\xc3\xa4\xff\x00"}'
    assert pushes().redact(body) == b'{"token": "[secret]", "name": "\xc3\xa4\xff\x00"}'


REST = {
    "base_url": "https://erp.example",
    "list": {"request": {"path": "/stock"}, "items": "items", "map": {"uid": "id", "available": "stock"}},
}


@pytest.mark.parametrize(
    "push",
    [
        CONFIG,
        {**CONFIG, "secret": ["$secret.push", "$secret.push_before"], "id": "header:X-Event", "clock_ahead_seconds": 2},
        {"scheme": "standard_webhooks", "secret": "$secret.push", "map": {"sku": "sku"}, "id": "event.id"},
    ],
)
def test_a_push_part_that_can_be_used(push):
    assert faults_of({**REST, "push": push}) == []


@pytest.mark.parametrize(
    "change",
    [
        {"secret": "a-secret-of-the-supplier"},
        {"secret": ["$secret.a", "$secret.b", "$secret.c"]},
        {"scheme": "none"},
        {"header": "X Token"},
        {"map": {"available": "units"}},
        {"map": {"uid": "id", "lot": "lot"}},
        {"map": {"uid": "id["}},
        {"map": {"uid": "id", "updated_at": {"path": "at", "timezone": "Mars"}}},
        {"events": "data["},
        {"id": "event["},
        {"clock_ahead_seconds": -1},
    ],
)
def test_a_push_part_with_a_fault_says_where(change):
    faults = faults_of({**REST, "push": {**CONFIG, **change}})
    assert faults
    assert all(fault.startswith("push") for fault in faults)


SHOPIFY = {
    "scheme": "shopify",
    "secret": "$secret.push",
    "map": {
        "uid": "inventory_item_id",
        "location": "location_id",
        "available": "available",
        "updated_at": "updated_at",
    },
}
# As printed in its documentation.
AOP_BODY = {
    "OfferInventoryChangeList": [
        {"offerId": 5, "offerOnSale": 100, "skuId": 9, "skuOnSale": 20, "quantity": -10, "bizTime": "1564984329147"}
    ]
}
AOP_PUSH = {
    **CONFIG,
    "events": "OfferInventoryChangeList",
    "map": {
        "uid": "join(':', [to_string(offerId), to_string(skuId)])",
        "available": "skuOnSale",
        "updated_at": {"path": "bizTime", "format": "epoch_ms"},
    },
}


def test_what_shopify_sends_of_a_level_names_our_row():
    sent = {"inventory_item_id": 7, "location_id": 1, "available": -2, "updated_at": "2026-01-02T03:04:05Z"}
    (event,) = ConfiguredPushes(SHOPIFY, SECRETS).parse(json.dumps(sent).encode())
    assert event == PushEvent("7", "", "1", 0, datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC))


def test_what_1688_sends_of_a_sku_is_its_number_and_not_the_difference():
    (event,) = ConfiguredPushes(AOP_PUSH, SECRETS).parse(json.dumps(AOP_BODY).encode())
    assert event == PushEvent("5:9", "", None, 20, datetime(2019, 8, 5, 5, 52, 9, 147000, UTC))


@pytest.mark.parametrize(
    ("adapter", "config"),
    [
        ("shopify", {"base_url": "https://shop.example", "locations": ["1"], "push": SHOPIFY}),
        ("aop1688", {"base_url": "https://gw.open.1688.com", "pool": 1, "push": AOP_PUSH}),
        ("top", {"base_url": "https://gw.api.taobao.com/router/rest", "push": CONFIG}),
    ],
)
def test_platforms_take_a_push_part_and_say_where_it_is_wrong(adapter, config):
    assert kind_of(adapter).faults(config) == []
    broken = {**config["push"], "map": {"uid": "id ]"}}
    (fault,) = kind_of(adapter).faults({**config, "push": broken})
    assert fault.startswith("push.map.uid: ")
