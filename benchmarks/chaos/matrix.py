"""All pairs, one after the other."""

import argparse
from collections.abc import Iterator
from pathlib import Path

from django.core.management import call_command
from django.db import connection

from inventory.models import Sku, StockLevel

from . import pair, report
from .tempers import TEMPERS
from .upstream import DIALECTS

# Its pushes are not in these platforms' form.
UNABLE = {("webhook_storm", dialect) for dialect in ("shopify_lite", "top", "aop1688")}


def run(folder: Path, options: argparse.Namespace) -> int:
    """0 if every promise was kept in every pair."""
    call_command("migrate", verbosity=0)
    (folder / "static").mkdir(exist_ok=True)
    record = folder.with_suffix(".json")
    results = report.kept(record) if options.more else []
    fresh: list[pair.Result] = []
    for temper, dialect in pairs(options.only, options.dialect):
        clear()
        fresh.append(pair.run(temper, dialect, options.seed, options.seconds, folder / "simulators.log"))
        print(report.line(fresh[-1]), flush=True)
        results = [result for result in results if result.name != fresh[-1].name] + fresh[-1:]
        report.keep(results, record)
    if options.write:
        report.write(results, options.seed, options.seconds)
    broken = [result for result in fresh if result.broken]
    for result in broken:
        again = f"--seed {result.seed} --seconds {options.seconds:g} --only {result.temper} --dialect {result.dialect}"
        print(f"Again: python -m benchmarks.chaos {again}")
    return 1 if broken else 0


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
    tables = [model._meta.db_table for model in (Sku, StockLevel)]
    with connection.cursor() as cursor:
        cursor.execute(f"TRUNCATE {', '.join(tables)}, suppliers_supplier, storefronts_storefront CASCADE")
