"""The two groups are what the code says, after every migrate."""

import pytest
from django.apps import apps
from django.contrib.auth.models import Group, Permission

from inventory_project.roles import EVERYTHING, MORE, grant_roles, granted

pytestmark = pytest.mark.django_db


@pytest.mark.parametrize("role", list(MORE))
def test_every_permission_that_is_named_exists_and_is_granted(role):
    wanted = {(app, codename) for app in EVERYTHING for codename in granted(role, app)}
    given = Group.objects.get(name=role).permissions.values_list("content_type__app_label", "codename")
    assert set(given) == wanted


def test_migrate_takes_back_what_was_added_by_hand():
    group = Group.objects.get(name="merchant")
    group.permissions.add(Permission.objects.get(codename="change_order"))
    group.permissions.remove(Permission.objects.get(codename="change_sku"))
    for app in EVERYTHING:
        grant_roles(apps.get_app_config(app), using="default")
    codenames = set(group.permissions.values_list("codename", flat=True))
    assert "change_sku" in codenames
    assert "change_order" not in codenames
