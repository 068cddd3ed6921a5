"""The matrix as a table in docs/reliability.md, and for a person at a terminal."""

import json
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

from .pair import Result
from .verdict import Claim

PROJECT = Path(__file__).resolve().parents[2]
DOCUMENT = PROJECT / "docs" / "reliability.md"
OPEN, CLOSE = "<!-- chaos -->", "<!-- /chaos -->"
SHOWN = 4


def line(result: Result) -> str:
    orders = sum(result.answers.get("wild", {}).values())
    verdict = "held" if not result.broken else "; ".join(f"{claim.what}: {len(claim.wrong)}" for claim in result.broken)
    faults = sum(result.acted.values())
    text = (
        f"{result.temper:<14}{result.dialect:<14}{orders:>5} orders {faults:>5} faults"
        f"  agreed after {result.healed:5.1f} s  {verdict}"
    )
    details = [f"    {claim.promise} {each}" for claim in result.broken for each in claim.wrong[:SHOWN]]
    return "\n".join([text, *details])


def table(results: Sequence[Result], seed: int, seconds: float) -> str:
    """For a reader of the documentation."""
    dialects = list(dict.fromkeys(result.dialect for result in results))
    orders = sum(sum(found.values()) for result in results for found in result.answers.values())
    faults = sum(sum(result.acted.values()) for result in results)
    broken = sum(bool(result.broken) for result in results)
    intro = (
        f"{datetime.now(UTC):%Y-%m-%d}, seed {seed}: {len(results)} pairs of {seconds:g} s of faults each, {orders:,}"
        f" order attempts, {faults:,} faults, {broken} pairs in which a promise was broken."
    )
    rows = ["| temper | " + " | ".join(dialects) + " |", "|---" * (len(dialects) + 1) + "|"]
    for temper in dict.fromkeys(result.temper for result in results):
        found = {result.dialect: result for result in results if result.temper == temper}
        cells = [_cell(found[dialect]) if dialect in found else "" for dialect in dialects]
        rows.append(f"| {temper} | " + " | ".join(cells) + " |")
    notes = [
        f"- {result.temper}, {result.dialect}: {claim.promise} {claim.what}: {len(claim.wrong)}, as {claim.wrong[0]}"
        for result in results
        for claim in result.broken
    ]
    return "\n".join([intro, "", *rows, *(["", *notes] if notes else [])])


def _cell(result: Result) -> str:
    orders = sum(result.answers.get("wild", {}).values())
    mark = "✔" if not result.broken else "✘ " + ", ".join(claim.promise or claim.what for claim in result.broken)
    return f"{mark} {orders} orders, {sum(result.acted.values())} faults, {result.healed:.0f} s"


def write(results: Sequence[Result], seed: int, seconds: float) -> None:
    """Into the documentation, between the two marks."""
    head, _, rest = DOCUMENT.read_text().partition(OPEN)
    _, _, tail = rest.partition(CLOSE)
    DOCUMENT.write_text(f"{head}{OPEN}\n{table(results, seed, seconds)}\n{CLOSE}{tail}")


def kept(path: Path) -> list[Result]:
    """What earlier runs found."""
    if not path.exists():
        return []
    return [
        Result(**{**each, "claims": [Claim(**claim) for claim in each["claims"]]})
        for each in json.loads(path.read_text())
    ]


def merged(results: Sequence[Result], fresh: Sequence[Result]) -> list[Result]:
    """The fresh ones in place of those of the same pairs."""
    names = {result.name for result in fresh}
    return [*(result for result in results if result.name not in names), *fresh]


def keep(results: Sequence[Result], path: Path) -> None:
    path.write_text(json.dumps([result.as_json() for result in results], indent=1) + "\n")
