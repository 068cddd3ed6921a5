"""Every error of the API as `application/problem+json` (RFC 9457)."""

import math
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import msgspec
import structlog
from django.core.exceptions import BadRequest, DisallowedHost, PermissionDenied, RequestDataTooBig, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, HttpResponseBase, UnreadablePostError
from django.views import defaults
from rest_framework.exceptions import APIException, MethodNotAllowed

MEDIA_TYPE = "application/problem+json"
# What of our paths programs call; people get Django's pages.
API_PATHS = ("/api/", "/hooks/")

# Django's own exceptions; the first that fits.
FORESEEN = {
    Http404: (HTTPStatus.NOT_FOUND, "not_found", "There is no such thing."),
    PermissionDenied: (HTTPStatus.FORBIDDEN, "permission_denied", "This is not permitted."),
    RequestDataTooBig: (HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "body_too_large", "The body exceeds 256,000 bytes."),
    BadRequest: (HTTPStatus.BAD_REQUEST, "bad_request", "The request cannot be read."),
    SuspiciousOperation: (HTTPStatus.BAD_REQUEST, "bad_request", "The request cannot be read."),
    UnreadablePostError: (HTTPStatus.BAD_REQUEST, "bad_request", "The request ended before its body did."),
}

logger = structlog.get_logger(__name__)


class Problem(APIException):
    """An answer other than success.  members: what a program needs beside the code, next to it in the body."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        headers: Mapping[str, str] | None = None,
        **members: Any,
    ) -> None:
        super().__init__(detail, code)
        self.status_code = status
        self.code = code
        self.headers = headers or {}
        self.members = members


class Busy(Problem):
    """Nothing was decided; ask again."""

    def __init__(self, detail: str = "Busy; nothing was decided. Ask again.", retry_after: int = 1) -> None:
        super().__init__(HTTPStatus.SERVICE_UNAVAILABLE, "busy", detail, headers={"Retry-After": str(retry_after)})


class ProblemBody(msgspec.Struct):
    """The members that every problem has."""

    type: str
    title: str
    status: int
    detail: str
    code: str
    request_id: str


def request_id() -> str:
    """The id that this request has in the logs, 64 characters at most."""
    return str(structlog.contextvars.get_contextvars().get("request_id", ""))[:64]


def problem_response(
    status: int,
    code: str,
    detail: str,
    members: Mapping[str, Any] | None = None,
    headers: Mapping[str, str] | None = None,
) -> HttpResponse:
    """The title is the code as words: both name the kind of problem, the detail this one."""
    body = ProblemBody(
        type=f"urn:holdfast:problem:{code}",
        title=code.replace("_", " ").capitalize(),
        status=int(status),
        detail=detail,
        code=code,
        request_id=request_id(),
    )
    content = msgspec.json.encode({**msgspec.structs.asdict(body), **(members or {})})
    response = HttpResponse(content, status=status, content_type=MEDIA_TYPE, headers=headers)
    response["Cache-Control"] = "no-store"
    response["Content-Length"] = str(len(content))  # a refused host is answered before the middleware that adds it
    return response


def problem_handler(exception: Exception, context: Mapping[str, Any]) -> HttpResponse | None:
    """REST framework's exception handler; None leaves what nobody foresaw to `server_error` and its log entry."""
    problem = _as_problem(exception, context)
    if problem is None:
        return None
    return problem_response(problem.status_code, problem.code, str(problem.detail), problem.members, problem.headers)


def _as_problem(exception: Exception, context: Mapping[str, Any]) -> Problem | None:
    if isinstance(exception, Problem):
        return exception
    if isinstance(exception, APIException):
        code = exception.get_codes()
        return Problem(
            exception.status_code,
            code if isinstance(code, str) else exception.default_code,
            str(exception.detail),
            headers=_headers_of(exception, context),
        )
    if isinstance(exception, OperationalError | InterfaceError):
        # The database is away, overloaded or waited too long: not the caller's fault, and not for ever.
        logger.warning("database fault", error=str(exception), exc_info=exception)
        return Busy()
    return next((Problem(*answer) for kind, answer in FORESEEN.items() if isinstance(exception, kind)), None)


def _headers_of(exception: APIException, context: Mapping[str, Any]) -> dict[str, str]:
    headers = {}
    if challenge := getattr(exception, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    if wait := getattr(exception, "wait", None):
        headers["Retry-After"] = str(math.ceil(wait))
    if isinstance(exception, MethodNotAllowed):
        headers["Allow"] = ", ".join(context["view"].allowed_methods)
    return headers


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    if not request.path.startswith(API_PATHS):
        return defaults.bad_request(request, exception)
    if isinstance(exception, DisallowedHost):
        return problem_response(HTTPStatus.BAD_REQUEST, "host_not_allowed", "This service has another host name.")
    return problem_response(HTTPStatus.BAD_REQUEST, "bad_request", "The request cannot be read.")


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    if not request.path.startswith(API_PATHS):
        return defaults.permission_denied(request, exception)
    return problem_response(HTTPStatus.FORBIDDEN, "permission_denied", "This is not permitted.")


def not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    if not request.path.startswith(API_PATHS):
        return defaults.page_not_found(request, exception)
    return problem_response(HTTPStatus.NOT_FOUND, "not_found", "The API has no such path.")


def server_error(request: HttpRequest) -> HttpResponseBase:
    if not request.path.startswith(API_PATHS):
        return defaults.server_error(request)
    detail = "Something failed on our side; the log has it under the request id."
    return problem_response(HTTPStatus.INTERNAL_SERVER_ERROR, "internal_error", detail)
