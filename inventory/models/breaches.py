"""When a supplier's data was older than it declares."""

import pgtrigger
from django.db import models
from django.db.models.functions import Now

from inventory.models.goods import StockLevel
from suppliers.models import Supplier


class LagBreach(models.Model):
    """A fall of a number that shows how old upstream's data was, for ever."""

    class Kind(models.TextChoices):
        LATE = "late"  # older than the settlement lag: an order was taken to be in a number that did not show it
        REPLICAS = "replicas"  # of several copies: what showed an order was followed by what did not

    supplier = models.ForeignKey(Supplier, on_delete=models.PROTECT, related_name="lag_breaches", db_index=False)
    level = models.ForeignKey(StockLevel, on_delete=models.PROTECT, related_name="lag_breaches", db_index=False)
    kind = models.CharField(max_length=10, choices=Kind)
    seconds = models.FloatField(
        help_text="Late: a settlement lag that would have covered it. Replicas: how far one copy was behind another."
    )
    certain = models.BooleanField(help_text="Nobody else is known to have bought there that day.")
    evidence = models.JSONField(default=dict)
    at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "lag breaches"
        indexes = [models.Index(fields=["supplier", "at"], name="lag_breach_newest")]
        triggers = [pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"{self.kind} at {self.supplier_id}"
