import pytest
from cryptography.fernet import Fernet

from suppliers.credentials import reseal, seal, unseal
from suppliers.errors import NotConfigured

OLD, NEW = Fernet.generate_key().decode(), Fernet.generate_key().decode()


def test_sealed_secrets_open_again_and_cannot_be_read(settings):
    settings.CREDENTIAL_KEYS = [NEW]
    sealed = seal({"token": "hush-hush"})
    assert b"hush" not in sealed
    assert unseal(memoryview(sealed)) == {"token": "hush-hush"}


def test_keys_rotate(settings):
    settings.CREDENTIAL_KEYS = [OLD]
    sealed = seal({"token": "t"})
    settings.CREDENTIAL_KEYS = [NEW, OLD]
    renewed = reseal(sealed)
    settings.CREDENTIAL_KEYS = [NEW]
    assert unseal(renewed) == {"token": "t"}
    with pytest.raises(NotConfigured, match="no longer holds"):
        unseal(sealed)


def test_nothing_stored_is_no_secrets(settings):
    settings.CREDENTIAL_KEYS = []
    assert unseal(b"") == {}


@pytest.mark.parametrize(("keys", "reason"), [([], "is empty"), (["short"], "32 bytes")])
def test_without_usable_keys_the_reason_is_told(keys: list[str], reason: str, settings):
    settings.CREDENTIAL_KEYS = keys
    with pytest.raises(NotConfigured, match=reason):
        seal({"token": "hush-hush"})
