"""Learned buffers in the admin: seen before they act, switched on by a person, on record."""

import json

import pytest

from inventory import lanes, learning
from inventory.models import Effect, LearnedBuffer, StockLevel
from inventory.tests.histories import History
from suppliers.models import Supplier

pytestmark = pytest.mark.django_db(transaction=True)
CONFIG = {
    "base_url": "https://erp.example",
    "list": {"request": {"path": "/"}, "items": "i", "map": {"uid": "id", "available": "n"}},
}


@pytest.fixture
def supplier(make_supplier, make_level) -> Supplier:
    made: Supplier = make_supplier("acme", buffer=2, buffer_target="0.01")
    make_level("TEA", 8, supplier=made, reported=10)
    history = History(made, 30)
    history.orders(1_500, lambda chance: 0, history.levels[1:])
    history.orders(12, lambda chance: 30, [history.levels[0]]).write()
    learning.ask(made.pk)
    learning.learn_due(made.pk)
    return made


def page_of(supplier: Supplier) -> str:
    return f"/admin/suppliers/supplier/{supplier.pk}/change/"


def test_the_page_of_a_supplier_shows_what_it_would_be_before_it_acts(admin_client, supplier):
    page = admin_client.get(page_of(supplier)).content.decode()
    assert "not in force: a preview" in page
    assert "0 of 1500 orders" in page
    assert "12 of 12 orders" in page, "the level that stands alone"
    assert "Under the fixed buffer of 2 its levels have" in page
    assert not Effect.objects.filter(kind="retrust").exists()


def test_before_anything_is_learned_the_page_says_so(admin_client, make_supplier):
    assert "Nothing is learned yet" in admin_client.get(page_of(make_supplier())).content.decode()


def test_switching_it_on_counts_anew_and_is_on_record(admin_client, supplier):
    form = admin_client.get(page_of(supplier)).context["adminform"].form
    values = {name: value for name, value in form.initial.items() if value is not None and value is not False}
    values |= {"config": json.dumps(CONFIG), "buffer_is_learned": "on"}
    answer = admin_client.post(page_of(supplier), values)
    assert answer.status_code == 302, answer.context["adminform"].form.errors
    assert StockLevel.objects.get(code="TEA").sellable == 8
    lanes.drain("retrust", supplier.pk)
    assert StockLevel.objects.get(code="TEA").sellable == 10
    entry = Supplier.history.filter(id=supplier.pk).latest()
    assert (entry.buffer_is_learned, str(entry.history_user)) == (True, "admin")
    assert "Learned buffers, in force" in admin_client.get(page_of(supplier)).content.decode()


def test_a_level_says_what_its_buffer_was_learned_from(admin_client, supplier):
    alone = LearnedBuffer.objects.get(level__isnull=False)
    page = f"/admin/inventory/stocklevel/{alone.level_id}/change/"
    assert "of this level alone" not in admin_client.get(page).content.decode()
    Supplier.objects.filter(pk=supplier.pk).update(buffer_is_learned=True)
    assert "of this level alone: 12 of 12 orders" in admin_client.get(page).content.decode()
    other = StockLevel.objects.get(code="TEA")
    page = f"/admin/inventory/stocklevel/{other.pk}/change/"
    assert "of its supplier: 0 of 1500 orders" in admin_client.get(page).content.decode()


@pytest.mark.parametrize("role", ["merchant", "ops"])
def test_everybody_sees_them_and_nobody_edits_them(sign_in, supplier, role):
    client, row = sign_in(role), LearnedBuffer.objects.get(level=None)
    listing = "/admin/inventory/learnedbuffer/"
    assert "0 of 1500 orders" in client.get(listing).content.decode()
    assert client.get(f"{listing}{row.pk}/change/").status_code == 200
    assert client.post(f"{listing}{row.pk}/change/", {"buffer": 0}).status_code == 403
    assert client.get(f"{listing}add/").status_code == 403
