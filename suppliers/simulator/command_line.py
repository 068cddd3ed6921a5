"""A chaos supplier as a process of its own: the same options for `manage.py chaos_supplier` and `python -m`."""

import argparse
import json
import os
import signal
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Any

from .catalogue import from_file, generated
from .dialects import DIALECTS
from .profiles import PROFILES
from .running import TOKEN, RunningChaosSupplier


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--profile", choices=sorted(PROFILES), default="calm")
    parser.add_argument("--scenario", type=json.loads, default={}, help="JSON, merged into the profile")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--rows", type=int, default=100)
    parser.add_argument("--prefix", default="SKU-")
    parser.add_argument("--stock", type=int, default=50, help="units of each generated row")
    parser.add_argument("--catalogue", type=Path, help="a JSON list of {sku, stock, id?, location?}, not --rows")
    parser.add_argument("--dialect", choices=sorted(DIALECTS), default="rest_page")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: a free one")
    parser.add_argument("--token", default=TOKEN)


def serve(options: dict[str, Any]) -> None:
    """Print one JSON line {"url", "pid", "token"} when ready, and serve until SIGTERM or Ctrl-C."""
    catalogue = options["catalogue"]
    items = from_file(catalogue) if catalogue else generated(options["rows"], options["prefix"], options["stock"])
    running = RunningChaosSupplier(
        items,
        scenario={"seed": options["seed"], "profile": options["profile"], **options["scenario"]},
        token=options["token"],
        dialect=options["dialect"],
        address=(options["host"], options["port"]),
    )
    told = threading.Event()

    def tell(_number: int, _frame: FrameType | None) -> None:
        told.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, tell)
    threading.Thread(target=running.serve_forever, name="chaos-supplier", daemon=True).start()
    sys.stdout.write(json.dumps({"url": running.url, "pid": os.getpid(), "token": running.token}) + "\n")
    sys.stdout.flush()
    told.wait()
    running.stop()
