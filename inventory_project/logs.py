"""One JSON line per request, with an id that the caller may choose; secrets never reach a line."""

import re
import time
import uuid
from collections.abc import Callable, MutableMapping
from typing import Any

import structlog
from django.http import HttpRequest, HttpResponseBase
from prometheus_client import Histogram

REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
# Asked every few seconds by machines; a line each would bury the others.
SILENT_PATHS = frozenset({"/healthz", "/readyz", "/metrics"})

SECRET_NAMES = re.compile(
    r"authorization|password|passwd|secret|token|api_?key|credential|cookie|signature", re.IGNORECASE
)
SECRET_VALUES = re.compile(r"((?:Api-Key|Bearer|Basic)\s+)[^\s'\",]+|(://[^\s/:@]*:)[^\s/@]+(?=@)", re.IGNORECASE)

REQUEST_SECONDS = Histogram(
    "holdfast_request_seconds",
    "How long requests took.",
    ["method", "route", "status"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 8),
)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})

logger = structlog.get_logger(__name__)


class RequestLog:
    """Middleware: binds the request id for every line below, says it in the answer, writes the request's line.

    X-Request-ID of the caller is kept if it is 1–64 of letters, digits, '.', '_' and '-'.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        began = time.perf_counter()
        given = request.headers.get("X-Request-ID", "")
        request_id = given if REQUEST_ID.fullmatch(given) else uuid.uuid4().hex
        structlog.contextvars.bind_contextvars(request_id=request_id)
        try:
            response = self.get_response(request)
            response["X-Request-ID"] = request_id
            self.finish(request, response.status_code, time.perf_counter() - began)
        finally:
            structlog.contextvars.clear_contextvars()
        return response

    @staticmethod
    def finish(request: HttpRequest, status: int, seconds: float) -> None:
        """Count the request and write its line.  The query string is left out: it may carry anything."""
        route = request.resolver_match.route if request.resolver_match else "unknown"
        method = str(request.method) if request.method in METHODS else "other"
        REQUEST_SECONDS.labels(method, route, status).observe(seconds)
        if request.path not in SILENT_PATHS:
            logger.info(
                "request", method=method, path=request.path, status=status, milliseconds=round(seconds * 1000, 1)
            )


def redact(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """A structlog processor: values of secret names, and secrets inside texts and traces, become '[redacted]'."""
    for name, value in event.items():
        if SECRET_NAMES.search(name):
            event[name] = "[redacted]"
        else:
            event[name] = redacted(value)
    return event


def redacted(value: Any) -> Any:
    """The value without what looks like a secret, to any depth."""
    if isinstance(value, str):
        return SECRET_VALUES.sub(r"\1\2[redacted]", value)
    if isinstance(value, dict):
        return {key: "[redacted]" if SECRET_NAMES.search(str(key)) else redacted(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [redacted(item) for item in value]
    return value
