"""System checks: settings with which a guarantee would not hold are refused before anything runs."""

import re
from collections.abc import Iterator, Sequence
from typing import Any
from urllib.parse import urlsplit

import redis
from cryptography.fernet import Fernet
from django.conf import settings
from django.core.checks import CheckMessage, Error, Tags, Warning, register  # noqa: A004 - Django's name for it

MIN_SECRET_LENGTH = 50
REDIS_PORT = 6379


@register(Tags.security)
def check_keys(**_: Any) -> list[CheckMessage]:
    """Keys that sign sessions and encrypt the suppliers' credentials."""
    found: list[CheckMessage] = []
    if len(settings.SECRET_KEY) < MIN_SECRET_LENGTH:
        found.append(Error(f"SECRET_KEY has fewer than {MIN_SECRET_LENGTH} characters.", id="holdfast.E001"))
    if not settings.CREDENTIAL_KEYS:
        hint = "python -c 'from cryptography.fernet import Fernet; print(Fernet.generate_key().decode())'"
        found.append(Error("CREDENTIAL_KEYS is empty: credentials cannot be encrypted.", hint, id="holdfast.E002"))
    elif not all(map(is_fernet_key, settings.CREDENTIAL_KEYS)):
        found.append(Error("CREDENTIAL_KEYS has a key that is no Fernet key.", id="holdfast.E003"))
    return found


@register(Tags.security, deploy=True)
def check_debug(**_: Any) -> list[CheckMessage]:
    """An error page of DEBUG shows settings and data to everybody."""
    return [Error("DEBUG is on.", id="holdfast.E004")] if settings.DEBUG else []


@register(Tags.compatibility)
def check_transactions(**_: Any) -> list[CheckMessage]:
    """The SKU lock goes around the transaction: with ATOMIC_REQUESTS it would be inside, and sell units twice."""
    return [
        Error(f"ATOMIC_REQUESTS is on for the database {alias!r}.", id="holdfast.E005")
        for alias, database in settings.DATABASES.items()
        if database.get("ATOMIC_REQUESTS")
    ]


@register(Tags.compatibility)
def check_times(**_: Any) -> list[CheckMessage]:
    """Timeouts that lean on each other."""
    return [Error(message, id="holdfast.E006") for message in wrong_times()]


def wrong_times() -> Iterator[str]:
    """One sentence for each timeout that is not on its side of another."""
    expire = settings.SKU_LOCK_EXPIRE_SECONDS * 1000
    options = settings.DATABASES["default"].get("OPTIONS", {}).get("options", "")
    for name in ("idle_in_transaction_session_timeout", "lock_timeout"):
        given = re.search(rf"{name}=(\d+)(?:ms)?(?:\s|$)", options)
        if not given or not 0 < int(given[1]) < expire:
            yield f"{name} (milliseconds, in the database's OPTIONS) must be below SKU_LOCK_EXPIRE_SECONDS ({expire})."
    if type(settings.SKU_LOCK_ACQUIRE_SECONDS) is not int or settings.SKU_LOCK_ACQUIRE_SECONDS < 1:
        yield "SKU_LOCK_ACQUIRE_SECONDS must be whole seconds: python-redis-lock takes a fraction for 'for ever'."
    if expire > settings.STOCK_TOMBSTONE_SECONDS * 1000:
        yield "STOCK_TOMBSTONE_SECONDS must not be below SKU_LOCK_EXPIRE_SECONDS: a frozen order could still commit."
    if settings.CELERY_BROKER_TRANSPORT_OPTIONS.get("visibility_timeout", 0) <= settings.CELERY_TASK_TIME_LIMIT:
        yield "visibility_timeout must exceed CELERY_TASK_TIME_LIMIT, or a running task is delivered again."


@register(Tags.caches)
def check_two_redis(**_: Any) -> list[CheckMessage]:
    """Two Redis servers: clearing a cache is FLUSHDB, and one that evicts loses locks and messages."""
    if server_of(settings.REDIS_URL) != server_of(settings.CACHE_URL):
        return []
    message = "REDIS_URL and CACHE_URL are one server; another database number on it does not help."
    return [Error(message, id="holdfast.E007")]


@register(Tags.database)
def check_broker(databases: Sequence[str] | None = None, **_: Any) -> list[CheckMessage]:
    """Ask the broker how it keeps its data.  Like Django's database checks: with `migrate` or `check --database`.

    One that does not answer, or hides this, is left to /readyz.
    """
    if not databases:
        return []
    try:
        with redis.Redis.from_url(settings.REDIS_URL, socket_timeout=2, socket_connect_timeout=2) as broker:
            info = broker.info()
    except redis.RedisError:
        return []
    found: list[CheckMessage] = []
    if info.get("maxmemory_policy", "noeviction") != "noeviction":
        message = "The Redis of REDIS_URL evicts: locks and messages would vanish. Set maxmemory-policy noeviction."
        found.append(Error(message, id="holdfast.E008"))
    if not info.get("aof_enabled", 1):
        message = "The Redis of REDIS_URL keeps no append-only file: a crash loses messages until the sweep finds them."
        found.append(Warning(message, id="holdfast.W001"))
    return found


def is_fernet_key(key: str) -> bool:
    """Is this a key that Fernet accepts?"""
    try:
        Fernet(key)
    except ValueError:
        return False
    return True


def server_of(url: str) -> tuple[str, int | str]:
    """The server that a Redis URL leads to, whatever its database number and options."""
    parts = urlsplit(url)
    if parts.scheme == "unix":
        return "unix", parts.path
    host = "127.0.0.1" if parts.hostname in (None, "localhost", "::1") else str(parts.hostname)
    return host, parts.port or REDIS_PORT
