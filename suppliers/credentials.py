"""A supplier's secrets at rest: a JSON object, encrypted with keys of its own that rotate."""

import json

from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from django.conf import settings

from suppliers.errors import NotConfigured

Secrets = dict[str, str]

NO_KEY_FITS = "The credentials were encrypted with a key that CREDENTIAL_KEYS no longer holds."


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
        raise NotConfigured(NO_KEY_FITS) from None
    return secrets


def reseal(sealed: bytes | memoryview) -> bytes:
    """The same secrets under the newest key, for rotation.  Raises: NotConfigured if no key fits."""
    try:
        return _fernet().rotate(bytes(sealed))
    except InvalidToken:
        raise NotConfigured(NO_KEY_FITS) from None


def is_newest(sealed: bytes | memoryview) -> bool:
    """Is it under the newest key?  Raises: NotConfigured without usable CREDENTIAL_KEYS."""
    try:
        _fernet(newest_only=True).decrypt(bytes(sealed))
    except InvalidToken:
        return False
    return True


def _fernet(*, newest_only: bool = False) -> MultiFernet:
    if not settings.CREDENTIAL_KEYS:
        raise NotConfigured("CREDENTIAL_KEYS is empty: set at least one Fernet key to store credentials.")
    try:
        keys = [Fernet(key) for key in settings.CREDENTIAL_KEYS]
    except ValueError:
        raise NotConfigured("CREDENTIAL_KEYS holds a key that is not 32 bytes of url-safe base64.") from None
    return MultiFernet(keys[:1] if newest_only else keys)
