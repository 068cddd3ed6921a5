"""Orders that were sent and not answered: read back, never sent blindly again."""

from typing import Any

import pytest

from inventory import claims, reconciliation
from inventory.models import Allocation, Discrepancy, Effect
from inventory.tests.promises import open_effects, pass_time, place, states
from inventory.tests.reconciliation.sides import SKU, STOCK, confirm, sold, without
from suppliers import adapters, gateway
from suppliers.adapters.kinds import Kind
from suppliers.errors import UpstreamTimeout
from suppliers.models import Supplier
from suppliers.readings import Capability, ConfirmRequest, ConfirmResult
from suppliers.simulator.running import running_chaos_supplier

pytestmark = pytest.mark.django_db(transaction=True)


def test_sending_an_unanswered_order_again_sells_it_twice(connect):
    """Control: what the claim and the read-back prevent."""
    with running_chaos_supplier(rows=2, stock=STOCK) as chaos:
        supplier = connect(chaos)
        chaos.set(lost_reply={"times": 1})
        place("order-1", {SKU: 3})
        confirm(supplier)
        Allocation.objects.update(state="committed", lease_until=None)
        Effect.objects.create(kind="confirm", supplier=supplier, target="order-1")
        confirm(supplier)
        assert chaos.audit()["duplicates"] == {"order-1": 2}


@pytest.mark.parametrize("mode", ["closed", "hang"])
def test_a_confirm_that_took_effect_and_was_not_answered_is_read_back(supplier, chaos, mode):
    chaos.set(lost_reply={"mode": mode, "times": 1})
    place("order-1", {SKU: 3})
    confirm(supplier)
    assert states("order-1") == [("sending", 3)]
    confirm(supplier)
    assert reconciliation.suppliers_with_expired_claims() == [supplier.pk]
    assert reconciliation.resolve_expired_claims(supplier.pk) == 1
    assert states("order-1") == [("confirmed", 3)]
    confirm(supplier)
    assert sold(chaos) == 3


def test_an_order_that_upstream_shows_late_is_not_sent_again(supplier, chaos):
    chaos.set(lost_reply={"times": 1}, late_readback={"lag_s": 3600})
    place("order-1", {SKU: 3})
    confirm(supplier)
    assert reconciliation.resolve_expired_claims(supplier.pk) == 0
    assert states("order-1") == [("sending", 3)]
    assert open_effects("confirm") == 0
    chaos.set(late_readback=None)
    assert reconciliation.resolve_expired_claims(supplier.pk) == 1
    assert states("order-1") == [("confirmed", 3)]


def test_an_order_that_upstream_never_got_is_sent_again_one_lag_later(supplier, chaos):
    chaos.set(server_error={"endpoints": ["confirm"], "times": 1})
    place("order-1", {SKU: 3})
    confirm(supplier)
    assert states("order-1") == [("sending", 3)]
    assert reconciliation.resolve_expired_claims(supplier.pk) == 0
    pass_time("order-1", 61)
    assert reconciliation.resolve_expired_claims(supplier.pk) == 1
    assert states("order-1") == [("committed", 3)]
    confirm(supplier)
    assert states("order-1") == [("confirmed", 3)]
    assert sold(chaos) == 3


def test_the_claim_of_a_worker_that_died_is_found(supplier, chaos):
    place("order-1", {SKU: 3})
    claims.claim(supplier, "order-1", lease_seconds=7)
    confirm(supplier)
    assert sold(chaos) == 0
    assert reconciliation.suppliers_with_expired_claims() == []
    pass_time("order-1", 8)
    assert reconciliation.resolve_expired_claims(supplier.pk) == 0
    pass_time("order-1", 61)
    reconciliation.resolve_expired_claims(supplier.pk)
    confirm(supplier)
    assert states("order-1") == [("confirmed", 3)]
    assert sold(chaos) == 3


def test_without_a_read_back_an_unknown_outcome_stays_subtracted(supplier, chaos):
    without(supplier, "readback")
    chaos.set(lost_reply={"times": 1})
    place("order-1", {SKU: 3})
    confirm(supplier)
    pass_time("order-1", 61)
    assert reconciliation.resolve_expired_claims(supplier.pk) == 0
    assert states("order-1") == [("sending", 3)]
    discrepancy = Discrepancy.objects.get()
    assert (discrepancy.kind, discrepancy.reference, discrepancy.state) == ("unknown_outcome", "order-1", "open")
    # Not again at once.
    reconciliation.resolve_expired_claims(supplier.pk)
    discrepancy.refresh_from_db()
    assert discrepancy.times == 1


def test_a_doubt_ends_when_upstream_can_be_asked(supplier, chaos):
    chaos.set(lost_reply={"times": 1}, server_error={"endpoints": ["readback"]})
    place("order-1", {SKU: 3})
    confirm(supplier)
    pass_time("order-1", 61)
    reconciliation.resolve_expired_claims(supplier.pk)
    assert Discrepancy.objects.get().state == "open"
    chaos.set(server_error=None)
    Discrepancy.objects.update(seen_at="2020-01-01T00:00:00Z")
    reconciliation.resolve_expired_claims(supplier.pk)
    assert states("order-1") == [("confirmed", 3)]
    assert Discrepancy.objects.get().state == "resolved"


class Careless:
    """An adapter that raises after the order had left."""

    capabilities = Capability.CONFIRM | Capability.READBACK
    idempotent_seconds = 0

    def __init__(self, *_: object) -> None: ...

    def confirm(self, order: ConfirmRequest) -> ConfirmResult:
        raise UpstreamTimeout("no answer", sent=True)


def test_an_order_that_left_is_not_given_back_whatever_an_adapter_raises(supplier, chaos, monkeypatch):
    make: Any = Careless
    kind = Kind("", make, lambda _: [], lambda _: {})
    monkeypatch.setitem(adapters.ADAPTERS, "careless", kind)
    Supplier.objects.filter(pk=supplier.pk).update(adapter="careless")
    place("order-1", {SKU: 3})
    confirm(supplier)
    assert states("order-1") == [("sending", 3)]
    assert open_effects("confirm") == 0


def test_an_answer_that_comes_after_the_claim_was_given_back_still_counts(supplier, chaos):
    place("order-1", {SKU: 3})
    late = claims.claim(supplier, "order-1", lease_seconds=0)
    pass_time("order-1", 61)
    reconciliation.resolve_expired_claims(supplier.pk)
    assert states("order-1") == [("committed", 3)]
    assert late
    claims.conclude(late, gateway.for_supplier(supplier).confirm(late.request))
    confirm(supplier)
    assert (states("order-1"), sold(chaos)) == ([("confirmed", 3)], 3)
