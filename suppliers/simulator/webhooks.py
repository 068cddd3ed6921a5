"""What the supplier sends by itself: a change of its ledger becomes a signed POST, late, doubled, lost or forged."""

import base64
import heapq
import hmac
import http.client
import itertools
import threading
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any
from urllib.parse import urlsplit

import orjson

from .behaviours.pushes import Webhooks
from .ledger import Ledger
from .stock import stamp

TIMEOUT, LONGEST_NAP = 5.0, 0.2  # seconds


@dataclass(frozen=True, slots=True)
class Delivery:
    """One POST as it will be sent, byte by byte."""

    headers: Mapping[str, str]
    body: bytes


@dataclass
class Outbox:
    """Deliveries by the time at which they are due; one thread sends them, in that order."""

    clock: Callable[[], float]
    stopping: Callable[[float], bool]
    sent: Counter[str] = field(default_factory=Counter)  # what became of them
    _due: list[tuple[float, int, Webhooks, Delivery]] = field(default_factory=list)
    _numbers: Any = field(default_factory=itertools.count)
    _bell: threading.Condition = field(default_factory=threading.Condition)
    _sending: bool = False
    _thread: threading.Thread | None = None

    def put(self, at: float, rule: Webhooks, delivery: Delivery) -> None:
        with self._bell:
            heapq.heappush(self._due, (at, next(self._numbers), rule, delivery))
            if self._thread is None:
                self._thread = threading.Thread(target=self._work, name="webhooks", daemon=True)
                self._thread.start()
            self._bell.notify()

    @property
    def is_empty(self) -> bool:
        """Whether all that was announced so far was sent."""
        with self._bell:
            return not self._due and not self._sending

    def _work(self) -> None:
        while not self.stopping(0):
            with self._bell:
                wait = self._due[0][0] - self.clock() if self._due else LONGEST_NAP
                if wait > 0:
                    self._bell.wait(min(wait, LONGEST_NAP))
                    continue
                _, _, rule, delivery = heapq.heappop(self._due)
                self._sending = True
            self._send(rule, delivery)
            self._sending = False

    def _send(self, rule: Webhooks, delivery: Delivery) -> None:
        if rule.is_disabled:
            self.sent["disabled"] += 1
            return
        status = post(rule.url, delivery)
        ok = HTTPStatus.OK <= status < HTTPStatus.MULTIPLE_CHOICES
        rule.note(ok=ok)
        self.sent["delivered" if ok else f"failed {status}"] += 1


def post(url: str, delivery: Delivery) -> int:
    """The status of the answer, 0 without one."""
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=TIMEOUT)
    try:
        connection.request("POST", parts.path or "/", delivery.body, dict(delivery.headers))
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def announce(outbox: Outbox, ledger: Ledger, change: tuple[int, int, int, float], rule: Webhooks, seed: int) -> None:
    """Put into the outbox what a change (row, its units, by how many, when) is told by, as often as chance has it."""
    index, units, delta, at = change
    event = f"{ledger.items[index].uid} {at} {units}"
    chance = rule.chances(seed, event)
    if chance("lost") < rule.lost_p:
        outbox.sent["lost"] += 1
        return
    told = [_told(ledger, index, (units, delta), at, rule)]
    told += [_told(ledger, (index + by) % len(ledger.items), None, at, rule) for by in range(1, rule.burst + 1)]
    due = at + rule.delay(chance)
    for number, item in enumerate(told):
        delivery = signed(rule, f"{event} {number}", orjson.dumps({"events": [item]}), due, chance)
        outbox.put(due, rule, delivery)
        if chance("duplicate") < rule.dup_p:
            outbox.put(due + rule.delay(rule.chances(seed, f"{event} again")), rule, delivery)
        if chance("replay") < rule.replay_p:
            outbox.put(due + rule.replay_after_s, rule, delivery)


def _told(ledger: Ledger, index: int, moved: tuple[int, int] | None, at: float, rule: Webhooks) -> dict[str, Any]:
    item = ledger.items[index]
    units, delta = moved or (ledger.units_now(index), 0)
    told: dict[str, Any] = {"id": item.uid, "sku": item.sku, "location": item.location, "at": stamp(at)}
    if rule.content in ("absolute", "both"):
        told["available"] = units
    if rule.content in ("delta", "both"):
        told["delta"] = delta
    return told


def signed(rule: Webhooks, event: str, body: bytes, at: float, chance: Callable[[str], float]) -> Delivery:
    """With the headers of the rule's scheme.  A forged one is signed with another secret."""
    forged = chance("forged") < rule.bad_signature_p
    key = b"not the secret that was agreed on" if forged else rule.key
    number = f"evt_{hmac.digest(b'id', event.encode(), 'sha256').hex()[:24]}"
    headers = {"Content-Type": "application/json"}
    match rule.scheme:
        case "standard_webhooks":
            text = f"{number}.{int(at)}.".encode() + body
            signature = {"webhook-timestamp": str(int(at)), "webhook-signature": f"v1,{_base64(key, text)}"}
            return Delivery({**headers, "webhook-id": number, **signature}, body)
        case "shopify":
            named = {"X-Shopify-Topic": "inventory_levels/update", "X-Shopify-Event-Id": number}
            return Delivery({**headers, **named, "X-Shopify-Hmac-Sha256": _base64(key, body)}, body)
        case "woocommerce":
            named = {"X-WC-Webhook-Topic": "product.updated", "X-WC-Webhook-Delivery-ID": number}
            return Delivery({**headers, **named, "X-WC-Webhook-Signature": _base64(key, body)}, body)
    digest = hmac.digest(key, body, "sha256").hex()
    return Delivery({**headers, "X-Event-Id": number, "X-Signature": f"sha256={digest}"}, body)


def _base64(key: bytes, text: bytes) -> str:
    return base64.b64encode(hmac.digest(key, text, "sha256")).decode()
