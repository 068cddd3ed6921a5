"""`make demo-check`: the demo without a person, and the proof that its books are right.

Buyers buy, a crowd sells one SKU out, a supplier breaks under load and heals while another reports ten times what it
has; then both sides' books are compared.
"""

import threading
import time
from collections import Counter
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path
from typing import Any

import requests
from django.db import connection
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from inventory.models import Allocation, Effect
from inventory_project.demo.books import UNTOLD, ask, truth_of
from inventory_project.demo.buyers import PLACED, REFUSED, Shop, Tally, buying
from inventory_project.demo.children import ChildEnded, coloured, say
from inventory_project.demo.inflation import Inflation
from inventory_project.demo.proof import Findings, compare, ordered
from inventory_project.demo.seed import SHARED, SUPPLIERS, all_skus
from inventory_project.demo.stage import Stage

BUYERS, CROWD = 6, 16
QUIET_SECONDS, BROKEN_SECONDS = 10, 10
FRESH_WITHIN = 30  # seconds after healing
DRAIN_SECONDS = 60
SOLD_OUT_WITHIN = 30
SOLD_OUT = "TEA-05"
BROKEN, INFLATED = 1, 0  # their places in SUPPLIERS
GREEN, RED = 32, 31


def run(folder: Path) -> int:
    """0 if every claim held."""
    findings = Findings()
    try:
        with Stage(folder) as stage:
            stage.wait_ready()
            tally = play(stage, findings)
            drain(stage, findings)
            compare(stage, tally, findings)
    except ChildEnded as error:
        findings.note("every process lasted", error, holds=False)
    say(findings.table())
    say(coloured("The books are right.", GREEN) if findings.hold else coloured("The books are WRONG.", RED))
    return 0 if findings.hold else 1


def play(stage: Stage, findings: Findings) -> Tally:
    """Everything that happens while buyers buy; returns what buyers and crowd were told."""
    with buying(stage.base_url, stage.access["api_key"], all_skus(), BUYERS) as tally:
        say(f"{BUYERS} buyers buy for {QUIET_SECONDS} s")
        watch(stage, QUIET_SECONDS)
        say(f"a crowd of {CROWD} buys {SOLD_OUT} until it is sold out")
        sell_out(stage, tally, findings)
        break_and_heal(stage, tally, findings)
    return tally


def watch(stage: Stage, seconds: float) -> None:
    """Let time pass; notice a process that ends."""
    pause, end = threading.Event(), time.monotonic() + seconds
    while (left := end - time.monotonic()) > 0:
        stage.children.check()
        pause.wait(min(left, 0.5))


def sell_out(stage: Stage, tally: Tally, findings: Findings) -> None:
    """Many at once, unit by unit, until the last is gone.

    One refusal is not the end: a reading that has our latest orders in it already counts them twice until they settle.
    """
    initial = sum(row[SOLD_OUT]["initial"] for row in truth_of(stage.addresses).values() if SOLD_OUT in row)
    deadline = time.monotonic() + SOLD_OUT_WITHIN

    def buy_all(_: int) -> None:
        shop = Shop(stage.base_url, stage.access["api_key"], tally)
        while time.monotonic() < deadline:
            if shop.order({SOLD_OUT: 1}) != PLACED:
                if ordered()[SOLD_OUT] >= initial:
                    break
                time.sleep(0.5)
        connection.close()

    with ThreadPoolExecutor(CROWD) as crowd:
        list(crowd.map(buy_all, range(CROWD)))
    sold, stock = ordered()[SOLD_OUT], stock_of(stage, [SOLD_OUT])[SOLD_OUT]
    findings.note(f"{SOLD_OUT}: sold of {initial}", sold, sold == initial)
    findings.note(f"{SOLD_OUT}: shown as", stock["status"], stock["status"] == "out_of_stock")


def break_and_heal(stage: Stage, tally: Tally, findings: Findings) -> None:
    """One supplier goes down under load; the others' SKUs must not notice, its own must be fresh again soon after."""
    address, others = stage.addresses[BROKEN], own_skus(except_of=BROKEN)
    inflation = Inflation(stage, INFLATED, findings)
    before, end = tally.copy(), time.monotonic() + BROKEN_SECONDS
    ask(address, "chaos", {"down": True})
    say(f"{address.slug} is down for {BROKEN_SECONDS} s at least")
    inflation.begin()
    inflation.watch()
    watch(stage, end - time.monotonic())
    during = answers_for(others, tally.copy(), before)
    # A number that is not believed grows old, as it should.
    honest = [sku for sku in others if sku not in own_skus(of=INFLATED)]
    stale = [sku for sku, stock in stock_of(stage, honest).items() if stock["stale"]]
    ask(address, "chaos", {"down": None})
    healed = timezone.now()
    inflation.end()
    decided = during[PLACED] + during[REFUSED]
    findings.note(
        "other suppliers' SKUs went on: orders decided, all others",
        f"{decided}, {during.total() - decided}",
        decided > 0 and decided == during.total(),
    )
    findings.note("other suppliers' SKUs stale meanwhile", len(stale), not stale)
    seconds = fresh_again(stage, own_skus(of=BROKEN), healed)
    findings.note(
        f"stock of {address.slug} fresh again within {FRESH_WITHIN} s", f"{seconds:.1f} s", seconds <= FRESH_WITHIN
    )
    inflation.recover()


def own_skus(of: int | None = None, except_of: int | None = None) -> list[str]:
    """SKUs that one supplier alone sells: of this one, or of all but that one."""
    return [
        line["sku"]
        for number, supplier in enumerate(SUPPLIERS)
        for line in supplier.catalogue()
        if line["sku"] not in SHARED and number != except_of and of in (None, number)
    ]


def answers_for(skus: Sequence[str], now: Tally, before: Tally) -> Counter[int]:
    """Answers to orders with one of these SKUs, between two moments."""
    answers: Counter[int] = Counter()
    for (sku, status), times in (now.answers_by_sku - before.answers_by_sku).items():
        if sku in skus:
            answers[status] += times
    return answers


def stock_of(stage: Stage, skus: Sequence[str]) -> dict[str, dict[str, Any]]:
    """SKU → the API's stock answer."""
    headers = {"Authorization": f"Api-Key {stage.access['api_key']}"}
    answer = requests.get(f"{stage.base_url}/api/v1/stock", params={"sku": skus}, headers=headers, timeout=10)
    answer.raise_for_status()
    return {stock["sku"]: stock for stock in answer.json()["results"]}


def fresh_again(stage: Stage, skus: Sequence[str], healed: datetime) -> float:
    """Seconds from the healing until every one of these was read after it; gives up after twice the limit."""
    while (seconds := (timezone.now() - healed).total_seconds()) < 2 * FRESH_WITHIN:
        stage.children.check()
        stamps = [parse_datetime(stock["as_of"] or "") for stock in stock_of(stage, skus).values()]
        if all(stamp and stamp >= healed for stamp in stamps):
            break
        time.sleep(0.5)
    return seconds


def drain(stage: Stage, findings: Findings) -> None:
    """Wait until every order was told upstream and nothing is due: the sweep and the retries have to manage."""
    say("buyers have gone; what is due is done")
    began = time.monotonic()
    while (seconds := time.monotonic() - began) < DRAIN_SECONDS:
        stage.children.check()
        open_effects = Effect.objects.filter(done_at=None).count()
        untold = Allocation.objects.filter(state__in=UNTOLD).count()
        if not open_effects and not untold:
            break
        time.sleep(0.5)
    findings.note(f"nothing is left to do within {DRAIN_SECONDS} s", f"{seconds:.1f} s", seconds < DRAIN_SECONDS)
