"""Orders to a supplier that compares and knows repeats: a chaos supplier that speaks as Shopify, over its adapter."""

import pytest
from cryptography.fernet import Fernet

from inventory import reconciliation
from inventory.models import Discrepancy
from inventory.tests.ledgers import differences
from inventory.tests.promises import open_effects, place, states
from inventory.tests.reconciliation.sides import available, confirm
from suppliers import credentials
from suppliers.simulator.ledger import Item
from suppliers.simulator.running import running_chaos_supplier

pytestmark = pytest.mark.django_db(transaction=True)

SKU, LOCATION = "SKU-000001", "1"


@pytest.fixture
def shop():
    with running_chaos_supplier(items=[Item("r1", SKU, "main", 10)], dialect="shopify_lite") as running:
        yield running
        assert running.audit()["duplicates"] == {}
        assert differences() == []


@pytest.fixture
def supplier(shop, make_supplier, make_level, settings):
    settings.SUPPLIER_PRIVATE_NETWORKS = True
    settings.CREDENTIAL_KEYS = [Fernet.generate_key().decode()]
    limits = {"rate": 1000, "burst": 1000, "attempts": 1, "breaker_failures": 50, "total_seconds": 2}
    config = {"base_url": shop.url, "locations": [LOCATION], "bulk": False, "limits": limits}
    made = make_supplier(adapter="shopify", config=config, credentials=credentials.seal({"token": shop.token}))
    make_level(SKU, 10, supplier=made, external_id="4000000000000", location=LOCATION)
    return made


def on_hand(shop) -> int:
    units: int = shop.truth(SKU)[SKU]["on_hand"]
    return units


def test_an_order_is_taken_from_what_is_there_now(supplier, shop):
    place("order-1", {SKU: 3})
    shop.sell(SKU, 4)
    confirm(supplier)
    assert (states("order-1"), on_hand(shop)) == ([("confirmed", 3)], 3)


def test_what_somebody_else_bought_meanwhile_is_not_sold_twice(supplier, shop):
    place("order-1", {SKU: 3})
    shop.sell(SKU, 8)
    confirm(supplier)
    assert (states("order-1"), on_hand(shop), available()) == ([("lost", 3)], 2, 0)


@pytest.mark.parametrize("mode", ["closed", "hang"])
def test_an_order_that_was_not_answered_is_repeated_at_once(mode, supplier, shop):
    shop.set(lost_reply={"mode": mode, "times": 1, "endpoints": ["confirm"]})
    place("order-1", {SKU: 3})
    confirm(supplier)
    assert (states("order-1"), on_hand(shop)) == ([("sending", 3)], 7)
    assert reconciliation.resolve_expired_claims(supplier.pk) == 1
    assert (states("order-1"), on_hand(shop)) == ([("confirmed", 3)], 7)
    assert (open_effects("confirm"), Discrepancy.objects.count()) == (0, 0)
