"""Encrypts everything that is sealed anew, with the newest key, wherever it is kept.

It needs no memory of how far it came: what is under the newest key already is left alone.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum

from django.db import models

from suppliers.credentials import is_newest, reseal
from suppliers.errors import NotConfigured
from suppliers.sealed import SealedField, sealed_fields


class Fate(StrEnum):
    """What became of one sealed value."""

    RENEWED = "encrypted with the newest key"
    NEWEST = "under the newest key already"
    UNREADABLE = "opened by no key of CREDENTIAL_KEYS"


@dataclass(frozen=True, slots=True)
class Rotated:
    """One sealed value, by where it is kept."""

    where: str
    fate: Fate


def rotate(*, dry_run: bool = False) -> Iterator[Rotated]:
    """Every sealed value and what became of it, or in a dry run what would.

    Raises: NotConfigured without usable CREDENTIAL_KEYS, and then nothing was changed.
    """
    is_newest(b"")  # complains of the keys before the first row is touched
    for field in sealed_fields():
        for row in _sealed(field).iterator(chunk_size=500):
            fate = renew(field, row, dry_run=dry_run)
            if fate is not None:
                yield Rotated(f"{field.model._meta.verbose_name} {row.pk} ({row})", fate)


def _sealed(field: SealedField) -> "models.QuerySet[models.Model]":
    return models.QuerySet(field.model).exclude(**{field.attname: b""}).order_by("pk")


def renew(field: SealedField, row: models.Model, *, dry_run: bool) -> Fate | None:
    """What became of one value, of which `row` holds what was read.  None: it was removed meanwhile."""
    while True:
        sealed = bytes(getattr(row, field.attname))
        if not sealed:
            return None
        if is_newest(sealed):
            return Fate.NEWEST
        try:
            renewed = reseal(sealed)
        except NotConfigured:
            return Fate.UNREADABLE
        # Whoever stored other secrets meanwhile may not know the newest key yet: then those are next.
        if dry_run or _sealed(field).filter(pk=row.pk, **{field.attname: sealed}).update(**{field.attname: renewed}):
            return Fate.RENEWED
        current = _sealed(field).filter(pk=row.pk).first()
        if current is None:
            return None
        row = current
