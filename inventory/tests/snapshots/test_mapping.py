"""Which rows a snapshot offers, and which it leaves to a person."""

import pytest

from inventory.models import Discrepancy, Offer, StockLevel
from inventory.snapshots import mapping
from inventory.tests.snapshots.catalogues import items, point_to, run
from inventory.tests.upstreams import connect
from suppliers.simulator.running import running_chaos_supplier

pytestmark = [pytest.mark.django_db(transaction=True), pytest.mark.usefixtures("conserved")]


def test_a_code_on_two_rows_is_offered_from_neither(make_sku):
    make_sku("SAME")
    with running_chaos_supplier(items=[*items(1, 2, code="SAME"), *items(3)]) as chaos:
        supplier = connect(chaos)
        run(supplier)
        run(supplier)
    assert Offer.objects.count() == 0
    collision = Discrepancy.objects.get(kind="collision")
    assert (collision.reference, collision.evidence["uids"]) == ("SAME", ["r0000001", "r0000002"])
    assert (collision.state, collision.times) == ("open", 2)


def test_a_collision_ends_when_a_person_has_mapped_every_row(make_sku):
    sku = make_sku("SAME")
    with running_chaos_supplier(items=items(1, 2, code="SAME")) as chaos:
        supplier = connect(chaos)
        run(supplier)
        for level in StockLevel.objects.all():
            Offer.objects.create(sku=sku, level=level)
        run(supplier)
    assert Discrepancy.objects.get(kind="collision").state == "resolved"


def test_a_collision_that_a_person_resolved_is_reported_again_only_with_other_rows(make_sku):
    make_sku("SAME")
    with running_chaos_supplier(items=items(1, 2, code="SAME")) as chaos:
        supplier = connect(chaos)
        run(supplier)
        Discrepancy.objects.update(state="resolved", resolution="the second one is a sample")
        run(supplier)
    assert not Discrepancy.objects.filter(state="open").exists()
    with running_chaos_supplier(items=items(1, 2, 3, code="SAME")) as chaos:
        point_to(supplier, chaos)
        run(supplier)
    assert Discrepancy.objects.get(state="open").evidence["rows"] == 3


def test_one_row_in_several_places_is_offered_from_all_of_them(supplier, make_sku, make_level):
    make_sku("SAME")
    for place in ("east", "west"):
        make_level(None, supplier=supplier, external_id="r1", code="SAME", location=place)
    assert mapping.offer_unambiguous(supplier) == 2
    assert sorted(Offer.objects.values_list("level__location", flat=True)) == ["east", "west"]


def test_an_offer_that_a_person_took_away_stays_away(supplier, make_sku):
    make_sku("SKU-000003")
    run(supplier)
    Offer.objects.get().delete()
    run(supplier)
    assert Offer.objects.count() == 0


def test_a_sku_made_later_is_offered_by_the_next_snapshot(supplier, make_sku):
    run(supplier)
    make_sku("SKU-000003")
    run(supplier)
    assert Offer.objects.get().level.external_id == "r0000003"


def test_nothing_is_offered_unless_the_supplier_allows_it(chaos, make_sku):
    make_sku("SKU-000003")
    run(connect(chaos, auto_offer=False))
    assert Offer.objects.count() == 0
