"""The same manners as a stock read, authentication, permission and throttle; no stock."""

from django.http import HttpResponse
from rest_framework.request import Request

from storefronts.endpoints import Endpoint, json_response
from storefronts.models import Scope


class Empty(Endpoint):
    required_scopes = {"GET": Scope.STOCK_READ}

    def get(self, request: Request) -> HttpResponse:  # noqa: ARG002 - REST framework's signature
        return json_response(b"{}")
