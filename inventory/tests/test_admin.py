"""Stock in the admin: policy is edited and acts at once, the ledger is only read, wishes become effects."""

import json

import pytest
from django.contrib.admin.models import LogEntry
from django.db import connection
from django.db.models.functions import Now
from django.test.utils import CaptureQueriesContext

from inventory import availability, bell
from inventory.models import Allocation, Discrepancy, Effect, Offer, Sku, Snapshot, StockMovement

pytestmark = pytest.mark.django_db
LONG_AGO = "2020-01-01T00:00Z"
SKUS, LEVELS, OFFERS = "/admin/inventory/sku/", "/admin/inventory/stocklevel/", "/admin/inventory/offer/"


def act(client, listing, action, *rows, **fields):
    form = {"action": action, "_selected_action": [row.pk for row in rows], **fields}
    return client.post(listing, form, follow=True).content.decode()


def form_of(sku, *offers, new=(), **fields):
    """What the SKU's page posts.  offers: (offer, fields); new: (level, priority)."""
    form = {
        "name": sku.name,
        "active": "on",
        "splittable": "on",
        "sourcing": sku.sourcing,
        "safety_stock": sku.safety_stock,
        "low_stock_threshold": sku.low_stock_threshold,
        "offers-TOTAL_FORMS": len(offers),
        "offers-INITIAL_FORMS": len(offers),
        "offers-2-TOTAL_FORMS": len(new),
        "offers-2-INITIAL_FORMS": 0,
        **fields,
    }
    for number, (offer, edits) in enumerate(offers):
        values = {"id": offer.pk, "sku": sku.pk, "priority": offer.priority, **edits}
        form |= {f"offers-{number}-{name}": value for name, value in values.items()}
    for number, (level, priority) in enumerate(new):
        values = {"sku": sku.pk, "level": level.pk, "priority": priority}
        form |= {f"offers-2-{number}-{name}": value for name, value in values.items()}
    return form


def test_where_to_is_edited_for_one_offer_and_stored_in_one_form(admin_client, make_level):
    sku = make_level("TEA", 7).offers.get().sku
    offer = sku.offers.get()
    edits = {"ships_to": "de, at", "lead_days": 3}
    assert admin_client.post(page_of(sku), form_of(sku, (offer, edits), sourcing="fastest")).status_code == 302
    offer.refresh_from_db()
    assert (offer.ships_to, offer.lead_days) == ("AT DE", 3)
    answer = admin_client.post(page_of(sku), form_of(sku, (offer, {"ships_to": "Germany"})))
    assert b"GERMANY is not a country code of two letters, such as DE." in answer.content


def page_of(sku):
    return f"{SKUS}{sku.pk}/change/"


def test_a_longer_offer_list_costs_no_more_queries(admin_client, make_level, make_sku):
    def queries() -> int:
        with CaptureQueriesContext(connection) as captured:
            assert admin_client.get(page_of(sku)).status_code == 200
        return len(captured)

    sku = make_sku("TEA")
    make_level(sku)
    queries()
    few = queries()
    for _ in range(8):
        make_level(sku)
    assert queries() == few


def test_the_list_shows_what_storefronts_are_told(admin_client, make_level):
    make_level("TEA", 7)
    Sku.objects.update(safety_stock=3)
    page = admin_client.get(SKUS)
    (sku,) = page.context["cl"].result_list
    assert sku.answer.available == 4


def test_an_edit_is_told_at_once(admin_client, make_level, django_capture_on_commit_callbacks):
    sku = make_level("TEA", 7).offers.get().sku
    offer = sku.offers.get()
    assert availability.read(["TEA"])["TEA"].available == 7
    with django_capture_on_commit_callbacks(execute=True):
        answer = admin_client.post(page_of(sku), form_of(sku, (offer, {}), safety_stock=5))
    assert answer.status_code == 302
    assert availability.read(["TEA"])["TEA"].available == 2
    assert Effect.objects.filter(kind="invalidate", target="TEA").exists(), "in case this process had died"


def test_stop_selling_acts_at_once_and_is_kept_in_history_and_log(
    sign_in, make_level, django_capture_on_commit_callbacks
):
    sku = make_level("TEA", 7).offers.get().sku
    availability.read(["TEA"])
    client = sign_in("ops")
    for action, available, reason in (("stop_selling", 0, "it burns"), ("resume_selling", 7, "it is out")):
        assert "Why?" in act(client, SKUS, action, sku), "nothing happens before there is a reason"
        assert availability.read(["TEA"])["TEA"].available == 7 - available
        with django_capture_on_commit_callbacks(execute=True):
            act(client, SKUS, action, sku, confirmed="yes", reason=reason)
        assert availability.read(["TEA"])["TEA"].available == available
    versions = [(version.stop_selling, version.history_change_reason) for version in sku.history.all()[:2]]
    assert versions == [(False, "it is out"), (True, "it burns")]
    assert {entry.user.username for entry in LogEntry.objects.all()} == {"ops"}


def test_a_sku_is_stopped_on_its_page_which_shows_by_whom_and_why(sign_in, make_level):
    sku = make_level("TEA", 7).offers.get().sku
    client, dialog = sign_in("merchant"), {"_form_submitted": "on"}
    client.post(f"{SKUS}{sku.pk}/stop-selling/", dialog)
    sku.refresh_from_db()
    assert not sku.stop_selling, "not without a reason"
    client.post(f"{SKUS}{sku.pk}/stop-selling/", dialog | {"reason": "it burns"})
    page = client.get(page_of(sku)).content.decode()
    assert "stopped by merchant: it burns" in page
    assert f"{SKUS}{sku.pk}/resume-selling/" in page
    assert f"{SKUS}{sku.pk}/stop-selling/" not in page
    assert "it burns" in client.get(f"{SKUS}{sku.pk}/history/").content.decode()
    client.post(page_of(sku), form_of(sku, stop_selling=""))
    sku.refresh_from_db()
    assert sku.stop_selling, "the form does not switch"


def test_a_code_is_for_ever_and_the_numbers_are_the_ledgers(admin_client, make_level):
    level = make_level("TEA", 7)
    sku, offer = Sku.objects.get(), Offer.objects.get()
    forged = {"sellable": 99, "allocated": 99, "reported": 99, "level": make_level(None).pk}
    form = form_of(sku, (offer, forged), code="COFFEE", version=99, name="Green tea")
    assert admin_client.post(page_of(sku), form).status_code == 302
    sku.refresh_from_db()
    level.refresh_from_db()
    offer.refresh_from_db()
    assert (sku.code, sku.name) == ("TEA", "Green tea")
    assert sku.version < 99
    assert (level.sellable, level.allocated, level.reported, offer.level_id) == (7, 0, 7, level.pk)


def test_offers_are_ranked_and_added(admin_client, make_level):
    make_level("TEA", 7)
    sku, offer, other = Sku.objects.get(), Offer.objects.get(), make_level(None, 3)
    form = form_of(sku, (offer, {"priority": 5}), new=[(other, 50)])
    assert admin_client.post(page_of(sku), form).status_code == 302
    assert list(sku.offers.values_list("level_id", "priority")) == [(offer.level_id, 5), (other.pk, 50)]
    assert availability.read(["TEA"], allow_cached=False)["TEA"].available == 10


def test_an_offer_with_promises_stays(admin_client, make_level):
    level = make_level("TEA", 7)
    sku, offer = Sku.objects.get(), Offer.objects.get()
    promise = Allocation.objects.create(level=level, sku=sku, reference="N-1", quantity=1)
    answer = admin_client.post(page_of(sku), form_of(sku, (offer, {"DELETE": "on"})))
    assert "units are promised through this offer" in answer.content.decode()
    assert admin_client.post(f"{OFFERS}{offer.pk}/delete/", {"post": "yes"}).status_code == 403
    assert Offer.objects.exists()
    Allocation.objects.filter(pk=promise.pk).update(state="released")
    assert admin_client.post(page_of(sku), form_of(sku, (offer, {"DELETE": "on"}))).status_code == 302
    assert not Offer.objects.exists()


def test_what_has_stock_is_not_deleted(admin_client, make_level, make_sku):
    level = make_level("TEA", 7)
    for url in (
        f"{SKUS}{Sku.objects.get().pk}/",
        f"/admin/suppliers/supplier/{level.supplier_id}/",
        f"{LEVELS}{level.pk}/",
    ):
        assert admin_client.post(f"{url}delete/", {"post": "yes"}).status_code == 403
    unused = make_sku("UNUSED")
    assert admin_client.post(f"{SKUS}{unused.pk}/delete/", {"post": "yes"}).status_code == 302
    assert list(Sku.objects.values_list("code", flat=True)) == ["TEA"]


def test_another_buffer_makes_the_numbers_be_counted_anew(admin_client, make_level, make_supplier):
    config = {
        "base_url": "https://acme.example",
        "list": {"request": {"path": "/"}, "items": "@", "map": {"uid": "i", "sku": "s", "available": "a"}},
    }
    supplier = make_supplier("acme", config=config)
    fields = (
        "adapter",
        "mass_zero_share",
        "mass_jump_share",
        "on_rejection",
        "buffer_target",
        "buffer_cold_start",
        "buffer_at_least",
        "buffer_at_most",
        "haircut",
        "sentinel_at",
        "sentinel_cap",
        "jump_units",
        "jump_ratio",
        "settlement_lag_seconds",
        "decrements_on",
        "on_rejection",
        "unsettled_after_seconds",
        "recheck_for_seconds",
        "stale_after_seconds",
        "snapshot_interval_seconds",
        "min_row_ratio",
        "missing_after",
    )
    form = {name: getattr(supplier, name) for name in fields} | {"name": "Acme", "enabled": "on", "buffer": 0}
    page = f"/admin/suppliers/supplier/{supplier.pk}/change/"
    form["config"] = json.dumps(config)
    assert admin_client.post(page, form).status_code == 302
    assert not Effect.objects.filter(kind="retrust").exists()
    assert admin_client.post(page, form | {"buffer": 4}).status_code == 302
    assert Effect.objects.filter(kind="retrust", supplier=supplier).count() == 1


def test_sync_now_is_written_and_rung_for(sign_in, make_level):
    level = make_level("TEA")
    page = act(sign_in("ops"), LEVELS, "sync_now", level)
    assert "1 to be read again, now." in page
    effect = Effect.objects.get(kind="sync")
    assert (effect.target, effect.supplier_id, effect.done_at) == (str(level.pk), level.supplier_id, None)
    assert LogEntry.objects.get().change_message == "Asked for a sync."
    bell.join()


def test_invalidating_the_cache_forgets_what_is_sold_from_a_level(sign_in, make_level):
    level = make_level("TEA", 7)
    availability.read(["TEA"])
    type(level).objects.filter(pk=level.pk).update(sellable=3)  # behind the back of the cache
    assert availability.read(["TEA"])["TEA"].available == 7
    act(sign_in("ops"), LEVELS, "invalidate_cache", level)
    assert availability.read(["TEA"])["TEA"].available == 3


def test_reconcile_again_tells_of_what_is_committed_and_nothing_else(sign_in, make_level):
    level = make_level("TEA", 9)
    sku = Sku.objects.get()
    states = {"A": "committed", "B": "settled", "C": "released"}
    rows = [
        Allocation.objects.create(
            level=level, sku=sku, reference=reference, quantity=1, state=state, confirmed_at=Now()
        )
        for reference, state in states.items()
    ]
    page = act(sign_in("ops"), "/admin/inventory/allocation/", "reconcile_again", *rows)
    assert "Suppliers will be told or asked, now: 1." in page
    effect = Effect.objects.get(kind="confirm")
    assert (effect.target, effect.supplier_id) == ("A", level.supplier_id)


def test_an_unanswered_order_is_asked_for_and_never_sent_again(sign_in, make_level):
    level = make_level("TEA", 9)
    claimed = Allocation.objects.create(
        level=level, sku=Sku.objects.get(), reference="A", quantity=1, state="sending", lease_until=Now()
    )
    page = act(sign_in("ops"), "/admin/inventory/allocation/", "reconcile_again", claimed)
    assert "Suppliers will be told or asked, now: 1." in page
    assert not Effect.objects.filter(kind="confirm").exists()


def test_run_now_brings_forward_what_waits(sign_in, make_supplier):
    supplier = make_supplier()
    waiting, done = (
        Effect.objects.create(kind="confirm", supplier=supplier, target=target, due_at="2999-01-01T00:00Z", done_at=at)
        for target, at in (("A", None), ("B", "2020-01-01T00:00Z"))
    )
    page = act(sign_in("ops"), "/admin/inventory/effect/", "run_now", waiting, done)
    assert "1 will run now." in page
    assert Effect.objects.get(target="A").due_at.year < 2999
    assert Effect.objects.get(target="B").due_at.year == 2999


def test_a_discrepancy_is_resolved_once_with_a_reason(sign_in, make_level):
    level = make_level("TEA")
    row = Discrepancy.objects.create(kind="lost", supplier=level.supplier, level=level, reference="N-1")
    client, dialog = sign_in("ops"), f"/admin/inventory/discrepancy/{row.pk}/resolve/"
    client.post(dialog, {"_form_submitted": "on", "resolution": ""})
    row.refresh_from_db()
    assert row.state == "open", "without a reason nothing is resolved"
    client.post(dialog, {"_form_submitted": "on", "resolution": "counted by hand"})
    client.post(dialog, {"_form_submitted": "on", "resolution": "too late"})
    row.refresh_from_db()
    assert (row.state, row.resolution) == ("resolved", "counted by hand")
    assert row.resolved_at is not None
    assert LogEntry.objects.get().change_message == "Resolved: counted by hand"


def test_a_quarantine_is_ended_with_a_reason_by_who_may_act(sign_in, make_level):
    level = make_level("TEA", 7, quarantined_reported=70, quarantined_at=Now())
    dialog = f"{LEVELS}{level.pk}/believe/"
    assert sign_in("merchant").post(dialog, {"_form_submitted": "on", "reason": "x"}).status_code == 403
    client = sign_in("ops")
    assert "7 reported; 70 reported since is not believed" in client.get(f"{LEVELS}{level.pk}/change/").content.decode()
    client.post(dialog, {"_form_submitted": "on", "reason": ""})
    level.refresh_from_db()
    assert level.sellable == 7, "without a reason nothing is believed"
    client.post(dialog, {"_form_submitted": "on", "reason": "counted by hand"})
    level.refresh_from_db()
    assert (level.reported, level.sellable, level.quarantined_at) == (70, 70, None)
    assert LogEntry.objects.get().change_message == "Believed 70 reported: counted by hand"


def test_merchants_do_not_operate(sign_in, make_level):
    level = make_level("TEA")
    row = Discrepancy.objects.create(kind="lost", supplier=level.supplier)
    client = sign_in("merchant")
    act(client, LEVELS, "sync_now", level)
    answer = client.post(
        f"/admin/inventory/discrepancy/{row.pk}/resolve/", {"_form_submitted": "on", "resolution": "x"}
    )
    assert answer.status_code == 403
    assert not Effect.objects.filter(kind="sync").exists()
    assert not LogEntry.objects.exists()


def test_ops_do_not_edit_policy(sign_in, make_level):
    make_level("TEA")
    sku = Sku.objects.get()
    assert sign_in("ops").post(page_of(sku), form_of(sku, safety_stock=3)).status_code == 403
    sku.refresh_from_db()
    assert sku.safety_stock == 0


def test_rows_are_found_by_whole_words(admin_client, make_level):
    level, other = make_level("TEA", 9, external_id="U-1"), make_level("COFFEE", 9, external_id="U-2")
    Allocation.objects.create(level=level, sku=Sku.objects.get(code="TEA"), reference="N-1", quantity=1)
    movement = {"sellable_before": 9, "sellable_delta": 0, "sellable_after": 9, "allocated_before": 0}
    for row in (level, other):
        reference = "N-1" if row is level else "N-2"
        StockMovement.objects.create(
            level=row,
            version=2,
            cause="allocate",
            reference=reference,
            allocated_delta=1,
            allocated_after=1,
            **movement,
        )

    def found(listing, term):
        return list(admin_client.get(listing, {"q": term}).context["cl"].result_list)

    assert found(LEVELS, "U-1") == found(LEVELS, "TEA") == [level]
    assert found(LEVELS, "U-") == []
    assert [row.reference for row in found("/admin/inventory/stockmovement/", "N-1")] == ["N-1"]
    assert found("/admin/inventory/stockmovement/", "N-9") == []
    assert [sku.code for sku in found(SKUS, "T")] == ["TEA"]


@pytest.mark.parametrize(
    ("lease", "shown"), [(None, "running"), ("2999-01-01T00:00Z", "running"), (LONG_AGO, "stalled")]
)
def test_a_snapshot_without_a_worker_is_stalled(admin_client, make_supplier, lease, shown):
    Snapshot.objects.create(supplier=make_supplier(), kind="full", status="running", lease_until=lease, total=8, seen=2)
    page = admin_client.get("/admin/inventory/snapshot/").content.decode()
    assert shown in page
    assert "2 of 8 (25 %)" in page


@pytest.mark.parametrize("state", ["promised", "shortfall", "capped", "quarantined", "missing", "unmapped"])
def test_levels_are_filtered_by_state(admin_client, make_level, state):
    make_level("TEA", 9)
    fields = {"promised": {"allocated": 1}, "shortfall": {"allocated": 10}, "capped": {"rejection_cap": 2}}
    fields |= {"missing": {"misses": 1}, "unmapped": {}}
    quarantine = {"quarantined_reported": 90, "quarantined_at": Now()}
    wanted = make_level(
        None if state == "unmapped" else "COFFEE", 9, **(quarantine if state == "quarantined" else fields[state])
    )
    assert list(admin_client.get(LEVELS, {"state": state}).context["cl"].result_list) == [wanted]


def test_a_level_says_why_so_many_are_sellable(admin_client, make_supplier, make_level):
    supplier = make_supplier(buffer=2)
    level = make_level("TEA", 8, supplier=supplier, reported=10)
    page = admin_client.get(f"{LEVELS}{level.pk}/change/").content.decode()
    assert "10 reported − 2 buffer → 8" in page
    supplier.buffer = 3
    supplier.save()
    page = admin_client.get(f"{LEVELS}{level.pk}/change/").content.decode()
    assert "8; by the policy of now 10 reported − 3 buffer → 7, from the next reading on" in page


def test_movements_shown_are_the_newest(admin_client, make_level):
    level = make_level("TEA", 9)
    flat = {"sellable_before": 9, "sellable_delta": 0, "sellable_after": 9}
    flat |= {"allocated_before": 0, "allocated_delta": 0, "allocated_after": 0}
    StockMovement.objects.bulk_create(
        StockMovement(level=level, version=version, cause="reading", reference=f"ref-{version:03}", **flat)
        for version in range(2, 62)
    )
    page = admin_client.get(f"{LEVELS}{level.pk}/change/").content.decode()
    assert "ref-061" in page
    assert "ref-012" in page
    assert "ref-011" not in page
