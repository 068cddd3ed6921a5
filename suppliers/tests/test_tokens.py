"""OAuth2 tokens: renewed in time, by one at a time, and never lost when upstream replaces the refresh token too."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection

from suppliers import token_slots
from suppliers.adapters.tokens import held_tokens
from suppliers.adapters.validation import faults_of
from suppliers.errors import AuthExpired, Malformed, SupplierError
from suppliers.tests.conftest import LIST, MakeGateway
from suppliers.tests.upstream import Seen, reply, running_upstream
from suppliers.token_slots import Token

pytestmark = pytest.mark.django_db(transaction=True)

CLIENT: dict[str, Any] = {
    "type": "oauth2",
    "grant": "client_credentials",
    "token_url": "/oauth/token",
    "client_id": "holdfast",
    "client_secret": "$secret.password",
    "scope": "stock orders",
}
ROTATING = {**CLIENT, "grant": "refresh_token", "refresh_token": "$secret.token"}


class Authority:
    """Each renewal kills the old token and the old refresh token.  seconds: how long a token lives."""

    def __init__(self, seconds: Any = 3600) -> None:
        self.renewals = 0
        self.refresh, self.seconds = "hush-hush", seconds
        self.lock = threading.Lock()

    def __call__(self, seen: Seen) -> bytes:
        if seen.path != "/oauth/token":
            believed = seen.headers["authorization"] == f"Bearer access-{self.renewals}"
            return reply({"items": []}) if believed else reply({}, 401)
        form = dict(pair.split("=") for pair in seen.body.decode().split("&"))
        with self.lock:
            if form["grant_type"] == "refresh_token" and form["refresh_token"] != self.refresh:
                return reply({"error": "invalid_grant"}, 400)
            self.renewals += 1
            self.refresh = f"refresh-{self.renewals}"
        document = {"access_token": f"access-{self.renewals}", "expires_in": self.seconds}
        return reply(document | ({"refresh_token": self.refresh} if "refresh_token" in form else {}))


def read(gateway: Any) -> None:
    try:
        next(gateway.snapshot())
    finally:
        connection.close()


def forget() -> None:
    """As a process that just began."""
    held_tokens.clear()


def test_a_token_is_asked_for_once_and_kept(make_gateway: MakeGateway):
    authority = Authority()
    with running_upstream(authority) as upstream:
        for _ in range(3):
            read(make_gateway(upstream, auth=CLIENT))
    form = upstream.seen[0].body.decode()
    assert authority.renewals == 1
    assert "grant_type=client_credentials" in form
    assert "scope=stock+orders" in form
    assert "client_secret=pass-word" in form


def test_client_and_secret_can_travel_in_the_header(make_gateway):
    with running_upstream(Authority()) as upstream:
        read(make_gateway(upstream, auth={**CLIENT, "client_auth": "basic"}))
    assert upstream.seen[0].headers["authorization"] == "Basic aG9sZGZhc3Q6cGFzcy13b3Jk"
    assert "pass-word" not in upstream.seen[0].body.decode()


def test_a_refresh_token_that_dies_at_each_use_survives_restarts_and_revocation(make_gateway):
    authority = Authority()
    with running_upstream(authority) as upstream:
        read(make_gateway(upstream, auth=ROTATING))
        forget()
        authority.renewals = 5  # revoked early; access-1 is not believed any more
        read(make_gateway(upstream, auth=ROTATING))
    assert (authority.renewals, authority.refresh) == (6, "refresh-6")


def test_with_a_refresh_token_of_the_form_alone_the_second_renewal_fails(make_gateway):
    """The control: what a process without the shared slot would send."""
    with running_upstream(Authority()) as upstream:
        read(make_gateway(upstream, auth=ROTATING))
        forget()
        with connection.cursor() as cursor:
            cursor.execute("DELETE FROM suppliers_tokenslot")
        with pytest.raises(AuthExpired, match="enter the new refresh token"):
            read(make_gateway(upstream, auth=ROTATING))


def test_many_processes_renew_once(make_gateway, monkeypatch):
    """Each thread stands for a process: none knows what the others hold."""
    authority = Authority()
    monkeypatch.setattr("suppliers.adapters.tokens.held_tokens", Forgetful())
    with running_upstream(authority) as upstream, ThreadPoolExecutor(8) as threads:
        gateways = [make_gateway(upstream, auth=ROTATING) for _ in range(8)]
        list(threads.map(read, gateways))
        assert authority.renewals == 1
        authority.renewals = 5
        list(threads.map(read, gateways))
    assert authority.renewals == 6


class Forgetful(dict[str, Any]):
    def setdefault(self, _key: str, default: Any = None) -> Any:
        return default


@pytest.mark.parametrize("seconds", [0.4, "0.4"])
def test_a_token_is_renewed_before_it_ends(seconds: Any, make_gateway):
    authority = Authority(seconds)
    with running_upstream(authority) as upstream:
        gateway = make_gateway(upstream, auth=ROTATING)
        read(gateway)
        (held,) = held_tokens.values()
        held.until = 0.0  # its time, less a tenth, has passed
        with connection.cursor() as cursor:
            cursor.execute("UPDATE suppliers_tokenslot SET expires_at = clock_timestamp()")
        read(gateway)
    assert [seen.path for seen in upstream.seen] == ["/oauth/token", "/stock"] * 2


def test_a_renewal_that_was_given_up_is_taken_over_and_a_late_one_changes_nothing(loopback_suppliers):
    slot = token_slots.read("key")
    frozen = token_slots.claim("key", slot, 0.0)
    assert frozen is not None
    other = token_slots.claim("key", slot, 60)
    assert other is not None
    assert token_slots.claim("key", slot, 60) is None
    token_slots.fill("key", other, Token("new", "new-refresh", 60))
    token_slots.fill("key", frozen, Token("late", "late-refresh", 60))
    assert token_slots.read("key").token.access == "new"
    assert token_slots.claim("key", slot, 60) is None, "who claims must have seen the newest token"


@pytest.mark.parametrize(
    ("answer", "error", "message"),
    [
        (reply({"error": "invalid_client"}, 401), AuthExpired, "invalid_client.*check client id"),
        (reply({"error": "<b>x</b>"}, 400), AuthExpired, "No token was given: check"),
        (reply({"token": "x"}), Malformed, "no access_token"),
        (reply([]), Malformed, "no access_token"),
    ],
)
def test_a_refused_token_says_what_to_do(answer: bytes, error: type[SupplierError], message: str, make_gateway):
    with running_upstream(lambda _: answer) as upstream, pytest.raises(error, match=message):
        read(make_gateway(upstream, auth=CLIENT))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"token_url": "http://169.254.169.254/token"}, "auth.token_url: "),
        ({"token_url": "file:///etc/passwd"}, "auth.token_url: "),
        ({"grant": "refresh_token"}, "auth: 'refresh_token' is a required property"),
        ({"client_id": "$ref"}, "auth.client_id: $ref is not known here."),
    ],
)
def test_faults_of_oauth2_name_their_path(change: dict[str, str], message: str):
    config = {"base_url": "https://a.example", "list": LIST, "auth": {**CLIENT, **change}}
    assert [fault for fault in faults_of(config) if fault.startswith(message)], faults_of(config)
