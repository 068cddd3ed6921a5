"""Refused orders leave a trace that fades."""

from datetime import timedelta

import pytest
from django.db.models import F

from inventory import tasks, wanted
from inventory.models import Wanted
from inventory.wanted import Refusals

pytestmark = pytest.mark.django_db


def test_a_crowd_of_refusals_is_one_message(time_machine):
    time_machine.move_to("2026-11-27T12:00Z", tick=False)
    refusals = Refusals()
    assert refusals.add(["TEA"]) == [("TEA", 1)]
    assert [refusals.add(["TEA", "CUP"]) for _ in range(50)] == [[]] * 50
    refusals._told_at -= wanted.PAUSE_SECONDS
    assert refusals.add(["CUP"]) == [("CUP", 51), ("TEA", 50)]


def test_they_add_up_and_fade_within_the_hour(make_sku):
    make_sku("TEA")
    tasks.note_refusals([("TEA", 8), ("UNKNOWN", 1)])
    Wanted.objects.update(noted_at=F("noted_at") - timedelta(minutes=30))
    tasks.note_refusals([("TEA", 1)])
    assert Wanted.objects.get().refused == 5
    Wanted.objects.update(noted_at=F("noted_at") - timedelta(hours=2))
    tasks.note_refusals([("TEA", 1)])
    assert Wanted.objects.get().refused == 1
