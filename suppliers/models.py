"""Who supplies goods, how to talk to them, and how far their numbers are believed."""

from decimal import Decimal

import pgtrigger
from django.core.validators import MaxValueValidator, MinValueValidator
from django.db import models
from django.db.models.functions import Now
from simple_history.models import HistoricalRecords

from suppliers.countries import CountriesField
from suppliers.sealed import SealedField


class OnRejection(models.TextChoices):
    """What becomes of units that a supplier refuses or calls off."""

    RESOURCE = "resource", "other suppliers deliver, or a person decides"
    BACKORDER = "backorder", "other suppliers deliver, or whoever has stock next"
    CANCEL = "cancel", "the units are cancelled"


class CountsOn(models.TextChoices):
    """When a supplier's number takes an order in."""

    ORDER = "order"
    PAYMENT = "payment"
    SHIPMENT = "shipment"


class Supplier(models.Model):
    """One upstream: its adapter, its secrets, and the policy that its numbers pass through."""

    slug = models.SlugField(unique=True)
    name = models.CharField(max_length=200)
    adapter = models.CharField(max_length=40, default="rest", help_text="The adapter that speaks this supplier's API.")
    config = models.JSONField(default=dict, blank=True, help_text="The adapter's configuration; see docs/suppliers.md.")
    credentials = SealedField(default=bytes, blank=True, editable=False)  # encrypted; see suppliers.credentials
    enabled = models.BooleanField(default=True, help_text="Off: it is not read, and nothing of it can be sold.")
    stop_selling = models.BooleanField(default=False, help_text="Nothing of this supplier is sold while this is on.")
    auto_offer = models.BooleanField(
        default=True, help_text="An upstream code that equals exactly one SKU's is offered for it without asking."
    )

    # Delivery.
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

    # Trust: from the reported number to the sellable one.
    buffer = models.PositiveIntegerField(default=0, help_text="Units held back from every reported number.")
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
        help_text="So many times or more waits for a person. Empty: one repeat, a settlement lag later, is enough.",
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

    # Snapshots.
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
        help_text="A snapshot in which more than this share of what was in stock jumps is refused. Empty: never.",
        validators=[MinValueValidator(Decimal(0)), MaxValueValidator(Decimal(1))],
    )
    missing_after = models.PositiveSmallIntegerField(
        default=3,
        help_text="A row counts as 0 after so many complete snapshots without it.",
        validators=[MinValueValidator(1)],
    )
    created_at = models.DateTimeField(auto_now_add=True)

    history = HistoricalRecords(excluded_fields=["credentials"])

    class Meta:
        ordering = ["slug"]
        # Apart from `change`: who may stop a supplier need not be who may say where its secrets are sent.
        permissions = [("operate_supplier", "Can test, read and stop suppliers")]
        constraints = [
            models.CheckConstraint(
                condition=models.Q(min_row_ratio__gte=0, min_row_ratio__lte=1), name="supplier_min_row_ratio"
            ),
            models.CheckConstraint(condition=models.Q(missing_after__gte=1), name="supplier_missing_after"),
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
            models.CheckConstraint(condition=models.Q(haircut__gt=0, haircut__lte=1), name="supplier_haircut"),
            models.CheckConstraint(
                condition=models.Q(mass_zero_share__gte=0, mass_zero_share__lte=1), name="supplier_mass_zero_share"
            ),
            models.CheckConstraint(
                condition=models.Q(mass_jump_share__gte=0, mass_jump_share__lte=1), name="supplier_mass_jump_share"
            ),
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
        triggers = [
            # A switch of one supplier changes millions of answers at once: caches compare this epoch instead.
            pgtrigger.Trigger(
                name="bump_policy_epoch",
                when=pgtrigger.After,
                operation=pgtrigger.Update,
                condition=pgtrigger.Condition(
                    "OLD.enabled IS DISTINCT FROM NEW.enabled"
                    " OR OLD.stop_selling IS DISTINCT FROM NEW.stop_selling"
                    " OR OLD.stale_after_seconds IS DISTINCT FROM NEW.stale_after_seconds"
                    " OR OLD.expire_after_seconds IS DISTINCT FROM NEW.expire_after_seconds"
                    " OR OLD.stale_cap IS DISTINCT FROM NEW.stale_cap"
                ),
                func=(
                    "INSERT INTO suppliers_switchboard (id, stop_selling, epoch) VALUES (1, false, 2)"
                    " ON CONFLICT (id) DO UPDATE SET epoch = suppliers_switchboard.epoch + 1; RETURN NULL;"
                ),
            ),
        ]

    def __str__(self) -> str:
        return self.name


class Switchboard(models.Model):
    """The one row of switches for everything, and the epoch that cached answers are compared with."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1, editable=False)
    stop_selling = models.BooleanField(default=False, help_text="Nothing at all is sold while this is on.")
    epoch = models.BigIntegerField(default=1, editable=False)

    class Meta:
        verbose_name_plural = "switchboard"
        constraints = [models.CheckConstraint(condition=models.Q(id=1), name="switchboard_is_one_row")]
        triggers = [
            pgtrigger.Trigger(
                name="bump_epoch",
                when=pgtrigger.Before,
                operation=pgtrigger.Update,
                condition=pgtrigger.Condition("OLD.stop_selling IS DISTINCT FROM NEW.stop_selling"),
                func="NEW.epoch = OLD.epoch + 1; RETURN NEW;",
            ),
        ]

    def __str__(self) -> str:
        return "Switchboard"


class DailyUse(models.Model):
    """Calls that left for a supplier in one of its days; suppliers.quota is the only writer."""

    supplier = models.SlugField()
    day = models.DateField()
    calls = models.PositiveBigIntegerField()

    class Meta:
        constraints = [models.UniqueConstraint(fields=["supplier", "day"], name="daily_use_is_one_row")]

    def __str__(self) -> str:
        return f"{self.supplier} {self.day}"


class TokenSlot(models.Model):
    """A token that upstream gave us for a time, shared by all processes; see suppliers.token_slots, its only writer."""

    key = models.CharField(max_length=64, primary_key=True)
    sealed = SealedField(default=bytes)  # encrypted; see suppliers.credentials
    expires_at = models.DateTimeField(null=True)
    leased_until = models.DateTimeField(null=True)  # somebody is getting a new one
    updated_at = models.DateTimeField(db_default=Now())

    def __str__(self) -> str:
        return self.key[:8]
