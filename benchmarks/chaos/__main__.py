"""`python -m benchmarks.chaos`: every temper in every dialect; `--only`, `--dialect` and `--seconds` for less."""

import argparse
import os
import shutil
import signal
import sys
from importlib import import_module

from inventory_project.localstack import LocalStack, StackError
from inventory_project.runner import interrupt, set_up


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.chaos", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--seconds", type=float, default=8.0, help="how long the supplier misbehaves in each pair")
    parser.add_argument("--only", default="", help="tempers, with commas")
    parser.add_argument("--dialect", default="", help="dialects, with commas")
    parser.add_argument("--write", action="store_true", help="put the table into docs/reliability.md")
    parser.add_argument("--more", action="store_true", help="keep the last run's pairs, and add or replace these")
    parser.add_argument("--name", default="chaos", help="the folder in var/")
    parser.add_argument("--jobs", type=int, default=1, help="so many pairs at a time, each with servers of its own")
    parser.add_argument("--share", default="1/1", help="only the second of three shares of the pairs: 2/3")
    return parser.parse_args()


def main() -> int:
    """0 if every promise was kept in every pair."""
    options = arguments()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, interrupt)
    stack = LocalStack(options.name)
    shutil.rmtree(stack.folder, ignore_errors=True)
    try:
        os.environ.update(stack.start())
        os.environ.setdefault("LOG_LEVEL", "ERROR")  # what is printed is a table
        (stack.folder / "static").mkdir(exist_ok=True)
        set_up(stack)
        return int(import_module("benchmarks.chaos.matrix").run(stack.folder, options))
    except KeyboardInterrupt:
        return 130
    except StackError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        stack.stop()


if __name__ == "__main__":
    sys.exit(main())
