"""A new key: everything sealed comes under it, nothing else changes, nothing is shown."""

import io
from typing import Any

import pytest
from cryptography.fernet import Fernet
from django.core.management import CommandError, call_command

from inventory.models import AlertChannel
from suppliers.credentials import seal, unseal
from suppliers.models import Supplier, TokenSlot
from suppliers.rotation import Fate, renew, rotate
from suppliers.sealed import sealed_fields

pytestmark = pytest.mark.django_db

OLD, NEW, LOST = (Fernet.generate_key().decode() for _ in range(3))
CREDENTIALS = next(field for field in sealed_fields() if field.model is Supplier)
SECRETS = {"token": "hush-hush", "push": "whsec_hush"}


@pytest.fixture
def sealed(settings, make_supplier) -> list[Any]:
    """One row of each kind under the old key, while the new one stands before it."""
    settings.CREDENTIAL_KEYS = [OLD]
    rows = [
        make_supplier("acme", credentials=seal(SECRETS)),
        TokenSlot.objects.create(key="slot", sealed=seal(SECRETS)),
        AlertChannel.objects.create(name="pager", url="https://pager.example", secret=seal(SECRETS)),
    ]
    make_supplier("bare")
    settings.CREDENTIAL_KEYS = [NEW, OLD]
    return rows


def stored() -> list[bytes]:
    return [
        bytes(value)
        for field in sealed_fields()
        for value in field.model._default_manager.order_by("pk").values_list(field.attname, flat=True)
        if value
    ]


def run(*arguments: str) -> str:
    out = io.StringIO()
    call_command("rotate_credentials", *arguments, stdout=out)
    return out.getvalue()


@pytest.mark.usefixtures("sealed")
def test_everything_sealed_comes_under_the_new_key(settings):
    said = run()
    settings.CREDENTIAL_KEYS = [NEW]
    assert [unseal(value) for value in stored()] == [SECRETS] * 3
    assert "3 encrypted with the newest key, 0 under" in said
    assert "alert channel" in said
    assert "hush" not in said
    assert not any(value.decode() in said for value in stored())


@pytest.mark.usefixtures("sealed")
def test_a_dry_run_says_so_and_changes_nothing():
    before = stored()
    said = run("--dry-run")
    assert stored() == before
    assert "3 encrypted with the newest key" in said
    assert "nothing was changed" in said


@pytest.mark.usefixtures("sealed")
def test_stopped_in_the_middle_it_goes_on_where_it_was():
    next(rotate())
    assert [rotated.fate for rotated in rotate()] == [Fate.NEWEST, Fate.RENEWED, Fate.RENEWED]
    before = stored()
    assert {rotated.fate for rotated in rotate()} == {Fate.NEWEST}
    assert stored() == before


def test_what_no_key_opens_is_named_and_holds_up_nothing_else(sealed, settings):
    settings.CREDENTIAL_KEYS = [LOST]
    lost = seal(SECRETS)
    Supplier.objects.filter(pk=sealed[0].pk).update(credentials=lost)
    settings.CREDENTIAL_KEYS = [NEW, OLD]
    with pytest.raises(CommandError, match="no key opens is as it was"):
        run()
    assert [rotated.fate for rotated in rotate()] == [Fate.NEWEST, Fate.UNREADABLE, Fate.NEWEST]
    assert stored()[1] == lost


def test_what_is_stored_meanwhile_under_the_old_key_is_kept_and_rotated(sealed, settings):
    """A process that was not restarted yet stores new secrets between our reading and our writing."""
    other = {"token": "entered just now"}
    as_read = sealed[0]
    settings.CREDENTIAL_KEYS = [OLD]
    Supplier.objects.filter(pk=as_read.pk).update(credentials=seal(other))
    settings.CREDENTIAL_KEYS = [NEW, OLD]
    assert renew(CREDENTIALS, as_read, dry_run=False) is Fate.RENEWED
    settings.CREDENTIAL_KEYS = [NEW]
    assert unseal(Supplier.objects.get(pk=as_read.pk).credentials) == other


def test_what_was_removed_meanwhile_is_nothing(sealed):
    Supplier.objects.filter(pk=sealed[0].pk).update(credentials=b"")
    assert renew(CREDENTIALS, sealed[0], dry_run=False) is None


def test_without_keys_nothing_begins(settings):
    settings.CREDENTIAL_KEYS = []
    with pytest.raises(CommandError, match="CREDENTIAL_KEYS is empty"):
        run()


def test_every_sealed_column_is_known():
    """A new one must be declared as a SealedField to be rotated: nothing else finds it."""
    assert [f"{field.model.__name__}.{field.attname}" for field in sealed_fields()] == [
        "AlertChannel.secret",
        "Supplier.credentials",
        "TokenSlot.sealed",
    ]
