"""Middleware for people's pages: programs come with a key, and pay for no session or history on each request."""

from collections.abc import Callable
from typing import Any

from django.contrib.auth.middleware import AuthenticationMiddleware
from django.contrib.messages.middleware import MessageMiddleware
from django.contrib.sessions.middleware import SessionMiddleware
from django.http import HttpRequest
from simple_history.middleware import HistoryRequestMiddleware

from storefronts.problems import API_PATHS

Handler = Callable[[HttpRequest], Any]


class _ForPeople:
    """Mixin: on the paths that programs call, the middleware is not there."""

    get_response: Handler

    def __call__(self, request: HttpRequest) -> Any:
        if request.path.startswith(API_PATHS):
            return self.get_response(request)
        return super().__call__(request)  # type: ignore[misc]  # the middleware's own


class Session(_ForPeople, SessionMiddleware):
    pass


class Authentication(_ForPeople, AuthenticationMiddleware):
    pass


class Messages(_ForPeople, MessageMiddleware):
    pass


def history(get_response: Handler) -> Handler:
    """Notes who changed what in the admin."""
    noted: Handler = HistoryRequestMiddleware(get_response)
    return lambda request: (get_response if request.path.startswith(API_PATHS) else noted)(request)
