"""Inflation, end to end: a chaos supplier that claims ten times what it has, and a level that does not believe it."""

import pytest
from django.utils import timezone

from inventory import availability, operations, settlement
from inventory.ledger import Origin
from inventory.models import Allocation, Discrepancy, Effect, Feed, Snapshot, StockLevel, StockMovement
from inventory.settlement import Reading
from inventory.snapshots.incremental import sync_due
from inventory.snapshots.rehearsal import rehearse
from inventory.tests.snapshots.catalogues import run, tuples
from suppliers.models import Supplier

pytestmark = pytest.mark.usefixtures("conserved")
PERSON = Origin(actor="admin:ann")
SKU = "SKU-000003"


@pytest.fixture
def level(supplier, chaos, make_sku) -> StockLevel:
    """Seven units, really there; then upstream claims seventy."""
    make_sku(SKU)
    run(supplier)
    chaos.set(inflation={"k": 10, "skus": SKU})
    return StockLevel.objects.get(code=SKU)


def told() -> tuple[int | None, int | None]:
    return StockLevel.objects.values_list("reported", "quarantined_reported").get(code=SKU)


def test_one_snapshot_shows_the_quarantine_and_no_inflated_unit_can_be_sold(supplier, level):
    assert run(supplier).status == Snapshot.Status.APPLIED
    assert told() == (7, 70)
    assert availability.read([SKU])[SKU].available == 7
    found = Discrepancy.objects.get()
    assert (found.kind, found.state, found.level_id) == ("quarantine", "open", level.pk)
    assert (found.evidence["trusted"], found.evidence["reported"]) == (7, 70)


def test_a_quarantined_number_grows_old(supplier, level):
    before = availability.read([SKU])[SKU].as_of
    availability.invalidate([SKU])
    run(supplier)
    availability.invalidate([SKU])
    assert availability.read([SKU])[SKU].as_of == before
    run(supplier)
    availability.invalidate([SKU])
    assert availability.read([SKU])[SKU].as_of == before


def test_a_direct_read_is_doubted_too_and_closes_its_work(supplier, level):
    operations.sync([level.pk])
    assert sync_due(supplier.pk) == 1
    assert told() == (7, 70)
    assert not Effect.objects.filter(kind="sync", done_at=None).exists()


def test_a_hard_jump_waits_for_a_person_however_often_it_is_said(supplier, level):
    Supplier.objects.update(settlement_lag_seconds=0, hard_jump_ratio=10)
    for _ in range(3):
        run(supplier)
    assert told() == (7, 70)
    assert Discrepancy.objects.get().times == 3


def test_a_jump_is_believed_when_it_is_said_again(supplier, level, chaos):
    Supplier.objects.update(settlement_lag_seconds=0)
    chaos.set(inflation={"k": 5, "skus": SKU})
    run(supplier)
    assert told() == (7, 35)
    run(supplier)
    assert told() == (35, None)
    assert Discrepancy.objects.get().resolution == "35 was reported and taken in"


def test_the_honest_number_ends_the_quarantine(supplier, level, chaos):
    run(supplier)
    chaos.set(profile="calm")
    run(supplier)
    assert told() == (7, None)
    assert Discrepancy.objects.get().state == "resolved"


def test_a_person_ends_it_with_a_reason(supplier, level):
    run(supplier)
    assert operations.believe(level.pk, reason="ann counted them", origin=PERSON)
    assert not operations.believe(level.pk, reason="again", origin=PERSON)
    assert told() == (70, None)
    assert availability.read([SKU])[SKU].available == 70
    movement = StockMovement.objects.latest("id")
    assert (movement.cause, movement.actor, movement.sellable_delta) == ("policy", "admin:ann", 63)
    assert Discrepancy.objects.get().resolution == "believed: ann counted them"


def test_a_quarantined_reading_settles_no_order(supplier, level):
    Supplier.objects.update(settlement_lag_seconds=0)
    Allocation.objects.create(
        level=level,
        sku=level.offers.get().sku,
        reference="N-1",
        quantity=2,
        state="confirmed",
        confirmed_at=timezone.now(),
    )
    StockLevel.objects.filter(pk=level.pk).update(allocated=2, version=2)
    StockMovement.objects.create(
        level=level,
        version=2,
        cause="allocate",
        sellable_before=7,
        sellable_delta=0,
        sellable_after=7,
        allocated_before=0,
        allocated_delta=2,
        allocated_after=2,
        reported_after=7,
    )
    run(supplier)
    assert told() == (7, 70)
    assert Allocation.objects.get().state == "confirmed"
    settlement.absorb([Reading(level.pk, 5, timezone.now())], origin=PERSON)
    assert (told(), Allocation.objects.get().state) == ((5, None), "settled")


@pytest.mark.parametrize(
    ("lie", "counted", "setting"),
    [({"k": 10}, ("jumped", 25), "mass_jump_share"), ({"k": 0}, ("zero", 25), "mass_zero_share")],
    ids=["all times ten", "all zero"],
)
def test_a_catalogue_that_moves_as_one_is_refused_as_a_whole(supplier, chaos, lie, counted, setting):
    run(supplier)
    before = tuples(supplier), Feed.objects.values().get()
    chaos.set(inflation=lie)
    refused = run(supplier)
    assert refused.status == Snapshot.Status.REFUSED
    name, rows = counted
    assert (refused.evidence[name], refused.evidence["in_stock"]) == (rows, 25)
    assert rehearse(supplier).refused == refused.reason
    assert (tuples(supplier), Feed.objects.values().get()) == before
    Supplier.objects.filter(pk=supplier.pk).update(**{setting: None})
    assert run(supplier).status == Snapshot.Status.APPLIED


def test_restocking_from_nothing_waits_while_the_supplier_boasts(supplier, chaos):
    """A rise from 0 is no hard jump; while others are, a repeat of it proves nothing."""
    chaos.sell(SKU, 7)
    run(supplier)
    Supplier.objects.filter(pk=supplier.pk).update(settlement_lag_seconds=0, hard_jump_ratio=10)
    chaos.restock(SKU, 2)
    chaos.set(inflation={"k": 10, "skus": "SKU-00000[1-4]"})
    for _ in range(3):
        run(supplier)
    assert told() == (0, 20)
    chaos.set(profile="calm")
    run(supplier)
    assert told() == (2, None)
