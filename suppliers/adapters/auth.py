"""How a request proves who we are."""

import functools
import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, TypeVar

from suppliers.adapters.answers import Judge
from suppliers.adapters.calls import Caller, RequestForm, with_basic, with_header
from suppliers.adapters.signing import Signer
from suppliers.adapters.templates import render, render_text
from suppliers.adapters.tokens import Login, OAuth2, TokenKeeper
from suppliers.transport import Deadline, Request, Response

Result = TypeVar("Result")

SOURCES: Mapping[str, type[Login] | type[OAuth2]] = {"login": Login, "oauth2": OAuth2}


def authorise(config: Mapping[str, Any], form: RequestForm, request: Request) -> Request:
    """The request with what a scheme without tokens adds."""
    values = form.values({})
    kind = config["type"]
    if kind == "bearer":
        return with_header(request, "Authorization", "Bearer " + render_text(config["token"], values))
    if kind == "basic":
        return with_basic(request, render_text(config["username"], values), render_text(config["password"], values))
    if kind == "api_key":
        value = render(config["value"], values)
        if config["in"] == "header":
            return with_header(request, config["name"], str(value))
        return replace(request, params={**request.params, config["name"]: value})
    if kind == "hmac":
        return replace(request, sign=Signer(config, values))
    return request


class AuthorisedCaller:
    """A caller that proves who we are, and gets a new token once when upstream no longer believes the old one."""

    def __init__(self, config: Mapping[str, Any], form: RequestForm, caller: Caller, judge: Judge, slot: str) -> None:
        self._config = config
        self._form = form
        self._caller = caller
        source = SOURCES.get(config["type"])
        self._keeper = TokenKeeper(slot, source(config, form, caller, judge).obtain) if source else None
        self._learn = judge.redact.learn

    def __call__(
        self, request: Request, read: Callable[[Response], Result], *, safe: bool, deadline: Deadline
    ) -> Result:
        if self._keeper is None:
            return self._caller(authorise(self._config, self._form, request), read, safe=safe, deadline=deadline)
        return self._keeper.use(
            deadline,
            lambda token: self._caller(self._with_token(request, token), read, safe=safe, deadline=deadline),
        )

    def _with_token(self, request: Request, token: str) -> Request:
        self._learn(token)  # it may have come from another process
        header = self._config.get("header", "Authorization")
        return with_header(request, header, self._config.get("prefix", "Bearer ") + token)


def slot_of(config: Mapping[str, Any], secrets: Mapping[str, str]) -> str:
    """Tokens are shared by those who sign in alike, and by nobody else."""
    auth = config.get("auth", {})
    if auth.get("type") not in SOURCES:
        return ""
    return slow_hash(json.dumps([config["base_url"], auth, dict(secrets)], sort_keys=True))


@functools.lru_cache(maxsize=1000)
def slow_hash(text: str) -> str:
    """The key of a token slot, made from what its token is asked for with."""
    # It stands in the database: a quick hash would let who reads that try out passwords.
    return hashlib.scrypt(text.encode(), salt=b"holdfast token slot", n=2**14, r=8, p=1).hex()[:64]
