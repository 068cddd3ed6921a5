"""A supplier's secrets at rest: a JSON object, encrypted with keys of its own that rotate."""

import json

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

from suppliers.errors import NotConfigured

Secrets = dict[str, str]


def seal(secrets: Secrets) -> bytes:
    """Encrypt with the newest key.  Raises: NotConfigured without a usable CREDENTIAL_KEYS."""
    return _fernet().encrypt(json.dumps(secrets).encode())


def unseal(sealed: bytes | memoryview) -> Secrets:
    """Decrypt with whichever key fits; nothing stored is no secrets.

    Raises: NotConfigured if no key fits.
    """
    token = bytes(sealed)
    if not token:
        return {}
    try:
        secrets: Secrets = json.loads(_fernet().decrypt(token))
    except InvalidToken:
        raise NotConfigured("The credentials were encrypted with a key that CREDENTIAL_KEYS no longer holds.") from None
    return secrets


def reseal(sealed: bytes | memoryview) -> bytes:
    """The same secrets under the newest key, for rotation.  Raises: NotConfigured if no key fits."""
    return seal(unseal(sealed))


def _fernet() -> MultiFernet:
    if not settings.CREDENTIAL_KEYS:
        raise NotConfigured("CREDENTIAL_KEYS is empty: set at least one Fernet key to store credentials.")
    try:
        return MultiFernet([Fernet(key) for key in settings.CREDENTIAL_KEYS])
    except ValueError:
        raise NotConfigured("CREDENTIAL_KEYS holds a key that is not 32 bytes of url-safe base64.") from None
