"""What is left of a supplier's budget, where people and monitoring look."""

import time

import pytest
from django.utils.http import http_date

from suppliers import clocks
from suppliers.adapters.limits import Limits
from suppliers.budgets import budget_of
from suppliers.concurrency import places_of
from suppliers.quota import Quota

pytestmark = pytest.mark.django_db

LIMITS = {"daily_calls": 10, "daily_reserve": 0.2, "concurrency": 4, "rate": 3}


@pytest.fixture
def busy(make_supplier):
    supplier = make_supplier("busy-budget", config={"limits": LIMITS})
    for _ in range(3):
        Quota(supplier.slug, Limits(daily_calls=10)).take()
    clocks.learn(supplier.slug, {"Date": http_date(time.time() + 900)}, time.time())
    mark = places_of(supplier.slug, 4).take(30)
    yield supplier
    places_of(supplier.slug, 4).give_back(mark)


def test_people_read_it_in_words(busy):
    said = str(budget_of(busy))
    assert "3 of 10 calls used, 2 kept for orders; anew at" in said
    assert "1 of 4 calls under way" in said
    assert "its clock is +900 s from ours" in said or "its clock is +899 s from ours" in said


@pytest.mark.parametrize("config", [{}, {"limits": {"max_unpacked_bytes": 5}}, []])
def test_who_limits_nothing_has_nothing_to_show(config, make_supplier):
    assert str(budget_of(make_supplier("free-budget", config=config))) == "no daily limit"


@pytest.mark.usefixtures("busy")
def test_monitoring_reads_it_in_figures(client):
    figures = client.get("/metrics").content.decode()
    assert 'holdfast_supplier_calls_today{supplier="busy-budget"} 3.0' in figures
    assert 'holdfast_supplier_calls_left{supplier="busy-budget"} 5.0' in figures
    assert 'holdfast_supplier_calls_under_way{supplier="busy-budget"} 1.0' in figures
    assert 'holdfast_supplier_clock_ahead_seconds{supplier="busy-budget"}' in figures


def test_the_suppliers_page_shows_it(busy, admin_client):
    page = admin_client.get(f"/admin/suppliers/supplier/{busy.pk}/change/").content.decode()
    assert "3 of 10 calls used" in page
