"""What the merchant sells, and from which upstream rows."""

from datetime import datetime, timedelta
from decimal import Decimal

import pgtrigger
from django.core.validators import MaxValueValidator, MinValueValidator, RegexValidator
from django.db import models
from django.db.models import Q
from simple_history.models import HistoricalRecords

from inventory import strategies
from inventory.models.names import loaded
from suppliers.countries import CountriesField
from suppliers.models import CountsOn, Supplier

VOUCHED_FOR = timedelta(hours=1)  # what a person knows of a supplier's numbers does not hold for those of tomorrow
_HAS_MOVEMENTS = "EXISTS (SELECT FROM inventory_stockmovement WHERE level_id = OLD.id)"
SKU_PATTERN = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"


def logged(operation: pgtrigger.Operation, **rows: str) -> pgtrigger.Trigger:
    """Whoever makes new versions, by whatever way, tells those who follow: see `inventory.change_log`.

    For each statement, not for each row: a batch of orders pays for one call.
    """
    return pgtrigger.Trigger(
        name=f"log_{operation}".lower(),
        level=pgtrigger.Statement,
        when=pgtrigger.After,
        operation=operation,
        referencing=pgtrigger.Referencing(**rows),  # type: ignore[no-untyped-call]
        func="INSERT INTO inventory_stockchange (sku, version) SELECT code, version FROM told; RETURN NULL;",
    )


class Sku(models.Model):
    """What the merchant sells.

    version rises with every commit that changes the SKU's available, and is never reused.
    """

    code = models.CharField(
        max_length=64,
        unique=True,
        validators=[RegexValidator(rf"^{SKU_PATTERN}\Z", "Letters, digits, '.', '_' and '-', 64 at most.")],
    )
    name = models.CharField(max_length=200, blank=True)
    active = models.BooleanField(default=True, help_text="Off: the API does not know it.")
    stop_selling = models.BooleanField(default=False, help_text="Shown with 0 available while this is on.")
    splittable = models.BooleanField(default=True, help_text="One order line may be served by several suppliers.")
    sourcing = models.CharField(
        max_length=20,
        choices=strategies.CHOICES,
        default=strategies.Strategy.PRIORITY.value,
        db_default=strategies.Strategy.PRIORITY.value,
        help_text="Which level an order is served from where several could.",
    )
    safety_stock = models.PositiveIntegerField(default=0, help_text="Units never offered, over all suppliers.")
    low_stock_threshold = models.PositiveIntegerField(default=5, help_text="At or below it the status is low_stock.")
    version = models.BigIntegerField(default=1, editable=False)
    created_at = models.DateTimeField(auto_now_add=True)

    history = HistoricalRecords(excluded_fields=["version"])

    class Meta:
        verbose_name = "SKU"
        ordering = ["code"]
        constraints = [models.CheckConstraint(condition=Q(code__regex=rf"^{SKU_PATTERN}$"), name="sku_code")]
        triggers = [
            # Whoever edits a column that the available number depends on, by whatever way, makes a new version.
            pgtrigger.Trigger(
                name="version_of_policy",
                when=pgtrigger.Before,
                operation=pgtrigger.Update,
                condition=pgtrigger.Condition(
                    "OLD.active IS DISTINCT FROM NEW.active"
                    " OR OLD.stop_selling IS DISTINCT FROM NEW.stop_selling"
                    " OR OLD.splittable IS DISTINCT FROM NEW.splittable"
                    " OR OLD.safety_stock IS DISTINCT FROM NEW.safety_stock"
                    " OR OLD.low_stock_threshold IS DISTINCT FROM NEW.low_stock_threshold"
                ),
                func="NEW.version = OLD.version + 1; RETURN NEW;",
            ),
            logged(pgtrigger.Insert, new="told"),
            logged(pgtrigger.Update, new="told"),
            logged(pgtrigger.Delete, old="told"),
        ]

    def __str__(self) -> str:
        return self.code

    def save(self, **kwargs: object) -> None:
        """Save what people edit: `version` belongs to the stock writers, and a form may be minutes old."""
        if self.pk and not self._state.adding and kwargs.get("update_fields") is None:
            kwargs["update_fields"] = [
                field.name for field in self._meta.concrete_fields if field.name not in ("id", "version")
            ]
        super().save(**kwargs)  # type: ignore[arg-type]


class StockLevel(models.Model):
    """One upstream row.  Columns of quantity are whole units; who may write which is in docs/architecture.md."""

    supplier = models.ForeignKey(Supplier, on_delete=models.PROTECT, related_name="levels", db_index=False)
    external_id = models.CharField(max_length=200)
    location = models.CharField(max_length=100, blank=True, default="")
    code = models.CharField(max_length=200, blank=True, help_text="The SKU code that upstream gives this row.")
    reported = models.IntegerField(null=True, blank=True, help_text="Empty: not counted, which is not 0.")
    lot = models.PositiveIntegerField(default=1, db_default=1, help_text="Upstream delivers whole multiples of it.")
    min_order = models.PositiveIntegerField(default=1, db_default=1, help_text="Upstream takes no smaller order.")
    components = models.JSONField(default=dict, blank=True)
    flags = models.JSONField(default=list, blank=True)
    # How new `reported` can be at best; a full snapshot that found the row unchanged moves Feed.complete_as_of instead.
    read_at = models.DateTimeField(null=True, blank=True)
    sellable = models.PositiveIntegerField(default=0)
    allocated = models.PositiveIntegerField(default=0)
    version = models.BigIntegerField(default=0)
    misses = models.PositiveSmallIntegerField(default=0, help_text="Complete snapshots in a row without this row.")
    decrements_on = models.CharField(
        max_length=8,
        choices=CountsOn,
        blank=True,
        default="",
        db_default="",
        help_text="When this number goes down for an order of ours. Empty: as the supplier's others.",
    )
    # After a rejection for lack of stock: the level is not believed above this until the hold has passed.
    rejection_cap = models.PositiveIntegerField(null=True, blank=True)
    rejections = models.PositiveSmallIntegerField(default=0)
    capped_until = models.DateTimeField(null=True, blank=True)
    # A number that rose too much to be believed; `reported` is the last trusted one, whose age is then its own.
    quarantined_reported = models.IntegerField(null=True, blank=True)
    quarantined_at = models.DateTimeField(
        null=True, blank=True, help_text="How new the first of the readings that say so can be at best."
    )

    class Meta:
        ordering = ["supplier", "external_id", "location"]
        constraints = [
            models.UniqueConstraint(fields=["supplier", "external_id", "location"], name="level_upstream_row"),
            models.CheckConstraint(condition=Q(version__gte=0), name="level_version"),
            models.CheckConstraint(condition=Q(lot__gte=1, min_order__gte=1), name="level_lots"),
            models.CheckConstraint(
                condition=Q(quarantined_at__isnull=True, quarantined_reported__isnull=True)
                | Q(quarantined_at__isnull=False, quarantined_reported__isnull=False),
                name="level_quarantine",
            ),
        ]
        indexes = [
            models.Index(fields=["supplier", "code"], name="level_code"),
            models.Index(fields=["supplier"], condition=Q(misses__gt=0), name="level_missing"),
        ]
        triggers = [
            # With movement_has_level these are the foreign key of StockMovement.  Whoever appends without the level's
            # lock may not have committed: SHARE waits for them, and lets nobody append until the level is gone.
            pgtrigger.Trigger(
                name="level_keeps_movements",
                when=pgtrigger.After,
                operation=pgtrigger.Delete | pgtrigger.UpdateOf("id"),  # type: ignore[no-untyped-call]
                func=(
                    f"IF NOT {_HAS_MOVEMENTS} THEN LOCK TABLE inventory_stockmovement IN SHARE MODE; END IF;"
                    f" IF {_HAS_MOVEMENTS} THEN RAISE foreign_key_violation USING MESSAGE = format("
                    "'level_keeps_movements: stock level %s has movements, which stay; to sell nothing from it, delete"
                    " its offers', OLD.id); END IF; RETURN NULL;"
                ),
            ),
            pgtrigger.Trigger(
                name="levels_keep_movements",
                level=pgtrigger.Statement,
                when=pgtrigger.After,
                operation=pgtrigger.Truncate,
                func=(
                    "IF EXISTS (SELECT FROM inventory_stockmovement) THEN RAISE foreign_key_violation USING MESSAGE ="
                    " 'levels_keep_movements: movements would be left without levels; name inventory_stockmovement in"
                    " the same TRUNCATE'; END IF; RETURN NULL;"
                ),
            ),
        ]

    def __str__(self) -> str:
        # A name must not cost a query.
        supplier = self.supplier.slug if StockLevel.supplier.is_cached(self) else self.supplier_id
        return f"{supplier}:{self.external_id}{'@' + self.location if self.location else ''}"


class LevelPolicy(models.Model):
    """How far one level's numbers are believed, where that is not its supplier's policy.  Written by people only."""

    level = models.OneToOneField(StockLevel, on_delete=models.CASCADE, primary_key=True, related_name="own_policy")
    buffer = models.PositiveIntegerField(
        null=True, blank=True, help_text="Units held back from its reported number, 0 or more. Empty: the supplier's."
    )
    haircut = models.DecimalField(
        max_digits=4,
        decimal_places=3,
        null=True,
        blank=True,
        help_text="The share of what is left that counts, above 0 and at most 1. Empty: the supplier's.",
        validators=[MinValueValidator(Decimal("0.001")), MaxValueValidator(Decimal(1))],
    )
    sentinel_at = models.PositiveIntegerField(
        null=True,
        blank=True,
        help_text="From this number on it is declared, not counted; 1 or more. Empty: the supplier's.",
        validators=[MinValueValidator(1)],
    )
    sentinel_cap = models.PositiveIntegerField(
        null=True, blank=True, help_text="Units sold of what is declared, 0 or more. Empty: the supplier's."
    )
    lot = models.PositiveIntegerField(
        null=True,
        blank=True,
        help_text="It is sold in whole multiples of so many units, 1 or more. Empty: as upstream says.",
        validators=[MinValueValidator(1)],
    )
    min_order = models.PositiveIntegerField(
        null=True,
        blank=True,
        help_text="Units that an order takes of it at least, 1 or more. Empty: as upstream says.",
        validators=[MinValueValidator(1)],
    )

    history = HistoricalRecords()

    class Meta:
        verbose_name_plural = "level policies"
        constraints = [
            models.CheckConstraint(condition=Q(haircut__gt=0, haircut__lte=1), name="level_policy_haircut"),
            models.CheckConstraint(condition=Q(sentinel_at__gte=1), name="level_policy_sentinel_at"),
            models.CheckConstraint(condition=Q(lot__gte=1), name="level_policy_lot"),
            models.CheckConstraint(condition=Q(min_order__gte=1), name="level_policy_min_order"),
        ]
        triggers = [
            # Lots change what can be ordered at once, before anything is counted anew: a new version, however edited.
            pgtrigger.Trigger(
                name="version_of_level_policy",
                when=pgtrigger.After,
                operation=pgtrigger.Insert | pgtrigger.Update | pgtrigger.Delete,
                func=(
                    "UPDATE inventory_sku SET version = version + 1 WHERE id IN"
                    " (SELECT sku_id FROM inventory_offer WHERE level_id = COALESCE(NEW.level_id, OLD.level_id));"
                    " RETURN NULL;"
                ),
            ),
        ]

    def __str__(self) -> str:
        return f"policy of {loaded(self, 'level')}"


class Offer(models.Model):
    """A SKU may be sold from a level.  Several levels may serve a SKU, and one level several SKUs."""

    sku = models.ForeignKey(Sku, on_delete=models.CASCADE, related_name="offers", db_index=False)
    level = models.ForeignKey(StockLevel, on_delete=models.PROTECT, related_name="offers")
    priority = models.PositiveSmallIntegerField(default=100, help_text="The lowest is sold from first.")
    ships_to = CountriesField(
        help_text="Countries that the goods may be sent to from this level. Empty: as its supplier says.",
    )
    lead_days = models.PositiveSmallIntegerField(
        null=True, blank=True, help_text="Days until the goods are with the buyer. Empty: as its supplier says."
    )

    history = HistoricalRecords()

    class Meta:
        ordering = ["priority", "id"]
        constraints = [models.UniqueConstraint(fields=["sku", "level"], name="offer_once")]
        triggers = [
            # A new, changed or withdrawn offer changes the SKU's available: a new version, by whatever way it came.
            pgtrigger.Trigger(
                name="version_of_offer",
                when=pgtrigger.After,
                operation=pgtrigger.Insert | pgtrigger.Update | pgtrigger.Delete,
                func=(
                    "UPDATE inventory_sku SET version = version + 1"
                    " WHERE id IN (COALESCE(NEW.sku_id, OLD.sku_id), COALESCE(OLD.sku_id, NEW.sku_id));"
                    " RETURN NULL;"
                ),
            ),
        ]

    def __str__(self) -> str:
        return f"{loaded(self, 'sku')} from {loaded(self, 'level')}"


class Wanted(models.Model):
    """How many orders for a SKU were refused lately: each counts for less as it ages, after an hour for nothing."""

    sku = models.OneToOneField(Sku, on_delete=models.CASCADE, primary_key=True, related_name="wanted")
    refused = models.PositiveIntegerField(help_text="As of noted_at.")
    noted_at = models.DateTimeField()

    class Meta:
        verbose_name_plural = "wanted"

    def __str__(self) -> str:
        return f"{self.refused} × {self.sku_id}"


class Feed(models.Model):
    """How new a supplier's catalogue as a whole is.

    Apart from Supplier, whose row a person's form may overwrite with what it was minutes ago.
    """

    supplier = models.OneToOneField(Supplier, on_delete=models.CASCADE, primary_key=True, related_name="feed")
    complete_as_of = models.DateTimeField(null=True, help_text="First request of the last applied full snapshot.")
    complete_until = models.DateTimeField(null=True, help_text="Last request of that snapshot.")
    rows = models.PositiveIntegerField(default=0, help_text="Distinct rows of that snapshot.")
    mark = models.JSONField(null=True, help_text="What it is recognised by, if it was one file.")
    vouched_at = models.DateTimeField(
        null=True, help_text="When a person said that its numbers are true: the next snapshot is taken as it is."
    )

    def __str__(self) -> str:
        return f"feed of {self.supplier_id}"

    def is_vouched_for(self, now: datetime) -> bool:
        """Whether a person said lately that its numbers are true, and no snapshot was taken in since."""
        if self.vouched_at is None or now > self.vouched_at + VOUCHED_FOR:
            return False
        return self.complete_as_of is None or self.complete_as_of < self.vouched_at
