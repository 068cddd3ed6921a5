"""The figures of a run, for people and for programs."""

from collections.abc import Mapping, Sequence
from typing import Any

from benchmarks.peers.scenarios import Scenario
from benchmarks.peers.seller import Seller
from benchmarks.peers.verdict import Line, Race

HEAD = (
    "shop",
    "sold of stock",
    "orders/s",
    "answers/s",
    "p50 ms",
    "p99 ms",
    "refused",
    "falsely",
    "no answer",
    "counters",
    "verdict",
)


def row(line: Line, title: str) -> list[str]:
    """One shop in one scenario."""
    low, high = min(line.sold), max(line.sold)
    sold = f"{low}" if low == high else f"{low}–{high}"
    return [
        title,
        f"{sold} of {line.stock}" + (" (1 wanted)" if line.wanted == 1 < line.stock else ""),
        f"{line.rate:.1f}",
        f"{line.answers:.1f}",
        f"{line.p50 * 1000:.0f}",
        f"{line.p99 * 1000:.0f}",
        str(line.refused),
        str(line.false_refusals),
        str(line.failed),
        "right" if not line.wrong_books else f"wrong in {line.wrong_books} of {len(line.sold)}",
        verdict(line),
    ]


def verdict(line: Line) -> str:
    """What went wrong, in words."""
    if line.right:
        return "right"
    found = {
        f"**oversold by {line.oversold}**": line.oversold,
        f"**{line.duplicates} orders too many**": line.duplicates,
        f"{line.false_refusals} falsely refused": line.false_refusals,
        f"{line.failed} without an answer": line.failed,
        "counters wrong": line.wrong_books,
    }
    return ", ".join(what for what, wrong in found.items() if wrong) or "not all sold"


def as_table(rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table that can be read as it is."""
    widths = [max(len(cells[column]) for cells in (HEAD, *rows)) for column in range(len(HEAD))]

    def line(cells: Sequence[str]) -> str:
        padded = [cells[0].ljust(widths[0])]
        padded += [cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True)]
        return "| " + " | ".join(padded) + " |"

    rule = "|" + "-" * (widths[0] + 2) + "|" + "|".join("-" * (width + 1) + ":" for width in widths[1:]) + "|"
    return "\n".join([line(HEAD), rule, *map(line, rows)])


def tables(scenarios: Sequence[Scenario], lines: Sequence[Line], titles: Mapping[str, str]) -> str:
    """One table for each scenario.  titles: of the shops, by name."""
    parts = []
    for scenario in scenarios:
        rows = [row(line, titles[line.seller]) for line in lines if line.scenario == scenario.name]
        if rows:
            parts.append(f"**{scenario.title[0].upper()}{scenario.title[1:]}**\n\n{as_table(rows)}")
    return "\n\n".join(parts)


DOCUMENT = """# Holdfast beside other shops

Written by `make bench-peers` on {day}. The same purchase of a scarce SKU, at shops that nobody here wrote and that run
as their makers ship them, on one box, in one run, in turn: every round of every scenario at one shop after the other,
so that what disturbs the box disturbs all of them.

{tables}

Speeds are medians of {rounds} rounds; refusals and faults are their sum. *Sold* is what buyers were told or what the
order book says, whichever is more. *Falsely* refused: told "sold out" while a unit was left at the end. *No answer*:
neither an order nor a refusal after {presses} presses. *Counters* are right when the shop's stock counter, its order
book and what its buyers were told agree on every SKU. Orders/s: orders taken, from the start until the last buyer has
an answer; where nearly everybody is refused, look at answers/s.

{verdict}

## What a purchase is

{purchases}

All shops use the same PostgreSQL server ({postgresql}; `fsync` and `synchronous_commit` on) and share the processors
with it and with the buyers. Each buyer has one connection, opened before the start. Who is told neither yes nor no
presses again after a second, or when the shop says. One order sent 20 times means: the same idempotency key at
Holdfast, the same cart at Medusa, the same basket at django-oscar-api, the same `line_item_id` for a reservation.

## The shops

{shops}

The box: {processor}, {system}, Python {python}; others used {used_by_others} of it before the start.
These shops do more than Holdfast: prices, taxes, payments, customers. A figure here says how each sells scarce stock,
not how good a shop it is.
"""


def as_document(
    summary: str, sellers: Sequence[Seller], box: Mapping[str, str], *, day: str, rounds: int, presses: int,
    shops: Mapping[str, str],
    problems: Sequence[str],
) -> str:  # fmt: skip
    """docs/peers.md."""
    return DOCUMENT.format(
        tables=summary,
        verdict=_of_holdfast(problems),
        purchases="\n".join(f"- **{seller.title}**: {seller.how}." for seller in sellers),
        shops="\n".join(f"- **{name}**: {what}." for name, what in shops.items()),
        day=day,
        rounds=rounds,
        presses=presses,
        **box,
    )


def _of_holdfast(problems: Sequence[str]) -> str:
    """Whether the run passed; a run that did not is published as well."""
    if not problems:
        return "Holdfast did nothing wrong in this run; its ledger and its supplier's agree with its buyers."
    return "**This run failed.** What Holdfast did wrong in it:\n\n" + "\n".join(f"- {one}" for one in problems)


def as_json(races: Sequence[Race], lines: Sequence[Line], problems: Sequence[str]) -> dict[str, Any]:
    """Everything that was counted."""
    return {
        "as_promised": not problems,
        "problems": list(problems),
        "summary": [{**vars(line), "right": line.right} for line in lines],
        "rounds": [
            {
                **{name: value for name, value in vars(race).items() if name not in {"latencies", "books"}},
                "sold": race.sold,
                "oversold": race.oversold,
                "false_refusals": race.false_refusals,
                "p50": race.percentile(0.5),
                "p99": race.percentile(0.99),
                "books": {code: vars(book) for code, book in race.books.items()},
            }
            for race in races
        ],
    }
