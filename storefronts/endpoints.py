"""The base of every API view: REST framework's APIView without what a JSON-only service pays for in vain."""

from typing import ClassVar, cast

import msgspec
from django.http import HttpResponse
from rest_framework.renderers import BaseRenderer, JSONRenderer
from rest_framework.request import Request
from rest_framework.views import APIView

from storefronts.keys import Principal

_RENDERER = JSONRenderer()


# Answers JSON, whatever the caller accepts.  A comment, for OpenAPI would show a docstring under every operation.
class Endpoint(APIView):
    required_scopes: ClassVar[dict[str, str]] = {}
    # Without OPTIONS: what it would tell is at /api/schema/.
    http_method_names = ("get", "head", "post", "put", "patch", "delete")

    def perform_content_negotiation(
        self,
        request: Request,  # noqa: ARG002  # REST framework's signature
        force: bool = False,  # noqa: ARG002
    ) -> tuple[BaseRenderer, str]:
        return _RENDERER, "application/json"

    @property
    def default_response_headers(self) -> dict[str, str]:
        return {}


def principal(request: Request) -> Principal:
    """Who asks; only behind HasScope, which has made sure of it."""
    return cast("Principal", request.user)


def json_response(
    body: msgspec.Struct | bytes, status: int = 200, headers: dict[str, str] | None = None
) -> HttpResponse:
    """Ready bytes out."""
    content = body if isinstance(body, bytes) else msgspec.json.encode(body)
    return HttpResponse(content, status=status, content_type="application/json", headers=headers)
