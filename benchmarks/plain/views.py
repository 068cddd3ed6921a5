"""Places an order as most would write it: lock, transaction, check, deduct, insert.  The same rows, the same answer.

Shares with the service: models, authentication, permission, throttle.  Shares nothing of its ways to place an order.
"""

import hashlib
import json
import secrets
from typing import Any

import redis
import redis_lock
from django.conf import settings
from django.core.cache import cache
from django.db import connection, transaction
from django.utils import timezone
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from inventory.models import Allocation, Effect, Sku, StockLevel, StockMovement
from orders.models import Order, OrderLine
from storefronts.endpoints import principal

# Waits for its turn as long as that takes: by default the client gives up after five seconds, with a 500.
LOCKS = redis.Redis.from_url(settings.REDIS_URL, socket_timeout=None)


class PlaceOrder(APIView):
    """One line, one level."""

    required_scopes = {"POST": "orders:write"}

    def post(self, request: Request) -> Response:
        key = request.headers["Idempotency-Key"]
        body: dict[str, Any] = request.data  # type: ignore[assignment]  # whoever sends no object gets a 500
        (line,) = body["lines"]
        fingerprint = hashlib.sha256(json.dumps(body, sort_keys=True).encode()).digest()
        storefront_id = principal(request).storefront_id
        connection.close()  # kept through the wait, the pool's connections would be the limit, and the rest a 500
        with redis_lock.Lock(LOCKS, f"plain:{line['sku']}", expire=60):
            known = Order.objects.filter(storefront_id=storefront_id, idempotency_key=key).first()
            if known is not None:
                same = bytes(known.fingerprint) == fingerprint
                return Response(json.loads(bytes(known.answer)), 201) if same else Response(status=422)
            with transaction.atomic():
                answer = _place(storefront_id, key, fingerprint, body["reference"], line)
        if answer is None:
            return Response({"title": "Insufficient inventory"}, 409)
        cache.delete(f"plain:{line['sku']}")
        return Response(answer, 201)


def _place(
    storefront_id: int, key: str, fingerprint: bytes, reference: str, line: dict[str, Any]
) -> dict[str, Any] | None:
    sku = Sku.objects.select_for_update().get(code=line["sku"])
    level = StockLevel.objects.select_related("supplier").select_for_update(of=("self",)).get(offers__sku=sku)
    quantity = line["quantity"]
    if level.sellable - level.allocated < quantity:
        return None
    number, now = f"PL-{secrets.token_hex(8).upper()}", timezone.now()
    allocations = [{"supplier": level.supplier.slug, "quantity": quantity}]
    sold = {"sku": sku.code, "quantity": quantity, "version": sku.version + 1, "allocations": allocations}
    answer: dict[str, Any] = {
        "number": number,
        "reference": reference,
        "status": "placed",
        "placed_at": now.isoformat(),
    }
    answer["lines"] = [sold]
    order = Order.objects.create(
        number=number,
        storefront_id=storefront_id,
        reference=reference,
        idempotency_key=key,
        fingerprint=fingerprint,
        answer=json.dumps(answer).encode(),
        placed_at=now,
    )
    OrderLine.objects.create(order=order, sku=sku, quantity=quantity, version=sku.version + 1)
    _deduct(sku, level, number, quantity)
    return answer


def _deduct(sku: Sku, level: StockLevel, number: str, quantity: int) -> None:
    Allocation.objects.create(level=level, sku=sku, reference=number, quantity=quantity)
    StockMovement.objects.create(
        level=level,
        version=level.version + 1,
        cause=StockMovement.Cause.ALLOCATE,
        reference=number,
        sellable_before=level.sellable,
        sellable_delta=0,
        sellable_after=level.sellable,
        allocated_before=level.allocated,
        allocated_delta=quantity,
        allocated_after=level.allocated + quantity,
        reported_after=level.reported,
    )
    StockLevel.objects.filter(pk=level.pk).update(allocated=level.allocated + quantity, version=level.version + 1)
    Sku.objects.filter(pk=sku.pk).update(version=sku.version + 1)
    Effect.objects.bulk_create(
        [
            Effect(kind=Effect.Kind.INVALIDATE, target=sku.code),
            Effect(kind=Effect.Kind.SYNC, target=str(level.pk), supplier_id=level.supplier_id),
            Effect(kind=Effect.Kind.CONFIRM, target=number, supplier_id=level.supplier_id),
        ]
    )
