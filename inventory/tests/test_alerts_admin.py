"""Alert channels in the admin: a secret shown once, an address that is checked, a test that says what happened."""

import re

import pytest
from cryptography.fernet import Fernet
from django.contrib.admin.models import LogEntry

from inventory.models import AlertChannel, Discrepancy
from inventory.tests.receivers import running_receiver

pytestmark = pytest.mark.django_db
CHANNELS = "/admin/inventory/alertchannel/"


@pytest.fixture(autouse=True)
def reachable(settings):
    settings.SUPPLIER_PRIVATE_NETWORKS = True
    settings.CREDENTIAL_KEYS = [Fernet.generate_key().decode()]


def form(**fields):
    return {"name": "pager", "url": "https://pager.example/hook", "email": "", "enabled": "on", **fields}


def test_the_secret_is_shown_once_and_stored_sealed(sign_in):
    ops = sign_in("ops")
    page = ops.post(f"{CHANNELS}add/", form(), follow=True).content.decode()
    [secret] = re.findall(r"whsec_[A-Za-z0-9+/=]+", page)
    channel = AlertChannel.objects.get()
    assert secret.encode() not in bytes(channel.secret)
    again = ops.post(f"{CHANNELS}{channel.pk}/change/", form(name="other"), follow=True).content.decode()
    assert "whsec_" not in again
    page = ops.post(f"{CHANNELS}{channel.pk}/change/", form(renew="on"), follow=True).content.decode()
    assert re.findall(r"whsec_[A-Za-z0-9+/=]+", page) != [secret]


@pytest.mark.parametrize(
    "fields",
    [{"url": "file:///etc/passwd"}, {"url": "https://169.254.169.254/"}, {"email": "ops@shop.example"}, {"url": ""}],
)
def test_bad_addresses_make_no_channel(sign_in, fields):
    assert sign_in("ops").post(f"{CHANNELS}add/", form(**fields)).status_code == 200
    assert not AlertChannel.objects.exists()


def test_the_test_says_what_happened_and_is_recorded(sign_in):
    ops = sign_in("ops")
    with running_receiver() as receiver:
        ops.post(f"{CHANNELS}add/", form(url=receiver.url))
        channel = AlertChannel.objects.get()
        receiver.answers = [503]
        for words in ("It was not taken: Transient: the receiver answered 503", "It was taken."):
            ops.post(f"{CHANNELS}{channel.pk}/test/", {"_form_submitted": "on"})
            assert words in ops.get(CHANNELS).content.decode()
    assert list(
        LogEntry.objects.filter(change_message__startswith="Tested").values_list("change_message", flat=True)
    ) == [
        "Tested: taken.",
        "Tested: not taken.",
    ]


def test_acknowledging_is_recorded(sign_in, make_supplier):
    row = Discrepancy.objects.create(kind="lost", supplier=make_supplier(), reference="N-1")
    ops = sign_in("ops")
    ops.post("/admin/inventory/discrepancy/", {"action": "acknowledge", "_selected_action": [row.pk]})
    row.refresh_from_db()
    assert row.acknowledged_by == "ops"
    assert "acknowledged" in ops.get(f"/admin/inventory/discrepancy/{row.pk}/change/").content.decode()
