"""Who may ask: storefronts and their API keys."""

from functools import partial
from typing import Any

from django.contrib.postgres.fields import ArrayField
from django.core.validators import MinValueValidator
from django.db import models, transaction
from django.db.models import Q
from rest_framework_api_key.models import AbstractAPIKey

from storefronts.signals import access_changed


class Scope(models.TextChoices):
    """What a key may do."""

    STOCK_READ = "stock:read"
    ORDERS_READ = "orders:read"
    ORDERS_WRITE = "orders:write"


class Storefront(models.Model):
    """One sales channel of the merchant; orders belong to the storefront whose key placed them."""

    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=200)
    active = models.BooleanField(default=True)
    orders_per_sku = models.PositiveIntegerField(
        "orders of one SKU in a minute",
        null=True,
        blank=True,
        validators=[MinValueValidator(1)],
        help_text="That it may ask for, holds included; more have to wait. Empty: any number.",
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering = ["slug"]
        constraints = [models.CheckConstraint(condition=Q(orders_per_sku__gte=1), name="storefront_orders_per_sku")]

    def __str__(self) -> str:
        return self.name

    def save(self, *args: Any, **kwargs: Any) -> None:
        super().save(*args, **kwargs)
        transaction.on_commit(partial(access_changed.send_robust, sender=type(self)))


def every_scope() -> list[str]:
    """The scopes of a key that may do everything."""
    return [str(scope) for scope in Scope.values]


class ApiKey(AbstractAPIKey):
    """A key of a storefront: prefix and hash are stored, the key itself is shown once."""

    storefront = models.ForeignKey(Storefront, on_delete=models.PROTECT, related_name="keys")
    scopes = ArrayField(models.CharField(max_length=20, choices=Scope), default=every_scope)
    last_used_at = models.DateTimeField(null=True, blank=True, editable=False)

    class Meta(AbstractAPIKey.Meta):
        verbose_name = "API key"
        verbose_name_plural = "API keys"

    def save(self, *args: Any, **kwargs: Any) -> None:
        super().save(*args, **kwargs)
        transaction.on_commit(partial(access_changed.send_robust, sender=type(self)))

    def delete(self, *args: Any, **kwargs: Any) -> tuple[int, dict[str, int]]:
        transaction.on_commit(partial(access_changed.send_robust, sender=type(self)))
        return super().delete(*args, **kwargs)
