"""What load balancers and monitoring are told."""

import pytest
from django.db import connection

from inventory_project.localstack.processes import free_port


def test_alive_without_asking_anybody(client):
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    assert "no-store" in answer["Cache-Control"]


@pytest.mark.django_db
def test_ready_names_each_dependency(client):
    answer = client.get("/readyz").json()
    assert answer["status"] == "ok"
    assert set(answer["dependencies"]) == {"postgresql", "redis", "cache"}
    assert all(state["milliseconds"] >= 0 for state in answer["dependencies"].values())


@pytest.mark.django_db
@pytest.mark.parametrize(("required", "expected"), [(False, (200, "degraded")), (True, (503, "unavailable"))])
def test_without_redis_it_depends_on_whether_the_lock_is_required(client, settings, required, expected):
    settings.REDIS_URL = f"redis://:hidden@127.0.0.1:{free_port()}/0"
    settings.ORDERS_REQUIRE_LOCK = required
    answer = client.get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == expected
    assert answer.json()["dependencies"]["redis"]["error"] == "ConnectionError"
    assert b"hidden" not in answer.content


@pytest.mark.django_db(transaction=True)
def test_without_postgresql_it_is_not_ready(client, monkeypatch):
    connection.close()
    connection.close_pool()  # type: ignore[attr-defined]
    monkeypatch.setitem(connection.settings_dict, "PORT", free_port())
    monkeypatch.setitem(connection.settings_dict["OPTIONS"], "pool", {"min_size": 0, "max_size": 1, "timeout": 0.2})
    answer = client.get("/readyz")
    connection.close_pool()  # type: ignore[attr-defined]
    assert (answer.status_code, answer.json()["status"]) == (503, "unavailable")


@pytest.mark.django_db
def test_metrics_are_served(client):
    client.get("/healthz")
    assert (
        b'holdfast_request_seconds_count{method="GET",route="healthz",status="200"}' in client.get("/metrics").content
    )
