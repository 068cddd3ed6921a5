"""Times in which a merchant sells more carefully."""

from decimal import Decimal

import pgtrigger
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models import F, Q
from simple_history.models import HistoricalRecords

from inventory.models.goods import Sku
from suppliers.models import Supplier


class SalesEvent(models.Model):
    """More care for some levels, from a start to an end; goes back by itself.

    It acts on the levels of its suppliers that serve one of its SKUs; what else is sold from such a level is sold from
    the same units, and as carefully.  Once switched on it is not edited: its rows tell later what was in force.
    """

    class Phase(models.TextChoices):
        DRAFT = "draft"
        PLANNED = "planned"
        RUNNING = "running"
        OVER = "over"

    name = models.CharField(max_length=100)
    starts_at = models.DateTimeField(help_text="UTC. If it has passed when the event is switched on, it starts then.")
    ends_at = models.DateTimeField(help_text="UTC. From then on all is as before.")
    suppliers = models.ManyToManyField(Supplier, blank=True, help_text="None chosen: every supplier.")
    skus = models.ManyToManyField(Sku, blank=True)
    # Written when it is switched on: a scope whose last SKU is deleted later must not become everything.
    every_supplier = models.BooleanField(default=False, editable=False)
    every_sku = models.BooleanField(default=False, editable=False)

    buffer_units = models.PositiveIntegerField(default=0, help_text="Units of each level that are held back too.")
    buffer_share = models.DecimalField(
        max_digits=4,
        decimal_places=3,
        default=Decimal(0),
        help_text="The share of what is sellable that is held back too: 0.2 holds back a fifth.",
        validators=[MinValueValidator(Decimal(0)), MaxValueValidator(Decimal(1))],
    )
    stop_selling = models.BooleanField(default=False, help_text="Nothing is sold from these levels meanwhile.")
    hold_seconds = models.PositiveIntegerField(
        null=True,
        blank=True,
        help_text="New holds last at most so long. Empty: as long as asked.",
        validators=[MinValueValidator(1)],
    )
    jump_ratio = models.DecimalField(
        max_digits=6,
        decimal_places=2,
        null=True,
        blank=True,
        help_text="A rise to more than so many times what was expected waits. Empty: as the supplier's policy says.",
        validators=[MinValueValidator(Decimal(1))],
    )
    jump_units = models.PositiveIntegerField(
        null=True, blank=True, help_text="Only a rise by so many units or fewer never waits. Empty: as the policy says."
    )
    repeats_prove = models.BooleanField(
        default=False, help_text="A number that waits is believed when it is said again. Off: after the event at best."
    )

    switched_on = models.BooleanField(default=False, editable=False)
    phase = models.CharField(max_length=10, choices=Phase, default=Phase.DRAFT, editable=False)  # as last noted

    history = HistoricalRecords()

    class Meta:
        ordering = ["-starts_at", "-id"]
        constraints = [
            models.CheckConstraint(
                condition=Q(ends_at__gt=F("starts_at")),
                name="event_ends_after_it_starts",
                violation_error_message="It ends after it starts.",
            ),
            models.CheckConstraint(condition=Q(buffer_share__gte=0, buffer_share__lte=1), name="event_share"),
            models.CheckConstraint(condition=Q(hold_seconds__gte=1), name="event_hold"),
            models.CheckConstraint(condition=Q(jump_ratio__gte=1), name="event_jump_ratio"),
        ]
        indexes = [models.Index(fields=["ends_at"], condition=Q(switched_on=True), name="event_switched_on")]
        triggers = [
            # One event changes the answers of many SKUs at once: caches compare this epoch instead.
            pgtrigger.Trigger(
                name="bump_epoch_of_event",
                when=pgtrigger.After,
                operation=pgtrigger.Insert | pgtrigger.Update | pgtrigger.Delete,
                func=(
                    "INSERT INTO suppliers_switchboard (id, stop_selling, epoch) VALUES (1, false, 2)"
                    " ON CONFLICT (id) DO UPDATE SET epoch = suppliers_switchboard.epoch + 1; RETURN NULL;"
                ),
            ),
        ]

    def __str__(self) -> str:
        return self.name
