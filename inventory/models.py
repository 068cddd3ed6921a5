"""What we may promise: SKUs, upstream rows, promises, and the ledger of every change."""

import pgtrigger
from django.core.validators import MinValueValidator, RegexValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now
from simple_history.models import HistoricalRecords

from suppliers.models import Supplier

SKU_PATTERN = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}"


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
    components = models.JSONField(default=dict, blank=True)
    flags = models.JSONField(default=list, blank=True)
    # How new `reported` can be at best; a full snapshot that found the row unchanged moves Feed.complete_as_of instead.
    read_at = models.DateTimeField(null=True, blank=True)
    sellable = models.PositiveIntegerField(default=0)
    allocated = models.PositiveIntegerField(default=0)
    version = models.BigIntegerField(default=0)
    misses = models.PositiveSmallIntegerField(default=0, help_text="Complete snapshots in a row without this row.")
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

    def __str__(self) -> str:
        # A name must not cost a query.
        supplier = self.supplier.slug if StockLevel.supplier.is_cached(self) else self.supplier_id
        return f"{supplier}:{self.external_id}{'@' + self.location if self.location else ''}"


class Offer(models.Model):
    """A SKU may be sold from a level.  Several levels may serve a SKU, and one level several SKUs."""

    sku = models.ForeignKey(Sku, on_delete=models.CASCADE, related_name="offers", db_index=False)
    level = models.ForeignKey(StockLevel, on_delete=models.PROTECT, related_name="offers")
    priority = models.PositiveSmallIntegerField(default=100, help_text="The lowest is sold from first.")

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
        return f"{self.sku_id} from {self.level_id}"


class Feed(models.Model):
    """How new a supplier's catalogue as a whole is.

    Apart from Supplier, whose row a person's form may overwrite with what it was minutes ago.
    """

    supplier = models.OneToOneField(Supplier, on_delete=models.CASCADE, primary_key=True, related_name="feed")
    complete_as_of = models.DateTimeField(null=True, help_text="First request of the last applied full snapshot.")
    complete_until = models.DateTimeField(null=True, help_text="Last request of that snapshot.")
    rows = models.PositiveIntegerField(default=0, help_text="Distinct rows of that snapshot.")

    def __str__(self) -> str:
        return f"feed of {self.supplier_id}"


class Allocation(models.Model):
    """Units of one level promised to one order or hold."""

    class State(models.TextChoices):
        HELD = "held"  # for a reservation, until expires_at
        COMMITTED = "committed"  # for an order; upstream has not been told
        SENDING = "sending"  # claimed: the request may be on its way
        CONFIRMED = "confirmed"  # upstream took it; its number will show it within the lag
        SETTLED = "settled"  # included in `reported`
        RELEASED = "released"  # given back before upstream saw it
        LOST = "lost"  # upstream does not deliver it

    OPEN = (State.HELD, State.COMMITTED, State.SENDING, State.CONFIRMED)

    level = models.ForeignKey(StockLevel, on_delete=models.PROTECT, related_name="allocations", db_index=False)
    sku = models.ForeignKey(Sku, on_delete=models.PROTECT, related_name="allocations", db_index=False)
    reference = models.CharField(max_length=64, help_text="Order number or reservation, opaque here.")
    quantity = models.PositiveIntegerField(validators=[MinValueValidator(1)])
    state = models.CharField(max_length=10, choices=State, default=State.COMMITTED)
    expires_at = models.DateTimeField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    upstream_order = models.CharField(max_length=100, blank=True)
    cancel_requested_at = models.DateTimeField(null=True, blank=True)
    confirmed_at = models.DateTimeField(null=True, blank=True)
    closed_at = models.DateTimeField(null=True, blank=True)
    detail = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ["id"]
        constraints = [
            models.CheckConstraint(condition=Q(quantity__gte=1), name="allocation_quantity"),
            models.CheckConstraint(
                condition=~Q(state="held") | Q(expires_at__isnull=False), name="allocation_hold_expires"
            ),
            models.CheckConstraint(
                condition=~Q(state="sending") | Q(lease_until__isnull=False), name="allocation_claim_has_lease"
            ),
            models.CheckConstraint(
                condition=~Q(state__in=["confirmed", "settled"]) | Q(confirmed_at__isnull=False),
                name="allocation_confirmed_at",
            ),
        ]
        indexes = [
            models.Index(
                fields=["level"],
                condition=Q(state__in=["held", "committed", "sending", "confirmed"]),
                name="allocation_open",
            ),
            models.Index(fields=["reference"], name="allocation_reference"),
            models.Index(fields=["lease_until"], condition=Q(state="sending"), name="allocation_claimed"),
            models.Index(fields=["expires_at"], condition=Q(state="held"), name="allocation_held"),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} of {self.level_id} for {self.reference}"


class StockMovement(models.Model):
    """One change of one level, for ever.  The columns of a level equal the sum of its movements."""

    class Cause(models.TextChoices):
        ALLOCATE = "allocate"  # an order or hold took units
        RESOURCE = "resource"  # an order moved here from another level; may use safety stock
        RELEASE = "release"  # cancelled, expired
        READING = "reading"  # upstream's number changed, with what it settles
        LOSS = "loss"  # upstream does not deliver
        REJECTION = "rejection"  # upstream refused for lack of stock: the level is capped
        POLICY = "policy"  # a person changed how far the number is believed
        REPAIR = "repair"  # audit_stock --repair

    level = models.ForeignKey(StockLevel, on_delete=models.PROTECT, related_name="movements", db_index=False)
    version = models.BigIntegerField()
    cause = models.CharField(max_length=10, choices=Cause)
    reference = models.CharField(max_length=64, blank=True)
    actor = models.CharField(max_length=150, blank=True)
    request_id = models.CharField(max_length=64, blank=True)
    sellable_before = models.IntegerField()
    sellable_delta = models.IntegerField()
    sellable_after = models.IntegerField()
    allocated_before = models.IntegerField()
    allocated_delta = models.IntegerField()
    allocated_after = models.IntegerField()
    reported_after = models.IntegerField(null=True)
    at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ["level", "version"]
        constraints = [
            models.UniqueConstraint(fields=["level", "version"], name="movement_version"),
            models.CheckConstraint(
                condition=Q(
                    sellable_after=F("sellable_before") + F("sellable_delta"),
                    allocated_after=F("allocated_before") + F("allocated_delta"),
                ),
                name="movement_adds_up",
            ),
            models.CheckConstraint(
                condition=Q(sellable_after__gte=0, allocated_after__gte=0), name="movement_not_negative"
            ),
            # The guard of the deduction: it raises, so that it holds with the COMMIT already on its way.
            models.CheckConstraint(
                condition=~Q(cause="allocate") | Q(allocated_after__lte=F("sellable_after")),
                name="movement_no_oversell",
            ),
        ]
        triggers = [pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete)]

    def __str__(self) -> str:
        return f"{self.level_id} v{self.version} {self.cause}"


class Snapshot(models.Model):
    """One sync run of one supplier: what it asked, what it saw, what became of it."""

    class Kind(models.TextChoices):
        FULL = "full"
        INCREMENTAL = "incremental"
        PUSH = "push"

    class Status(models.TextChoices):
        RUNNING = "running"
        APPLIED = "applied"
        REFUSED = "refused"  # read, not believed; stock unchanged
        FAILED = "failed"  # not read to its end; stock unchanged, a full one is resumable

    supplier = models.ForeignKey(Supplier, on_delete=models.CASCADE, related_name="snapshots", db_index=False)
    kind = models.CharField(max_length=12, choices=Kind)
    status = models.CharField(max_length=10, choices=Status, default=Status.RUNNING)
    reason = models.CharField(max_length=500, blank=True)
    actor = models.CharField(max_length=150, blank=True)
    started_at = models.DateTimeField(db_default=Now(), editable=False)
    first_requested_at = models.DateTimeField(null=True)
    last_requested_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    lease_until = models.DateTimeField(null=True, help_text="The worker that reads renews this; past it, resumable.")
    cursor = models.JSONField(null=True)
    pages = models.PositiveIntegerField(default=0)
    total = models.PositiveIntegerField(null=True, help_text="The number of rows that upstream announced.")
    seen = models.PositiveIntegerField(default=0)
    changed = models.PositiveIntegerField(default=0)
    missing = models.PositiveIntegerField(default=0)
    rejected = models.PositiveIntegerField(default=0)
    evidence = models.JSONField(default=dict, blank=True)

    class Meta:
        ordering = ["-id"]
        constraints = [
            # Two snapshots of one supplier at once would double its load and race for its rows.
            models.UniqueConstraint(
                fields=["supplier"], condition=Q(kind="full", status="running"), name="snapshot_one_full_at_a_time"
            )
        ]
        indexes = [models.Index(fields=["supplier", "kind", "-id"], name="snapshot_latest")]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk} of {self.supplier_id}"


class Discrepancy(models.Model):
    """We and upstream disagree, and why that is known or not."""

    class Kind(models.TextChoices):
        REJECTED = "rejected"  # upstream refused an order of ours
        LOST = "lost"  # upstream cancelled an order of ours later
        UNKNOWN_OUTCOME = "unknown_outcome"  # a confirm was never answered and cannot be read back
        SHORTFALL = "shortfall"  # more is promised than sellable
        COLLISION = "collision"  # one code on several upstream rows
        QUARANTINE = "quarantine"  # a number rose too much to be believed

    class State(models.TextChoices):
        OPEN = "open"
        RESOLVED = "resolved"

    kind = models.CharField(max_length=20, choices=Kind)
    state = models.CharField(max_length=10, choices=State, default=State.OPEN)
    supplier = models.ForeignKey(Supplier, on_delete=models.CASCADE, related_name="discrepancies")
    level = models.ForeignKey(StockLevel, on_delete=models.CASCADE, null=True, blank=True, related_name="discrepancies")
    reference = models.CharField(max_length=64, blank=True)
    evidence = models.JSONField(default=dict, blank=True)
    opened_at = models.DateTimeField(db_default=Now(), editable=False)
    seen_at = models.DateTimeField(db_default=Now())
    times = models.PositiveIntegerField(default=1)
    resolved_at = models.DateTimeField(null=True, blank=True)
    resolution = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "discrepancies"
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "supplier", "level", "reference"],
                condition=Q(state="open"),
                nulls_distinct=False,
                name="discrepancy_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.kind} at {self.supplier_id}"


class Effect(models.Model):
    """Something that must happen after a commit; written in that commit, closed in the effect's own."""

    class Kind(models.TextChoices):
        INVALIDATE = "invalidate"  # target: a SKU's code
        SYNC = "sync"  # target: a level's id
        CONFIRM = "confirm"  # target: a reference; tell the supplier of the order
        CANCEL = "cancel"  # target: a reference; tell the supplier that it is off
        RETRUST = "retrust"  # target: nothing more; the supplier's policy was edited, its stored numbers follow

    kind = models.CharField(max_length=12, choices=Kind)
    supplier = models.ForeignKey(Supplier, on_delete=models.CASCADE, null=True, related_name="effects")
    target = models.CharField(max_length=64)
    due_at = models.DateTimeField(db_default=Now())
    leased_until = models.DateTimeField(null=True)
    done_at = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    error = models.CharField(max_length=300, blank=True)
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ["id"]
        indexes = [
            models.Index(fields=["kind", "supplier", "due_at"], condition=Q(done_at=None), name="effect_due"),
            models.Index(fields=["done_at"], condition=Q(done_at__isnull=False), name="effect_done"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.target}"
