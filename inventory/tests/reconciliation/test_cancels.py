"""Orders that are cancelled before, while and after upstream learns of them."""

from collections.abc import Sequence

import pytest

from inventory import claims, ledger, reconciliation
from inventory.models import Discrepancy
from inventory.tests.promises import cancel, make_due, open_effects, pass_time, place, states
from inventory.tests.reconciliation.sides import SKU, available, confirm, sold, sync, without

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_cancel_before_upstream_knows_releases_at_once(supplier, chaos):
    place("order-1", {SKU: 3})
    cancel("order-1")
    assert states("order-1") == [("released", 3)]
    confirm(supplier)
    assert (sold(chaos), open_effects("confirm"), available()) == (0, 0, 10)


def test_a_cancel_of_what_upstream_has_comes_back_with_a_reading_only(supplier, chaos):
    place("order-1", {SKU: 3})
    confirm(supplier)
    cancel("order-1")
    assert available() == 7
    make_due("cancel")
    reconciliation.cancel_due(supplier.pk)
    reconciliation.cancel_due(supplier.pk)
    assert chaos.truth(SKU)[SKU]["cancelled"] == 3
    assert (available(), states("order-1")) == (7, [("confirmed", 3)])
    pass_time("order-1", 61)
    sync(supplier)
    assert (available(), states("order-1")) == (10, [("settled", 3)])


def test_a_cancel_of_a_settled_order_moves_no_stock(supplier, chaos):
    place("order-1", {SKU: 3})
    confirm(supplier)
    pass_time("order-1", 61)
    sync(supplier)
    cancel("order-1")
    reconciliation.cancel_due(supplier.pk)
    assert (available(), chaos.truth(SKU)[SKU]["on_hand"]) == (7, 10)


def test_a_cancel_while_the_order_is_on_its_way_waits_for_the_outcome(supplier, chaos):
    chaos.set(lost_reply={"times": 1})
    place("order-1", {SKU: 3})
    confirm(supplier)
    assert cancel("order-1").codes == []
    reconciliation.cancel_due(supplier.pk)
    assert open_effects("cancel") == 1
    assert (states("order-1"), available()) == ([("sending", 3)], 7)
    reconciliation.resolve_expired_claims(supplier.pk)
    make_due("cancel")
    reconciliation.cancel_due(supplier.pk)
    assert open_effects("cancel") == 0
    assert chaos.truth(SKU)[SKU]["cancelled"] == 3


def test_a_cancelled_order_that_upstream_never_got_is_released_and_not_sent(supplier, chaos):
    chaos.set(server_error={"endpoints": ["confirm"], "times": 1})
    place("order-1", {SKU: 3})
    confirm(supplier)
    cancel("order-1")
    pass_time("order-1", 61)
    reconciliation.resolve_expired_claims(supplier.pk)
    assert (states("order-1"), available()) == ([("released", 3)], 10)
    make_due("cancel")
    reconciliation.cancel_due(supplier.pk)
    confirm(supplier)
    assert (open_effects("cancel"), open_effects("confirm"), sold(chaos)) == (0, 0, 0)


def test_a_cancel_that_upstream_cannot_be_told_is_shown_to_a_person(supplier, chaos):
    without(supplier, "cancel")
    place("order-1", {SKU: 3})
    confirm(supplier)
    cancel("order-1")
    reconciliation.cancel_due(supplier.pk)
    assert open_effects("cancel") == 0
    assert Discrepancy.objects.get().evidence["intent"] == "cancel"


def test_who_gives_a_cancelled_order_back_locks_all_of_its_levels_at_once(make_supplier, make_level, monkeypatch):
    first = make_level("TEA", 2, supplier=make_supplier(), priority=2)
    last = make_level("TEA", 2, supplier=make_supplier(), priority=1)
    place("order-1", {"TEA": 4})
    claimed = claims.claim(last.supplier, "order-1", lease_seconds=60)
    assert claimed
    cancel("order-1")
    place("order-2", {"TEA": 1})  # what came back at once is sold again
    locked, lock_levels = [], ledger.lock_levels

    def noted(level_ids: Sequence[int], **options: bool) -> set[int]:
        locked.append(sorted(level_ids))
        return lock_levels(level_ids, **options)

    monkeypatch.setattr(ledger, "lock_levels", noted)
    claims.give_back(claimed)
    assert locked[0] == [first.pk, last.pk]
    assert states("order-1") == [("released", 2), ("released", 2)]
