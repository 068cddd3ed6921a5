"""How often a supplier's whole catalogue is read, and what is believed of it."""

from decimal import Decimal

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

CATALOGUE_BOUNDS = [
    models.CheckConstraint(
        condition=models.Q(min_row_ratio__gte=0, min_row_ratio__lte=1), name="supplier_min_row_ratio"
    ),
    models.CheckConstraint(condition=models.Q(missing_after__gte=1), name="supplier_missing_after"),
    models.CheckConstraint(
        condition=models.Q(mass_zero_share__gte=0, mass_zero_share__lte=1), name="supplier_mass_zero_share"
    ),
    models.CheckConstraint(
        condition=models.Q(mass_jump_share__gte=0, mass_jump_share__lte=1), name="supplier_mass_jump_share"
    ),
]


class Catalogue(models.Model):
    snapshot_interval_seconds = models.PositiveIntegerField(default=900, validators=[MinValueValidator(1)])
    min_row_ratio = models.DecimalField(
        max_digits=4,
        decimal_places=3,
        default=0.8,
        help_text="A snapshot with a smaller share of the last one's rows is refused.",
    )
    mass_zero_share = models.DecimalField(
        max_digits=4,
        decimal_places=3,
        null=True,
        blank=True,
        default=Decimal("0.5"),
        db_default=Decimal("0.5"),
        help_text="A snapshot in which more than this share of what was in stock is 0 is refused. Empty: never.",
        validators=[MinValueValidator(Decimal(0)), MaxValueValidator(Decimal(1))],
    )
    mass_jump_share = models.DecimalField(
        max_digits=4,
        decimal_places=3,
        null=True,
        blank=True,
        default=Decimal("0.5"),
        db_default=Decimal("0.5"),
        help_text="If more than this share of what was in stock jumps at once, no repeat is believed. Empty: any is.",
        validators=[MinValueValidator(Decimal(0)), MaxValueValidator(Decimal(1))],
    )
    missing_after = models.PositiveSmallIntegerField(
        default=3,
        help_text="A row counts as 0 after so many complete snapshots without it.",
        validators=[MinValueValidator(1)],
    )

    class Meta:
        abstract = True
