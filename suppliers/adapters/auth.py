"""How a request proves who we are."""

import base64
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, TypeVar

from suppliers.adapters.answers import Judge
from suppliers.adapters.calls import Caller, RequestForm
from suppliers.adapters.expressions import compile_path
from suppliers.adapters.templates import render, render_text
from suppliers.errors import AuthExpired, Malformed, Transient
from suppliers.transport import Deadline, Request, Response

Result = TypeVar("Result")


@dataclass
class TokenSlot:
    """The one token that all threads of this process share for one supplier."""

    token: str = ""
    expires: float = 0.0  # monotonic
    lock: threading.Lock = field(default_factory=threading.Lock)


token_slots: dict[str, TokenSlot] = {}


def authorise(config: Mapping[str, Any], form: RequestForm, request: Request) -> Request:
    """The request with what a static scheme adds; `login` adds its token elsewhere."""
    values = form.values({})
    kind = config["type"]
    if kind == "bearer":
        return with_header(request, "Authorization", "Bearer " + render_text(config["token"], values))
    if kind == "basic":
        pair = render_text(config["username"], values) + ":" + render_text(config["password"], values)
        return with_header(request, "Authorization", "Basic " + base64.b64encode(pair.encode()).decode())
    if kind == "api_key":
        value = render(config["value"], values)
        if config["in"] == "header":
            return with_header(request, config["name"], str(value))
        return replace(request, params={**request.params, config["name"]: value})
    return request


def with_header(request: Request, name: str, value: str) -> Request:
    return replace(request, headers={**request.headers, name: value})


class AuthorisedCaller:
    """A caller that proves who we are, and logs in once more when upstream no longer believes it."""

    def __init__(self, config: Mapping[str, Any], form: RequestForm, caller: Caller, judge: Judge, slot: str) -> None:
        self._config = config
        self._form = form
        self._caller = caller
        self._judge = judge
        self._slot = token_slots.setdefault(slot, TokenSlot())
        self._logs_in = config["type"] == "login"
        if self._logs_in:
            self._token_path = compile_path(config["token_path"])

    def __call__(
        self, request: Request, read: Callable[[Response], Result], *, safe: bool, deadline: Deadline
    ) -> Result:
        if not self._logs_in:
            return self._caller(authorise(self._config, self._form, request), read, safe=safe, deadline=deadline)
        token = self._token(deadline, refused="")
        try:
            return self._caller(self._with_token(request, token), read, safe=safe, deadline=deadline)
        except AuthExpired:
            # Refused for its token, the request was not worked on: even an order may be sent again, once.
            token = self._token(deadline, refused=token)
            return self._caller(self._with_token(request, token), read, safe=safe, deadline=deadline)

    def _with_token(self, request: Request, token: str) -> Request:
        header = self._config.get("header", "Authorization")
        return with_header(request, header, self._config.get("prefix", "Bearer ") + token)

    def _token(self, deadline: Deadline, *, refused: str) -> str:
        # One thread logs in, the others wait for its token: a supplier that drops old tokens at each login
        # would otherwise be logged in to without end.
        if not self._slot.lock.acquire(timeout=deadline.remaining):
            raise AuthExpired("Another call is still logging in.")
        try:
            if not self._slot.token or self._slot.token == refused or time.monotonic() >= self._slot.expires:
                self._slot.token = self._log_in(deadline)
                self._slot.expires = time.monotonic() + self._config.get("ttl_seconds", 3_600)
            return self._slot.token
        finally:
            self._slot.lock.release()

    def _log_in(self, deadline: Deadline) -> str:
        request = self._form.request(self._config["request"], {})
        try:
            answer = self._caller(request, self._judge.success, safe=False, deadline=deadline)
        except Transient as error:
            error.sent = False  # the login may have taken effect; the call behind it was not made
            raise
        token = self._token_path(answer.document)
        if not isinstance(token, str) or not token:
            raise Malformed("The login answer holds no token at token_path.")  # no evidence: it may be the token
        self._judge.redact.learn(token)
        return token
