"""When a supplier's number includes our orders."""

from django.core.validators import MinValueValidator
from django.db import models


class CountsOn(models.TextChoices):
    """When a supplier's number takes an order in."""

    ORDER = "order"
    PAYMENT = "payment"
    SHIPMENT = "shipment"


class Settling(models.Model):
    settlement_lag_seconds = models.PositiveIntegerField(
        default=60, help_text="The most that this supplier's numbers lie behind its own orders."
    )
    decrements_on = models.CharField(
        max_length=8,
        choices=CountsOn,
        default=CountsOn.ORDER,
        db_default=CountsOn.ORDER,
        help_text="When its number goes down for an order of ours. A level may differ.",
    )
    exclusive = models.BooleanField(
        default=False,
        db_default=False,
        help_text="Only we buy there: whatever its number loses is an order of ours, and settles one.",
    )
    replicas = models.BooleanField(
        default=False,
        db_default=False,
        help_text="Its answers come from several copies, some older: a rise waits until none says less for one lag.",
    )
    unsettled_after_seconds = models.PositiveIntegerField(
        default=86_400,
        db_default=86_400,
        help_text="An order that its number has not taken in after so long becomes a discrepancy.",
        validators=[MinValueValidator(60)],
    )
    recheck_for_seconds = models.PositiveIntegerField(
        default=604_800,
        db_default=604_800,
        help_text="For so long an order is looked up there, ever more rarely, lest it was called off. 0: never.",
    )
    gone_is_cancelled = models.BooleanField(
        default=False,
        db_default=False,
        help_text="It forgets orders that it calls off: one that it took and does not know any more is lost.",
    )

    class Meta:
        abstract = True
