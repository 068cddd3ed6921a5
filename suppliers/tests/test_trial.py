"""A supplier that is not saved yet, or not as it stands in the form, can be tested: guarded like a saved one."""

import json
from typing import Any

import pytest
from django.contrib.admin.models import LogEntry

from suppliers.credentials import seal, unseal
from suppliers.models import Supplier
from suppliers.presets import PRESETS
from suppliers.tests.supplier_forms import SECRET, config, form_of
from suppliers.tests.test_admin import LIST
from suppliers.tests.upstream import Seen, reply, running_upstream

pytestmark = pytest.mark.django_db
TRY = f"{LIST}try/"
FRESH = json.dumps({"token": "fresh-secret"})


def stock(_: Seen) -> bytes:
    return reply({"items": [{"id": "r1", "sku": "LAMP", "units": 7}]})


@pytest.fixture
def supplier(make_supplier):
    return make_supplier("acme", config=config(), credentials=seal({"token": SECRET}))


def typed(base_url: str, **fields: Any) -> dict[str, Any]:
    return {**form_of(config=config(base_url), name="", **fields), "_save": "unused"}


def test_a_supplier_without_a_name_is_tested_and_nothing_is_stored(loopback_suppliers, sign_in):
    with running_upstream(stock) as upstream:
        shown = sign_in("merchant").post(TRY, typed(upstream.url, new_credentials=FRESH)).content.decode()
    assert upstream.seen[0].headers["x-token"] == "fresh-secret"
    assert "It works." in shown
    assert "LAMP" in shown
    assert "fresh-secret" not in shown
    assert not Supplier.objects.exists()


def test_a_stored_supplier_is_tested_as_typed_with_the_stored_secrets(loopback_suppliers, sign_in, make_supplier):
    with running_upstream(stock) as upstream:
        supplier = make_supplier("acme", config=config(upstream.url), credentials=seal({"token": SECRET}))
        changed = config(upstream.url, headers={"X-Shop": "7"})
        fields = {**form_of(config=changed, slug=""), "supplier": supplier.pk}
        shown = sign_in("merchant").post(TRY, fields).content.decode()
    assert (upstream.seen[0].headers["x-shop"], upstream.seen[0].headers["x-token"]) == ("7", SECRET)
    assert "It works." in shown
    supplier.refresh_from_db()
    assert supplier.config == config(upstream.url)
    assert LogEntry.objects.get().change_message == "Tested an unsaved configuration: it works."


def test_stored_secrets_are_not_sent_elsewhere_by_a_test_either(loopback_suppliers, sign_in, supplier):
    with running_upstream(stock) as upstream:
        fields = typed(upstream.url, supplier=supplier.pk)
        shown = sign_in("merchant").post(TRY, fields).content.decode()
    assert "names another host" in shown
    assert upstream.seen == []
    assert unseal(supplier.credentials) == {"token": SECRET}


@pytest.mark.parametrize(
    ("base_url", "message"),
    [
        ("file:///etc/passwd", "must begin with https://"),
        ("http://127.1/", "base_url: "),
        ("https://0x7f.1/", "base_url: "),
        ("https://[::ffff:127.0.0.1]/", "base_url: "),
        ("https://anna:pass@acme.example/", "user name or password"),
        ("https://169.254.169.254/", "not an address a supplier can have"),
        ("https://127.0.0.1/", "private network"),
    ],
)
def test_a_hostile_address_is_told_and_not_called(sign_in, settings, base_url, message):
    settings.SUPPLIER_PRIVATE_NETWORKS = False
    shown = sign_in("merchant").post(TRY, typed(base_url, new_credentials=FRESH)).content.decode()
    assert message in shown
    assert "It works." not in shown


def test_a_redirect_is_not_followed(loopback_suppliers, sign_in):
    with running_upstream(lambda _: reply(status=302, Location="http://169.254.169.254/")) as upstream:
        shown = sign_in("merchant").post(TRY, typed(upstream.url, new_credentials=FRESH)).content.decode()
    assert "redirects are not followed" in shown
    assert len(upstream.seen) == 1


def test_what_upstream_says_is_text_on_our_page(loopback_suppliers, sign_in):
    with running_upstream(lambda _: reply(body=b"<script>alert(1)</script>")) as upstream:
        shown = sign_in("merchant").post(TRY, typed(upstream.url, new_credentials=FRESH)).content.decode()
    assert "<script>" not in shown
    assert "&lt;script&gt;alert(1)" in shown


@pytest.mark.parametrize("role", ["ops", "nobody"])
@pytest.mark.parametrize("stored", [False, True])
def test_only_who_may_save_may_test_what_is_not_saved(loopback_suppliers, sign_in, supplier, role, stored):
    with running_upstream(stock) as upstream:
        fields = typed(upstream.url, new_credentials=FRESH, **({"supplier": supplier.pk} if stored else {}))
        assert sign_in(role).post(TRY, fields).status_code == 403
    assert upstream.seen == []


def test_a_link_tests_nothing(sign_in):
    assert sign_in("merchant").get(TRY).status_code == 405


def test_the_form_of_a_new_supplier_offers_the_presets_and_an_old_one_does_not(admin_client, supplier):
    new = admin_client.get(f"{LIST}add/").content.decode()
    old = admin_client.get(f"{LIST}{supplier.pk}/change/").content.decode()
    assert all(preset.title in new for preset in PRESETS)
    assert new.count("ontract-tested, not run against the live system") == 3 + len(
        [one for one in PRESETS if not one.tried]
    )
    assert "suppliers/connection.js" in new
    assert 'id="preset"' not in old
    assert "Test without saving" in new
    assert "Test without saving" in old
