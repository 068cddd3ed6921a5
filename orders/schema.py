"""What OpenAPI says of orders and holds."""

import msgspec
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema

from orders.bodies import OrderBody, ReservationBody
from orders.reading import Instant, OrderAnswer, OrdersAnswer
from storefronts.schema import IDEMPOTENCY_KEY_PARAMETER, problems


class PlacedPart(msgspec.Struct):
    supplier: str
    quantity: int


class PlacedLine(msgspec.Struct):
    """version: the SKU's after this order."""

    sku: str
    quantity: int
    version: int
    allocations: list[PlacedPart]


class PlacedAnswer(msgspec.Struct):
    """reservation_expired: the order named a hold that was no more, and was decided anew."""

    number: str
    reference: str
    status: str
    placed_at: Instant
    lines: list[PlacedLine]
    reservation_expired: bool = False


class HeldLine(msgspec.Struct):
    sku: str
    quantity: int


class HeldAnswer(msgspec.Struct):
    id: str
    expires_at: Instant
    lines: list[HeldLine]


_REFUSALS = {
    400: "The header or the body; `code` and `detail` name the place.",
    409: "`insufficient_inventory`, with `shortages`: every short line, what was requested and what is available.",
    411: "`length_required`: the body came without a Content-Length.",
    413: "`body_too_large`.",
    415: "`unsupported_media_type`.",
    422: (
        "`idempotency_key_reused`, `reservation_mismatch`, or `quantity_not_orderable`: there is stock, which suppliers"
        " deliver in lots or from a minimum order on. `lines` names each such line with the nearest quantities that can"
        " be ordered now, `below` and `above` (null: none)."
    ),
}
_NUMBER = OpenApiParameter("number", str, OpenApiParameter.PATH)

place_order = extend_schema(
    operation_id="place_order",
    summary="Place an order: all lines or none",
    tags=["orders"],
    request=OrderBody,
    parameters=[IDEMPOTENCY_KEY_PARAMETER],
    responses={201: OpenApiResponse(PlacedAnswer, "The same bytes for every repeat."), **problems(_REFUSALS)},
)
find_orders = extend_schema(
    operation_id="find_orders",
    summary="Orders with a reference",
    tags=["orders"],
    parameters=[OpenApiParameter("reference", str, required=True)],
    responses={200: OrdersAnswer, **problems({400: "`invalid_reference`."})},
)
show_order = extend_schema(
    operation_id="show_order",
    summary="An order, with what upstream made of each line",
    tags=["orders"],
    parameters=[_NUMBER],
    responses={200: OrderAnswer, **problems({404: "No such order of this storefront."})},
)
cancel_order = extend_schema(
    operation_id="cancel_order",
    summary="Cancel an order; a repeat does nothing",
    tags=["orders"],
    request=None,
    parameters=[_NUMBER],
    responses={200: OrderAnswer, **problems({404: "No such order of this storefront."})},
)
reserve = extend_schema(
    operation_id="reserve",
    summary="Hold units for a cart; the hold expires by itself",
    tags=["reservations"],
    request=ReservationBody,
    parameters=[IDEMPOTENCY_KEY_PARAMETER],
    responses={201: OpenApiResponse(HeldAnswer, "The same bytes for every repeat."), **problems(_REFUSALS)},
)
release = extend_schema(
    operation_id="release_reservation",
    summary="Give a hold back; a repeat does nothing",
    tags=["reservations"],
    responses={204: None, **problems({404: "No such reservation of this storefront."})},
)
