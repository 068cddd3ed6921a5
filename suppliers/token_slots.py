"""Tokens that upstream gives out for a time: one for all processes, sealed in the database, renewed by one at a time.

The database and not Redis, which may be wiped: a refresh token that upstream replaces at each use is the only one there
is, and with it lost a person has to sign in again.
"""

from dataclasses import dataclass
from datetime import datetime

from suppliers import database
from suppliers.credentials import seal, unseal
from suppliers.errors import NotConfigured

FORGOTTEN_DAYS = 180  # a slot that nobody renewed for so long belongs to credentials that were replaced

_READ = "SELECT sealed, extract(epoch FROM expires_at - clock_timestamp()) FROM suppliers_tokenslot WHERE key = %s"
_CLAIM = """
INSERT INTO suppliers_tokenslot AS slot (key, sealed, leased_until)
VALUES (%s, '', clock_timestamp() + %s * interval '1 second')
ON CONFLICT (key) DO UPDATE SET leased_until = EXCLUDED.leased_until
WHERE slot.sealed = %s AND (slot.leased_until IS NULL OR slot.leased_until < clock_timestamp())
RETURNING leased_until
"""
_FILL = """
UPDATE suppliers_tokenslot
SET sealed = %s, expires_at = clock_timestamp() + %s * interval '1 second', leased_until = NULL,
    updated_at = clock_timestamp()
WHERE key = %s AND leased_until = %s
"""
_RELEASE = "UPDATE suppliers_tokenslot SET leased_until = NULL WHERE key = %s AND leased_until = %s"
_FORGET = "DELETE FROM suppliers_tokenslot WHERE updated_at < clock_timestamp() - %s * interval '1 day'"


@dataclass(frozen=True, slots=True)
class Token:
    """seconds: believed so long from now on.  refresh: what the next one is asked for with, "" if with nothing."""

    access: str = ""
    refresh: str = ""
    seconds: float = 0.0


@dataclass(frozen=True, slots=True)
class Slot:
    """What is stored under a key.  sealed: as it was read; who claims it must have seen the newest."""

    token: Token
    sealed: bytes = b""


def read(key: str) -> Slot:
    """The token of this key; an empty one if there is none, or none that our keys can open."""
    with database.cursor() as cursor:
        cursor.execute(_READ, [key])
        row = cursor.fetchone()
    if row is None:
        return Slot(Token())
    sealed = bytes(row[0])
    try:
        secrets = unseal(sealed)
    except NotConfigured:
        secrets = {}
    return Slot(Token(secrets.get("access", ""), secrets.get("refresh", ""), float(row[1] or 0)), sealed)


def claim(key: str, slot: Slot, seconds: float) -> datetime | None:
    """The lease under which the caller alone renews what it has read; None: somebody else does, or did."""
    with database.cursor() as cursor:
        cursor.execute(_CLAIM, [key, seconds, slot.sealed])
        row = cursor.fetchone()
    return row[0] if row else None


def fill(key: str, lease: datetime, token: Token) -> None:
    """Store what upstream gave; dropped if the lease ran out and somebody else has claimed the slot."""
    sealed = seal({"access": token.access, "refresh": token.refresh})
    with database.cursor() as cursor:
        cursor.execute(_FILL, [sealed, token.seconds, key, lease])
        cursor.execute(_FORGET, [FORGOTTEN_DAYS])


def release(key: str, lease: datetime) -> None:
    """Upstream gave nothing: the next one may try."""
    with database.cursor() as cursor:
        cursor.execute(_RELEASE, [key, lease])
