"""What the service shows of itself without a key."""

import re

import pytest
from django.core.management import call_command
from django.test import Client

pytestmark = pytest.mark.django_db


def test_the_schema_is_valid_and_complete(tmp_path):
    call_command("spectacular", validate=True, fail_on_warn=True, file=str(tmp_path / "schema.yml"))


def test_schema_and_documentation_need_no_key():
    assert b"/api/v1/stock/{sku}" in Client().get("/api/schema/").content
    page = Client().get("/api/docs/")
    assert page.status_code == 200
    # Served by us alone: no script, style or picture from elsewhere.
    assert not re.search(r"(?:src|href)=\"(?:https?:)?//", page.content.decode())
