"""What changes, for those who keep a copy of our numbers."""

import time
from datetime import UTC, datetime

import msgspec
from django.conf import settings
from django.core import signing
from django.db import connection
from django.http import HttpResponse, StreamingHttpResponse
from django.http.response import HttpResponseBase
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.request import Request

from inventory import availability, change_log, parameters
from inventory.change_log import Change, Cursor, ExpiredError
from inventory.streams import HEARTBEAT_SECONDS, Stream, TooManyStreamsError, hub
from inventory.views import LIMIT_SCHEMA, SKUS_SCHEMA, UnknownSku, answer_of
from storefronts.bodies import invalid
from storefronts.endpoints import Endpoint, json_response, principal
from storefronts.models import Scope
from storefronts.problems import Busy, Problem
from storefronts.schema import problems

MEDIA_TYPE = "text/event-stream"
BUSY_SECONDS = 5  # until a refused listener may try again

_SIGNER = signing.Signer(salt="inventory.following.cursor")


class StockChangesAnswer(msgspec.Struct):
    """results: present numbers.  cursor: to ask with next time, `after` it.  No results: nothing has changed."""

    results: list[Change]
    cursor: str


class StockChanges(Endpoint):
    required_scopes = {"GET": Scope.STOCK_READ}

    @extend_schema(
        operation_id="stock_changes",
        summary="What has changed since you last asked",
        description=(
            "Each SKU whose number changed after the cursor, once, with its present number; a SKU may be told again."
            " Start without `after`: that gives a cursor and no results. Then list all stock, then follow."
            " A switch of a supplier or a sales event tells all SKUs again, page after page."
        ),
        tags=["stock"],
        parameters=[
            OpenApiParameter("after", str, description="The `cursor` of the last answer; without it, start now."),
            OpenApiParameter("limit", LIMIT_SCHEMA, description="SKUs in one answer."),
        ],
        responses={
            200: StockChangesAnswer,
            **problems(
                {
                    400: "`invalid_after` or `invalid_limit`.",
                    410: "`cursor_expired`: the database was restored or failed over; list all stock and start anew.",
                }
            ),
        },
    )
    def get(self, request: Request) -> HttpResponse:
        limit = parameters.limit(request)
        given = request.query_params.get("after")
        reader = principal(request).storefront_id
        if given is None:
            return json_response(StockChangesAnswer([], write_cursor(change_log.start(), reader)))
        try:
            changes, cursor = change_log.read(read_cursor(given, reader), limit)
        except ExpiredError as error:
            raise Problem(410, "cursor_expired", str(error)) from error
        return json_response(StockChangesAnswer(changes, write_cursor(cursor, reader)))


class Live:
    """The body of a stream: what is new, or a comment that keeps the connection; ends by itself.

    An object, not a generator: it must be closed even if nobody ever read from it.
    """

    def __init__(self, stream: Stream) -> None:
        self._stream = stream
        self._until = time.monotonic() + settings.STREAM_SECONDS
        self._parts = iter((b"retry: 1000\n\n",))

    def __iter__(self) -> "Live":
        return self

    def __next__(self) -> bytes:
        if (first := next(self._parts, None)) is not None:
            return first
        left = self._until - time.monotonic()
        if left <= 0 or self._stream.ended:
            self.close()
            raise StopIteration
        news, place = hub.wait(self._stream, min(left, HEARTBEAT_SECONDS))
        if not news or place is None:
            return b":\n\n"
        cursor = write_cursor(place, self._stream.principal.storefront_id)
        now = datetime.now(UTC)
        events = (
            msgspec.json.encode(answer_of(found, now) if found else UnknownSku(code)) for code, found in news.items()
        )
        # The id comes with the last one: who got only some of them is not told that it has all.
        return b"\n\n".join(b"data: " + event for event in events) + f"\nid: {cursor}\n\n".encode()

    def close(self) -> None:
        hub.close(self._stream)


class StockStream(Endpoint):
    required_scopes = {"GET": Scope.STOCK_READ}
    # A HEAD would open a stream that nobody reads.
    http_method_names = ("get",)  # type: ignore[assignment]

    @extend_schema(
        operation_id="stream_stock",
        summary="The stock of some SKUs, again whenever it changes",
        description=(
            "Server-Sent Events: the data of each is one object of `GET /api/v1/stock`. First the present one of each"
            " SKU, then of what changes, within a second. Nothing is missed between two connections, for each begins"
            " with everything. The `id` can be used as `after` of `GET /api/v1/stock/changes`. A stream ends by itself"
            " after five minutes: connect again, as every client of such events does."
        ),
        tags=["stock"],
        parameters=[OpenApiParameter("sku", {**SKUS_SCHEMA, "minItems": 1}, required=True, description="Up to 200.")],
        responses={
            (200, MEDIA_TYPE): OpenApiResponse(str, "Events without an end."),
            **problems(
                {
                    400: "`invalid_sku`.",
                    404: "`unknown_sku`.",
                    503: "`busy`: as many streams are open as may be; see Retry-After, or follow the changes.",
                }
            ),
        },
    )
    def get(self, request: Request) -> HttpResponseBase:
        codes = parameters.sku_codes(request)
        if not codes:
            raise invalid("sku", "Name the SKUs: `?sku=A&sku=B`.")
        found = availability.read(codes)
        if unknown := next((code for code in codes if code not in found), None):
            raise Problem(404, "unknown_sku", f"There is no SKU {unknown}.", sku=unknown)
        stream = Stream(principal(request), frozenset(codes))
        try:
            hub.open(stream)
        except TooManyStreamsError as error:
            raise Busy(str(error), retry_after=BUSY_SECONDS) from error
        # What the request used is given back now: Django would keep it until the stream ends.
        connection.close()
        # The second header: a proxy in between must not collect events before it passes them on.
        headers = {"Cache-Control": "no-store", "X-Accel-Buffering": "no"}
        return StreamingHttpResponse(Live(stream), content_type=MEDIA_TYPE, headers=headers)


def write_cursor(cursor: Cursor, storefront_id: int) -> str:
    """Signed, for this storefront alone."""
    return _SIGNER.sign_object([storefront_id, msgspec.to_builtins(cursor)])


def read_cursor(given: str, storefront_id: int) -> Cursor:
    """Raises: Problem 400 for one that we did not write for this storefront."""
    try:
        owner, place = _SIGNER.unsign_object(given)
        cursor = msgspec.convert(place, Cursor)
    except (signing.BadSignature, msgspec.ValidationError) as error:
        detail = "Use the `cursor` of an answer as it is; without one, list all stock and start anew."
        raise invalid("after", detail) from error
    if owner != storefront_id:
        raise invalid("after", "This cursor is another storefront's.")
    return cursor
