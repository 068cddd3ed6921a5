"""Every scheme: what it accepts, and that nothing near to it passes."""

import base64
import hashlib
import hmac
from datetime import UTC, datetime, timedelta

import pytest

from suppliers.adapters.signatures import SHORTEST_SECRET, scheme_of
from suppliers.errors import BadSignature, NotConfigured, UntimelyPush

BODY = b'{"id": 7, "stock": 3}'
SECRET, OLD_SECRET = "a-secret-of-the-supplier", "the-secret-before-that-one"
NOW = datetime(2026, 11, 25, 12, 0, 0, tzinfo=UTC)
STAMP = str(int(NOW.timestamp()))
STANDARD_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def digest(secret: str, signed: bytes = BODY, algorithm: str = "sha256") -> bytes:
    return hmac.digest(secret.encode(), signed, algorithm)


def b64(raw: bytes) -> str:
    return base64.b64encode(raw).decode()


def standard(
    secret: str = STANDARD_SECRET, stamp: str = STAMP, event: str = "msg_1", body: bytes = BODY
) -> dict[str, str]:
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signature = b64(hmac.digest(key, f"{event}.{stamp}.".encode() + body, "sha256"))
    return {"webhook-id": event, "webhook-timestamp": stamp, "webhook-signature": f"v1,{signature}"}


CASES = {
    "standard_webhooks": ({"scheme": "standard_webhooks"}, STANDARD_SECRET, standard()),
    "shopify": ({"scheme": "shopify"}, SECRET, {"x-shopify-hmac-sha256": b64(digest(SECRET))}),
    "woocommerce": ({"scheme": "woocommerce"}, SECRET, {"x-wc-webhook-signature": b64(digest(SECRET))}),
    "github": (
        {"scheme": "hmac", "header": "X-Hub-Signature-256", "prefix": "sha256="},
        SECRET,
        {"x-hub-signature-256": "sha256=" + digest(SECRET).hex()},
    ),
    "hex in capitals": ({"scheme": "hmac", "header": "X-Sign"}, SECRET, {"x-sign": digest(SECRET).hex().upper()}),
    "sha1 in base64": (
        {"scheme": "hmac", "header": "X-Sign", "algorithm": "sha1", "encoding": "base64"},
        SECRET,
        {"x-sign": b64(digest(SECRET, algorithm="sha1"))},
    ),
    "with a time": (
        {"scheme": "hmac", "header": "X-Sign", "timestamp_header": "X-Time"},
        SECRET,
        {"x-sign": digest(SECRET, f"{STAMP}.".encode() + BODY).hex(), "x-time": STAMP},
    ),
    "token": (
        {"scheme": "token", "header": "Authorization", "prefix": "Bearer "},
        SECRET,
        {"authorization": f"Bearer {SECRET}"},
    ),
}
EVERY = pytest.mark.parametrize(("config", "secret", "headers"), CASES.values(), ids=CASES)


@EVERY
def test_what_the_supplier_signed_is_his(config, secret, headers):
    scheme_of(config, [secret]).verify(headers, BODY, NOW)


@EVERY
def test_each_of_two_secrets_is_valid_while_one_replaces_the_other(config, secret, headers):
    other = STANDARD_SECRET[:-4] + "aaaa" if config["scheme"] == "standard_webhooks" else OLD_SECRET
    scheme_of(config, [other, secret]).verify(headers, BODY, NOW)
    with pytest.raises(BadSignature):
        scheme_of(config, [other]).verify(headers, BODY, NOW)


@EVERY
def test_one_changed_character_of_a_header_refuses_it(config, secret, headers):
    scheme = scheme_of(config, [secret])
    for name, value in headers.items():
        for changed in ("", value[:-1], value + "0", value[:-2] + ("0" if value[-2] != "0" else "1") + value[-1]):
            with pytest.raises(BadSignature):
                scheme.verify({**headers, name: changed}, BODY, NOW)


@EVERY
def test_no_header_at_all_is_no_signature(config, secret, headers):
    with pytest.raises(BadSignature):
        scheme_of(config, [secret]).verify({}, BODY, NOW)


@pytest.mark.parametrize("name", [name for name in CASES if name != "token"])
def test_the_same_meaning_in_other_bytes_is_not_what_was_signed(name):
    config, secret, headers = CASES[name]
    with pytest.raises(BadSignature):
        scheme_of(config, [secret]).verify(headers, BODY.replace(b" ", b""), NOW)


@pytest.mark.parametrize("name", ["standard_webhooks", "with a time"])
@pytest.mark.parametrize("seconds", [-301, 301])
def test_a_signed_time_that_is_not_now_is_refused(name, seconds):
    config, secret, headers = CASES[name]
    scheme = scheme_of(config, [secret])
    scheme.verify(headers, BODY, NOW + timedelta(seconds=seconds - seconds // abs(seconds)))
    with pytest.raises(UntimelyPush):
        scheme.verify(headers, BODY, NOW + timedelta(seconds=seconds))


@pytest.mark.parametrize("stamp", ["", "soon", "-5", "1" * 400, "1e9", "１７"])
def test_a_signed_time_that_is_none_is_refused(stamp):
    with pytest.raises(UntimelyPush):
        scheme_of(*CASES["standard_webhooks"][:1], [STANDARD_SECRET]).verify(standard(stamp=stamp), BODY, NOW)


def test_the_published_example_of_standard_webhooks():
    headers = {
        "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
        "webhook-timestamp": "1614265330",
        "webhook-signature": "v1a,unknown v1,bad v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    }
    sent = datetime.fromtimestamp(1614265330, UTC)
    scheme = scheme_of({"scheme": "standard_webhooks"}, [STANDARD_SECRET])
    assert scheme.verify(headers, b'{"test": 2432232314}', sent).at == sent


def test_an_algorithm_is_not_chosen_by_the_sender():
    """An empty, an "any" or another version of signature is none."""
    for signature in ("", "v1,", "v1", "v1a,abc", "v2," + standard()["webhook-signature"][3:]):
        with pytest.raises(BadSignature):
            scheme_of({"scheme": "standard_webhooks"}, [STANDARD_SECRET]).verify(
                {**standard(), "webhook-signature": signature}, BODY, NOW
            )


def test_a_digest_is_what_hashlib_says():
    assert digest("k").hex() == hmac.new(b"k", BODY, hashlib.sha256).hexdigest()


@pytest.mark.parametrize(
    ("config", "secret"),
    [
        ({"scheme": "shopify"}, "x" * (SHORTEST_SECRET - 1)),
        ({"scheme": "standard_webhooks"}, "whsec_this is not base64"),
    ],
)
def test_a_secret_that_can_be_guessed_or_not_be_read_is_refused(config, secret):
    with pytest.raises(NotConfigured):
        scheme_of(config, [secret])
