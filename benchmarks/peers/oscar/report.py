"""The figures of a run, for people and for programs."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

from benchmarks.peers.oscar.results import Ledger, Results, Round

HEAD = (
    "round",
    "sold by the shop alone",
    "sold through Holdfast",
    "in the shop's books",
    "sold through Holdfast, others at the shop",
    "others bought",
    "taken by the shop",
    "refused by it, on record",
)


def row(number: int, control: Round, behind: Round, beside: Round, ledger: Ledger) -> list[str]:
    """One line of the table: the same round of the three kinds."""
    return [
        str(number),
        f"{control.sold} of {control.stock}",
        f"{behind.sold} of {behind.stock}",
        str(ledger.in_books(behind.code)),
        f"{beside.sold} of {beside.reported}",
        str(beside.elsewhere),
        str(ledger.in_books(beside.code)),
        str(ledger.rejected(beside.code)),
    ]


def as_table(results: Results) -> str:
    """The three kinds of race side by side, as a Markdown table."""
    rounds = zip(results.control, results.behind, results.beside, strict=True)
    body = [row(number, *races, results.ledger) for number, races in enumerate(rounds, start=1)]
    widths = [max(len(line[column]) for line in (HEAD, *body)) for column in range(len(HEAD))]

    def line(cells: Sequence[str]) -> str:
        return "| " + " | ".join(cell.rjust(width) for cell, width in zip(cells, widths, strict=True)) + " |"

    rule = "|" + "|".join("-" * (width + 1) + ":" for width in widths) + "|"
    return "\n".join(["", line(HEAD), rule, *map(line, body), ""])


def as_json(results: Results, problems: Sequence[str]) -> dict[str, Any]:
    """Everything that was counted."""
    ledger = results.ledger

    def races(rounds: Sequence[Round]) -> list[dict[str, Any]]:
        return [
            {
                "sku": race.code,
                "stock": race.stock,
                "reported": race.reported,
                "sold": race.sold,
                "refused": race.refused,
                "failed": race.failed,
                "bought_elsewhere": race.elsewhere,
                "taken_by_the_shop": ledger.accepted(race.code),
                "in_the_shops_books": ledger.in_books(race.code),
                "refused_by_the_shop": ledger.rejected(race.code),
                "allocated_at_the_shop": ledger.allocated.get(race.code),
            }
            for race in rounds
        ]

    return {
        "finished_at": datetime.now(UTC).isoformat(timespec="seconds"),
        "as_promised": not problems,
        "problems": list(problems),
        "oversold_rounds_of_the_shop_alone": sum(race.sold > race.stock for race in results.control),
        "shop_alone_one_buyer_after_another": races([results.in_turn]),
        "shop_alone": races(results.control),
        "behind_holdfast": races(results.behind),
        "beside_another_channel": races(results.beside),
    }
