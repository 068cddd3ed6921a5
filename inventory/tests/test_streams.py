"""Streams of stock: what changes comes by itself, for as long as the key is good and there is room."""

import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any, cast

import pytest
from django.db import connection
from django.test import Client

from inventory import availability, change_log
from inventory.ending import ending
from inventory.models import Sku
from inventory.streams import Hub, Stream, TooManyStreamsError, hub
from inventory.tests.promises import place
from inventory.tests.test_views import problem
from storefronts.keys import Principal
from storefronts.models import ApiKey
from suppliers.models import Supplier

pytestmark = pytest.mark.django_db(transaction=True)

PATH = "/api/v1/stock/stream"
PATIENCE = 10  # seconds


@pytest.fixture(autouse=True)
def nobody_listens_later() -> Iterator[None]:
    yield
    for stream in list(hub._streams):
        hub.close(stream)
    with hub._lock:
        assert hub._lock.wait_for(lambda: not hub._running, timeout=PATIENCE)


class Listener:
    """Reads a stream as a browser would."""

    def __init__(self, client: Client, *codes: str) -> None:
        self.answer = client.get(PATH, {"sku": codes})
        assert self.answer.status_code == 200, self.answer.content
        self.parts: Iterator[bytes] = iter(cast("Any", self.answer).streaming_content)
        self.id = ""

    def next(self, count: int = 1) -> list[dict[str, Any]]:
        """At least so many objects, and all that came with the last of them."""
        found: list[dict[str, Any]] = []
        deadline = time.monotonic() + PATIENCE
        while len(found) < count:
            assert time.monotonic() < deadline, "nothing comes"
            for line in next(self.parts).decode().splitlines():
                name, _, value = line.partition(": ")
                if name == "data":
                    found.append(json.loads(value))
                elif name == "id":
                    self.id = value
        return found

    def wait_end(self) -> None:
        deadline = time.monotonic() + PATIENCE
        for _ in self.parts:
            assert time.monotonic() < deadline, "it goes on"

    def close(self) -> None:
        self.answer.close()


@pytest.fixture
def short_heartbeat(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("inventory.following.HEARTBEAT_SECONDS", 0.2)


def test_first_everything_then_what_changes(api_client, make_level):
    for code in ("A", "B", "OTHER"):
        make_level(code, 7)
    listener = Listener(api_client, "A", "B")
    assert listener.answer.headers["Content-Type"] == "text/event-stream"
    first = listener.next(2)
    assert [(one["sku"], one["available"]) for one in first] == [("A", 7), ("B", 7)]
    assert list(first[0]) == list(api_client.get("/api/v1/stock/A").json())
    place("order-1", {"OTHER": 1})
    place("order-2", {"A": 2})
    [change] = listener.next()
    assert (change["sku"], change["available"], change["version"]) == ("A", 5, Sku.objects.get(code="A").version)


def test_the_id_leads_on_in_the_changes(api_client, make_level):
    make_level("A", 7)
    listener = Listener(api_client, "A")
    listener.next()
    listener.close()
    place("order-1", {"A": 2})
    body = api_client.get("/api/v1/stock/changes", {"after": listener.id}).json()
    assert [one["available"] for one in body["results"]] == [5]


def test_a_stream_keeps_no_connection_and_many_share_one_query(api_client, make_level, settings):
    settings.STREAMS_PER_STOREFRONT = 8
    make_level("A", 7)
    listeners = [Listener(api_client, "A") for _ in range(8)]
    for listener in listeners:
        listener.next()
    assert connection.connection is None
    reads: list[object] = []
    look = availability.read

    def counted(codes: Any, **options: Any) -> Any:
        reads.append(codes)
        return look(codes, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(availability, "read", counted)
        place("order-1", {"A": 2})
        assert [listener.next()[0]["available"] for listener in listeners] == [5] * 8
    assert reads == [["A"]]


def test_a_switch_is_told(api_client, make_level):
    make_level("A", 7)
    listener = Listener(api_client, "A")
    listener.next()
    supplier = Supplier.objects.get()
    supplier.stop_selling = True
    supplier.save()
    assert listener.next()[0]["available"] == 0


def test_what_time_alone_changes_is_told(api_client, make_level, make_supplier):
    make_level("A", 7, supplier=make_supplier(stale_after_seconds=1, expire_after_seconds=2))
    listener = Listener(api_client, "A")
    told: list[dict[str, Any]] = []
    while not told or told[-1]["available"]:
        told += listener.next()
    assert [(one["available"], one["stale"], one["status"]) for one in told] == [
        (7, False, "in_stock"),
        (7, True, "in_stock"),
        (0, True, "unknown"),
    ]


def test_a_sku_that_is_sold_no_more(api_client, make_level):
    make_level("A", 7)
    listener = Listener(api_client, "A")
    listener.next()
    Sku.objects.update(active=False)
    assert listener.next() == [{"sku": "A", "status": "unknown_sku"}]


def test_silence_is_broken_by_comments(api_client, make_level, short_heartbeat):
    make_level("A", 7)
    listener = Listener(api_client, "A")
    listener.next()
    assert next(listener.parts) == b":\n\n"


@pytest.mark.parametrize("how", ["revoked", "inactive", "narrowed", "expired"])
def test_a_key_that_is_good_no_more_ends_its_streams_and_no_others(
    api_client, api_key, make_api_key, make_level, how, short_heartbeat
):
    make_level("A", 7)
    other = Listener(Client(headers={"authorization": f"Api-Key {make_api_key()}"}), "A")
    listener = Listener(api_client, "A")
    other.next()
    listener.next()
    key = ApiKey.objects.get(prefix=api_key.partition(".")[0])
    # As another process would: nothing in this one hears of it.
    match how:
        case "revoked":
            ApiKey.objects.filter(pk=key.pk).update(revoked=True)
        case "inactive":
            type(key.storefront).objects.filter(pk=key.storefront_id).update(active=False)
        case "narrowed":
            ApiKey.objects.filter(pk=key.pk).update(scopes=["orders:read"])
        case "expired":
            ApiKey.objects.filter(pk=key.pk).update(expiry_date="2020-01-01T00:00:00Z")
    began = time.monotonic()
    listener.wait_end()
    assert time.monotonic() - began < 5
    place("order-1", {"A": 2})
    assert other.next()[0]["available"] == 5


def test_it_ends_by_itself(api_client, make_level, settings, short_heartbeat):
    settings.STREAM_SECONDS = 1
    make_level("A", 7)
    listener = Listener(api_client, "A")
    listener.next()
    listener.wait_end()
    assert not hub._streams


def test_it_ends_when_its_numbers_cannot_be_kept_up(api_client, make_level, monkeypatch):
    make_level("A", 7)
    listener = Listener(api_client, "A")
    listener.next()
    with monkeypatch.context() as patch:
        # The database is away; whether the key is still good cannot be told either.
        patch.setattr(change_log, "_NOW", "SELECT nothing FROM nowhere")
        listener.wait_end()
    assert Listener(api_client, "A").next()[0]["available"] == 7


def test_it_ends_with_its_process(api_client, make_level, monkeypatch):
    make_level("A", 7)
    listener = Listener(api_client, "A")
    listener.next()
    monkeypatch.setattr(ending, "_told", True)
    began = time.monotonic()
    listener.wait_end()
    assert time.monotonic() - began < 2


def test_who_never_reads_leaves_no_place_taken(api_client, make_level):
    make_level("A", 7)
    answer = api_client.get(PATH, {"sku": "A"})
    assert len(hub._streams) == 1
    answer.close()
    assert not hub._streams


@pytest.mark.parametrize(("process", "storefront"), [(2, 9), (9, 2), (0, 9)])
def test_there_are_only_so_many(api_client, make_level, settings, process, storefront):
    settings.STREAMS_PER_PROCESS, settings.STREAMS_PER_STOREFRONT = process, storefront
    make_level("A", 7)
    listeners = [Listener(api_client, "A") for _ in range(min(process, storefront))]
    refused = api_client.get(PATH, {"sku": "A"})
    problem(refused, 503, "busy")
    assert int(refused.headers["Retry-After"]) > 0
    if listeners:
        listeners[0].close()
        Listener(api_client, "A").next()


def test_a_crowd_at_once_gets_no_more_places_than_there_are(settings):
    settings.STREAMS_PER_PROCESS, settings.STREAMS_PER_STOREFRONT = 3, 9
    own, start = Hub(), threading.Barrier(12)

    def come(number: int) -> Stream | None:
        stream = Stream(Principal(number, "s", "p", frozenset()), frozenset())
        start.wait(10)
        try:
            own.open(stream)
        except TooManyStreamsError:
            return None
        return stream

    with ThreadPoolExecutor(12) as pool:
        streams_open = [stream for stream in pool.map(come, range(12)) if stream]
    assert len(streams_open) == 3
    for stream in streams_open:
        own.close(stream)
        own.close(stream)
    with own._lock:
        assert own._lock.wait_for(lambda: not own._running, timeout=PATIENCE)


@pytest.mark.parametrize(
    ("query", "status", "code"),
    [
        ("", 400, "invalid_sku"),
        ("?sku=", 400, "invalid_sku"),
        ("?sku=%00", 400, "invalid_sku"),
        ("?sku=A&sku=../", 400, "invalid_sku"),
        ("?" + "&".join(["sku=A"] * 201), 400, "invalid_sku"),
        ("?sku=A&sku=NOBODY", 404, "unknown_sku"),
    ],
)
def test_bad_input(api_client, make_level, query, status, code):
    make_level("A", 7)
    problem(api_client.get(PATH + query), status, code)
    assert not hub._streams


def test_who_may_listen(make_api_key, make_level):
    make_level("A", 7)
    problem(Client().get(PATH, {"sku": "A"}), 401, "not_authenticated")
    narrow = Client(headers={"authorization": f"Api-Key {make_api_key(scopes=['orders:read', 'orders:write'])}"})
    problem(narrow.get(PATH, {"sku": "A"}), 403, "missing_scope")


@pytest.mark.parametrize("method", ["head", "post", "put", "patch", "delete", "options"])
def test_only_reading(api_client, method):
    assert getattr(api_client, method)(PATH).status_code == 405
