"""A supplier that pushes: what it sends, signed as it should be."""

import base64
import hmac
import json
import time
from typing import Any

from django.test import Client

from suppliers.credentials import seal
from suppliers.models import Supplier

SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
PUSH = {
    "scheme": "standard_webhooks",
    "secret": "$secret.push",
    "events": "data",
    "map": {
        "uid": "id",
        "location": "location",
        "available": "available",
        "updated_at": {"path": "at", "format": "epoch_s"},
    },
    "clock_ahead_seconds": 0,
}
REST = {
    "base_url": "https://erp.example",
    "list": {"request": {"path": "/stock"}, "items": "items", "map": {"uid": "id", "available": "stock"}},
}


def pushing(**push: Any) -> dict[str, Any]:
    """Fields of a supplier that pushes by Standard Webhooks; None takes a part of `push` away."""
    part = {name: value for name, value in {**PUSH, **push}.items() if value is not None}
    return {"config": {**REST, "push": part}, "credentials": seal({"push": SECRET})}


def signed(body: bytes, event_id: str, at: float | None = None, secret: str = SECRET) -> dict[str, str]:
    """The headers of a push.  at: Unix time; None: now."""
    stamp = str(int(time.time() if at is None else at))
    key = base64.b64decode(secret.removeprefix("whsec_"))
    digest = hmac.digest(key, f"{event_id}.{stamp}.".encode() + body, "sha256")
    signature = "v1," + base64.b64encode(digest).decode()
    return {"webhook-id": event_id, "webhook-timestamp": stamp, "webhook-signature": signature}


def body_of(*events: dict[str, Any]) -> bytes:
    return json.dumps({"data": events}).encode()


def post(slug: str, body: bytes, headers: dict[str, str]) -> Any:
    return Client().post(f"/hooks/suppliers/{slug}/", body, content_type="application/json", headers=headers)


def push(supplier: Supplier, event_id: str, *events: dict[str, Any]) -> Any:
    """Send these events as this supplier does."""
    body = body_of(*events)
    return post(supplier.slug, body, signed(body, event_id))
