"""How requests prove who we are, and what happens when that is no longer believed."""

import base64
import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from suppliers.adapters.tokens import held_tokens
from suppliers.errors import AuthExpired, Malformed, SupplierError, Transient
from suppliers.models import TokenSlot
from suppliers.readings import ConfirmLine, ConfirmRequest, Outcome, Ref
from suppliers.tests.conftest import LIST, MakeGateway
from suppliers.tests.upstream import Seen, reply, running_upstream

pytestmark = pytest.mark.django_db(transaction=True)  # threads share tokens through the database

GOOD = reply({"items": [], "id": 7})
LOGIN = {
    "type": "login",
    "request": {"method": "POST", "path": "/login", "json": {"user": "$secret.user", "password": "$secret.password"}},
    "token_path": "data.token",
}


@pytest.mark.parametrize(
    ("auth", "header", "value"),
    [
        ({"type": "bearer", "token": "$secret.token"}, "authorization", "Bearer hush-hush"),
        (
            {"type": "basic", "username": "$secret.user", "password": "$secret.password"},
            "authorization",
            "Basic " + base64.b64encode(b"anna:pass-word").decode(),
        ),
        ({"type": "api_key", "in": "header", "name": "X-Key", "value": "$secret.token"}, "x-key", "hush-hush"),
    ],
)
def test_headers(auth: dict[str, Any], header: str, value: str, make_gateway: MakeGateway):
    with running_upstream(lambda _: GOOD) as upstream:
        next(make_gateway(upstream, auth=auth).snapshot())
    assert upstream.seen[0].headers[header] == value


def test_a_key_in_the_query_is_in_no_error(make_gateway):
    auth = {"type": "api_key", "in": "query", "name": "key", "value": "$secret.token"}
    with running_upstream(lambda _: b"") as upstream, pytest.raises(SupplierError) as caught:
        next(make_gateway(upstream, auth=auth, list={**LIST, "request": {"path": "/s", "params": {"a": 1}}}).snapshot())
    assert upstream.seen[0].query == {"a": "1", "key": "hush-hush"}
    assert "hush" not in str(caught.value)


def test_no_log_holds_a_secret(make_gateway, caplog):
    caplog.set_level(logging.DEBUG)
    auth = {"type": "api_key", "in": "query", "name": "key", "value": "$secret.token"}
    headers = {"X-Pass": "$secret.password"}
    answers = [reply(status=500), b"HTTP/1.1 200 OK\r\nbad header\r\n\r\n{}", GOOD]
    with running_upstream(lambda _: answers.pop(0)) as upstream:
        list(make_gateway(upstream, auth=auth, headers=headers, limits={"attempts": 3}).probe().messages)
    assert "asked_again" in caplog.text
    assert "hush-hush" not in caplog.text
    assert "pass-word" not in caplog.text


def test_headers_and_secrets_of_the_configuration_go_with_every_call(make_gateway):
    with running_upstream(lambda _: GOOD) as upstream:
        next(make_gateway(upstream, headers={"X-Shop": "shop-$secret.user", "X-Version": 2}).snapshot())
    assert (upstream.seen[0].headers["x-shop"], upstream.seen[0].headers["x-version"]) == ("shop-anna", "2")


class Bouncer:
    """Gives out tokens, and believes only the newest."""

    def __init__(self) -> None:
        self.logins = 0
        self.lock = threading.Lock()

    def __call__(self, seen: Seen) -> bytes:
        if seen.path == "/login":
            assert seen.json == {"user": "anna", "password": "pass-word"}
            with self.lock:
                self.logins += 1
            return reply({"data": {"token": f"token-{self.logins}"}})
        believed = seen.headers["authorization"] == f"Bearer token-{self.logins}"
        return GOOD if believed else reply(status=401, document={})


def test_login_happens_once_and_again_when_the_token_is_refused(make_gateway):
    bouncer = Bouncer()
    with running_upstream(bouncer) as upstream:
        for _ in range(2):
            next(make_gateway(upstream, auth=LOGIN).snapshot())
        assert bouncer.logins == 1
        bouncer.logins = 5  # the old token is revoked
        next(make_gateway(upstream, auth=LOGIN).snapshot())
    assert bouncer.logins == 6


def test_many_refused_at_once_log_in_once(make_gateway):
    bouncer = Bouncer()
    with running_upstream(bouncer) as upstream:
        gateways = [make_gateway(upstream, auth=LOGIN) for _ in range(8)]
        next(gateways[0].snapshot())
        bouncer.logins = 5
        with ThreadPoolExecutor(8) as threads:
            list(threads.map(lambda gateway: next(gateway.snapshot()), gateways))
    assert bouncer.logins == 6


def test_a_process_that_knows_no_token_takes_the_one_of_another(make_gateway):
    bouncer = Bouncer()
    with running_upstream(bouncer) as upstream:
        next(make_gateway(upstream, auth=LOGIN).snapshot())
        held_tokens.clear()  # as in a process that just began
        next(make_gateway(upstream, auth=LOGIN).snapshot())
    assert bouncer.logins == 1
    stored = TokenSlot.objects.get()
    assert b"token-1" not in bytes(stored.sealed)
    assert "pass-word" not in stored.key


def test_an_order_refused_for_its_token_is_sent_again_once(make_gateway):
    bouncer = Bouncer()
    confirm = {"request": {"method": "POST", "path": "/orders"}, "accepted": "id"}
    order = ConfirmRequest("H-1", [ConfirmLine(Ref("1", "A"), 1)])
    with running_upstream(bouncer) as upstream:
        gateway = make_gateway(upstream, auth=LOGIN, confirm=confirm)
        next(gateway.snapshot())
        bouncer.logins = 5
        assert gateway.confirm(order).outcome is Outcome.ACCEPTED
    assert [seen.path for seen in upstream.seen].count("/orders") == 2


def test_a_token_that_is_never_believed_is_not_renewed_without_end(make_gateway):
    def answer(seen: Seen) -> bytes:
        return reply({"data": {"token": "t-1234"}}) if seen.path == "/login" else reply(status=401)

    with running_upstream(answer) as upstream:
        with pytest.raises(AuthExpired):
            next(make_gateway(upstream, auth=LOGIN, limits={"attempts": 5}).snapshot())
        with pytest.raises(AuthExpired, match="just now"):
            next(make_gateway(upstream, auth=LOGIN).snapshot())
    assert [seen.path for seen in upstream.seen] == ["/login", "/stock", "/login", "/stock", "/stock"]


@pytest.mark.parametrize(
    ("answer", "error"),
    [(reply(status=401), AuthExpired), (reply({"data": {}}), Malformed), (reply({"data": {"token": 5}}), Malformed)],
)
def test_a_login_that_fails(answer: bytes, error: type[SupplierError], make_gateway):
    with running_upstream(lambda _: answer) as upstream, pytest.raises(error):
        next(make_gateway(upstream, auth=LOGIN).snapshot())


def test_an_order_behind_a_login_that_breaks_off_was_not_sent(make_gateway):
    confirm = {"request": {"method": "POST", "path": "/orders"}, "accepted": "id"}
    order = ConfirmRequest("H-1", [ConfirmLine(Ref("1", "A"), 1)])
    with running_upstream(lambda _: b"") as upstream, pytest.raises(Transient) as caught:
        make_gateway(upstream, auth=LOGIN, confirm=confirm).confirm(order)
    assert not caught.value.sent
    assert [seen.path for seen in upstream.seen] == ["/login"]


def test_a_token_is_not_kept_as_evidence(make_gateway):
    def answer(seen: Seen) -> bytes:
        if seen.path == "/login":
            return reply({"data": {"token": "fresh-token"}})
        return reply({"echo": seen.headers["authorization"]})

    with running_upstream(answer) as upstream, pytest.raises(Malformed) as caught:
        next(make_gateway(upstream, auth=LOGIN).snapshot())
    assert "echo" in caught.value.evidence
    assert "fresh-token" not in caught.value.evidence
