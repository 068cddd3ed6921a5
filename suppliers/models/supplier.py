"""Who supplies goods, how to talk to them, and how far their numbers are believed."""

import pgtrigger
from django.db import models
from simple_history.models import HistoricalRecords

from suppliers.models.catalogue import CATALOGUE_BOUNDS, Catalogue
from suppliers.models.delivery import Delivery
from suppliers.models.learning import LEARNING_BOUNDS, Learning
from suppliers.models.settling import Settling
from suppliers.models.trust import TRUST_BOUNDS, Trust
from suppliers.sealed import SealedField


class Supplier(Delivery, Trust, Learning, Settling, Catalogue):
    """One upstream: its adapter, its secrets, and what a merchant sets for it, by the tabs of its page."""

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
    created_at = models.DateTimeField(auto_now_add=True)

    history = HistoricalRecords(excluded_fields=["credentials"])

    class Meta:
        ordering = ["slug"]
        # Apart from `change`: who may stop a supplier need not be who may say where its secrets are sent.
        permissions = [("operate_supplier", "Can test, read and stop suppliers")]
        constraints = [*TRUST_BOUNDS, *LEARNING_BOUNDS, *CATALOGUE_BOUNDS]
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
