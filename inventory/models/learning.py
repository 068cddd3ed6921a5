"""Buffers that the ledger taught."""

from django.contrib.postgres.functions import TransactionNow
from django.db import models
from django.db.models import Q

from inventory.models.goods import StockLevel
from inventory.models.names import loaded
from suppliers.models import Supplier


class LearnedBuffer(models.Model):
    """What was learned of a supplier, or of one level that stands alone, for as long as it was so.

    It acts only where the supplier's switch says so.  Written by `learning` alone; what was replaced is the history.
    """

    supplier = models.ForeignKey(
        Supplier, on_delete=models.CASCADE, related_name="learned_buffers", db_index=False, editable=False
    )
    level = models.ForeignKey(
        StockLevel, on_delete=models.CASCADE, null=True, related_name="learned_buffers", editable=False
    )
    buffer = models.PositiveIntegerField(help_text="Units.")
    proven = models.BooleanField(help_text="The evidence suffices for the target.")
    reason = models.CharField(max_length=500)
    # Of the supplier's own row: what of all its levels would be sellable, for a person to compare.
    sellable_fixed = models.BigIntegerField(null=True)
    sellable_learned = models.BigIntegerField(null=True)
    since = models.DateTimeField(db_default=TransactionNow())
    looked_at = models.DateTimeField(db_default=TransactionNow(), help_text="When the evidence was last weighed.")
    until = models.DateTimeField(null=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint(
                fields=["supplier", "level"], condition=Q(until=None), nulls_distinct=False, name="learned_buffer_once"
            )
        ]
        indexes = [models.Index(fields=["supplier", "-id"], name="learned_buffer_newest")]

    def __str__(self) -> str:
        return f"{self.buffer} for {loaded(self, 'level') or loaded(self, 'supplier')}"
