"""The per-SKU lock around order placement: a queue, not the guard.

With every lock granted at once, or Redis gone, the row locks and the CHECK of the ledger still sell no unit twice.
The lock goes around the transaction, never inside it: released before the COMMIT it lets the next one read old rows.
"""

import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from functools import lru_cache

import redis
import redis_lock
from django.conf import settings
from django.db import connection
from prometheus_client import Counter
from redis.backoff import NoBackoff
from redis.retry import Retry

from inventory.away import Away

REDIS_AWAY = Counter("holdfast_lock_redis_away_total", "Orders placed under row locks alone, because Redis was away.")
LOST = Counter("holdfast_lock_lost_total", "Locks that were gone or somebody else's when they were to be released.")


class LockBusyError(Exception):
    """The SKU is being sold by others; try again with the same idempotency key."""


class LockUnavailableError(Exception):
    """The lock server is away and this installation requires the lock; try again later."""


class LockInsideTransactionError(RuntimeError):
    """A SKU lock was asked for inside a transaction: it would be released before the COMMIT.  Take it around."""


away = Away("lock_server_away")


@lru_cache(maxsize=1)
def _client(url: str) -> redis.Redis:
    """The lock's own client.

    No retries: a repeated SET NX whose first reply was lost finds our own lock and waits for it.
    The socket timeout lies above the acquire timeout, or a patient BLPOP looks like a dead server.
    """
    return redis.Redis.from_url(
        url,
        socket_connect_timeout=0.25,
        socket_timeout=settings.SKU_LOCK_ACQUIRE_SECONDS + 0.5,
        retry=Retry(NoBackoff(), 0),
    )


@contextmanager
def sku_locks(codes: Sequence[str], *, deadline: float) -> Iterator[bool]:
    """Hold the locks of these SKUs; yields whether all are really held.

    deadline: `time.monotonic()` after which no further lock is waited for; shared by all.
    Locks: in ascending order of code.  Requires that no transaction is open.
    Raises: LockBusyError, LockUnavailableError (only with ORDERS_REQUIRE_LOCK), LockInsideTransactionError.
    """
    if connection.in_atomic_block:
        raise LockInsideTransactionError(LockInsideTransactionError.__doc__)
    with ExitStack() as held:
        complete = all(_hold(code, held, deadline) for code in sorted(codes))
        if not complete:
            if settings.ORDERS_REQUIRE_LOCK:
                raise LockUnavailableError(LockUnavailableError.__doc__)
            REDIS_AWAY.inc()
        yield complete


def _hold(code: str, held: ExitStack, deadline: float) -> bool:
    """Take one lock and have it released with `held`; False if Redis is away."""
    if away:
        return False
    patience = min(settings.SKU_LOCK_ACQUIRE_SECONDS, int(deadline - time.monotonic()))
    try:
        # The braces keep the lock and its signal list in one slot of a Redis Cluster.
        lock = redis_lock.Lock(_client(settings.REDIS_URL), f"{{sku:{code}}}", expire=settings.SKU_LOCK_EXPIRE_SECONDS)
        if lock.acquire(blocking=patience > 0, timeout=patience if patience > 0 else None):
            held.callback(_release, lock)
            return True
        # The grant may have been ours and its reply lost; releasing what is not ours does nothing.
        with suppress(redis_lock.NotAcquired):
            lock.release()
    except redis.RedisError as error:
        away.mark(error)
        return False
    raise LockBusyError(LockBusyError.__doc__)


def _release(lock: redis_lock.Lock) -> None:
    try:
        lock.release()
    except redis_lock.NotAcquired:
        # It expired or was stolen while we worked.  Nothing is wrong with the order: the row locks were the guard.
        LOST.inc()
    except redis.RedisError as error:
        away.mark(error)
