"""Tokens: how one is obtained, and how all threads and processes come to share it.

Note [One at a time]
A supplier may drop the old token, and the old refresh token with it, at each renewal.  Two who renew at once would then
lock each other out, so one claims the slot (suppliers.token_slots) and everybody else waits for what it gets.
"""

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Any, TypeVar

from suppliers import token_slots
from suppliers.adapters.answers import Answer, Judge
from suppliers.adapters.calls import Caller, RequestForm, with_basic
from suppliers.adapters.expressions import compile_path
from suppliers.adapters.quantities import exact
from suppliers.adapters.templates import render
from suppliers.errors import AuthExpired, Malformed, SupplierError, Transient
from suppliers.token_slots import Slot, Token
from suppliers.transport import Deadline, Request

POLL_SECONDS = 0.1
LEASE_MARGIN = 5.0  # seconds that a lease outlasts the deadline of the call under it
BAR_SECONDS = 30.0  # nobody signs in again so soon after a brand-new token was refused
LONGEST_EARLY = 60.0  # seconds before its end that a token is renewed, a tenth of its life at most
REFUSED = (HTTPStatus.BAD_REQUEST, HTTPStatus.UNAUTHORIZED)

Result = TypeVar("Result")
Obtain = Callable[[str, Deadline], Token]  # from the refresh token, "" if there is none


@dataclass
class Held:
    """What this process knows of one slot, so that not every call asks the database."""

    token: str = ""
    until: float = 0.0  # monotonic
    barred_until: float = 0.0
    lock: threading.Lock = field(default_factory=threading.Lock)


held_tokens: dict[str, Held] = {}


class TokenKeeper:
    """Gives out the one token of a slot, and gets a new one when it is due or refused."""

    def __init__(self, key: str, obtain: Obtain) -> None:
        self._key = key
        self._obtain = obtain
        self._held = held_tokens.setdefault(key, Held())

    def token(self, deadline: Deadline, *, refused: str = "") -> str:
        """refused: the token that upstream just did not believe.

        Raises: AuthExpired if there is none to be had, Transient if another process takes too long to get it.
        """
        if not self._held.lock.acquire(timeout=deadline.remaining):
            raise Transient("Another call is still signing in.")
        try:
            if self._held.token != refused and time.monotonic() < self._held.until:
                return self._held.token
            return self._shared(deadline, refused)
        finally:
            self._held.lock.release()

    def use(self, deadline: Deadline, send: Callable[[str], Result]) -> Result:
        """What `send` gives with the token, or with a new one if upstream no longer believes it.

        Raises: AuthExpired if it does not believe the new one either; whatever `send` raises.
        """
        token = self.token(deadline)
        try:
            return send(token)
        except AuthExpired:
            # Refused for its token, the request was not worked on: even an order may be sent again, once.
            token = self.token(deadline, refused=token)
        try:
            return send(token)
        except AuthExpired:
            # Brand-new and refused: signing in again and again would help nobody.
            self._held.barred_until = time.monotonic() + BAR_SECONDS
            raise

    def _shared(self, deadline: Deadline, refused: str) -> str:
        while True:
            slot = token_slots.read(self._key)
            if slot.token.access and slot.token.access != refused and slot.token.seconds > 0:
                return self._hold(slot.token)
            if time.monotonic() < self._held.barred_until:
                raise AuthExpired("A new token was refused just now; check the permissions of the credentials.")
            lease = token_slots.claim(self._key, slot, deadline.remaining + LEASE_MARGIN)
            if lease is not None:
                return self._renew(slot, lease, deadline)
            if deadline.remaining <= POLL_SECONDS:
                raise Transient("Another process is still signing in.")
            time.sleep(POLL_SECONDS)

    def _renew(self, slot: Slot, lease: Any, deadline: Deadline) -> str:
        try:
            token = self._obtain(slot.token.refresh, deadline)
        except BaseException:
            token_slots.release(self._key, lease)
            raise
        token_slots.fill(self._key, lease, token)
        return self._hold(token)

    def _hold(self, token: Token) -> str:
        self._held.token, self._held.until = token.access, time.monotonic() + token.seconds
        return token.access


class Login:
    """A request whose answer holds a token somewhere."""

    def __init__(self, config: Mapping[str, Any], form: RequestForm, caller: Caller, judge: Judge) -> None:
        self._config, self._form, self._caller, self._judge = config, form, caller, judge
        self._token = compile_path(config["token_path"])
        self._seconds = compile_path(config["ttl_path"]) if "ttl_path" in config else None

    def obtain(self, _refresh: str, deadline: Deadline) -> Token:
        request = self._form.request(self._config["request"], {})
        answer = _unsent(lambda: self._caller(request, self._judge.success, safe=False, deadline=deadline))
        access = _text(self._token(answer.document), "The login answer holds no token at token_path.")
        self._judge.redact.learn(access)
        seconds = float(self._config.get("ttl_seconds", 3_600))
        return Token(
            access, "", early(seconds_of(self._seconds(answer.document), seconds) if self._seconds else seconds)
        )


class OAuth2:
    """Client credentials, or a refresh token that may be another one each time.  Source: RFC 6749, 4.4 and 6."""

    def __init__(self, config: Mapping[str, Any], form: RequestForm, caller: Caller, judge: Judge) -> None:
        self._config, self._form, self._caller, self._judge = config, form, caller, judge

    def obtain(self, refresh: str, deadline: Deadline) -> Token:
        """Raises: AuthExpired if upstream refuses, and says what a person has to do."""
        request = self._request(refresh)
        read = self._judge.success_or(*REFUSED)
        answer = _unsent(lambda: self._caller(request, read, safe=False, deadline=deadline))
        if not answer.ok:
            raise _refusal(answer, refresh=self._config["grant"] == "refresh_token")
        document = answer.document if isinstance(answer.document, dict) else {}
        access = _text(document.get("access_token"), "The token answer holds no access_token.")
        renewed = document.get("refresh_token")
        refresh = renewed if isinstance(renewed, str) and renewed else refresh
        for secret in (access, refresh):
            self._judge.redact.learn(secret)
        return Token(access, refresh, early(seconds_of(document.get("expires_in"), 3_600)))

    def _request(self, refresh: str) -> Request:
        values = self._form.values({})
        config = {name: render(value, values) for name, value in self._config.items() if isinstance(value, str)}
        form = {"grant_type": config["grant"], **render(self._config.get("params", {}), values)}
        if config["grant"] == "refresh_token":
            form["refresh_token"] = refresh or config["refresh_token"]
        if "scope" in config:
            form["scope"] = config["scope"]
        url = config["token_url"]
        # A person wrote this address; the token may well be given out by another host than the stock.
        request = Request("POST", self._form.base_url + url if url.startswith("/") else url, form=form)
        if config.get("client_auth") == "basic":
            return with_basic(request, config["client_id"], config["client_secret"])
        client = {"client_id": config["client_id"], "client_secret": config["client_secret"]}
        return replace(request, form={**form, **client})


def _unsent(call: Callable[[], Answer]) -> Answer:
    try:
        return call()
    except Transient as error:
        error.sent = False  # signing in may have taken effect; the call behind it was not made
        raise


def _refusal(answer: Answer, *, refresh: bool) -> SupplierError:
    code = answer.document.get("error") if isinstance(answer.document, dict) else None
    named = f" ({code})" if isinstance(code, str) and code.isidentifier() else ""
    again = "authorise this application at the supplier again and enter the new refresh token"
    advice = again if refresh and code == "invalid_grant" else "check client id and secret"
    return AuthExpired(f"No token was given{named}: {advice}.")


def _text(value: Any, complaint: str) -> str:
    if not isinstance(value, str) or not value:
        raise Malformed(complaint)  # no evidence: it may be the token
    return value


def seconds_of(value: Any, otherwise: float) -> float:
    """A number of seconds, be it written as text; `otherwise` if it makes no sense."""
    try:
        number, _ = exact(value)
    except Malformed:
        number = None
    return float(number) if number is not None and number > 0 else otherwise


def early(seconds: float) -> float:
    """How long a token is used that lives for so many seconds."""
    return seconds - min(LONGEST_EARLY, seconds / 10)
