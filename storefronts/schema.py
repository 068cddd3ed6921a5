"""How OpenAPI describes our keys, our typed bodies and our errors.  Nothing here runs while a request is served."""

import re
from http import HTTPStatus
from typing import Any

import msgspec
from drf_spectacular.extensions import OpenApiAuthenticationExtension, OpenApiSerializerExtension
from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import ComponentIdentity, ResolvedComponent
from drf_spectacular.utils import Direction, OpenApiParameter, OpenApiResponse

from storefronts.problems import MEDIA_TYPE, ProblemBody

IDEMPOTENCY_KEY_PARAMETER = OpenApiParameter(
    name="Idempotency-Key",
    location=OpenApiParameter.HEADER,
    required=True,
    type={"type": "string", "minLength": 1, "maxLength": 255, "pattern": r"^[!-+\--~]+$"},
    description="Visible ASCII without a comma. The same key with the same body gets the same answer.",
)


class ApiKeyScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call]
    target_class = "storefronts.authentication.ApiKeyAuthentication"
    name = "ApiKey"

    def get_security_definition(self, auto_schema: AutoSchema) -> dict[str, Any]:  # noqa: ARG002
        return {
            "type": "apiKey",
            "in": "header",
            "name": "Authorization",
            "description": "`Api-Key <key>`. Scopes: `stock:read`, `orders:read`, `orders:write`.",
        }


class StructScheme(OpenApiSerializerExtension):  # type: ignore[no-untyped-call]
    """A msgspec.Struct in `@extend_schema` becomes a component, with the structs in it."""

    target_class = "msgspec.Struct"
    match_subclasses = True

    def get_name(self, auto_schema: AutoSchema, direction: Direction) -> str:  # noqa: ARG002
        return str(self.target.__name__)

    def get_identity(self, auto_schema: AutoSchema, direction: Direction) -> ComponentIdentity:  # noqa: ARG002
        return ComponentIdentity(self.target.__name__)  # type: ignore[no-untyped-call]

    def map_serializer(self, auto_schema: AutoSchema, direction: Direction) -> dict[str, Any]:  # noqa: ARG002
        _, components = msgspec.json.schema_components([self.target], ref_template="#/components/schemas/{name}")
        components = portable(components)
        own: dict[str, Any] = components.pop(self.target.__name__)
        for name, schema in components.items():
            component = ResolvedComponent(name, ResolvedComponent.SCHEMA, schema=schema, object=ComponentIdentity(name))  # type: ignore[no-untyped-call]
            auto_schema.registry.register_on_missing(component)
        return own


def portable(schema: Any) -> Any:
    r"""The schema with `^…$` for \A…\Z, which OpenAPI's regular expressions do not know.

    In Python they are not the same: `$` would let a final newline pass.
    """
    if isinstance(schema, dict):
        return {name: portable(value) for name, value in schema.items()}
    if isinstance(schema, list):
        return [portable(each) for each in schema]
    return re.sub(r"\A\\A(.*)\\Z\Z", r"^\1$", schema) if isinstance(schema, str) else schema


EVERYWHERE: dict[int, str] = {
    HTTPStatus.UNAUTHORIZED: "No key, or none that is valid.",
    HTTPStatus.FORBIDDEN: "The key lacks the scope.",
    HTTPStatus.TOO_MANY_REQUESTS: "`throttled`: more requests, or orders of one SKU, than allowed; see Retry-After.",
    HTTPStatus.SERVICE_UNAVAILABLE: "`busy`: nothing was decided; see Retry-After.",
}


def problems(described: dict[int, str] | None = None) -> dict[tuple[int, str], OpenApiResponse]:
    """For `@extend_schema(responses=…)`.  described: status → its meaning here, beside those of every route."""
    return {
        (int(status), MEDIA_TYPE): OpenApiResponse(ProblemBody, text)
        for status, text in {**EVERYWHERE, **(described or {})}.items()
    }
