"""Storefronts and keys in the admin."""

import re

import pytest
from django.contrib import admin
from django.contrib.admin.models import LogEntry
from django.test import Client

from storefronts.models import ApiKey, Storefront

pytestmark = pytest.mark.django_db
KEYS = "/admin/storefronts/apikey/"
KEY = re.compile(r"\b[A-Za-z0-9]{8}\.[A-Za-z0-9]{32}\b")


@pytest.fixture
def storefront():
    return Storefront.objects.create(slug="web", name="Web shop")


@pytest.fixture
def shown_key(admin_client, storefront):
    """A key made by a person, as it was shown."""
    form = {"storefront": storefront.pk, "name": "till", "scopes": ["stock:read"]}
    page = admin_client.post(f"{KEYS}add/", form, follow=True).content.decode()
    (key,) = set(KEY.findall(page))
    return key


def works(key: str) -> bool:
    return Client(headers={"Authorization": f"Api-Key {key}"}).get("/api/v1/stock").status_code == 200


def test_a_key_is_shown_once_and_works(admin_client, shown_key):
    api_key = ApiKey.objects.get()
    assert (api_key.name, api_key.scopes, shown_key.startswith(api_key.prefix)) == ("till", ["stock:read"], True)
    assert works(shown_key)
    for page in (KEYS, f"{KEYS}{api_key.pk}/change/"):
        answer = admin_client.get(page)
        assert answer.status_code == 200
        assert shown_key not in answer.content.decode()


def test_revoking_acts_and_is_logged(admin_client, shown_key):
    api_key = ApiKey.objects.get()
    form = {"action": "revoke", "_selected_action": [api_key.pk]}
    page = admin_client.post(KEYS, form, follow=True).content.decode()
    assert f"Revoked: {api_key.prefix}" in page
    assert not works(shown_key)
    assert LogEntry.objects.filter(object_id=api_key.pk, change_message="Revoked.", user__username="admin").exists()


def test_a_revoked_key_cannot_be_changed_back(admin_client, shown_key, storefront):
    ApiKey.objects.update(revoked=True)
    api_key = ApiKey.objects.get()
    form = {"storefront": storefront.pk, "name": "other", "scopes": ["orders:write"]}
    admin_client.post(f"{KEYS}{api_key.pk}/change/", form)
    api_key.refresh_from_db()
    assert (api_key.revoked, api_key.name, api_key.scopes) == (True, "till", ["stock:read"])


def test_a_key_stays_with_its_storefront(admin_client, shown_key, storefront):
    other = Storefront.objects.create(slug="app", name="App")
    api_key = ApiKey.objects.get()
    form = {"storefront": other.pk, "name": "till", "scopes": ["stock:read", "orders:read"]}
    assert admin_client.post(f"{KEYS}{api_key.pk}/change/", form).status_code == 302
    api_key.refresh_from_db()
    assert (api_key.storefront_id, api_key.scopes) == (storefront.pk, ["stock:read", "orders:read"])
    assert works(shown_key)


def test_a_storefront_that_is_switched_off_is_locked_out(
    admin_client, shown_key, storefront, django_capture_on_commit_callbacks
):
    assert works(shown_key)
    with django_capture_on_commit_callbacks(execute=True):
        page = f"/admin/storefronts/storefront/{storefront.pk}/change/"
        assert admin_client.post(page, {"slug": "web", "name": "Web shop"}).status_code == 302
    assert not works(shown_key)


def test_there_is_one_kind_of_key():
    names = {model._meta.label for model in admin.site._registry}
    assert {"storefronts.ApiKey", "storefronts.Storefront"} <= names
    assert "rest_framework_api_key.APIKey" not in names
