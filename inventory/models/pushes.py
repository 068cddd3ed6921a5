"""What suppliers sent by themselves."""

from django.db import models
from django.db.models import Q
from django.db.models.functions import Now

from inventory.models.names import loaded
from suppliers.models import Supplier


class Push(models.Model):
    """One authentic push: its body as it came, without secrets, and what became of it."""

    class Verdict(models.TextChoices):
        WAITING = "waiting"
        APPLIED = "applied"  # a number of it was taken in
        READ = "read"  # it says that something changed: the rows are read
        OUTDATED = "outdated"  # what is stored is newer
        IGNORED = "ignored"  # it names no row of ours, or the supplier is switched off
        MALFORMED = "malformed"  # not what the configuration describes

    supplier = models.ForeignKey(Supplier, on_delete=models.CASCADE, related_name="pushes", db_index=False)
    event_id = models.CharField(max_length=255, blank=True, help_text="Upstream's own; a second one is no news.")
    signed_at = models.DateTimeField(null=True, blank=True)
    received_at = models.DateTimeField(db_default=Now(), editable=False)
    body = models.BinaryField()
    verdict = models.CharField(max_length=10, choices=Verdict, default=Verdict.WAITING)
    reason = models.CharField(max_length=300, blank=True)
    events = models.PositiveIntegerField(default=0)
    taken = models.PositiveIntegerField(default=0, help_text="Numbers of it that were taken in.")
    reads = models.PositiveIntegerField(default=0, help_text="Rows that are read because of it.")
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering = ["-id"]
        verbose_name_plural = "pushes"
        constraints = [
            models.UniqueConstraint(fields=["supplier", "event_id"], condition=~Q(event_id=""), name="push_once")
        ]
        indexes = [
            models.Index(fields=["supplier", "-id"], name="push_latest"),
            models.Index(fields=["received_at"], name="push_received"),
        ]

    def __str__(self) -> str:
        return f"push {self.pk} of {loaded(self, 'supplier')}"
