"""What a schema cannot say of `auth`."""

from collections.abc import Iterator, Mapping
from typing import Any
from zoneinfo import ZoneInfo

from suppliers import guard
from suppliers.adapters.signing import PARTS
from suppliers.adapters.templates import variables_of
from suppliers.errors import BlockedAddress

OF_SECRETS = "secret."


def auth_faults(auth: Mapping[str, Any]) -> Iterator[str]:
    signed = {"canonical": PARTS, "value": PARTS | {"signature"}}
    for name, value in auth.items():
        yield from unknown_variables(f"auth.{name}", value, signed.get(name, set()))
    if "timestamp" in auth:
        yield from zone_faults("auth.timestamp.timezone", auth["timestamp"].get("timezone", "UTC"))
    for name in ("timestamp", "nonce"):
        signed_and_sent = f"${name}" not in auth.get("canonical", "") or f"${name}" in auth.get("value", "")
        if not signed_and_sent and "name" not in auth.get(name, {}):
            yield f'auth.{name}: ${name} is signed, so say where it is sent: {{"in": "header", "name": "…"}}.'
    url = auth.get("token_url", "/")
    if not url.startswith("/"):
        try:
            guard.check_url(url)
        except BlockedAddress as error:
            yield f"auth.token_url: {error}"


def unknown_variables(path: str, template: Any, known: set[str]) -> Iterator[str]:
    for name in variables_of(template):
        if name not in known and name != "base_url" and not name.startswith(OF_SECRETS):
            yield f"{path}: ${name} is not known here."


def zone_faults(path: str, zone: str) -> Iterator[str]:
    try:
        ZoneInfo(zone)
    except (OSError, ValueError, KeyError):
        yield f"{path}: {zone!r} is not a time zone."
