"""Signatures, by a template of what is signed: the text that upstream's manual calls the canonical string."""

import base64
import hashlib
import hmac
import json
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime
from email.utils import format_datetime
from typing import Any
from urllib.parse import parse_qsl, quote, urlencode, urlsplit
from zoneinfo import ZoneInfo

from suppliers.adapters.templates import Variables, render, render_text
from suppliers.errors import NotConfigured
from suppliers.transport import Request

Pair = tuple[str, str]

DIGESTS = ("md5", "sha1", "sha256", "sha512")
ENCODINGS = ("hex", "base64")
PARTS = {"method", "host", "path", "query", "sorted_query", "joined", "body", "content_type", "timestamp", "nonce"} | {
    f"body.{digest}{ending}" for digest in DIGESTS for ending in ("", "_base64")
}
JSON, FORM = "application/json", "application/x-www-form-urlencoded"


class Signer:
    """Signs one request at the moment it is sent.

    Source: AOP "signature" (HMAC-SHA1 of path and joined parameters), TOP article 101617 (joined parameters).
    """

    def __init__(self, config: Mapping[str, Any], constants: Variables) -> None:
        self._config = config
        self._constants = constants
        self._key = _key_bytes(config, constants)

    def __call__(self, request: Request, now: float) -> Request:
        """now: seconds of the epoch by the supplier's clock.

        Raises: NotConfigured for a variable that the canonical string cannot hold.
        """
        stamps = {"timestamp": _stamp(self._config.get("timestamp", {}), now), "nonce": uuid.uuid4().hex}
        draft = Draft(request)
        for name, value in self._config.get("params", {}).items():
            draft.add("query", name, render(value, self._constants))
        for name, stamp in stamps.items():
            if "name" in self._config.get(name, {}):
                draft.add(self._config[name]["in"], self._config[name]["name"], stamp)
        values = {**self._constants, **stamps, **draft.parts()}
        signature = self._digest(render_text(self._config["canonical"], values).encode())
        value = render_text(self._config.get("value", "$signature"), {**values, "signature": signature})
        draft.add(self._config["in"], self._config["name"], value)
        return draft.request()

    def _digest(self, text: bytes) -> str:
        algorithm: str = self._config["algorithm"]
        # Without a key of its own the secret is part of the text: md5(secret + text + secret).
        keyed = self._key is not None
        digest = hmac.digest(self._key or b"", text, algorithm) if keyed else hashlib.new(algorithm, text).digest()
        if self._config.get("encoding", "hex") == "base64":
            return base64.b64encode(digest).decode()
        return digest.hex().upper() if self._config.get("upper", False) else digest.hex()


class Draft:
    """A request whose query and body are fixed to the byte: what is signed is what is sent."""

    def __init__(self, request: Request) -> None:
        self._given = request
        self._url = urlsplit(request.url)
        self._query = parse_qsl(self._url.query, keep_blank_values=True) + list(_pairs(request.params))
        self._headers = dict(request.headers)
        self._form = list(_pairs(request.form)) if request.form is not None else None
        self._json = json.dumps(request.json, separators=(",", ":"), ensure_ascii=False)

    def add(self, place: str, name: str, value: Any) -> None:
        """place: query, header or form (query where there is no form)."""
        if place == "header":
            self._headers[name] = str(value)
        elif place == "form" and self._form is not None:
            self._form.append((name, str(value)))
        else:
            self._query.append((name, str(value)))

    def parts(self) -> dict[str, str]:
        """What a canonical string may hold."""
        body = self._body or b""
        parts = {
            "method": self._given.method,
            "host": self._url.netloc,
            "path": self._url.path or "/",
            "query": _encoded(self._query),
            "sorted_query": _encoded(sorted(self._query)),
            "joined": "".join(name + value for name, value in sorted([*self._query, *(self._form or [])])),
            "body": body.decode("utf-8", "replace"),
            "content_type": self._content_type,
        }
        for algorithm in DIGESTS:
            digest = hashlib.new(algorithm, body).digest()
            parts[f"body.{algorithm}"] = digest.hex()
            parts[f"body.{algorithm}_base64"] = base64.b64encode(digest).decode()
        return parts

    def request(self) -> Request:
        headers = {"Content-Type": self._content_type, **self._headers} if self._content_type else self._headers
        url = self._url._replace(query=_encoded(self._query)).geturl()
        return replace(
            self._given, url=url, params={}, headers=headers, json=None, form=None, body=self._body, sign=None
        )

    @property
    def _body(self) -> bytes | None:
        if self._form is not None:
            return urlencode(self._form).encode()
        return None if self._given.json is None else self._json.encode()

    @property
    def _content_type(self) -> str:
        if self._form is not None:
            return FORM
        return "" if self._given.json is None else JSON


def _pairs(values: Mapping[str, Any]) -> Iterator[Pair]:
    for name, value in values.items():
        for one in value if isinstance(value, list | tuple) else [value]:
            yield name, str(one)


def _encoded(pairs: list[Pair]) -> str:
    return urlencode(pairs, quote_via=quote, safe="-_.~")


def _key_bytes(config: Mapping[str, Any], constants: Variables) -> bytes | None:
    if "secret" not in config:
        return None
    text, encoding = render_text(config["secret"], constants), config.get("secret_encoding", "text")
    try:
        if encoding == "base64":
            return base64.b64decode(text, validate=True)
        return bytes.fromhex(text) if encoding == "hex" else text.encode()
    except ValueError:
        raise NotConfigured(f"The secret to sign with is not {encoding}.") from None


def _stamp(config: Mapping[str, Any], now: float) -> str:
    style: str = config.get("format", "unix_s")
    if style == "unix_s":
        return str(int(now))
    if style == "unix_ms":
        return str(int(now * 1000))
    moment = datetime.fromtimestamp(now, UTC)
    if style == "iso":
        return moment.strftime("%Y-%m-%dT%H:%M:%SZ")
    if style == "http":
        return format_datetime(moment, usegmt=True)
    return moment.astimezone(ZoneInfo(config.get("timezone", "UTC"))).strftime(style)
