"""Where a supplier's goods go, and what becomes of what it refuses."""

from django.db import models

from suppliers.countries import CountriesField


class OnRejection(models.TextChoices):
    """What becomes of units that a supplier refuses or calls off."""

    RESOURCE = "resource", "other suppliers deliver, or a person decides"
    BACKORDER = "backorder", "other suppliers deliver, or whoever has stock next"
    CANCEL = "cancel", "the units are cancelled"


class Delivery(models.Model):
    ships_to = CountriesField(
        help_text="Countries that its goods may be sent to, such as DE AT CH. Empty: everywhere.",
    )
    lead_days = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="Days until its goods are with the buyer. Empty: not known."
    )
    on_rejection = models.CharField(
        max_length=10,
        choices=OnRejection,
        default=OnRejection.RESOURCE,
        db_default=OnRejection.RESOURCE,
        help_text="What becomes of units that it refuses or calls off later.",
    )

    class Meta:
        abstract = True
