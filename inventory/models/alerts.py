"""Who is told when something needs a person, and what was told."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from simple_history.models import HistoricalRecords

from inventory.models.names import loaded
from inventory.models.runs import Discrepancy
from suppliers.sealed import SealedField


class AlertChannel(models.Model):
    """An address that is told of discrepancies: a webhook (signed by the Standard Webhooks scheme) or an e-mail."""

    name = models.CharField(max_length=100, unique=True)
    url = models.CharField("webhook", blank=True, max_length=500, help_text="An https address.")
    email = models.EmailField(blank=True, help_text="Or an e-mail address.")
    secret = SealedField(default=bytes, blank=True, editable=False)  # encrypted; see suppliers.credentials
    kinds = ArrayField(
        models.CharField(max_length=20, choices=Discrepancy.Kind),
        default=list,
        blank=True,
        help_text="Of these kinds only. None: of all.",
    )
    enabled = models.BooleanField(default=True)
    created_at = models.DateTimeField(auto_now_add=True)

    history = HistoricalRecords(excluded_fields=["secret"])

    class Meta:
        ordering = ["name"]
        constraints = [
            models.CheckConstraint(
                condition=Q(url="") ^ Q(email=""),
                name="channel_has_one_address",
                violation_error_message="Give a webhook or an e-mail address, not both.",
            )
        ]

    def __str__(self) -> str:
        return self.name


class Alert(models.Model):
    """One message to one channel.  message_id is the same at each attempt, so that a receiver can tell a repeat."""

    channel = models.ForeignKey(AlertChannel, on_delete=models.CASCADE, related_name="alerts")
    message_id = models.CharField(max_length=64, unique=True)
    kind = models.CharField(max_length=40)
    body = models.JSONField()
    created_at = models.DateTimeField(db_default=Now(), editable=False)
    attempts = models.PositiveSmallIntegerField(default=0)
    delivered_at = models.DateTimeField(null=True, blank=True)
    given_up_at = models.DateTimeField(null=True, blank=True)
    error = models.CharField(max_length=300, blank=True)

    class Meta:
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.kind} to {loaded(self, 'channel')}"
