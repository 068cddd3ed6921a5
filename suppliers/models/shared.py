"""The switches for everything, and what is kept of talking to suppliers."""

import pgtrigger
from django.db import models
from django.db.models.functions import Now

from suppliers.sealed import SealedField


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
