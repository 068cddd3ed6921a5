"""Units promised, and the ledger of every change."""

import pgtrigger
from django.contrib.postgres.indexes import BrinIndex
from django.core.validators import MinValueValidator
from django.db import models
from django.db.models import F, Q
from django.db.models.functions import Now

from inventory.models.goods import Sku, StockLevel
from inventory.models.names import loaded


class Allocation(models.Model):
    """Units of one level promised to one order or hold."""

    class State(models.TextChoices):
        HELD = "held"  # for a reservation, until expires_at
        COMMITTED = "committed"  # for an order; upstream has not been told
        SENDING = "sending"  # claimed: the request may be on its way
        CONFIRMED = "confirmed"  # upstream took it; its number shows it within the lag of confirmed_at
        SETTLED = "settled"  # included in `reported`
        RELEASED = "released"  # given back before upstream saw it
        LOST = "lost"  # upstream does not deliver it

    OPEN = (State.HELD, State.COMMITTED, State.SENDING, State.CONFIRMED)
    SERVING = (State.COMMITTED, State.SENDING, State.CONFIRMED, State.SETTLED)

    level = models.ForeignKey(StockLevel, on_delete=models.PROTECT, related_name="allocations", db_index=False)
    sku = models.ForeignKey(Sku, on_delete=models.PROTECT, related_name="allocations", db_index=False)
    reference = models.CharField(max_length=64, help_text="Order number or reservation, opaque here.")
    attempt = models.PositiveSmallIntegerField(
        default=1, db_default=1, help_text="Which order of ours to this supplier it is in, for the same reference."
    )
    destination = models.CharField(max_length=2, blank=True, default="", db_default="")
    quantity = models.PositiveIntegerField(validators=[MinValueValidator(1)])
    state = models.CharField(max_length=10, choices=State, default=State.COMMITTED)
    expires_at = models.DateTimeField(null=True, blank=True)
    lease_until = models.DateTimeField(null=True, blank=True)
    sent_at = models.DateTimeField(
        null=True, blank=True, help_text="When what upstream was asked for was first sent; from then it knows our key."
    )
    expected_available = models.IntegerField(
        null=True, blank=True, help_text="What upstream had when the order was sent, if it compares."
    )
    upstream_order = models.CharField(max_length=100, blank=True)
    cancel_requested_at = models.DateTimeField(null=True, blank=True)
    confirmed_at = models.DateTimeField(
        null=True,
        blank=True,
        help_text="When upstream's number took it in. Empty: on payment or shipment, still to come.",
    )
    by_hand = models.BooleanField(
        default=False, db_default=False, help_text="The supplier cannot be told; a person orders it there."
    )
    observed = models.PositiveIntegerField(
        default=0, db_default=0, help_text="Units that an exclusive supplier's number lost for it."
    )
    closed_at = models.DateTimeField(null=True, blank=True)
    recheck_at = models.DateTimeField(
        null=True,
        blank=True,
        help_text="When to ask next whether the supplier still stands by it. Empty: no more.",
    )
    at_risk = models.PositiveIntegerField(
        default=0, db_default=0, help_text="Units of a lost allocation that nothing delivers in its place."
    )
    out_of_stock = models.BooleanField(
        default=False, db_default=False, help_text="Lost because the supplier had too little of it."
    )
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
                condition=Q(at_risk=0) | Q(state="lost", at_risk__lte=F("quantity")), name="allocation_at_risk"
            ),
            models.CheckConstraint(condition=Q(observed__lte=F("quantity")), name="allocation_observed"),
        ]
        indexes = [
            models.Index(
                fields=["level"],
                condition=Q(state__in=["held", "committed", "sending", "confirmed"]),
                name="allocation_open",
            ),
            models.Index(fields=["reference"], name="allocation_reference"),
            models.Index(
                fields=["level"],
                condition=Q(state="settled", confirmed_at__isnull=True),
                name="allocation_unproven",
            ),
            models.Index(
                fields=["level", "closed_at"],
                condition=Q(state="settled", confirmed_at__isnull=False),
                name="allocation_settled",
            ),
            models.Index(fields=["lease_until"], condition=Q(state="sending"), name="allocation_claimed"),
            models.Index(fields=["expires_at"], condition=Q(state="held"), name="allocation_held"),
            models.Index(
                fields=["level", "expires_at"],
                condition=Q(expires_at__isnull=False, closed_at__isnull=True),
                name="allocation_due",
            ),
            models.Index(fields=["reference"], condition=Q(at_risk__gt=0), name="allocation_waiting"),
            models.Index(
                fields=["recheck_at"],
                condition=Q(
                    recheck_at__isnull=False, state__in=["confirmed", "settled"], cancel_requested_at__isnull=True
                ),
                name="allocation_recheck",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.quantity} × {loaded(self, 'sku')} from {loaded(self, 'level')} for {self.reference}"


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

    # The database's own check of the key is a query for each row, so that triggers do it: here, and on StockLevel.
    level = models.ForeignKey(
        StockLevel, on_delete=models.PROTECT, related_name="movements", db_index=False, db_constraint=False
    )
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
            # Whoever gives a unit back twice has taken it twice: what came before was not there.
            models.CheckConstraint(
                condition=Q(sellable_before__gte=0, allocated_before__gte=0), name="movement_begins_not_negative"
            ),
            # The guard of the deduction: it raises, so that it holds with the COMMIT already on its way.
            models.CheckConstraint(
                condition=~Q(cause="allocate") | Q(allocated_after__lte=F("sellable_after")),
                name="movement_no_oversell",
            ),
            # An order that moves may use safety stock, and no unit that the level has not.
            models.CheckConstraint(
                condition=~Q(cause="resource") | Q(allocated_after__lte=F("sellable_after")),
                name="movement_no_oversell_by_move",
            ),
        ]
        # Rows lie in the order of time, so a page of this index stands for a hundred of the table: it costs no insert.
        indexes = [BrinIndex(fields=["at"], autosummarize=True, name="movement_at")]
        triggers = [
            pgtrigger.Protect(name="append_only", operation=pgtrigger.Update | pgtrigger.Delete),
            pgtrigger.Trigger(
                name="movement_has_level",
                level=pgtrigger.Statement,
                when=pgtrigger.After,
                operation=pgtrigger.Insert,
                referencing=pgtrigger.Referencing(new="appended"),  # type: ignore[no-untyped-call]
                declare=[("missing", "bigint")],
                # A connection keeps the plan for all its statements.  OFFSET 0 forbids a join with all levels, which a
                # large one may suggest and an order would pay for: one look into the index for each movement.
                func=(
                    "SELECT level_id INTO missing FROM appended WHERE NOT EXISTS"
                    " (SELECT FROM inventory_stocklevel WHERE id = appended.level_id OFFSET 0) LIMIT 1;"
                    " IF FOUND THEN RAISE foreign_key_violation USING MESSAGE = format("
                    "'movement_has_level: there is no stock level %s; store it before its movements', missing);"
                    " END IF; RETURN NULL;"
                ),
            ),
        ]

    def __str__(self) -> str:
        return f"{loaded(self, 'level')} version {self.version}: {self.cause}"
