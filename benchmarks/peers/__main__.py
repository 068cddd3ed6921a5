"""The same hot SKU at Holdfast, django-oscar-api and Medusa: `python -m benchmarks.peers [--small] [--rounds N]`.

Exits 1 if Holdfast does anything wrong.  What the others do is written down, not judged.
"""

import argparse
import asyncio
import json
import signal
import sys
from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime

from benchmarks.peers import box, race
from benchmarks.peers.holdfast.seller import HoldfastSeller
from benchmarks.peers.medusa.seller import Checkout
from benchmarks.peers.medusa.server import NotInstalled
from benchmarks.peers.oscar.launch import PROJECT, NotReady, audit
from benchmarks.peers.report import as_document, as_json, tables
from benchmarks.peers.scenarios import WARM_UP, Scenario, scenarios
from benchmarks.peers.stage import Stage, running_stage
from benchmarks.peers.verdict import Race, judge, summarise
from inventory_project.localstack import StackError

ROUNDS = 3


def say(text: str) -> None:
    print(f"{datetime.now(UTC):%H:%M:%S}  {text}", flush=True)


def schedule(wanted: Sequence[Scenario], rounds: int) -> list[tuple[Scenario, int]]:
    """Every scenario with the number of its round; the warm-up runs once."""
    return [(one, number) for one in wanted for number in range(1, 2 if one.name == WARM_UP else rounds + 1)]


def stock(wanted: Sequence[Scenario], rounds: int, seller: str) -> dict[str, int]:
    """Code → units that a seller has to have."""
    return {code: one.stock for one, number in schedule(wanted, rounds) for code in one.codes(seller, number)}


async def run(stage: Stage, wanted: Sequence[Scenario], rounds: int) -> list[Race]:
    """Each round of each scenario at one shop after the other."""
    races = []
    for scenario, number in schedule(wanted, rounds):
        say(f"{scenario.title}, round {number}")
        for seller in stage.sellers:
            if scenario.skus > 1 and not seller.sells_baskets:
                continue
            done = await race.run(seller, scenario, number)
            races.append(done)
            say(
                f"    {seller.title:<24} {done.sold:>3} of {done.stock:<3} sold, {done.refused:>3} refused"
                f"{f', {done.failed} without an answer' if done.failed else ''};"
                f" {done.answers:6.1f} answers/s, p99 {done.percentile(0.99) * 1000:5.0f} ms"
            )
    return races


def check(stage: Stage, races: Sequence[Race]) -> list[str]:
    """What is wrong with Holdfast: in the races, in its ledger, at its supplier."""
    sold: Counter[str] = Counter()
    for one in races:
        if one.seller == HoldfastSeller.name:
            sold.update({code: book.ordered for code, book in one.books.items()})
    return judge(races, audit(stage.holdfast.holdfast), stage.depot.objections(sold))


def main() -> int:
    """Run everything; 0 if Holdfast did as promised."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.peers", description=__doc__)
    parser.add_argument("--small", action="store_true", help="few buyers, one round: shows that it works")
    parser.add_argument("--rounds", type=int, help=f"of each scenario; {ROUNDS} unless small")
    options = parser.parse_args()
    rounds = options.rounds or (1 if options.small else ROUNDS)
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as Ctrl-C does, with nothing left behind
    wanted = scenarios(small=options.small)
    used = box.used_by_others()
    if used > box.QUIET:
        say(f"others use {used:.0%} of this box: the speeds of this run mean little, and docs/peers.md stays as it is")
    with running_stage(lambda seller: stock(wanted, rounds, seller), say) as stage:
        known = box.describe(stage.database_url, used)
        races = asyncio.run(run(stage, wanted, rounds))
        say("checking Holdfast's ledger and its supplier's")
        problems = check(stage, races)
    write(stage, wanted, races, problems, known, publish=not options.small and used <= box.QUIET)
    for problem in problems:
        print(f"WRONG: {problem}")
    return 1 if problems else 0


def write(
    stage: Stage, wanted: Sequence[Scenario], races: Sequence[Race], problems: Sequence[str], known: dict[str, str],
    *, publish: bool,
) -> None:  # fmt: skip
    """Print the tables; put the figures into var/, and those of a full run on a quiet box into docs/."""
    counted = [one for one in races if one.scenario != WARM_UP]
    lines = summarise(counted)
    summary = tables(wanted, lines, {seller.name: seller.title for seller in stage.sellers})
    print(f"\n{summary}\n")
    now = datetime.now(UTC)
    figures = {
        "finished_at": now.isoformat(timespec="seconds"),
        "published": publish,
        "box": known,
        "shops": stage.shops,
    }
    path = PROJECT / "var" / "bench-peers.json"
    path.write_text(json.dumps({**figures, **as_json(counted, lines, problems)}, indent=2) + "\n")
    print(f"Figures: {path}")
    complete = any(seller.name == Checkout.name for seller in stage.sellers)
    if not (publish and complete):
        return
    rounds = max(one.number for one in counted)
    document = as_document(
        summary,
        stage.sellers,
        known,
        day=f"{now:%d %B %Y}",
        rounds=rounds,
        presses=race.PRESSES,
        shops=stage.shops,
        problems=problems,
    )
    (PROJECT / "docs" / "peers.md").write_text(document)
    print("Written: docs/peers.md")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (NotReady, StackError, NotInstalled) as error:
        sys.exit(f"bench-peers: {error}")
    except KeyboardInterrupt:
        sys.exit("bench-peers: stopped; nothing is left running")
