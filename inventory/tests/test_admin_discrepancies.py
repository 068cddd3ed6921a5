"""A discrepancy's page: what happened in words, ways to what it concerns, and acts while it is open."""

import pytest
from django.contrib.admin.models import LogEntry

from inventory.admin.pages import told
from inventory.admin.words import DISCREPANCIES
from inventory.models import Discrepancy, Effect

pytestmark = pytest.mark.django_db
LIST = "/admin/inventory/discrepancy/"
DIALOG = {"_form_submitted": "on"}


@pytest.fixture
def lost(make_level):
    level = make_level("TEA", 9)
    evidence = {"reported_now": 4, "lines": [{"sku": "TEA", "quantity": 2}], "hard": True}
    return Discrepancy.objects.create(
        kind="lost", supplier=level.supplier, level=level, reference="N-1.2", evidence=evidence
    )


def test_the_page_says_what_happened_and_leads_on(lost, sign_in):
    page = sign_in("ops").get(f"{LIST}{lost.pk}/change/").content.decode()
    assert "The supplier called an order off that it had taken." in page
    assert "hard: yes<br>lines: sku TEA, quantity 2<br>reported now: 4" in page
    sku = lost.level.offers.get().sku
    ways = [
        f"inventory/sku/{sku.pk}",
        f"inventory/stocklevel/{lost.level_id}",
        f"suppliers/supplier/{lost.supplier_id}",
    ]
    for way in [*(f"/admin/{way}/change/" for way in ways), "/admin/orders/order/behind/N-1.2/"]:
        assert f'href="{way}"' in page, way
    assert f"Lost at {lost.supplier}" in page


def test_it_is_acknowledged_and_reconciled_on_its_page_while_it_is_open(lost, sign_in):
    client, page = sign_in("ops"), f"{LIST}{lost.pk}/"
    client.get(f"{page}acknowledge/")
    client.post(f"{page}acknowledge/", DIALOG)
    client.post(f"{page}reconcile/", DIALOG)
    lost.refresh_from_db()
    assert lost.acknowledged_by == "ops"
    assert Effect.objects.filter(kind="sync", target=str(lost.level_id)).count() == 1
    messages = set(LogEntry.objects.values_list("change_message", flat=True))
    assert messages == {"Acknowledged.", "Asked for it to be reconciled again."}
    assert f"{page}resolve/" in client.get(f"{page}change/").content.decode()
    client.post(f"{page}resolve/", DIALOG | {"resolution": "the buyer was told"})
    shown = client.get(f"{page}change/").content.decode()
    assert "the buyer was told" in shown
    assert f"{page}resolve/" not in shown
    assert sign_in("merchant").post(f"{page}acknowledge/", DIALOG).status_code == 403


def test_every_kind_is_explained():
    assert set(DISCREPANCIES) == set(Discrepancy.Kind)


@pytest.mark.parametrize("document", [{}, [], None, ""])
def test_nothing_is_said_as_a_dash(document):
    assert told(document) == "–"


def test_what_a_supplier_wrote_is_text():
    assert told({"<b>": "<script>"}) == "&lt;b&gt;: &lt;script&gt;"
