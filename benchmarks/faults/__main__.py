"""`python -m benchmarks.faults`: start everything, break it, heal it, and compare the books."""

import argparse
import os
import secrets
import shutil
import signal
import sys
from importlib import import_module

from benchmarks.faults.wiring import Wiring
from inventory_project.localstack import LocalStack, StackError
from inventory_project.runner import interrupt, set_up


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(1_000_000))
    parser.add_argument("--rounds", type=int, default=3, help="how often each fault strikes")
    parser.add_argument("--length", type=float, default=1.0, help="factor on how long faults last")
    parser.add_argument("--buyers", type=int, default=24)
    parser.add_argument("--webs", type=int, default=2, help="web processes")
    parser.add_argument("--only", default="", help="a class of faults (F05), or a part of a name")
    parser.add_argument("--small", action="store_true", help="leave out faults that resemble another")
    parser.add_argument("--name", default="faults", help="the folder in var/, and the record's name")
    return parser.parse_args()


def main() -> int:
    """0 if every claim held."""
    options = arguments()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)
    stack = LocalStack(options.name)
    shutil.rmtree(stack.folder, ignore_errors=True)
    wiring = None
    try:
        os.environ.update(stack.start())
        wiring = Wiring(stack, options.seed)
        os.environ.update(wiring.urls("books"))
        set_up(stack)
        return int(import_module("benchmarks.faults.run").run(wiring, options))
    except KeyboardInterrupt:
        return 130
    except StackError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        if wiring:
            wiring.stop()
        stack.stop()


if __name__ == "__main__":
    sys.exit(main())
