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
from .running import TOKEN, RunningChaosProxy, RunningChaosSupplier

FIRST_MINUTE = """
a first minute:
  %(prog)s --profile sale_day --port 9000 &
  curl -H 'Authorization: Bearer chaos-supplier' 'http://127.0.0.1:9000/stock?size=3'
  curl -H 'Authorization: Bearer chaos-supplier' http://127.0.0.1:9000/orders \\
       -d '{"ref": "order-1", "lines": [{"sku": "SKU-000001", "quantity": 2}]}'
  curl http://127.0.0.1:9000/_truth?sku=SKU-000001            what there really is
  curl http://127.0.0.1:9000/_audit                           what was really sold, and what twice
  curl -X PUT http://127.0.0.1:9000/_chaos -d '{"lost_reply": {"p": 0.5}}'    make it worse
  curl -X PUT http://127.0.0.1:9000/_chaos -d '{"profile": "calm"}'           make it well

in front of a system of your own (faults of requests and answers only):
  %(prog)s --proxy http://127.0.0.1:8080 --profile flaky

every behaviour and its parameters: docs/chaos-supplier.md
"""


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.formatter_class = argparse.RawDescriptionHelpFormatter
    parser.epilog = FIRST_MINUTE
    parser.add_argument("--profile", choices=sorted(PROFILES), default="calm", help="its temper (calm)")
    parser.add_argument("--scenario", type=json.loads, default={}, help="JSON, merged into the profile")
    parser.add_argument("--seed", type=int, default=0, help="the same seed does the same to the same requests (0)")
    parser.add_argument("--dialect", choices=sorted(DIALECTS), default="rest_page", help="how it speaks (rest_page)")
    parser.add_argument("--rows", type=int, default=100, help="how many goods it has (100)")
    parser.add_argument("--prefix", default="SKU-", help="what their codes begin with (SKU-)")
    parser.add_argument("--stock", type=int, default=50, help="units of each (50)")
    parser.add_argument("--catalogue", type=Path, help="a JSON list of {sku, stock, id?, location?}, not --rows")
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0, help="0: a free one")
    parser.add_argument("--token", default=TOKEN, help=f"what clients show or sign with ({TOKEN})")
    parser.add_argument("--proxy", metavar="URL", help="stand in front of this system instead of being one")
    parser.add_argument(
        "--proxy-endpoints",
        type=json.loads,
        default={},
        metavar="JSON",
        help='which request is what, e.g. \'{"POST /login": "login", "GET /orders*": "readback"}\';'
        " otherwise GET is list, DELETE is cancel, the rest confirm",
    )


def serve(options: dict[str, Any]) -> None:
    """Print one JSON line {"url", "pid", "token"} when ready, and serve until SIGTERM or Ctrl-C."""
    running = _proxy(options) if options["proxy"] else _supplier(options)
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


def _supplier(options: dict[str, Any]) -> RunningChaosSupplier:
    catalogue = options["catalogue"]
    items = from_file(catalogue) if catalogue else generated(options["rows"], options["prefix"], options["stock"])
    return RunningChaosSupplier(
        items,
        scenario=_scenario(options),
        token=options["token"],
        dialect=options["dialect"],
        address=(options["host"], options["port"]),
    )


def _proxy(options: dict[str, Any]) -> RunningChaosProxy:
    return RunningChaosProxy(
        options["proxy"],
        scenario=_scenario(options),
        endpoints=options["proxy_endpoints"],
        address=(options["host"], options["port"]),
    )


def _scenario(options: dict[str, Any]) -> dict[str, Any]:
    return {"seed": options["seed"], "profile": options["profile"], **options["scenario"]}
