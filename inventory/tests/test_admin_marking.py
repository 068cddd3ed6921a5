"""What people say of orders, in the admin."""

import pytest
from django.contrib.admin.models import LogEntry

from inventory.tests.promises import place, states

pytestmark = pytest.mark.django_db(transaction=True)
LEVELS, ALLOCATIONS = "/admin/inventory/stocklevel/", "/admin/inventory/allocation/"


def test_orders_are_marked_several_at_once_and_with_a_reason(sign_in, make_level):
    level = make_level("A", 10)
    for number in (1, 2):
        place(f"order-{number}", {"A": 2})
    rows, client = list(level.allocations.order_by("id")), sign_in("ops")
    form = {"action": "mark_as_ordered", "_selected_action": [row.pk for row in rows]}
    asked = client.post(ALLOCATIONS, form | {"confirmed": "yes", "reason": ""})
    assert "order-2" in asked.content.decode()
    assert states("order-1") == [("committed", 2)]
    done = client.post(ALLOCATIONS, form | {"confirmed": "yes", "reason": "by telephone"}, follow=True)
    assert "Marked: order-1, order-2." in done.content.decode()
    assert [states("order-1"), states("order-2")] == [[("confirmed", 2)], [("confirmed", 2)]]
    assert LogEntry.objects.filter(change_message="Mark as ordered: by telephone").count() == 2
    refused = client.post(
        ALLOCATIONS, form | {"action": "mark_as_lost", "confirmed": "yes", "reason": "so"}, follow=True
    )
    assert "Marked: order-1, order-2." in refused.content.decode()


def test_when_a_level_counts_orders_is_set_by_who_may_act(sign_in, make_level):
    level = make_level("A", 10)
    dialog = {"_form_submitted": "on", "decrements_on": "payment"}
    sign_in("ops").post(f"{LEVELS}{level.pk}/counts-on/", dialog)
    level.refresh_from_db()
    assert level.decrements_on == "payment"
