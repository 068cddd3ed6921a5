"""What was read, what disagrees, and what must still happen."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from inventory.models.goods import StockLevel
from inventory.models.names import loaded
from suppliers.models import Supplier


class Snapshot(models.Model):
    """One sync run of one supplier: what it asked, what it saw, what became of it."""

    class Kind(models.TextChoices):
        FULL = "full"
        INCREMENTAL = "incremental"
        PUSH = "push"
        CHANGES = "changes"  # a file that holds only what changed

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
        return f"{self.kind} snapshot {self.pk} of {loaded(self, 'supplier')}"


class Discrepancy(models.Model):
    """We and upstream disagree, and why that is known or not."""

    class Kind(models.TextChoices):
        REJECTED = "rejected"  # upstream refused an order of ours
        LOST = "lost"  # upstream cancelled an order of ours later
        UNKNOWN_OUTCOME = "unknown_outcome"  # a confirm was never answered and cannot be read back
        SHORTFALL = "shortfall"  # more is promised than sellable
        COLLISION = "collision"  # one code on several upstream rows
        QUARANTINE = "quarantine"  # a number rose too much to be believed
        INFLATION = "inflation"  # most of a supplier's numbers rose too much at once
        UNSETTLED = "unsettled"  # upstream's number has not taken in an order of ours for too long
        LAG = "lag"  # upstream's data is older than declared; reference: the kind of `LagBreach`
        LATE = "late"  # two snapshot intervals passed without one
        OVERDUE = "overdue"  # effects that should be done are not; reference: their kind

    class State(models.TextChoices):
        OPEN = "open"
        RESOLVED = "resolved"

    class Stage(models.TextChoices):
        """The last one that alerts were written for."""

        NONE = ""
        OPENED = "opened"
        ESCALATED = "escalated"
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
    resolved_by = models.CharField(max_length=150, blank=True, db_default="", help_text="Empty: nobody, by itself.")
    acknowledged_at = models.DateTimeField(null=True, blank=True, help_text="Somebody is at it: it is not escalated.")
    acknowledged_by = models.CharField(max_length=150, blank=True, db_default="")
    told = models.CharField(max_length=10, choices=Stage, blank=True, default="", db_default="", editable=False)

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "discrepancies"
        indexes = [models.Index(fields=["id"], condition=~Q(told="resolved"), name="discrepancy_untold")]
        constraints = [
            models.UniqueConstraint(
                fields=["kind", "supplier", "level", "reference"],
                condition=Q(state="open"),
                nulls_distinct=False,
                name="discrepancy_once",
            )
        ]

    def __str__(self) -> str:
        return f"{self.get_kind_display()} at {loaded(self, 'supplier')}"


class Effect(models.Model):
    """Something that must happen after a commit; written in that commit, closed in the effect's own."""

    class Kind(models.TextChoices):
        INVALIDATE = "invalidate"  # target: a SKU's code
        SYNC = "sync"  # target: a level's id
        CONFIRM = "confirm"  # target: a reference; tell the supplier of the order
        CANCEL = "cancel"  # target: a reference; tell the supplier that it is off
        PUSH = "push"  # target: a push's id; take in what it says
        FOLLOW = "follow"  # target: a reference; ask until the supplier's number has taken the order in
        ALERT = "alert"  # target: an alert's id; deliver it
        RETRUST = "retrust"  # target: "" or a level's id; a policy was edited, the stored numbers follow
        LEARN = "learn"  # target: nothing more; the supplier's buffers are due to be learned anew

    kind = models.CharField(max_length=12, choices=Kind)
    supplier = models.ForeignKey(Supplier, on_delete=models.CASCADE, null=True, related_name="effects")
    target = models.CharField(max_length=64)
    due_at = models.DateTimeField(db_default=Now())
    leased_until = models.DateTimeField(null=True)
    done_at = models.DateTimeField(null=True)
    attempts = models.PositiveSmallIntegerField(default=0)
    error = models.CharField(max_length=300, blank=True)
    reason = models.CharField(max_length=200, blank=True, default="", db_default="")
    created_at = models.DateTimeField(db_default=Now(), editable=False)

    class Meta:
        ordering = ["id"]
        indexes = [
            models.Index(fields=["kind", "supplier", "due_at"], condition=Q(done_at=None), name="effect_due"),
            models.Index(fields=["done_at"], condition=Q(done_at__isnull=False), name="effect_done"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.target}"
