"""The door for pushes: who comes in, who is told what, and that nothing changes for the others."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from django.test import Client
from django.utils.http import http_date

from inventory import hooks
from inventory.models import Effect, Push, StockLevel, StockMovement
from inventory.tests.pushing import SECRET, body_of, post, push, pushing, signed
from suppliers import clocks, refusals
from suppliers.credentials import seal

pytestmark = pytest.mark.django_db(transaction=True)
EVENT = {"id": "r1", "location": "", "available": 3, "at": 1_700_000_000}
BODY = body_of(EVENT)


@pytest.fixture
def supplier(make_supplier):
    return make_supplier("acme", **pushing())


def problem(response) -> tuple[int, str]:
    assert response.headers["Content-Type"] == "application/problem+json"
    return response.status_code, response.json()["code"]


def counts() -> list[int]:
    return [model.objects.count() for model in (Push, Effect, StockLevel, StockMovement)]


def test_a_push_is_stored_as_it_came_and_announced(supplier):
    response = push(supplier, "e-1", EVENT)
    assert (response.status_code, response.content) == (202, b"")
    stored = Push.objects.get()
    assert (stored.supplier, stored.event_id, bytes(stored.body), stored.verdict) == (supplier, "e-1", BODY, "waiting")
    effect = Effect.objects.get()
    assert (effect.kind, effect.target, effect.supplier) == ("push", str(stored.pk), supplier)


STRANGE = {
    "no signature": {},
    "another secret": signed(BODY, "e-1", secret="whsec_" + "A" * 32),
    "another body": signed(BODY + b" ", "e-1"),
    "another id": {**signed(BODY, "e-1"), "webhook-id": "e-2"},
    "another time": {**signed(BODY, "e-1"), "webhook-timestamp": "1"},
    "nonsense": {"webhook-id": "é", "webhook-timestamp": "-", "webhook-signature": "v1,é"},
}


@pytest.mark.parametrize("headers", STRANGE.values(), ids=STRANGE)
def test_whoever_cannot_sign_changes_nothing(supplier, headers):
    assert problem(post("acme", BODY, headers)) == (401, "bad_signature")
    assert counts() == [0, 0, 0, 0]


def test_the_same_meaning_in_other_bytes_was_not_signed(supplier):
    headers = signed(BODY, "e-1")
    assert problem(post("acme", BODY.replace(b" ", b""), headers)) == (401, "bad_signature")
    assert post("acme", BODY, headers).status_code == 202


@pytest.mark.parametrize("late", [-301, 302])
def test_an_old_push_is_refused(supplier, late):
    assert problem(post("acme", BODY, signed(BODY, "e-1", time.time() - late))) == (400, "push_untimely")
    assert counts() == [0, 0, 0, 0]


def test_a_clock_that_is_wrong_and_known_to_be_so_is_taken_into_account(supplier):
    ahead = time.time() + 900
    assert problem(post("acme", BODY, signed(BODY, "e-1", ahead))) == (400, "push_untimely")
    clocks.learn("acme", {"Date": http_date(ahead)}, time.time())
    assert post("acme", BODY, signed(BODY, "e-1", ahead)).status_code == 202
    assert problem(post("acme", BODY, signed(BODY, "e-2", ahead + 400))) == (400, "push_untimely")


def test_a_copy_is_refused_and_a_repetition_is_not(supplier):
    """Who sends again because our answer was lost signs a new time; a copy has the old one."""
    now = time.time()
    assert post("acme", BODY, signed(BODY, "e-1", now)).status_code == 202
    before = counts()
    assert problem(post("acme", BODY, signed(BODY, "e-1", now))) == (409, "push_replayed")
    assert problem(post("acme", BODY, signed(BODY, "e-1", now - 5))) == (409, "push_replayed")
    assert post("acme", BODY, signed(BODY, "e-1", now + 5)).status_code == 202
    assert counts() == before


def test_without_a_signed_time_a_repetition_looks_like_the_first(make_supplier):
    make_supplier("woo", **pushing(scheme="token", header="X-Token", id="header:X-Event"))
    headers = {"X-Token": SECRET, "X-Event": "e-1"}
    assert [post("woo", BODY, headers).status_code for _ in range(3)] == [202, 202, 202]
    assert Push.objects.count() == Effect.objects.count() == 1


def test_pushes_without_an_id_are_all_news(make_supplier):
    make_supplier("plain", **pushing(scheme="token", header="X-Token"))
    assert [post("plain", BODY, {"X-Token": SECRET}).status_code for _ in range(2)] == [202, 202]
    assert Push.objects.count() == 2


def test_five_megabytes_are_not_read(supplier):
    body = b"x" * 5_000_000
    assert problem(post("acme", body, signed(body, "e-1"))) == (413, "body_too_large")
    assert counts() == [0, 0, 0, 0]


def test_a_supplier_that_does_not_exist_looks_like_one_that_does(supplier, make_supplier):
    make_supplier("silent")
    make_supplier("broken", **(pushing() | {"credentials": seal({"push": "short"})}))
    answers = [post(slug, BODY, signed(BODY, "e-1", secret="whsec_" + "A" * 32)) for slug in ("acme", "silent", "no")]
    answers += [post(slug, BODY, headers) for slug in ("broken", "no") for headers in ({}, signed(BODY, "e-1"))]
    answers += [post("%00", BODY, {}), post("a" * 5_000, BODY, {})]
    told = []
    for answer in answers:
        body = answer.json()
        del body["request_id"]
        told.append((answer.status_code, body, sorted(answer.headers)))
    assert all(one == told[0] for one in told)
    assert told[0][0] == 401


@pytest.mark.parametrize("method", ["get", "put", "patch", "delete", "head"])
def test_there_is_nothing_to_do_but_push(supplier, method):
    for slug in ("acme", "no"):
        assert getattr(Client(), method)(f"/hooks/suppliers/{slug}/").status_code == 405


def test_a_secret_is_replaced_without_a_gap(supplier):
    old, new = SECRET, "whsec_" + "B" * 32
    supplier.config["push"]["secret"] = ["$secret.push", "$secret.push_before"]
    supplier.credentials = seal({"push": new, "push_before": old})
    supplier.save()
    assert post("acme", BODY, signed(BODY, "e-1", secret=old)).status_code == 202
    assert post("acme", BODY, signed(BODY, "e-2", secret=new)).status_code == 202
    supplier.config["push"]["secret"] = "$secret.push"
    supplier.save()
    assert post("acme", BODY, signed(BODY, "e-3", secret=old)).status_code == 401
    assert post("acme", BODY, signed(BODY, "e-4", secret=new)).status_code == 202


def test_a_secret_in_a_body_is_not_kept(make_supplier):
    make_supplier("echo", **pushing(scheme="token", header="X-Token"))
    post("echo", body_of({**EVENT, "note": SECRET}), {"X-Token": SECRET})
    assert SECRET.encode() not in bytes(Push.objects.get().body)


def test_refusals_are_counted_by_their_reason(supplier):
    for headers in ({}, {}, signed(BODY, "e", time.time() - 400)):
        post("acme", BODY, headers)
    assert refusals.counted("acme") == {"bad_signature": 2, "push_untimely": 1}
    post("no-such-supplier", BODY, {})
    assert refusals.counted("no-such-supplier") == {}
    assert refusals.counted(hooks.NOBODY) == {"bad_signature": 1}


def test_the_same_push_at_once_is_one(supplier):
    headers = signed(BODY, "e-1")
    barrier = threading.Barrier(8)

    def send(_: int) -> int:
        barrier.wait()
        try:
            return int(post("acme", BODY, headers).status_code)
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as pool:
        statuses = sorted(pool.map(send, range(8)))
    assert statuses == [202] + [409] * 7
    assert Push.objects.count() == Effect.objects.count() == 1


def test_too_many_at_once_are_told_to_come_back(supplier, monkeypatch):
    monkeypatch.setattr(hooks, "PATIENCE_SECONDS", 0.01)
    monkeypatch.setattr(hooks, "_turns", threading.BoundedSemaphore(1))
    with hooks._turn():
        response = push(supplier, "e-1", EVENT)
    assert problem(response) == (503, "busy")
    assert response.headers["Retry-After"] == "1"
    assert push(supplier, "e-1", EVENT).status_code == 202
