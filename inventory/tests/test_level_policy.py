"""A level with a policy of its own: edited in the admin, counted anew through an effect, on record, within bounds."""

from typing import Any

import pytest
from django.contrib.admin.models import LogEntry
from django.db import IntegrityError, transaction
from django.test import Client

from inventory import policy, terms
from inventory.models import Effect, LevelPolicy, StockLevel, StockMovement
from inventory.tests.ledgers import differences

pytestmark = pytest.mark.django_db
ADD = "/admin/inventory/levelpolicy/add/"


def page_of(level: StockLevel) -> str:
    return f"/admin/inventory/levelpolicy/{level.pk}/change/"


@pytest.fixture
def levels(make_supplier, make_level) -> list[StockLevel]:
    supplier = make_supplier(buffer=1)
    return [make_level(code, 11, supplier=supplier, reported=12) for code in ("TEA", "COFFEE")]


def sellable(level: StockLevel) -> int:
    level.refresh_from_db()
    return level.sellable


def test_only_the_edited_level_is_counted_anew(sign_in, levels):
    merchant, (tea, coffee) = sign_in("merchant"), levels
    assert merchant.post(ADD, {"level": tea.pk, "buffer": 2, "haircut": "0.9"}).status_code == 302
    coffee.supplier.buffer = 5  # behind everybody's back: only what is asked for is counted
    coffee.supplier.save()
    assert policy.retrust_due(tea.supplier_id) == 1
    assert (sellable(tea), sellable(coffee)) == (9, 11)
    movement = StockMovement.objects.get(level=tea, cause="policy")
    assert (movement.sellable_before, movement.sellable_after, movement.actor) == (11, 9, "policy")
    assert differences() == []


def test_an_edit_of_the_supplier_goes_along_with_those_of_levels(levels):
    policy.edited(levels[0].supplier_id, levels[0].pk)
    policy.edited(levels[0].supplier_id)
    levels[0].supplier.buffer = 5
    levels[0].supplier.save()
    assert policy.retrust_due(levels[0].supplier_id) == 2
    assert [sellable(level) for level in levels] == [7, 7]


def test_without_its_own_policy_the_supplier_s_holds_again(sign_in, levels):
    merchant, (tea, _) = sign_in("merchant"), levels
    merchant.post(ADD, {"level": tea.pk, "buffer": 4})
    policy.retrust_due(tea.supplier_id)
    assert sellable(tea) == 8
    merchant.post(f"/admin/inventory/levelpolicy/{tea.pk}/delete/", {"post": "yes"})
    assert policy.retrust_due(tea.supplier_id) == 1
    assert sellable(tea) == 11


def test_who_changed_what_and_when_is_on_record(sign_in, levels):
    merchant, (tea, _) = sign_in("merchant"), levels
    merchant.post(ADD, {"level": tea.pk, "buffer": 2})
    merchant.post(page_of(tea), {"buffer": 3})
    history = LevelPolicy.history.filter(level=tea.pk).order_by("history_date")
    assert [(one.history_type, one.buffer, str(one.history_user)) for one in history] == [
        ("+", 2, "merchant"),
        ("~", 3, "merchant"),
    ]
    assert LogEntry.objects.count() == 2
    assert Effect.objects.filter(kind="retrust", target=str(tea.pk)).count() == 2


def test_pages_say_whose_policy_it_is_and_why(admin_client, levels):
    tea, coffee = levels
    LevelPolicy.objects.create(level=tea, buffer=0, haircut="0.5", lot=5)
    policy.edited(tea.supplier_id, tea.pk)
    policy.retrust_due(tea.supplier_id)
    for page in (f"/admin/inventory/sku/{tea.offers.get().sku_id}/change/", page_of(tea)):
        assert "12 reported, haircut 0.5, in lots of 5 → 5" in admin_client.get(page).content.decode()
    for level, words in ((tea, page_of(tea)), (coffee, f"{ADD}?level={coffee.pk}")):
        assert words in admin_client.get(f"/admin/inventory/stocklevel/{level.pk}/change/").content.decode()


def test_a_level_says_what_age_leaves_of_it(admin_client, levels):
    supplier = levels[0].supplier
    supplier.stale_after_seconds, supplier.stale_cap = 60, 4
    supplier.save()
    StockLevel.objects.update(read_at="2026-01-01T00:00Z")
    page = admin_client.get(f"/admin/inventory/stocklevel/{levels[0].pk}/change/").content.decode()
    assert "12 reported − 1 buffer → 11, older than 60 s: at most 4" in page


@pytest.mark.parametrize(
    ("bad", "message"),
    [
        ({"buffer": -1}, "greater than or equal to 0"),
        ({"haircut": "0"}, "greater than or equal to 0.001"),
        ({"haircut": "1.1"}, "less than or equal to 1"),
        ({"sentinel_at": 0}, "greater than or equal to 1"),
        ({"sentinel_cap": -1}, "greater than or equal to 0"),
        ({"lot": 0}, "greater than or equal to 1"),
        ({"lot": "1.5"}, "whole number"),
        ({"min_order": 0}, "greater than or equal to 1"),
    ],
)
def test_a_bad_policy_is_refused_with_what_is_allowed(sign_in, levels, bad: dict[str, Any], message: str):
    answer = sign_in("merchant").post(ADD, {"level": levels[0].pk, **bad})
    (field,) = bad
    assert message in "\n".join(answer.context["adminform"].form.errors[field])
    assert not LevelPolicy.objects.exists()
    assert not Effect.objects.exists()


@pytest.mark.parametrize(
    "bad",
    [
        {"buffer": -1},
        {"haircut": 0},
        {"haircut": 2},
        {"sentinel_at": 0},
        {"sentinel_cap": -1},
        {"lot": 0},
        {"min_order": 0},
    ],
)
def test_the_database_refuses_it_too(levels, bad: dict[str, Any]):
    with pytest.raises(IntegrityError), transaction.atomic():
        LevelPolicy.objects.create(level=levels[0], **bad)


@pytest.mark.parametrize("bad", [{"lot": 0}, {"min_order": 0}, {"lot": -6}])
def test_no_row_of_upstream_has_empty_lots(levels, bad: dict[str, Any]):
    with pytest.raises(IntegrityError), transaction.atomic():
        StockLevel.objects.update(**bad)


def test_ops_see_policies_and_do_not_edit_them(sign_in, levels):
    client: Client = sign_in("ops")
    LevelPolicy.objects.create(level=levels[0], buffer=2)
    assert client.get(page_of(levels[0])).status_code == 200
    assert client.post(page_of(levels[0]), {"buffer": 3}).status_code == 403
    assert client.post(ADD, {"level": levels[1].pk, "buffer": 3}).status_code == 403


def test_a_supplier_without_levels_has_a_policy(make_supplier):
    supplier = make_supplier(buffer=3, stale_cap=4)
    told = terms.of_supplier(supplier.pk)
    assert (told.buffer, told.stale_cap, told.lots) == (3, 4, (1, 1))
