"""Is this process alive, can it work, and its figures: for load balancers and monitoring, without a key."""

import time
from collections.abc import Callable
from http import HTTPStatus
from typing import Any

import redis
from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from django_prometheus.exports import ExportToDjangoView
from django_redis import get_redis_connection
from prometheus_client import CollectorRegistry, generate_latest

from suppliers.budgets import BudgetFigures

SHARED = CollectorRegistry()
SHARED.register(BudgetFigures())
PATIENCE = 0.5  # seconds that a Redis has to answer
# What a dependency's absence looks like; the text of an error may carry addresses and stays in the logs.
FAILURES = (DatabaseError, redis.RedisError, OSError)


@require_safe
@never_cache
def healthz(_: HttpRequest) -> JsonResponse:
    """Answer at all.  Others are not looked at: restarting this process would not heal them."""
    return JsonResponse({"status": "ok"})


@require_safe
@never_cache
def readyz(_: HttpRequest) -> JsonResponse:
    """Each dependency with its state; 503 if orders cannot be placed here now.

    Without Redis they can, under row locks alone, unless ORDERS_REQUIRE_LOCK: that is "degraded".
    """
    needed = {"postgresql", "redis"} if settings.ORDERS_REQUIRE_LOCK else {"postgresql"}
    found = {name: examine(ask) for name, ask in DEPENDENCIES.items()}
    down = {name for name, state in found.items() if state["status"] != "ok"}
    status = "unavailable" if down & needed else "degraded" if down else "ok"
    code = HTTPStatus.SERVICE_UNAVAILABLE if down & needed else HTTPStatus.OK
    return JsonResponse({"status": status, "dependencies": found}, status=code)


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """The figures of this container's processes, and of what all of them share."""
    answer: HttpResponse = ExportToDjangoView(request)
    answer.content += generate_latest(SHARED)
    return answer


def examine(ask: Callable[[], object]) -> dict[str, Any]:
    """One dependency's state and how long it took to answer."""
    began = time.perf_counter()
    try:
        ask()
    except FAILURES as error:
        state = {"status": "down", "error": type(error).__name__}
    else:
        state = {"status": "ok"}
    return {**state, "milliseconds": round((time.perf_counter() - began) * 1000, 1)}


def ask_postgresql() -> None:
    """A round trip to the database, over the pool that orders use."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1")


def ask_redis() -> None:
    """A round trip to the server of locks and messages."""
    with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=PATIENCE, socket_connect_timeout=PATIENCE) as client:
        client.ping()


def ask_cache() -> None:
    """A round trip to the cache, over the client that reads use."""
    get_redis_connection("default").ping()


DEPENDENCIES = {"postgresql": ask_postgresql, "redis": ask_redis, "cache": ask_cache}
