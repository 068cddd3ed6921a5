"""Whether a push is really its supplier's: signatures over the raw bytes, never over what they mean."""

import base64
import binascii
import hmac
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from suppliers.errors import BadSignature, NotConfigured, UntimelyPush

Headers = Mapping[str, str]  # names in lower case

TOLERANCE = timedelta(seconds=300)  # that a signed time may differ from ours; Standard Webhooks
SHORTEST_SECRET = 16  # characters: whoever guesses it writes our stock
STANDARD_PREFIX = "whsec_"


@dataclass(frozen=True, slots=True)
class Signed:
    """What the signature of a push covers besides its body.  at: None where the scheme signs no time."""

    at: datetime | None = None


class StandardWebhooks:
    """https://www.standardwebhooks.com: HMAC-SHA256 over id, time and body; any one of several signatures suffices."""

    id_headers = ("webhook-id",)

    def __init__(self, config: Mapping[str, Any], secrets: Sequence[str]) -> None:  # noqa: ARG002
        self._keys = [_decoded(secret) for secret in secrets]

    def verify(self, headers: Headers, body: bytes, now: datetime) -> Signed:
        """Raises: BadSignature, UntimelyPush."""
        event, stamp = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
        given = [part[3:] for part in headers.get("webhook-signature", "").split() if part.startswith("v1,")]
        if not event or not _any_equal(given, self.signatures(event, stamp, body)):
            raise BadSignature
        return Signed(_timely(stamp, now))

    def signatures(self, event: str, stamp: str, body: bytes) -> list[str]:
        """One for each secret.  stamp: seconds since 1970, as in the header."""
        signed = f"{event}.{stamp}.".encode() + body
        return [_base64(_digest(key, signed, "sha256")) for key in self._keys]


@dataclass(frozen=True, slots=True)
class HmacOfBody:
    """One header with an HMAC of the body, or of "time.body" where a header tells the time."""

    header: str
    keys: Sequence[bytes]
    hexadecimal: bool = False
    algorithm: str = "sha256"
    prefix: str = ""
    timestamp_header: str = ""
    id_headers: Sequence[str] = field(default=())

    def verify(self, headers: Headers, body: bytes, now: datetime) -> Signed:
        """Raises: BadSignature, UntimelyPush."""
        stamp = headers.get(self.timestamp_header, "") if self.timestamp_header else ""
        signed = f"{stamp}.".encode() + body if self.timestamp_header else body
        given = headers.get(self.header, "")
        digests = [_digest(key, signed, self.algorithm) for key in self.keys]
        expected = [digest.hex() if self.hexadecimal else _base64(digest) for digest in digests]
        if not given.startswith(self.prefix) or not _any_equal([self._signature_in(given)], expected):
            raise BadSignature
        return Signed(_timely(stamp, now) if self.timestamp_header else None)

    def _signature_in(self, given: str) -> str:
        text = given[len(self.prefix) :].strip()
        return text.lower() if self.hexadecimal else text


@dataclass(frozen=True, slots=True)
class Token:
    """A header that holds the secret itself: nothing ties it to this body, so only TLS protects it."""

    header: str
    tokens: Sequence[str]
    id_headers: Sequence[str] = ()

    def verify(self, headers: Headers, body: bytes, now: datetime) -> Signed:  # noqa: ARG002
        """Raises: BadSignature."""
        if not _any_equal([headers.get(self.header, "")], self.tokens):
            raise BadSignature
        return Signed()


Scheme = StandardWebhooks | HmacOfBody | Token


def _of_shopify(_: Mapping[str, Any], secrets: Sequence[str]) -> HmacOfBody:
    keys = [secret.encode() for secret in secrets]
    return HmacOfBody("x-shopify-hmac-sha256", keys, id_headers=("x-shopify-event-id",))


def _of_woocommerce(_: Mapping[str, Any], secrets: Sequence[str]) -> HmacOfBody:
    keys = [secret.encode() for secret in secrets]
    # Its documentation names the second, its source sends the first.
    return HmacOfBody("x-wc-webhook-signature", keys, id_headers=("x-wc-webhook-delivery-id", "x-wc-delivery-id"))


def _of_hmac(config: Mapping[str, Any], secrets: Sequence[str]) -> HmacOfBody:
    return HmacOfBody(
        config["header"].lower(),
        [secret.encode() for secret in secrets],
        config.get("encoding", "hex") == "hex",
        config.get("algorithm", "sha256"),
        config.get("prefix", ""),
        config.get("timestamp_header", "").lower(),
    )


def _of_token(config: Mapping[str, Any], secrets: Sequence[str]) -> Token:
    prefix = config.get("prefix", "")
    return Token(config["header"].lower(), [prefix + secret for secret in secrets])


SCHEMES: dict[str, Callable[[Mapping[str, Any], Sequence[str]], Scheme]] = {
    "standard_webhooks": StandardWebhooks,
    "shopify": _of_shopify,
    "woocommerce": _of_woocommerce,
    "hmac": _of_hmac,
    "token": _of_token,
}


def scheme_of(config: Mapping[str, Any], secrets: Sequence[str]) -> Scheme:
    """The scheme of a `push` part.  secrets: each of them is valid, so that one can replace another without a gap.

    Raises: NotConfigured for a secret that is too short or cannot be read.
    """
    if any(len(secret) < SHORTEST_SECRET for secret in secrets):
        raise NotConfigured(f"A push secret has fewer than {SHORTEST_SECRET} characters.")
    return SCHEMES[config["scheme"]](config, secrets)


def _decoded(secret: str) -> bytes:
    try:
        return base64.b64decode(secret.removeprefix(STANDARD_PREFIX), validate=True)
    except binascii.Error:
        raise NotConfigured(
            f"A push secret of Standard Webhooks is base64, after {STANDARD_PREFIX!r} or bare."
        ) from None


def _digest(key: bytes, signed: bytes, algorithm: str) -> bytes:
    return hmac.digest(key, signed, algorithm)


def _base64(digest: bytes) -> str:
    return base64.b64encode(digest).decode()


def _any_equal(given: Sequence[str], expected: Sequence[str]) -> bool:
    """Compares all with all, in a time that tells nothing of where they differ."""
    found = [hmac.compare_digest(one.encode(), other.encode()) for one in given for other in expected]
    return any(found)


def _timely(stamp: str, now: datetime) -> datetime:
    try:
        at = datetime.fromtimestamp(int(stamp), UTC) if stamp.isascii() and stamp.isdecimal() else None
    except (OverflowError, ValueError, OSError):
        at = None
    if at is None or abs(now - at) > TOLERANCE:
        raise UntimelyPush
    return at
