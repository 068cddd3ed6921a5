"""The bodies that callers send to place orders and hold stock, typed, and what makes two of them the same."""

import hashlib
from typing import Annotated

import msgspec
from msgspec import Meta, Struct
from rest_framework.request import Request

from inventory.models import SKU_PATTERN
from storefronts.bodies import invalid, read_body

MAX_QUANTITY = 2**31 - 1

SkuCode = Annotated[str, Meta(pattern=rf"\A{SKU_PATTERN}\Z")]
Quantity = Annotated[int, Meta(ge=1, le=MAX_QUANTITY)]
# As we hand it out: a UUID in lower case.
ReservationId = Annotated[str, Meta(pattern=r"\A[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\Z")]
CountryCode = Annotated[
    str, Meta(pattern=r"\A[A-Z]{2}\Z", description="ISO 3166-1 alpha-2. Only what may be sent there serves the order.")
]


class Line(Struct, frozen=True, forbid_unknown_fields=True):
    sku: SkuCode
    quantity: Quantity


Lines = Annotated[tuple[Line, ...], Meta(min_length=1, max_length=100)]


class OrderBody(Struct, frozen=True, forbid_unknown_fields=True):
    """A SKU named on several lines is one line with the sum."""

    reference: Annotated[str, Meta(min_length=1, max_length=128, description="Your own name of the order; printable.")]
    lines: Lines
    reservation: ReservationId | None = None
    destination: CountryCode | None = None


class ReservationBody(Struct, frozen=True, forbid_unknown_fields=True):
    """An order that takes the hold over without a destination of its own goes where the hold does."""

    lines: Lines
    ttl_seconds: Annotated[int, Meta(ge=1, le=3_600)]
    destination: CountryCode | None = None


_ORDER = msgspec.json.Decoder(OrderBody)
_RESERVATION = msgspec.json.Decoder(ReservationBody)


def read_order(request: Request) -> OrderBody:
    """Raises: Problem 400, 413 or 415."""
    body = read_body(request, _ORDER)
    # Control and format characters, surrogates and strange spaces are not printable; a NUL would be a 500 later.
    if not body.reference.isprintable() or not body.reference.strip():
        raise invalid("reference", "Expected printable characters - at `$.reference`.")
    merged_lines(body.lines)
    return body


def read_reservation(request: Request) -> ReservationBody:
    """Raises: Problem 400, 413 or 415."""
    body = read_body(request, _RESERVATION)
    merged_lines(body.lines)
    return body


def merged_lines(lines: tuple[Line, ...]) -> tuple[tuple[str, int], ...]:
    """(SKU, whole units), each SKU once, ascending.  Raises: Problem 400 if a sum is more than a line may have."""
    quantities: dict[str, int] = {}
    for line in lines:
        quantities[line.sku] = quantities.get(line.sku, 0) + line.quantity
    for sku, quantity in quantities.items():
        if quantity > MAX_QUANTITY:
            raise invalid("quantity", f"The lines of {sku} add up to more than {MAX_QUANTITY} - at `$.lines`.")
    return tuple(sorted(quantities.items()))


def fingerprint(body: OrderBody | ReservationBody) -> bytes:
    """SHA-256, equal for bodies that ask for the same: order and splitting of lines and blanks do not count."""
    meant = {**msgspec.structs.asdict(body), "lines": merged_lines(body.lines)}
    if isinstance(body, ReservationBody) and body.destination is None:
        # As it was before holds had one: the same key gets the same answer over the upgrade.
        del meant["destination"]
    return hashlib.sha256(msgspec.json.encode(meant, order="sorted")).digest()
