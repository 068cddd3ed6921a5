"""What we promised, to whom, and the answer we gave."""

import uuid

from django.contrib.postgres.indexes import BrinIndex
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from inventory.models import Sku
from storefronts.models import Storefront


class Order(models.Model):
    """One placed order, with the bytes of its 201 so that a repeated key gets the same answer."""

    class Status(models.TextChoices):
        PLACED = "placed"
        CANCELLED = "cancelled"

    number = models.CharField(max_length=32, unique=True)
    storefront = models.ForeignKey(Storefront, on_delete=models.PROTECT, related_name="orders", db_index=False)
    reference = models.CharField(max_length=128, help_text="The storefront's own name of the order.")
    status = models.CharField(max_length=10, choices=Status, default=Status.PLACED)
    destination = models.CharField(max_length=2, blank=True)
    idempotency_key = models.CharField(max_length=255)
    fingerprint = models.BinaryField(max_length=32)  # SHA-256 of the validated body
    answer = models.BinaryField()
    request_id = models.CharField(max_length=64, blank=True)
    placed_at = models.DateTimeField(db_default=Now(), editable=False)
    cancelled_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(fields=["storefront", "idempotency_key"], name="order_once_per_key"),
            models.CheckConstraint(
                condition=Q(status="cancelled", cancelled_at__isnull=False)
                | ~Q(status="cancelled") & Q(cancelled_at__isnull=True),
                name="order_cancelled_at",
            ),
        ]
        indexes = [
            models.Index(fields=["storefront", "reference"], name="order_reference"),
            # For "the last hour": orders lie on disk as they came, so a few pages of this index say where.
            BrinIndex(fields=["placed_at"], autosummarize=True, name="order_placed_at"),
        ]

    def __str__(self) -> str:
        return self.number


class OrderLine(models.Model):
    """One SKU of an order.  version: the SKU's after the deduction."""

    order = models.ForeignKey(Order, on_delete=models.PROTECT, related_name="lines", db_index=False)
    sku = models.ForeignKey(Sku, on_delete=models.PROTECT, related_name="order_lines", db_index=False)
    quantity = models.PositiveIntegerField()
    version = models.BigIntegerField()

    class Meta:
        ordering = ["id"]
        constraints = [
            models.UniqueConstraint(fields=["order", "sku"], name="line_once"),
            models.CheckConstraint(condition=Q(quantity__gte=1), name="line_quantity"),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} × {self.sku_id}"


class Reservation(models.Model):
    """A cart's hold with a deadline; its units are the `held` allocations that carry its id."""

    class Status(models.TextChoices):
        HELD = "held"  # until expires_at
        CONVERTED = "converted"
        RELEASED = "released"

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    storefront = models.ForeignKey(Storefront, on_delete=models.PROTECT, related_name="reservations", db_index=False)
    status = models.CharField(max_length=10, choices=Status, default=Status.HELD)
    idempotency_key = models.CharField(max_length=255)
    fingerprint = models.BinaryField(max_length=32)
    answer = models.BinaryField()
    lines = models.JSONField(help_text="SKU → whole units.")
    destination = models.CharField(max_length=2, blank=True, db_default="", default="")
    expires_at = models.DateTimeField()
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ["-created_at"]
        constraints = [models.UniqueConstraint(fields=["storefront", "idempotency_key"], name="reservation_once")]

    def __str__(self) -> str:
        return str(self.id)
