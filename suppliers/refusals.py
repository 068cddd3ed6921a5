"""Pushes that were refused, counted where a flood of them costs nothing that lasts: in Redis, for a week."""

from collections.abc import Mapping

import redis

from suppliers.shared_state import shared_state

KEPT_SECONDS = 7 * 86_400


def note(name: str, reason: str) -> None:
    """Count a refusal.  Without Redis it is not counted."""
    client = shared_state().client()
    if client is None:
        return
    try:
        with client.pipeline(transaction=False) as pipeline:
            pipeline.hincrby(_key(name), reason, 1)
            pipeline.expire(_key(name), KEPT_SECONDS)
            pipeline.execute()
    except redis.RedisError:
        shared_state().lost()


def counted(name: str) -> Mapping[str, int]:
    """Reason → how often since the last quiet week."""
    client = shared_state().client()
    if client is None:
        return {}
    try:
        found = client.hgetall(_key(name))
    except redis.RedisError:
        shared_state().lost()
        return {}
    return {reason.decode(): int(times) for reason, times in found.items() if isinstance(reason, bytes)}


def _key(name: str) -> str:
    return f"supplier:{{{name}}}:refused-pushes"
