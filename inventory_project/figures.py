"""Figures of processes that serve no web: workers and beat answer for all of theirs on a port of their own."""

import os
import time
from typing import Any

import structlog
from celery.signals import beat_init, task_postrun, task_prerun, worker_process_shutdown, worker_ready
from django.conf import settings
from prometheus_client import REGISTRY, CollectorRegistry, Histogram, start_http_server
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

logger = structlog.get_logger(__name__)

TASK_SECONDS = Histogram(
    "holdfast_task_seconds",
    "How long tasks took.",
    ["task", "state"],
    buckets=(0.01, 0.05, 0.25, 1, 5, 20, 60, 120),
)

_DIRECTORY = "PROMETHEUS_MULTIPROC_DIR"
_began: dict[str, float] = {}  # task's id → time.monotonic()


def serve(**_signal: Any) -> None:
    """Answer on METRICS_PORT, unless that is 0.  A port that is taken stops nobody's work."""
    if not settings.METRICS_PORT:
        return
    try:
        start_http_server(settings.METRICS_PORT, settings.METRICS_HOST, registry=_registry())
    except OSError as error:
        logger.error("metrics_not_served", port=settings.METRICS_PORT, error=str(error))  # noqa: TRY400 - not our bug


def _registry() -> CollectorRegistry:
    """Of all processes that share the folder; without one of this process alone, a worker's children not among them."""
    if not os.environ.get(_DIRECTORY):
        logger.warning("metrics_of_one_process", hint=f"set {_DIRECTORY} to a folder")
        return REGISTRY
    registry = CollectorRegistry()
    MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
    return registry


def begin(task_id: str = "", **_signal: Any) -> None:
    """A task begins."""
    _began[task_id] = time.monotonic()


def end(task_id: str = "", task: Any = None, state: str | None = None, **_signal: Any) -> None:
    """A task has ended."""
    began = _began.pop(task_id, None)
    if began is not None:
        TASK_SECONDS.labels(task.name, state or "unknown").observe(time.monotonic() - began)


def forget(pid: int | None = None, **_signal: Any) -> None:
    """A worker's process is gone; what it counted stays."""
    if os.environ.get(_DIRECTORY):
        mark_process_dead(pid)  # type: ignore[no-untyped-call]


def install() -> None:
    """Listen to what Celery says of itself."""
    for started in (worker_ready, beat_init):
        started.connect(serve, weak=False)
    task_prerun.connect(begin, weak=False)
    task_postrun.connect(end, weak=False)
    worker_process_shutdown.connect(forget, weak=False)
