"""A buffer that is learned, in place of the one that is set."""

from decimal import Decimal

from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models

LEARNING_BOUNDS = [
    models.CheckConstraint(
        condition=models.Q(buffer_target__gt=0, buffer_target__lt=1),
        name="supplier_buffer_target",
        violation_error_message="The share of orders that may fail is above 0 and below 1, such as 0.001.",
    ),
    models.CheckConstraint(
        condition=models.Q(
            buffer_cold_start__gte=models.F("buffer_at_least"),
            buffer_at_most__gte=models.F("buffer_cold_start"),
            buffer_at_most__lte=1_000,
        ),
        name="supplier_buffer_bounds",
        violation_error_message="Learned buffers need: at least ≤ at the start ≤ at most ≤ 1,000.",
    ),
]


class Learning(models.Model):
    buffer_is_learned = models.BooleanField(
        "learn the buffer",
        default=False,
        db_default=False,
        help_text="The buffer is learned from what became of orders, and the one above stands aside.",
    )
    buffer_target = models.DecimalField(
        "orders that may fail",
        max_digits=6,
        decimal_places=5,
        default=Decimal("0.001"),
        db_default=Decimal("0.001"),
        help_text="The most that the share of orders it cannot fill may be, above 0 and below 1: 0.001 is 0.1 %.",
        validators=[MinValueValidator(Decimal("0.00001")), MaxValueValidator(Decimal("0.99999"))],
    )
    buffer_cold_start = models.PositiveIntegerField(
        "buffer at the start", default=2, db_default=2, help_text="Units, until the evidence suffices for the target."
    )
    buffer_at_least = models.PositiveIntegerField(
        "learned buffer at least", default=0, db_default=0, help_text="Units; a learned buffer is never smaller."
    )
    buffer_at_most = models.PositiveIntegerField(
        "learned buffer at most",
        default=20,
        db_default=20,
        help_text="Units, 1,000 at most; a learned buffer is never larger.",
        validators=[MaxValueValidator(1_000)],
    )

    class Meta:
        abstract = True
