"""What changes, for those who keep a copy of our numbers."""

import msgspec
from django.core import signing
from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request

from inventory import change_log, parameters
from inventory.change_log import Change, Cursor, ExpiredError
from inventory.views import LIMIT_SCHEMA
from storefronts.bodies import invalid
from storefronts.endpoints import Endpoint, json_response, principal
from storefronts.models import Scope
from storefronts.problems import Problem
from storefronts.schema import problems

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


def write_cursor(cursor: Cursor, storefront_id: int) -> str:
    """Signed, for this storefront alone."""
    return _SIGNER.sign_object([storefront_id, msgspec.to_builtins(cursor)])


def read_cursor(given: str, storefront_id: int) -> Cursor:
    """Raises: Problem 400 for one that we did not write for this storefront."""
    try:
        owner, place = _SIGNER.unsign_object(given)
    except signing.BadSignature as error:
        raise invalid("after", "Use the `cursor` of an answer as it is.") from error
    if owner != storefront_id:
        raise invalid("after", "This cursor is another storefront's.")
    return msgspec.convert(place, Cursor)
