"""`make demo`: buyers at work, and a line a second about what became of it."""

import random
import threading
import time
from datetime import datetime
from pathlib import Path

import requests
from django.utils import timezone

from inventory_project.demo.books import Books, Truth, ask, books, truth_of
from inventory_project.demo.buyers import PLACED, REFUSED, UNDECIDED, Tally, buying
from inventory_project.demo.children import ChildEnded, coloured, say
from inventory_project.demo.seed import Address, all_skus
from inventory_project.demo.stage import Stage

BUYERS = 6
RESTOCK_EVERY = 3  # lines
GREEN, RED, BOLD = 32, 31, 1


def run(folder: Path) -> int:
    """Until Ctrl-C; 1 if a process ended by itself."""
    began, since = time.monotonic(), timezone.now()
    try:
        with Stage(folder) as stage:
            stage.wait_ready()
            say(welcome(stage, time.monotonic() - began))
            with buying(stage.base_url, stage.access["api_key"], all_skus(), BUYERS) as tally:
                watch(stage, tally, since)
    except ChildEnded as error:
        say(coloured(str(error), RED))
    return 1


def welcome(stage: Stage, seconds: float) -> str:
    """What a person needs to join in; the same is in var/demo.json for programs."""
    access = stage.access
    suppliers = "\n".join(f"  supplier   {address.url}  {address.slug}" for address in stage.addresses)
    return f"""
{coloured(f"Holdfast is up after {seconds:.1f} s.", BOLD)}  Ctrl-C stops all of it.
  admin      {access["admin_url"]}  {access["admin_user"]} / {access["admin_password"]}
  API        {access["docs_url"]}  Authorization: Api-Key {access["api_key"]}
{suppliers}
  logs       {stage.children.folder}
  all this   {stage.document}
Break a supplier: curl -X PUT {stage.addresses[0].url}/_chaos -d '{{"down": true}}'   heal it: '{{"down": null}}'
Let it report ten times what it has: '{{"inflation": {{"k": 10}}}}'   the truth again: '{{"inflation": null}}'
"""


def watch(stage: Stage, tally: Tally, since: datetime) -> None:
    """Say what was sold, refused and synced, line by line, and bring new goods to the suppliers."""
    chance = random.Random(1)  # noqa: S311 - which goods arrive, repeatable
    pause, before, lines = threading.Event(), 0, 0
    while True:
        pause.wait(1)
        stage.children.check()
        try:
            truth = truth_of(stage.addresses)
            now = books(truth, since)
        except requests.RequestException as error:
            say(f"a supplier does not show its truth: {type(error).__name__}")
            continue
        say(line_of(now, tally, now.sold - before))
        before, lines = now.sold, lines + 1
        if lines % RESTOCK_EVERY == 0:
            restock(stage.addresses, truth, chance)


def line_of(now: Books, tally: Tally, more: int) -> str:
    """One line of the live view."""
    answers = tally.copy().answers
    others = sum(answers.values()) - answers[PLACED] - answers[REFUSED] - answers[UNDECIDED]
    verdict = coloured("oversold 0", GREEN) if not now.oversold else coloured(f"OVERSOLD {now.oversold}", RED)
    parts = [
        f"sold {now.sold:4} (+{more}) in {now.orders} orders",
        f"refused {answers[REFUSED]}",
        f"busy {answers[UNDECIDED]}",
        *([coloured(f"failed {others}", RED)] if others else []),
        f"told {now.told}, to tell {now.untold}",
        f"synced {now.snapshots} whole, {now.reads} single, {now.failed_syncs} failed",
        *([f"discrepancies {now.discrepancies}"] if now.discrepancies else []),
        verdict,
    ]
    return f"{timezone.now():%H:%M:%S}  " + " · ".join(parts)


def restock(addresses: list[Address], truth: Truth, chance: random.Random) -> None:
    """New goods for one supplier's emptiest row; we learn of them by the next snapshot only."""
    address = chance.choice(addresses)
    sku, _ = min(truth[address.slug].items(), key=lambda row: row[1]["on_hand"])
    units = chance.randint(10, 30)
    ask(address, "restock", {"sku": sku, "quantity": units})
    say(f"{timezone.now():%H:%M:%S}  {address.slug} receives {units} × {sku}")
