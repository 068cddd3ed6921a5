"""Keys, scopes, throttles and problems, on an endpoint of the tests' own."""

import threading
from datetime import timedelta
from time import monotonic
from uuid import uuid4

import orjson
import pytest
from django.conf import settings
from django.db import OperationalError, connection
from django.http import HttpResponse
from django.test import Client, override_settings
from django.urls import path
from django.utils import timezone
from limits import RateLimitItemPerDay
from rest_framework.request import Request
from rest_framework.test import APIClient

from storefronts import keys, throttling
from storefronts.endpoints import Endpoint, json_response, principal
from storefronts.models import ApiKey, Storefront
from storefronts.problems import Busy, Problem

pytestmark = [pytest.mark.django_db, pytest.mark.urls(__name__)]


class Echo(Endpoint):
    required_scopes = {"GET": "stock:read", "POST": "orders:write"}

    def get(self, request: Request) -> HttpResponse:
        return json_response(principal(request).slug.encode())

    def post(self, request: Request) -> HttpResponse:
        failure = {
            "problem": Problem(409, "sold_out", "Gone.", shortages=[{"sku": "A"}]),
            "busy": Busy(),
            "database": OperationalError("server closed the connection"),
            "large": None,
        }[request.GET["failure"]]
        if failure:
            raise failure
        return json_response(request.body)

    def delete(self, request: Request) -> HttpResponse:
        raise AssertionError("an undeclared method ran")


urlpatterns = [path("api/echo", Echo.as_view())]
handler400 = "storefronts.problems.bad_request"
handler404 = "storefronts.problems.not_found"
handler500 = "storefronts.problems.server_error"


@pytest.fixture
def storefront():
    return Storefront.objects.create(slug="web", name="Web shop")


@pytest.fixture
def make_key(storefront):
    def make(**changes):
        return ApiKey.objects.create_key(**{"storefront": storefront, "name": "till", **changes})

    return make


def ask(key: str | None, method: str = "get", url: str = "/api/echo", **extra):
    headers = {"HTTP_AUTHORIZATION": f"Api-Key {key}"} if key is not None else {}
    return getattr(APIClient(), method)(url, **headers, **extra)


def problem(response, status: int, code: str):
    assert response.headers["Content-Type"] == "application/problem+json"
    body = orjson.loads(response.content)
    assert {"type", "title", "status", "detail", "code", "request_id"} <= body.keys()
    assert (response.status_code, body["status"], body["code"]) == (status, status, code)
    assert "Traceback" not in response.content.decode()
    return body


def test_a_key_opens(make_key):
    _, key = make_key()
    answer = ask(key)
    assert (answer.status_code, answer.content) == (200, b"web")


@pytest.mark.parametrize(
    ("header", "code"),
    [
        (None, "not_authenticated"),
        ("", "not_authenticated"),
        ("Bearer abc", "not_authenticated"),
        ("Api-Key", "authentication_failed"),
        ("Api-Key ", "authentication_failed"),
        ("Api-Key nonsense", "authentication_failed"),
        ("Api-Key aaaaaaaa.bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb", "authentication_failed"),
        ("Api-Key \x00", "authentication_failed"),
        ("Api-Key é.é", "authentication_failed"),
        ("Api-Key " + "a" * 8000, "authentication_failed"),
    ],
)
def test_without_a_good_key_it_is_401(header, code, make_key):
    make_key()
    answer = APIClient().get("/api/echo", **({} if header is None else {"HTTP_AUTHORIZATION": header}))
    problem(answer, 401, code)
    assert answer.headers["WWW-Authenticate"] == "Api-Key"


def test_the_prefix_of_a_key_with_another_secret_is_401(make_key):
    api_key, _ = make_key()
    problem(ask(f"{api_key.prefix}.{'x' * 32}"), 401, "authentication_failed")


@pytest.mark.parametrize("change", ["revoked", "expired", "inactive"])
def test_a_dead_key_is_401(change, make_key, storefront):
    past = timezone.now() - timedelta(seconds=1)
    _, key = make_key(revoked=change == "revoked", expiry_date=past if change == "expired" else None)
    Storefront.objects.update(active=change != "inactive")
    problem(ask(key), 401, "authentication_failed")


def test_the_look_up_is_remembered(make_key, django_assert_num_queries):
    _, key = make_key()
    with django_assert_num_queries(4):  # the key with its storefront; its last use within a savepoint
        assert ask(key).status_code == 200
    with django_assert_num_queries(0):
        assert ask(key).status_code == 200


def test_a_remembered_key_is_looked_up_again_after_its_time(make_key, monkeypatch):
    api_key, key = make_key()
    assert ask(key).status_code == 200
    ApiKey.objects.filter(pk=api_key.pk).update(revoked=True)  # as another process would
    assert ask(key).status_code == 200
    elapsed = monotonic() + keys.VERIFIED_SECONDS
    monkeypatch.setattr("storefronts.keys.monotonic", lambda: elapsed)
    problem(ask(key), 401, "authentication_failed")


@pytest.mark.parametrize("change", ["key", "storefront", "deleted"])
def test_a_saved_revocation_acts_at_once(change, make_key, storefront, django_capture_on_commit_callbacks):
    api_key, key = make_key()
    assert ask(key).status_code == 200
    with django_capture_on_commit_callbacks(execute=True):
        if change == "key":
            api_key.revoked = True
            api_key.save()
        elif change == "storefront":
            storefront.active = False
            storefront.save()
        else:
            api_key.delete()
    problem(ask(key), 401, "authentication_failed")


def test_a_key_is_not_remembered_past_its_expiry(make_key, monkeypatch):
    _, key = make_key(expiry_date=timezone.now() + timedelta(seconds=2))
    assert ask(key).status_code == 200
    later = timezone.now() + timedelta(seconds=3)
    elapsed = monotonic() + 3
    monkeypatch.setattr("storefronts.keys.monotonic", lambda: elapsed)
    monkeypatch.setattr("django.utils.timezone.now", lambda: later)
    problem(ask(key), 401, "authentication_failed")


def test_the_last_use_is_written_once_a_minute(make_key):
    api_key, key = make_key()
    ask(key)
    api_key.refresh_from_db()
    first = api_key.last_used_at
    assert first is not None
    keys.forget_keys()
    ask(key)
    api_key.refresh_from_db()
    assert api_key.last_used_at == first
    ApiKey.objects.update(last_used_at=first - timedelta(minutes=2))
    keys.forget_keys()
    ask(key)
    api_key.refresh_from_db()
    assert api_key.last_used_at > first - timedelta(minutes=1)


def test_only_the_hash_of_a_key_is_stored(make_key):
    api_key, key = make_key()
    secret = key.partition(".")[2]
    assert len(secret) >= 32  # of 62 characters each: 190 bits
    row = ApiKey.objects.filter(pk=api_key.pk).values().get()
    assert not any(secret in str(value) for value in row.values())


def test_a_missing_scope_is_403(make_key):
    _, key = make_key(scopes=["stock:read"])
    assert ask(key).status_code == 200
    problem(ask(key, "post", "/api/echo?failure=busy"), 403, "missing_scope")


def test_an_undeclared_method_is_refused(make_key):
    _, key = make_key()
    problem(ask(key, "delete"), 403, "not_permitted")


def test_a_method_that_is_not_there_is_405(make_key):
    _, key = make_key()
    answer = ask(key, "put")
    problem(answer, 405, "method_not_allowed")
    assert "GET" in answer.headers["Allow"]


def test_head_needs_the_scope_of_get(make_key):
    _, key = make_key(scopes=["orders:write"])
    assert ask(key, "head").status_code == 403
    _, key = make_key(scopes=["stock:read"])
    assert ask(key, "head").status_code == 200


def test_a_problem_carries_its_members(make_key):
    _, key = make_key()
    body = problem(ask(key, "post", "/api/echo?failure=problem"), 409, "sold_out")
    assert (body["title"], body["detail"], body["shortages"]) == ("Sold out", "Gone.", [{"sku": "A"}])
    assert body["request_id"]


@pytest.mark.parametrize("failure", ["busy", "database"])
def test_faults_are_503_and_say_when_to_ask_again(failure, make_key):
    _, key = make_key()
    answer = ask(key, "post", f"/api/echo?failure={failure}")
    problem(answer, 503, "busy")
    assert answer.headers["Retry-After"] == "1"


def test_a_body_beyond_the_limit_is_413(make_key):
    _, key = make_key()
    extra = {"data": b"x" * (settings.DATA_UPLOAD_MAX_MEMORY_SIZE + 1), "content_type": "application/json"}
    problem(ask(key, "post", "/api/echo?failure=large", **extra), 413, "body_too_large")
    extra["data"] = b"x" * settings.DATA_UPLOAD_MAX_MEMORY_SIZE
    assert ask(key, "post", "/api/echo?failure=large", **extra).status_code == 200


def test_an_unforeseen_error_is_a_500_without_a_trace(make_key):
    _, key = make_key()
    client = Client(raise_request_exception=False, headers={"Authorization": f"Api-Key {key}"})
    answer = client.post("/api/echo")  # no ?failure: a KeyError
    body = problem(answer, 500, "internal_error")
    assert "KeyError" not in str(body)


def test_an_unknown_path_is_a_problem_for_programs_and_a_page_for_people():
    problem(Client().get("/api/v1/nothing"), 404, "not_found")
    assert Client().get("/nothing").headers["Content-Type"].startswith("text/html")


def test_a_spoofed_host_is_400():
    problem(Client().get("/api/echo", headers={"Host": "evil.example"}), 400, "host_not_allowed")


@pytest.fixture
def three_a_day(monkeypatch):
    limit = RateLimitItemPerDay(3, namespace=str(uuid4()))
    monkeypatch.setattr(throttling, "rate_limit", lambda: limit)


def test_a_storefront_has_one_limit_for_all_its_keys(make_key, three_a_day):
    (_, key), (_, other) = make_key(), make_key()
    assert [ask(each).status_code for each in (key, other, key, other)] == [200, 200, 200, 429]
    answer = ask(key)
    problem(answer, 429, "throttled")
    assert 0 < int(answer.headers["Retry-After"]) <= 86_400


def test_storefronts_do_not_share_a_limit(make_key, three_a_day):
    _, key = make_key()
    _, foreign = make_key(storefront=Storefront.objects.create(slug="app", name="App"))
    assert [ask(key).status_code for _ in range(4)][-1] == 429
    assert ask(foreign).status_code == 200


def test_the_limit_is_exact_under_concurrency():
    limit = RateLimitItemPerDay(50, namespace=str(uuid4()))
    start = threading.Barrier(8)
    taken: list[bool] = []

    def hit() -> None:
        start.wait()
        taken.extend(throttling.shared_counter().hit(limit, "web") for _ in range(20))

    threads = [threading.Thread(target=hit) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(taken), sum(taken)) == (160, 50)


def test_without_redis_each_process_counts_for_itself(make_key, three_a_day, monkeypatch):
    throttling.shared_counter.cache_clear()
    monkeypatch.setattr(throttling.StorefrontThrottle, "redis_paused_until", 0.0)
    with override_settings(CACHE_URL="redis://127.0.0.1:1/0"):
        _, key = make_key()
        assert [ask(key).status_code for _ in range(4)] == [200, 200, 200, 429]
    throttling.shared_counter.cache_clear()


def test_a_failed_note_of_use_does_not_fail_the_request(make_key):
    """In a read-only transaction every write fails, as on a standby."""
    _, key = make_key()
    with connection.cursor() as cursor:
        cursor.execute("SAVEPOINT before")
        cursor.execute("SET TRANSACTION READ ONLY")
        try:
            assert ask(key).status_code == 200
        finally:
            cursor.execute("ROLLBACK TO SAVEPOINT before")
