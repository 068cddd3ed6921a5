"""Sales events in the admin: planned by a form, looked at, switched by those who may."""

from datetime import UTC, datetime, timedelta

import pytest
from django.contrib.admin.models import LogEntry

from inventory.models import SalesEvent

pytestmark = pytest.mark.django_db
EVENTS = "/admin/inventory/salesevent/"


def form(**fields):
    start = datetime.now(UTC) - timedelta(minutes=5)
    end = start + timedelta(hours=6)
    return {
        "name": "Black Friday",
        **{f"starts_at_{part}": f"{start:{code}}" for part, code in ((0, "%Y-%m-%d"), (1, "%H:%M:%S"))},
        **{f"ends_at_{part}": f"{end:{code}}" for part, code in ((0, "%Y-%m-%d"), (1, "%H:%M:%S"))},
        "buffer_units": 3,
        "buffer_share": "0.1",
        **fields,
    }


def planned(client, **fields):
    answer = client.post(f"{EVENTS}add/", form(**fields))
    assert answer.status_code == 302, answer.context["adminform"].form.errors
    return SalesEvent.objects.get()


def switch(client, event, word, reason="the fair begins"):
    page = f"{EVENTS}{event.pk}/switch-{word}/"
    client.post(page, {"_form_submitted": "on", "reason": reason})
    event.refresh_from_db()
    return event


def test_it_shows_its_effect_before_it_is_switched_on(sign_in, make_level):
    make_level("TEA", 10)
    make_level("CUP", 10)
    merchant = sign_in("merchant")
    event = planned(merchant, codes="TEA")
    page = merchant.get(f"{EVENTS}{event.pk}/change/").content.decode()
    assert "1 SKUs: 10 → 6 available" in page
    assert not event.switched_on


def test_switching_is_recorded_and_freezes_the_form(sign_in, make_level):
    make_level("TEA", 10)
    merchant = sign_in("merchant")
    event = switch(merchant, planned(merchant), "on")
    assert event.switched_on
    acts = LogEntry.objects.filter(change_message="Switched on: the fair begins")
    assert acts.count() == 1
    assert merchant.post(f"{EVENTS}{event.pk}/change/", form(buffer_units=0)).status_code == 403
    assert merchant.get(f"{EVENTS}{event.pk}/change/").status_code == 200
    newest = event.history.latest()
    assert (newest.history_user.username, newest.history_change_reason) == (
        "merchant",
        "Switched on: the fair begins",
    )
    event = switch(merchant, event, "off")
    assert event.ends_at <= datetime.now(UTC)
    assert merchant.get(f"{EVENTS}{event.pk}/change/").status_code == 200
    assert merchant.get(EVENTS).status_code == 200


def test_nobody_switches_without_a_reason(sign_in, make_level):
    make_level("TEA", 10)
    merchant = sign_in("merchant")
    event = switch(merchant, planned(merchant), "on", reason="")
    assert not event.switched_on
    event = switch(merchant, switch(merchant, event, "on"), "off", reason=" ")
    assert event.ends_at > datetime.now(UTC)
    assert switch(merchant, event, "off", reason="rained off").history.latest().history_change_reason == (
        "Switched off: rained off"
    )


def test_unknown_codes_are_named_and_nothing_is_made(sign_in):
    answer = sign_in("merchant").post(f"{EVENTS}add/", form(codes="NONE, NOR-THIS"))
    assert "There are no such SKUs: NONE, NOR-THIS" in answer.content.decode()
    assert not SalesEvent.objects.exists()


def test_an_event_that_ends_before_it_starts_is_refused(sign_in):
    answer = sign_in("merchant").post(f"{EVENTS}add/", form(ends_at_0="2020-01-01"))
    assert "It ends after it starts." in answer.content.decode()
    assert not SalesEvent.objects.exists()


def test_who_may_not_change_events_switches_none(sign_in):
    event = planned(sign_in("ops"))
    assert not switch(sign_in("nobody"), event, "on").switched_on
