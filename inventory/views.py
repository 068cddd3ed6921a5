"""How many can be sold: one SKU, some, or all."""

from datetime import UTC, datetime
from typing import Annotated, Any, Literal
from urllib.parse import urlencode

import msgspec
from django.http import HttpResponse
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, PolymorphicProxySerializer, extend_schema
from rest_framework.request import Request

from inventory import availability, parameters
from inventory.availability import Availability
from inventory.models import SKU_PATTERN
from inventory.parameters import DEFAULT_PAGE, MAX_PAGE, MAX_SKUS
from storefronts.endpoints import Endpoint, json_response
from storefronts.models import Scope
from storefronts.problems import Problem
from storefronts.schema import problems

SKU_SCHEMA = {"type": "string", "pattern": rf"^{SKU_PATTERN}$"}
SKUS_SCHEMA = {"type": "array", "items": SKU_SCHEMA, "maxItems": MAX_SKUS}
LIMIT_SCHEMA = {"type": "integer", "minimum": 1, "maximum": MAX_PAGE, "default": DEFAULT_PAGE}
DESTINATION = OpenApiParameter(
    "destination",
    {"type": "string", "pattern": "^[A-Z]{2}$"},
    description="ISO 3166-1 alpha-2. Only what may be sent there counts; asked of the database, so some slower.",
)
STATUSES = ["in_stock", "low_stock", "out_of_stock", "unknown"]


class StockAnswer(msgspec.Struct):
    """available: whole units, which can be ordered as they are: after buffers, haircuts, lots, minimum orders and caps.
    as_of: the oldest contributing reading, null with `unknown`.  stale: older than its supplier's policy allows.
    """

    sku: str
    available: int
    status: Annotated[str, msgspec.Meta(extra_json_schema={"enum": STATUSES})]
    as_of: Annotated[datetime, msgspec.Meta(tz=True)] | None
    age_seconds: int | None
    stale: bool
    version: int


class UnknownSku(msgspec.Struct):
    sku: str
    status: Literal["unknown_sku"] = "unknown_sku"


# msgspec writes a union of structs but does not describe one.
_EITHER = {
    "oneOf": [
        {"$ref": "#/components/schemas/StockAnswer"},
        msgspec.json.schema_components([UnknownSku])[1]["UnknownSku"],
    ]
}


class StockAnswers(msgspec.Struct, forbid_unknown_fields=True):
    """To a query with `sku`."""

    results: list[Annotated[Any, msgspec.Meta(extra_json_schema=_EITHER)]]


class StockPage(msgspec.Struct):
    """To a query without `sku`.  next: the URL of the next page, null on the last."""

    results: list[StockAnswer]
    next: str | None


def answer_of(found: Availability, now: datetime) -> StockAnswer:
    """What time alone changes is worked out here, per answer."""
    age = None if found.as_of is None else max(0, int((now - found.as_of).total_seconds()))
    return StockAnswer(found.sku, found.available, found.status, found.as_of, age, found.is_stale(now), found.version)


def entity_tag(found: Availability, now: datetime) -> str:
    """Version and policy epoch, and what time alone can change of the answer besides its age."""
    stale = "s" if found.is_stale(now) else ""
    return f'W/"{found.version}.{found.epoch}.{found.available}{stale}"'


class StockOfSku(Endpoint):
    required_scopes = {"GET": Scope.STOCK_READ}

    @extend_schema(
        operation_id="read_stock",
        summary="How many of a SKU can be sold",
        tags=["stock"],
        parameters=[
            OpenApiParameter("sku", SKU_SCHEMA, OpenApiParameter.PATH),
            OpenApiParameter(
                "min_version",
                {"type": "integer", "minimum": 0},
                description="To read your own write: at least this version.",
            ),
            DESTINATION,
            OpenApiParameter("If-None-Match", str, OpenApiParameter.HEADER, description="An earlier ETag."),
        ],
        responses={
            200: OpenApiResponse(StockAnswer, "With a weak ETag."),
            304: OpenApiResponse(description="As under the ETag given."),
            **problems({400: "`invalid_sku`, `invalid_min_version` or `invalid_destination`.", 404: "`unknown_sku`."}),
        },
    )
    def get(self, request: Request, sku: str) -> HttpResponse:
        code = parameters.sku_code(sku)
        version, destination = parameters.min_version(request), parameters.destination(request)
        if destination:
            found = availability.read_for(destination, [code]).get(code)
        else:
            found = availability.read_one(code, min_version=version)
        if found is None:
            raise Problem(404, "unknown_sku", f"There is no SKU {code}.", sku=code)
        now = datetime.now(UTC)
        headers = {"ETag": entity_tag(found, now), "Cache-Control": "private, no-cache"}
        known = request.META.get("HTTP_IF_NONE_MATCH")
        if known is not None and _matches(known, headers["ETag"]):
            return HttpResponse(status=304, headers=headers)
        return json_response(answer_of(found, now), headers=headers)


class Stock(Endpoint):
    required_scopes = {"GET": Scope.STOCK_READ}

    @extend_schema(
        operation_id="list_stock",
        summary="The stock of some SKUs, or of all",
        tags=["stock"],
        parameters=[
            OpenApiParameter("sku", SKUS_SCHEMA, description="Up to 200; without it, every active SKU."),
            DESTINATION,
            OpenApiParameter("limit", LIMIT_SCHEMA, description="SKUs on a page."),
            OpenApiParameter("cursor", str, description="From a `next` URL."),
        ],
        responses={
            200: PolymorphicProxySerializer("Stock", [StockAnswers, StockPage], None),  # type: ignore[list-item]
            **problems({400: "`invalid_sku`, `invalid_limit`, `invalid_cursor` or `invalid_destination`."}),
        },
    )
    def get(self, request: Request) -> HttpResponse:
        codes = parameters.sku_codes(request)
        destination = parameters.destination(request)
        return json_response(_answers(codes, destination) if codes else _page(request, destination))


def _answers(codes: list[str], destination: str) -> StockAnswers:
    found = availability.read_for(destination, codes) if destination else availability.read(codes)
    now = datetime.now(UTC)
    return StockAnswers([answer_of(found[code], now) if code in found else UnknownSku(code) for code in codes])


def _page(request: Request, destination: str) -> StockPage:
    limit = parameters.limit(request)
    # One more than asked tells whether there is a next page.
    found = availability.read_page(parameters.cursor(request), limit + 1, destination)
    now = datetime.now(UTC)
    following = None
    if len(found) > limit:
        wanted = {"destination": destination} if destination else {}
        query = urlencode({"limit": limit, **wanted, "cursor": parameters.cursor_after(found[limit - 1].sku)})
        following = request.build_absolute_uri(f"{request.path}?{query}")
    return StockPage([answer_of(each, now) for each in found[:limit]], following)


def _matches(known: str, tag: str) -> bool:
    """Weak comparison (RFC 9110, 8.8.3.2) of If-None-Match with our tag."""
    return known.strip() == "*" or tag.removeprefix("W/") in (
        each.strip().removeprefix("W/") for each in known.split(",")
    )
