"""The `push` part of a configuration: what a supplier sends by itself, verified and then read."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from typing import Any

import orjson

from suppliers.adapters.answers import Redaction
from suppliers.adapters.expressions import MISSING, Getter, compile_path, holds
from suppliers.adapters.mapping import LOCATION_LENGTH, UID_LENGTH, Moment, always, identifier, normalise_sku
from suppliers.adapters.quantities import Quantity, whole_units
from suppliers.adapters.signatures import Headers, scheme_of
from suppliers.adapters.templates import render_text
from suppliers.errors import Malformed
from suppliers.readings import Delivery, PushEvent

ID_LENGTH = 255
ORDER_LENGTH = 200
MOST_EVENTS = 10_000  # of one push
EVIDENCE_BYTES = 500
HEADER = "header:"


class ConfiguredPushes:
    """Implements `suppliers.readings.PushReceiver`."""

    def __init__(self, config: Mapping[str, Any], secrets: Mapping[str, str]) -> None:
        """Raises: NotConfigured for a secret that is absent or no good."""
        constants = {f"secret.{name}": value for name, value in secrets.items()}
        own = [render_text(text, constants) for text in secrets_in(config)]
        self._scheme = scheme_of(config, own)
        self._redact = Redaction(own)
        self._id = config.get("id", "")
        self._id_path = compile_path(self._id) if self._id and not self._id.startswith(HEADER) else None
        self._events = compile_path(config.get("events", "@"))
        self._mapping = EventMapping(config["map"])
        self.clock_ahead: float | None = config.get("clock_ahead_seconds")

    def verify(self, headers: Mapping[str, str], body: bytes, now: datetime) -> Delivery:
        lower = {name.lower(): value for name, value in headers.items()}
        signed = self._scheme.verify(lower, body, now)
        return Delivery(self._id_of(lower, body), signed.at)

    def redact(self, body: bytes) -> bytes:
        # Byte for byte where nothing is found, whatever the encoding.
        return self._redact(body.decode("latin-1")).encode("latin-1")

    def parse(self, body: bytes) -> list[PushEvent]:
        items = self._events(_document(body))
        if not isinstance(items, list):
            items = [items]
        if len(items) > MOST_EVENTS:
            raise Malformed(f"A push holds {len(items):,} events; at most {MOST_EVENTS:,} are read.")
        return [event for item in items if (event := self._mapping.event(item))]

    def _id_of(self, headers: Headers, body: bytes) -> str:
        names: Sequence[str] = self._scheme.id_headers
        if self._id_path is not None:
            try:
                value = self._id_path(_document(body))
            except Malformed:
                return ""  # what is wrong with the body is said when it is read
            return _short(str(value)) if isinstance(value, str | int) else ""
        if self._id:
            names = [self._id.removeprefix(HEADER).lower()]
        return _short(next((headers[name] for name in names if headers.get(name)), ""))


class EventMapping:
    """From one item of a push to what it says of a row.  What cannot be relied on becomes "something changed"."""

    def __init__(self, config: Mapping[str, Any]) -> None:
        self._uid = _getter(config, "uid")
        self._sku = _getter(config, "sku")
        self._order = _getter(config, "order")
        self._location = _getter(config, "location") if "location" in config else None
        self._quantity = Quantity(config["available"]) if "available" in config else None
        self._unknown_when = _getter(config, "unknown_when")
        self._inactive_when = _getter(config, "inactive_when")
        self._moment = Moment(config["updated_at"]) if "updated_at" in config else None

    def event(self, item: Any) -> PushEvent | None:
        """None for what names neither a row nor an order."""
        try:
            order = self._text(self._order, item, "order", ORDER_LENGTH)
            uid = self._text(self._uid, item, "uid", UID_LENGTH)
            sku = normalise_sku(self._present(self._sku, item))[0]
            location = None
            if self._location is not None:
                location = self._text(self._location, item, "location", LOCATION_LENGTH)
        except Malformed:
            return None
        if order:
            return PushEvent(order=order)  # what became of it is asked, whatever else is said
        if not uid and not sku:
            return None
        at = self._moment.read(item)[0] if self._moment else None
        return PushEvent(uid, sku, location, self._available(item), at)

    def _available(self, item: Any) -> int | None:
        try:
            if self._quantity is None or holds(self._unknown_when(item)):
                return None
            if holds(self._inactive_when(item)):
                return 0
            number, _, _ = self._quantity.read(item)
            return None if number is None else whole_units(number)[0]
        except Malformed:
            return None  # a read will tell

    @staticmethod
    def _present(getter: Getter, item: Any) -> Any:
        value = getter(item)
        return None if value is MISSING else value

    def _text(self, getter: Getter, item: Any, name: str, length: int) -> str:
        value = self._present(getter, item)
        return "" if value is None else identifier(value, name, length)


def secrets_in(config: Mapping[str, Any]) -> list[str]:
    """The templates of the secrets of a `push` part."""
    secret = config["secret"]
    return [secret] if isinstance(secret, str) else list(secret)


def _getter(config: Mapping[str, Any], name: str) -> Getter:
    return compile_path(config[name]) if name in config else always(None)


def _document(body: bytes) -> Any:
    try:
        return orjson.loads(body.removeprefix(b"\xef\xbb\xbf"))
    except ValueError:
        evidence = body[:EVIDENCE_BYTES].decode("utf-8", "replace")
        raise Malformed("The push is not JSON.", evidence) from None


def _short(text: str) -> str:
    """Upstream's id as it can be stored: what is too long or unprintable by its hash."""
    if len(text) <= ID_LENGTH and text.isprintable():
        return text
    return sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
