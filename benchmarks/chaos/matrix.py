"""All pairs, one after the other; with several jobs in as many processes, each with its share and its own servers."""

import argparse
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from subprocess import Popen

from django.core.management import call_command
from django.db import connection

from inventory.models import Sku, StockLevel, StockMovement
from inventory_project.localstack.processes import spawn, stop_group

from . import pair, report
from .dialects import DIALECTS
from .tempers import TEMPERS

STOP_SECONDS = 30
OUR_SERVERS = {"DATABASE_URL", "REDIS_URL", "CACHE_URL"}
# Its pushes are not in these platforms' form.
UNABLE = {("webhook_storm", dialect) for dialect in ("shopify_lite", "top", "aop1688")}


def run(folder: Path, options: argparse.Namespace) -> int:
    """0 if every promise was kept in every pair."""
    call_command("migrate", verbosity=0)
    record = folder.with_suffix(".json")
    wanted = list(pairs(options.only, options.dialect))
    results = report.kept(record) if options.more else []
    fresh: list[pair.Result] = []
    with ExitStack() as stack:
        helpers = [_start(stack, options, number) for number in range(2, options.jobs + 1)]
        for temper, dialect in _share(wanted, options):
            clear()
            fresh.append(pair.run(temper, dialect, options.seed, options.seconds, folder / "simulators.log"))
            print(report.line(fresh[-1]), flush=True)
            report.keep(report.merged(results, fresh), record)
        for name, helper in helpers:
            helper.wait()
            fresh += report.kept(record.with_name(f"{name}.json"))
    fresh.sort(key=lambda result: wanted.index(result.name))
    results = report.merged(results, fresh)
    report.keep(results, record)
    if options.write:
        report.write(results, options.seed, options.seconds)
    broken = [result for result in fresh if result.broken]
    for result in broken:
        again = f"--seed {result.seed} --seconds {options.seconds:g} --only {result.temper} --dialect {result.dialect}"
        print(f"Again: python -m benchmarks.chaos {again}")
    return 1 if broken else 0


def _start(stack: ExitStack, options: argparse.Namespace, number: int) -> "tuple[str, Popen[bytes]]":
    """Another process for a share of the pairs, under its name, while the block lasts."""
    name = f"{options.name}-{number}"
    told = {"--name": name, "--share": f"{number}/{options.jobs}", "--seed": options.seed, "--seconds": options.seconds}
    told |= {"--only": options.only, "--dialect": options.dialect}
    command = [sys.executable, "-m", "benchmarks.chaos", *(f"{option}={value}" for option, value in told.items())]
    environment = {name: value for name, value in os.environ.items() if name not in OUR_SERVERS}
    helper = spawn(command, env=environment)
    stack.callback(stop_group, helper, signal.SIGTERM, patience=STOP_SECONDS)
    return name, helper


def _share(wanted: list[tuple[str, str]], options: argparse.Namespace) -> list[tuple[str, str]]:
    number, of = map(int, options.share.split("/"))
    return wanted[number - 1 :: max(of, options.jobs)]


def pairs(tempers: str, dialects: str) -> Iterator[tuple[str, str]]:
    """Those asked for, or all.  Raises SystemExit for one that there is not."""
    wanted = [[word for word in text.split(",") if word] for text in (tempers, dialects)]
    for words, known in zip(wanted, (TEMPERS, DIALECTS), strict=True):
        if unknown := set(words) - set(known):
            raise SystemExit(f"There is no {', '.join(sorted(unknown))}; there is {', '.join(known)}.")
    for temper in wanted[0] or TEMPERS:
        for dialect in wanted[1] or DIALECTS:
            if (temper, dialect) not in UNABLE:
                yield temper, dialect


def clear() -> None:
    """Begin with empty books: a pair must not find another's rows."""
    tables = [model._meta.db_table for model in (Sku, StockLevel, StockMovement)]
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {', '.join(tables)}, suppliers_supplier, storefronts_storefront CASCADE")
