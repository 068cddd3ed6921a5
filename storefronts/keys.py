"""From a presented key to who presents it.

A key is looked up in PostgreSQL once in VERIFIED_SECONDS per process; that is also the longest a revoked key lives on
in processes other than the one that revoked it.
"""

import hashlib
import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import timedelta
from time import monotonic
from typing import Any

import structlog
from django.db import DatabaseError, transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from storefronts.models import ApiKey
from storefronts.signals import access_changed

VERIFIED_SECONDS = 5
LAST_USED_STEP = timedelta(minutes=1)
KEY_SHAPE = re.compile(r"[A-Za-z0-9]{8}\.[A-Za-z0-9]{32,128}")

logger = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Principal:
    """Who asks: a storefront, by one of its keys.  Stands where Django expects a user.

    orders_per_sku: that it may ask for in a minute, None: any number.
    """

    storefront_id: int
    slug: str
    key_prefix: str
    scopes: frozenset[str]
    orders_per_sku: int | None = None

    is_authenticated = True


@dataclass(frozen=True, slots=True)
class _Verified:
    principal: Principal
    until: float  # monotonic()


# SHA-256 of the key → its owner.  Holds keys that exist only, so strangers cannot make it grow.
_verified: dict[bytes, _Verified] = {}


def principal_of(key: str) -> Principal | None:
    """The owner of this key; None if it is unknown, expired or revoked, or its storefront is inactive."""
    digest = hashlib.sha256(key.encode()).digest()
    known = _verified.get(digest)
    if known is not None and known.until > monotonic():
        return known.principal
    _verified.pop(digest, None)
    api_key = _find(key)
    if api_key is None:
        return None
    principal = Principal(
        storefront_id=api_key.storefront_id,
        slug=api_key.storefront.slug,
        key_prefix=api_key.prefix,
        scopes=frozenset(api_key.scopes),
        orders_per_sku=api_key.storefront.orders_per_sku,
    )
    _verified[digest] = _Verified(principal, monotonic() + _seconds_to_remember(api_key))
    _note_use(api_key)
    return principal


def living(prefixes: Collection[str], scope: str) -> set[str]:
    """Those of these keys that are still good for the scope, as the database has it now."""
    good = ApiKey.objects.filter(prefix__in=prefixes, revoked=False, storefront__active=True, scopes__contains=[scope])
    return set(good.exclude(expiry_date__lte=Now()).values_list("prefix", flat=True))


def forget_keys(**_signal: Any) -> None:
    """Look every key up again, from the next request on."""
    _verified.clear()


access_changed.connect(forget_keys, dispatch_uid="storefronts.keys")


def _find(key: str) -> ApiKey | None:
    if not KEY_SHAPE.fullmatch(key):
        return None
    prefix = key.partition(".")[0]
    api_key: ApiKey | None = ApiKey.objects.select_related("storefront").filter(prefix=prefix, revoked=False).first()
    # is_valid compares hashes in constant time.
    if api_key is None or not api_key.is_valid(key) or api_key.has_expired or not api_key.storefront.active:
        return None
    return api_key


def _seconds_to_remember(api_key: ApiKey) -> float:
    if api_key.expiry_date is None:
        return VERIFIED_SECONDS
    return min(VERIFIED_SECONDS, (api_key.expiry_date - timezone.now()).total_seconds())


def _note_use(api_key: ApiKey) -> None:
    """Best effort: a request does not fail because its key's last use could not be written down."""
    if api_key.last_used_at is not None and timezone.now() - api_key.last_used_at < LAST_USED_STEP:
        return
    unnoted = Q(last_used_at=None) | Q(last_used_at__lt=Now() - LAST_USED_STEP)
    try:
        with transaction.atomic():
            # The condition lets one of several processes write.
            ApiKey.objects.filter(unnoted, pk=api_key.pk).update(last_used_at=Now())
    except DatabaseError:
        logger.warning("last use of a key not written", prefix=api_key.prefix, exc_info=True)
