"""What measured ages come to: a proposal, and a discrepancy beyond doubt until it is over."""

from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now
from django.urls import reverse

from inventory import outdated
from inventory.models import Discrepancy, LagBreach
from suppliers.models import Supplier

pytestmark = pytest.mark.django_db


@pytest.fixture
def level(make_level):
    return make_level("A", 10)


def found(level: Any, *seconds: float, kind: str = "late", certain: bool = True, hours_ago: float = 1) -> None:
    for each in seconds:
        LagBreach.objects.create(
            supplier=level.supplier,
            level=level,
            kind=kind,
            seconds=each,
            certain=certain,
            evidence={"orders": ["order-1"]},
            at=Now() - timedelta(hours=hours_ago),
        )


def states() -> list[tuple[str, str]]:
    return list(Discrepancy.objects.order_by("id").values_list("reference", "state"))


def test_three_in_a_day_are_beyond_doubt_and_two_are_not(level):
    found(level, 100, 150)
    found(level, 100, hours_ago=25)
    assert (outdated.review(), states()) == (0, [])
    found(level, 120)
    assert (outdated.review(), states()) == (1, [("late", "open")])
    discrepancy = Discrepancy.objects.get()
    assert (discrepancy.kind, discrepancy.supplier, discrepancy.level) == ("lag", level.supplier, None)
    assert discrepancy.evidence["what_to_do"] == "settlement_lag_seconds = 165"
    assert discrepancy.evidence["shown_by"][0] == {"orders": ["order-1"]}


def test_what_may_have_been_strangers_is_no_discrepancy(level):
    found(level, *[100] * 10, certain=False)
    assert (outdated.review(), states()) == (0, [])


def test_where_only_we_buy_one_is_enough(level):
    Supplier.objects.update(exclusive=True)
    found(level, 100)
    assert (outdated.review(), states()) == (1, [("late", "open")])


def test_seen_again_it_is_refreshed_only_by_another(level):
    found(level, 100, 100, 100)
    assert [outdated.review(), outdated.review()] == [1, 1]
    assert Discrepancy.objects.get().times == 1
    found(level, 200, hours_ago=0)
    outdated.review()
    assert (Discrepancy.objects.get().times, Discrepancy.objects.get().evidence["largest_seconds"]) == (2, 200)


@pytest.mark.parametrize(
    ("kind", "settings"), [("late", {"settlement_lag_seconds": 166}), ("replicas", {"replicas": True})]
)
def test_it_ends_with_the_setting_that_covers_it(level, kind, settings):
    found(level, 100, 150, 100, kind=kind)
    outdated.review()
    Supplier.objects.update(**settings)
    assert (outdated.review(), states()) == (0, [(kind, "resolved")])
    assert Discrepancy.objects.get().resolution == "the settings cover what was measured"


def test_a_lag_that_covers_some_of_it_is_not_enough(level):
    found(level, 100, 150, 100)
    outdated.review()
    Supplier.objects.update(settlement_lag_seconds=149)
    assert (outdated.review(), states()) == (1, [("late", "open")])


def test_it_ends_a_week_after_the_last(level):
    found(level, 100, hours_ago=7 * 24 + 1)
    Discrepancy.objects.create(kind="lag", supplier=level.supplier, reference="late")
    assert (outdated.review(), states()) == (0, [("late", "resolved")])
    assert Discrepancy.objects.get().resolution == "7 days passed without another"


def test_it_stays_a_week_though_a_day_passes(level):
    found(level, 100, hours_ago=6 * 24)
    Discrepancy.objects.create(kind="lag", supplier=level.supplier, reference="late")
    assert (outdated.review(), states()) == (1, [("late", "open")])


def test_what_a_person_resolved_does_not_open_again_by_itself(level):
    found(level, 100, 100, 100)
    outdated.review()
    Discrepancy.objects.update(state="resolved", resolved_at=Now(), resolution="they mended it")
    assert (outdated.review(), states()) == (0, [("late", "resolved")])


def test_the_suppliers_page_shows_it_with_what_to_set(admin_client, level):
    page = reverse("admin:suppliers_supplier_change", args=[level.supplier.pk])
    assert "Age of its data" not in admin_client.get(page).content.decode()
    found(level, 100, 150.4)
    found(level, 5, kind="replicas", certain=False)
    shown = admin_client.get(page).content.decode()
    for text in ("Age of its data", "150 s", "settlement_lag_seconds = 166", "switch on replicas"):
        assert text in shown
