"""Strict reading of what callers send: JSON bodies and the Idempotency-Key.

Note [Strict JSON]: msgspec refuses what its types do not allow (1.0, "1", true, unknown fields, NaN, deep nesting,
invalid UTF-8, a byte order mark) but takes the last of duplicate keys.  Since it has proved by then that the body is
small, shallow JSON, a second pass by the standard library finds duplicates at 1.4 µs for one line, 44 µs for 100.
"""

import json
import re
from http import HTTPStatus
from typing import Any, TypeVar

import msgspec
from django.http import HttpRequest
from rest_framework.request import Request

from storefronts.problems import Problem

# A comma is refused: WSGI servers join a header that was sent twice with one, and two keys are not one.
IDEMPOTENCY_KEY = re.compile(r"[!-+\--~]{1,255}")
FIELD_IN_MESSAGE = re.compile(r" - at `\$\.(?:.*\.)?([a-z_]+)(?:\[\d+\])*`\Z")
ABOUT_THE_OBJECT = re.compile(r"Object (?:missing|contains)|Expected `object`")

T = TypeVar("T")


def read_body(request: Request, decoder: msgspec.json.Decoder[T]) -> T:
    """The typed body.  Raises: Problem with 400, 411, 413 or 415."""
    http: HttpRequest = request._request  # noqa: SLF001  # the bytes, untouched by any parser
    charset = (http.content_params or {}).get("charset", "utf-8")
    if http.content_type != "application/json" or charset.lower() not in {"utf-8", "utf8"}:
        detail = "The body must be application/json in UTF-8."
        raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported_media_type", detail)
    if http.META.get("HTTP_CONTENT_ENCODING", "identity") != "identity":
        detail = "The body must not be compressed."
        raise Problem(HTTPStatus.UNSUPPORTED_MEDIA_TYPE, "unsupported_content_encoding", detail)
    if http.META.get("HTTP_TRANSFER_ENCODING") and not http.META.get("CONTENT_LENGTH"):
        # Django would read an empty body, and the caller would search for a mistake in good JSON.
        raise Problem(HTTPStatus.LENGTH_REQUIRED, "length_required", "Send the body with a Content-Length.")
    return decode(http.body, decoder)


def decode(raw: bytes, decoder: msgspec.json.Decoder[T]) -> T:
    """These bytes as the decoder's type.  Raises: Problem 400 whose detail names the place."""
    try:
        body = decoder.decode(raw)
    except msgspec.ValidationError as error:
        raise _invalid(str(error)) from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise malformed("The body is not JSON in UTF-8.") from error
    _NO_DUPLICATES.decode(raw.decode())
    return body


def malformed(detail: str) -> Problem:
    return Problem(HTTPStatus.BAD_REQUEST, "malformed_body", detail)


def invalid(field: str, detail: str) -> Problem:
    """The request is refused for what this field says."""
    return Problem(HTTPStatus.BAD_REQUEST, f"invalid_{field}", detail)


def idempotency_key(request: Request) -> str:
    """The required header.  Raises: Problem 400 if it is missing, sent twice or not 1–255 visible ASCII."""
    key = request.META.get("HTTP_IDEMPOTENCY_KEY")
    if key is None:
        raise Problem(HTTPStatus.BAD_REQUEST, "idempotency_key_missing", "The header Idempotency-Key is required.")
    if not IDEMPOTENCY_KEY.fullmatch(key):
        detail = "An Idempotency-Key is 1 to 255 visible ASCII characters without a comma, sent once."
        raise invalid("idempotency_key", detail)
    return str(key)


def _invalid(message: str) -> Problem:
    """A wrong value has a code of its own (`invalid_quantity`); a wrong shape is `malformed_body`."""
    field = FIELD_IN_MESSAGE.search(message)
    if field is None or ABOUT_THE_OBJECT.match(message):
        return malformed(message + ".")
    return invalid(field[1], message + ".")


def _refuse_duplicates(pairs: list[tuple[str, Any]]) -> None:
    names = [name for name, _ in pairs]
    if len(set(names)) != len(names):
        twice = next(name for name in names if names.count(name) > 1)
        raise malformed(f"Object contains the field `{twice}` twice.")


# Made once: `json.loads` would make one for each body.
_NO_DUPLICATES = json.JSONDecoder(object_pairs_hook=_refuse_duplicates)
