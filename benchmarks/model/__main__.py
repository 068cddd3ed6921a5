"""`make soak-model`: the state machine from a seed, until so many steps are done; `--seed` of a failure repeats it."""

import argparse
import os
import sys
import time
from importlib import import_module
from typing import Any

from inventory_project.localstack import LocalStack, StackError


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.model", description=__doc__)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--steps", type=int, default=500_000)
    parser.add_argument("--seconds", type=float, default=float("inf"), help="end after these, whatever was done")
    return parser.parse_args()


def main() -> int:
    """0 if every promise was kept."""
    options = arguments()
    stack = LocalStack("model")
    try:
        os.environ.update(stack.start(), DJANGO_SETTINGS_MODULE="inventory_project.settings", LOG_LEVEL="ERROR")
        import_module("django").setup()
        import_module("django.core.management").call_command("migrate", verbosity=0)
        return _soak(import_module("benchmarks.model.run"), options)
    except KeyboardInterrupt:
        return 130
    except StackError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    finally:
        stack.stop()


def _soak(run: Any, options: argparse.Namespace) -> int:
    began = time.monotonic()

    def watch(tally: Any, seed: int) -> bool:
        seconds = time.monotonic() - began
        print(f"seed {seed}: {tally.steps:,} steps in {tally.runs} runs, {seconds:.0f} s", flush=True)
        return bool(seconds > options.seconds)

    with run.stage() as stage:
        tally = run.run(stage, options.seed, steps=options.steps, watch=watch)
    print(f"{tally}: nothing broken")
    return 0


if __name__ == "__main__":
    sys.exit(main())
