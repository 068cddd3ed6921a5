"""What the chaos supplier sends by itself: signed as agreed, and late, doubled, lost or forged as told."""

import base64
import hmac
import time
from collections import Counter
from contextlib import contextmanager

import pytest

from suppliers.tests.simulator_client import VirtualClock, simulated
from suppliers.tests.upstream import always, reply, running_upstream

SKU = "SKU-000001"
SECRET = "whsec_" + base64.b64encode(b"a secret of sixteen bytes or so").decode()
KEY = base64.b64decode(SECRET.removeprefix("whsec_"))


@contextmanager
def subscribed(status=200, **webhooks):
    """A supplier that tells this receiver of every change at once, unless told otherwise."""
    clock = VirtualClock()
    with running_upstream(always(reply({}, status))) as receiver:
        rule = {"url": f"{receiver.url}/hooks/", "secret": SECRET, "delay_ms": 0, "sigma": 0, **webhooks}
        with simulated(clock, webhooks=rule) as (chaos, _):
            yield chaos, receiver, clock


def outcome(chaos, number):
    """What became of so many deliveries, once all of them are done."""
    deadline = time.monotonic() + 10
    while sum((sent := chaos.chaos()["webhooks"]).values()) < number:
        assert time.monotonic() < deadline, sent
        time.sleep(0.005)
    return sent


def standard_signature(seen):
    text = f"{seen.headers['webhook-id']}.{seen.headers['webhook-timestamp']}.".encode() + seen.body
    return "v1," + base64.b64encode(hmac.digest(KEY, text, "sha256")).decode()


def test_a_change_is_told_and_signed():
    with subscribed(content="both") as (chaos, receiver, _):
        chaos.sell(SKU, 3)
        assert outcome(chaos, 1) == {"delivered": 1}
    [seen] = receiver.seen
    assert seen.headers["webhook-signature"] == standard_signature(seen)
    assert seen.json == {
        "events": [
            {
                "id": "r0000001", "sku": SKU, "location": "main", "at": "2027-01-15T08:00:00.000Z", "available": 7,
                "delta": -3,
            }
        ]
    }  # fmt: skip


@pytest.mark.parametrize(
    ("scheme", "header", "signature"),
    [
        ("shopify", "x-shopify-hmac-sha256", lambda body: base64.b64encode(body).decode()),
        ("woocommerce", "x-wc-webhook-signature", lambda body: base64.b64encode(body).decode()),
        ("hmac", "x-signature", lambda body: f"sha256={body.hex()}"),
    ],
)
def test_each_scheme_signs_in_its_way(scheme, header, signature):
    with subscribed(scheme=scheme) as (chaos, receiver, _):
        chaos.sell(SKU, 1)
        outcome(chaos, 1)
    [seen] = receiver.seen
    assert seen.headers[header] == signature(hmac.digest(SECRET.encode(), seen.body, "sha256"))


@pytest.mark.parametrize(("content", "keys"), [("absolute", {"available"}), ("delta", {"delta"}), ("nothing", set())])
def test_an_event_says_the_number_the_difference_or_nothing(content, keys):
    with subscribed(content=content) as (chaos, receiver, _):
        chaos.sell(SKU, 1)
        outcome(chaos, 1)
    assert receiver.seen[0].json["events"][0].keys() == {"id", "sku", "location", "at"} | keys


def test_events_come_late_and_out_of_order():
    with subscribed(reorder_s=60) as (chaos, receiver, clock):
        for _ in range(8):
            chaos.sell(SKU, 1)
            clock.now += 1
        clock.now += 60
        outcome(chaos, 8)
    told = [seen.json["events"][0]["available"] for seen in receiver.seen]
    assert sorted(told, reverse=True) == list(range(9, 1, -1)) != told


def test_events_are_doubled_lost_and_replayed():
    with subscribed(dup_p=0.3, lost_p=0.3, replay_p=0.3, replay_after_s=0) as (chaos, receiver, _):
        for number in range(1, 21):
            chaos.sell(f"SKU-{number:06d}", 1)
        sent = outcome(chaos, 20)
        time.sleep(0.3)
        sent = chaos.chaos()["webhooks"]
    seen = Counter(seen.headers["webhook-id"] for seen in receiver.seen)
    assert 0 < sent["lost"] < 15
    assert len(seen) == 20 - sent["lost"]
    assert max(seen.values()) > 1
    assert sent["delivered"] == seen.total()


def test_a_forged_event_is_signed_with_another_secret():
    with subscribed(bad_signature_p=1) as (chaos, receiver, _):
        chaos.sell(SKU, 1)
        outcome(chaos, 1)
    assert receiver.seen[0].headers["webhook-signature"] != standard_signature(receiver.seen[0])


def test_one_change_may_bring_a_burst():
    with subscribed(burst=12) as (chaos, receiver, _):
        chaos.sell(SKU, 1)
        outcome(chaos, 13)
    assert len({seen.json["events"][0]["id"] for seen in receiver.seen}) == 13


def test_five_failures_in_a_row_end_it_until_it_is_set_anew():
    with subscribed(status=500) as (chaos, receiver, _):
        for number in range(1, 9):
            chaos.sell(f"SKU-{number:06d}", 1)
        assert outcome(chaos, 8) == {"failed 500": 5, "disabled": 3}
        chaos.set(webhooks={"dup_p": 0})
        chaos.sell(SKU, 1)
        assert outcome(chaos, 9)["failed 500"] == 6
    assert len(receiver.seen) == 6


def test_without_an_address_nothing_is_sent():
    with simulated(profile="webhook_storm") as (chaos, _):
        chaos.sell(SKU, 1)
        assert chaos.chaos()["webhooks"] == {}
