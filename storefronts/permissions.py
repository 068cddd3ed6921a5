"""What a key may do: each view says which scope each of its methods needs."""

from rest_framework.exceptions import PermissionDenied
from rest_framework.permissions import BasePermission
from rest_framework.request import Request

from storefronts.authentication import caller


class HasScope(BasePermission):
    """Requires `required_scopes = {"GET": "stock:read", …}` of the view; what is not declared is refused."""

    def has_permission(self, request: Request, view: object) -> bool:
        method = request.method or ""
        if method.lower() not in getattr(view, "http_method_names", ()) or not hasattr(view, method.lower()):
            return True  # the view has no such method, and answers 405
        principal = caller(request)
        if principal is None:
            return False
        scopes = getattr(view, "required_scopes", {})
        scope = scopes.get("GET" if method == "HEAD" else method)
        if scope is None:
            raise PermissionDenied("No key may do this.", code="not_permitted")
        if scope not in principal.scopes:
            raise PermissionDenied(f"This key lacks the scope {scope}.", code="missing_scope")
        return True
