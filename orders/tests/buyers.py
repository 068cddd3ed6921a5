"""Buyers that do not give up while nothing is decided; also a process of them for tests across processes.

python -m orders.tests.buyers STOREFRONT_ID SKU BUYERS NAME: each buys one unit; prints how often each outcome came.
"""

import hashlib
import json
import os
import sys
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor

import django

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "inventory_project.settings")
    django.setup()

from django.db import OperationalError, connection

from inventory.locks import LockBusyError
from orders import placement
from orders.intents import Intent, Outcome

PATIENCE = 20


def intent_of(storefront_id: int, key: str, lines: Sequence[tuple[str, int]]) -> Intent:
    lines = tuple(sorted(lines))
    return Intent(storefront_id, "storefront:shop", key, hashlib.sha256(repr(lines).encode()).digest(), key, lines)


def place(intents: Sequence[Intent]) -> list[Outcome]:
    """One batch without the combiner, which would let only one of this process in: repeats and true refusals first."""
    outcomes = placement.answer_without_lock(intents)
    waiting = [at for at in range(len(intents)) if at not in outcomes]
    if waiting:
        with placement.under_lock({code for at in waiting for code in intents[at].codes}):
            placed = placement.place_locked([intents[at] for at in waiting])
        outcomes |= dict(zip(waiting, placed, strict=True))
    return [outcomes[at] for at in range(len(intents))]


def buy(intent: Intent) -> str:
    """placed, refused or reused; "gave up" if nothing was decided in all attempts."""
    for _ in range(PATIENCE):
        try:
            return type(place([intent])[0]).__name__.lower()
        except (LockBusyError, OperationalError, placement.KeyContendedError):
            continue
        finally:
            connection.close()
    return "gave up"


def main() -> None:
    storefront_id, sku, buyers, name = int(sys.argv[1]), sys.argv[2], int(sys.argv[3]), sys.argv[4]
    with ThreadPoolExecutor(buyers) as pool:
        intents = [intent_of(storefront_id, f"{name}-{number}", [(sku, 1)]) for number in range(buyers)]
        outcomes = Counter(pool.map(buy, intents))
    sys.stdout.write(json.dumps(outcomes))


if __name__ == "__main__":
    main()
