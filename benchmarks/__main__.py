"""`python -m benchmarks [--small] [P1 P4 …]`: run the steps, prove the books after each, show the figures.

Exits 1 on wrong results, never for being slow.  Started by `make bench` with servers of its own; it works in a database
beside the one that DATABASE_URL names, made anew each time.
"""

import argparse
import os
import shutil
import sys
import time
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import django
import psycopg
from django.core.management import call_command

PROJECT = Path(__file__).resolve().parent.parent


def fresh_database(url: str) -> str:
    """An empty database on the same server; its URL."""
    parts = urlsplit(url)
    name = f"{parts.path.strip('/')}_bench"
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute(f'DROP DATABASE IF EXISTS "{name}" WITH (FORCE)')
        connection.execute(f'CREATE DATABASE "{name}"')
    return urlunsplit(parts._replace(path=f"/{name}"))


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--small", action="store_true", help="a few seconds for each step: for CI")
    parser.add_argument("--page", action="store_true", help="write docs/performance.md though only some were run")
    parser.add_argument("steps", nargs="*", help="only these; all without")
    return parser.parse_args()


def main() -> int:
    wanted = arguments()
    os.environ.update(
        DATABASE_URL=fresh_database(os.environ["DATABASE_URL"]),
        DJANGO_SETTINGS_MODULE="inventory_project.settings",
        LOG_LEVEL="WARNING",
    )
    django.setup()
    call_command("migrate", verbosity=0)
    from benchmarks import suite  # noqa: PLC0415 - models can be imported only now

    folder = PROJECT / "var" / "bench" / "logs"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    began = time.monotonic()
    problems = suite.run(wanted.steps, folder, small=wanted.small, page=wanted.page or not wanted.steps)
    print(f"\n{time.monotonic() - began:.0f} s, {len(problems)} wrong results")
    for problem in problems:
        print(f"  {problem}")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())
