"""What callers of the stock API may put into a URL.  Anything else is a 400 that names the parameter."""

import re

from django.core import signing
from rest_framework.request import Request

from inventory.models import SKU_PATTERN
from storefronts.bodies import invalid

MAX_SKUS = 200
MAX_PAGE = 1_000
DEFAULT_PAGE = 100

_SKU = re.compile(SKU_PATTERN)
_COUNTRY = re.compile(r"[A-Z]{2}")
_NUMBER = re.compile(r"[0-9]{1,18}")  # within 64 bits; int() alone would take "１", "1_0" and " 1"
_CURSOR = signing.Signer(salt="inventory.parameters.cursor")


def sku_code(code: str) -> str:
    """The code, if a SKU can have it."""
    if not _SKU.fullmatch(code):
        raise invalid("sku", "A SKU is 1 to 64 letters, digits, '.', '_' or '-', the first a letter or digit.")
    return code


def sku_codes(request: Request) -> list[str]:
    """Every `sku` of the query, in the order asked."""
    codes = request.query_params.getlist("sku")
    if len(codes) > MAX_SKUS:
        raise invalid("sku", f"At most {MAX_SKUS} SKUs at once.")
    return [sku_code(code) for code in codes]


def min_version(request: Request) -> int:
    """The oldest version that the caller accepts; 0 if it does not say."""
    return _number(request, "min_version", default=0)


def destination(request: Request) -> str:
    """The country to send to; "" if the caller does not say."""
    given = _given(request, "destination")
    if given is None:
        return ""
    if not _COUNTRY.fullmatch(given):
        raise invalid("destination", "`destination` is a country of two letters (ISO 3166-1), like DE.")
    return given


def limit(request: Request) -> int:
    """How many SKUs on a page."""
    asked = _number(request, "limit", default=DEFAULT_PAGE)
    if not 1 <= asked <= MAX_PAGE:
        raise invalid("limit", f"`limit` is 1 to {MAX_PAGE}.")
    return asked


def cursor(request: Request) -> str:
    """The code after which the page starts; "" for the first page.  Cursors are signed: a forged one is refused."""
    given = _given(request, "cursor")
    if given is None:
        return ""
    try:
        return _CURSOR.unsign(given)
    except signing.BadSignature as error:
        raise invalid("cursor", "Use the cursor of a `next` URL as it is.") from error


def cursor_after(code: str) -> str:
    return _CURSOR.sign(code)


def _given(request: Request, name: str) -> str | None:
    # Single reads mostly have no query, and an empty one would be parsed and kept for each.
    return request.query_params.get(name) if request.META.get("QUERY_STRING") else None


def _number(request: Request, name: str, *, default: int) -> int:
    given = _given(request, name)
    if given is None:
        return default
    if not _NUMBER.fullmatch(given):
        raise invalid(name, f"`{name}` is a whole number.")
    return int(given)
