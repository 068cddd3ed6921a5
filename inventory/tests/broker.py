"""What waits in the broker."""

import base64
import json
from typing import Any

import redis
from django.conf import settings

QUEUES = ("effects", "celery")


def take() -> list[tuple[str, list[Any]]]:
    """Take out all messages: (task, arguments).  No work begins by it."""
    taken = []
    with redis.Redis.from_url(settings.REDIS_URL) as broker:
        for queue in QUEUES:
            while raw := broker.rpop(queue):
                message = json.loads(str(raw, "utf-8"))
                taken.append((message["headers"]["task"], json.loads(base64.b64decode(message["body"]))[0]))
    return taken
