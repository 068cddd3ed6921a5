"""From the number that a supplier reports to the one that is sold of."""

from decimal import Decimal

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

TRUST_BOUNDS = [
    models.CheckConstraint(condition=models.Q(haircut__gt=0, haircut__lte=1), name="supplier_haircut"),
    models.CheckConstraint(condition=models.Q(sentinel_at__gte=1), name="supplier_sentinel_at"),
    models.CheckConstraint(condition=models.Q(jump_ratio__gte=1), name="supplier_jump_ratio"),
    models.CheckConstraint(
        condition=models.Q(hard_jump_ratio__gte=models.F("jump_ratio")),
        name="supplier_hard_jump",
        violation_error_message="A hard jump is no smaller than a jump.",
    ),
    models.CheckConstraint(
        condition=models.Q(expire_after_seconds__isnull=True)
        | models.Q(expire_after_seconds__gte=models.F("stale_after_seconds")),
        name="supplier_expires_after_stale",
        violation_error_message="A number expires after it is stale, not before.",
    ),
]


class Trust(models.Model):
    buffer = models.PositiveIntegerField(default=0, help_text="Units held back from every reported number.")
    haircut = models.DecimalField(
        max_digits=4,
        decimal_places=3,
        default=Decimal(1),
        db_default=Decimal(1),
        help_text="The share of what is left that counts: 0.9 leaves a tenth. Above 0 and at most 1.",
        validators=[MinValueValidator(Decimal("0.001")), MaxValueValidator(Decimal(1))],
    )
    sentinel_at = models.PositiveIntegerField(
        null=True,
        blank=True,
        default=9_999,
        db_default=9_999,
        help_text="From this number on it is declared, not counted. Empty: every number is a count.",
        validators=[MinValueValidator(1)],
    )
    sentinel_cap = models.PositiveIntegerField(
        default=50, db_default=50, help_text="Units sold of what is declared, not counted."
    )
    jump_ratio = models.DecimalField(
        max_digits=6,
        decimal_places=2,
        null=True,
        blank=True,
        default=Decimal(3),
        db_default=Decimal(3),
        help_text="A rise to more than so many times what was expected waits in quarantine. Empty: none does.",
        validators=[MinValueValidator(Decimal(1))],
    )
    jump_units = models.PositiveIntegerField(
        default=5, db_default=5, help_text="A rise by so many units or fewer never waits."
    )
    hard_jump_ratio = models.DecimalField(
        max_digits=6,
        decimal_places=2,
        null=True,
        blank=True,
        help_text="So many times or more waits for a person. Empty: a repeat, a settlement lag later, will do.",
        validators=[MinValueValidator(Decimal(1))],
    )
    stale_after_seconds = models.PositiveIntegerField(
        default=900, help_text="Older numbers are marked stale.", validators=[MinValueValidator(1)]
    )
    expire_after_seconds = models.PositiveIntegerField(
        null=True, blank=True, help_text="Older numbers count as 0. Empty: never.", validators=[MinValueValidator(1)]
    )
    stale_cap = models.PositiveIntegerField(
        null=True, blank=True, help_text="Units that a stale number is worth at most. Empty: as many as a fresh one."
    )

    class Meta:
        abstract = True
