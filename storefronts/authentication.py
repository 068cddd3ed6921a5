"""`Authorization: Api-Key <key>`."""

import structlog
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from storefronts.keys import Principal, principal_of

SCHEME = "Api-Key"


def caller(request: Request) -> Principal | None:
    """Who asks; None for a request without a key, on the few views that allow it."""
    user: object = request.user
    return user if isinstance(user, Principal) else None


class ApiKeyAuthentication(BaseAuthentication):
    def authenticate(self, request: Request) -> tuple[Principal, None] | None:
        scheme, _, key = request.META.get("HTTP_AUTHORIZATION", "").partition(" ")
        if scheme.lower() != SCHEME.lower():
            return None
        principal = principal_of(key.strip())
        if principal is None:
            # One answer for unknown, expired, revoked and inactive: it tells a stranger nothing.
            raise AuthenticationFailed("The API key is not valid.")
        structlog.contextvars.bind_contextvars(storefront=principal.slug)
        return principal, None

    def authenticate_header(self, request: Request) -> str:  # noqa: ARG002  # REST framework's signature
        return SCHEME
