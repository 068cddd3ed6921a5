"""Shops that nobody here wrote behind Holdfast, the full circle and the race: `python -m benchmarks.peers.e2e [NAME…]`.

Exits 1 if Holdfast breaks its promise, if the figures of both sides differ after a step, or if a shop that is known to
oversell keeps its promise alone: then the race proves nothing.
"""

import json
import os
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import redis

from benchmarks.peers import circle
from benchmarks.peers.circle import Buyer, Peer, Step
from benchmarks.peers.medusa import server as medusa
from benchmarks.peers.medusa.shopping import open_medusa
from benchmarks.peers.oscar import databases
from benchmarks.peers.oscar import server as oscar
from benchmarks.peers.oscar.holdfast import Holdfast
from benchmarks.peers.oscar.launch import NotReady, audit, running_holdfast, wait_until_told
from benchmarks.peers.oscar.report import as_json, as_table
from benchmarks.peers.oscar.results import Ledger, Results, Round, judge
from benchmarks.peers.oscar.shopping import Books, all_at_once, open_oscar
from benchmarks.polling import came_true
from inventory_project.localstack import LocalStack, StackError

ROUNDS = 10
BUYERS = 15
STOCK = 5
TOLD_SECONDS = 180  # longer than the lease of a claim, in case one has to be read back
AGREED_SECONDS = 60  # longer than two full snapshots
NUMBERS = range(1, ROUNDS + 1)
CIRCLE = "CIRCLE"
IN_TURN = "IN-TURN"
QUIET = [f"QUIET-{number:02}" for number in range(1, 21)]  # the rest of the catalogue, which nobody buys

SHOPS = {"oscar": open_oscar, "medusa": open_medusa}
INSTALL: Mapping[str, Callable[[], object]] = {"oscar": oscar.install, "medusa": medusa.install}


def say(text: str) -> None:
    print(f"{datetime.now(UTC):%H:%M:%S}  {text}", flush=True)


def race(code: str, buyers: list[Buyer], others: list[Buyer], reported: int | None = None) -> Round:
    """Let all buyers of one round go at once, and the other channel's beside them."""
    answers = all_at_once(buyers + others)
    ours, theirs = answers[: len(buyers)], answers[len(buyers) :]
    result = Round(
        code=code,
        stock=STOCK,
        sold=ours.count("sold"),
        refused=ours.count("refused"),
        failed=ours.count("failed"),
        reported=reported,
        elsewhere=theirs.count("sold"),
    )
    beside = f", {result.elsewhere} more bought by {len(others)} others at the shop" if others else ""
    say(f"    {code}: {result.sold} sold of {STOCK}{beside}")
    return result


def at_the_till(shop: Peer, code: str, number: int) -> list[Buyer]:
    """So many guests of the shop, each about to press the button."""
    return [shop.at_the_till(code) for _ in range(number)]


def race_at_the_shop(shop: Peer) -> list[Round]:
    """The control: everybody buys from the shop itself."""
    say(f"1/3 the shop alone: {BUYERS} buyers for {STOCK} units, {ROUNDS} rounds")
    return [race(code, at_the_till(shop, code, BUYERS), []) for code in codes("ALONE")]


def buy_in_turn(shop: Peer) -> Round:
    """The same buyers one after another: only their haste makes the difference."""
    answers = [shop.at_the_till(IN_TURN)() for _ in range(BUYERS)]
    say(f"    one buyer after another: {answers.count('sold')} sold of {STOCK}")
    return Round(IN_TURN, STOCK, answers.count("sold"), answers.count("refused"), answers.count("failed"))


def race_through_holdfast(holdfast: Holdfast) -> list[Round]:
    """Everybody buys from Holdfast."""
    say("2/3 the same buyers through Holdfast")
    known = holdfast.reported()
    return [race(code, [partial(holdfast.buy, code)] * BUYERS, [], known[code]) for code in codes("BEHIND")]


def race_beside_holdfast(holdfast: Holdfast, shop: Peer) -> list[Round]:
    """Everybody buys from Holdfast, and one more buyer every round from the shop itself at the same time."""
    say("3/3 the same, while another channel buys from the shop directly")
    return [
        race(code, [partial(holdfast.buy, code)] * BUYERS, at_the_till(shop, code, others), holdfast.reported()[code])
        for others, code in enumerate(codes("BESIDE"), start=1)
    ]


def go_round(holdfast: Holdfast, shop: Peer) -> list[Step]:
    """The full circle, step by step."""
    say("the full circle: snapshot, incremental, confirm, read-back, cancel")
    steps = circle.run_circle(holdfast, shop, CIRCLE)
    for step in steps:
        say(f"    {step.what}: {step.verdict}")
    return steps


def settle(holdfast: Holdfast, shop: Peer) -> Ledger:
    """Wait until both sides have told each other everything, then read what each has written down."""
    say("waiting until the shop has been told of every sale")
    wait_until_told(holdfast, TOLD_SECONDS)
    books = shop.books()
    say("waiting until Holdfast has the shop's last numbers")
    came_true(lambda: not ledger_of(holdfast, books).disagreements(), AGREED_SECONDS, pause=0.25)
    return replace(ledger_of(holdfast, books), broken=holdfast.sales_beyond_reported(), audit=audit(holdfast))


def ledger_of(holdfast: Holdfast, books: Books) -> Ledger:
    """Both sides' records as they are now."""
    return Ledger(holdfast.promises(), books.orders, books.available, books.allocated, holdfast.reported())


def codes(kind: str) -> list[str]:
    """The products of one kind of race, one for each round."""
    return [f"{kind}-{number:02}" for number in NUMBERS]


def run(name: str, servers: Mapping[str, str], folder: Path) -> tuple[list[Step], Results]:
    """The circle and all three kinds of race at one shop, and what both sides wrote down."""
    database = databases.recreate(servers["DATABASE_URL"], "holdfast_e2e")
    ours = [CIRCLE, *codes("BEHIND"), *codes("BESIDE"), *QUIET]
    stock = dict.fromkeys([IN_TURN, *codes("ALONE"), *ours], STOCK)
    with SHOPS[name](servers["DATABASE_URL"], stock) as shop:
        say(f"{name} is open at {shop.url}")
        control = race_at_the_shop(shop)
        in_turn = buy_in_turn(shop)
        say("starting Holdfast: web, worker, beat")
        environment = {**servers, "DATABASE_URL": database}
        with running_holdfast(environment, folder, shop.as_supplier(ours), ours) as holdfast:
            say(f"Holdfast has read the shop and sells at {holdfast.url}")
            steps = go_round(holdfast, shop)
            behind = race_through_holdfast(holdfast)
            beside = race_beside_holdfast(holdfast, shop)
            ledger = settle(holdfast, shop)
        return steps, Results(in_turn, control, behind, beside, ledger, shop_oversells=shop.oversells)


def conclude(name: str, steps: Sequence[Step], results: Results, folder: Path) -> bool:
    """Print and keep the figures of one shop; whether all is as promised."""
    problems = circle.problems(steps) + judge(results)
    print(circle.as_table(steps))
    print(as_table(results))
    path = folder / f"e2e-{name}.json"
    path.write_text(json.dumps(as_json(results, problems), indent=2) + "\n")
    for problem in problems:
        say(f"NOT AS PROMISED: {problem}")
    say(f"{name}: {'failed' if problems else 'all as promised'}; the figures are in {path}")
    return not problems


def installed(names: Sequence[str]) -> list[str]:
    """Those of the shops that can be had on this machine."""
    found = []
    for name in names:
        say(f"installing {name} (the first time takes a minute or three)")
        try:
            INSTALL[name]()
            found.append(name)
        except medusa.NotInstalled as reason:
            say(f"{name} is SKIPPED: {reason}")
    return found


def main(names: Sequence[str]) -> int:
    """Run everything; 0 if all is as promised."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as Ctrl-C does, with nothing left behind
    good = True
    with LocalStack("e2e") as stack:
        servers = {**os.environ, **stack.environment()}
        for name in installed(names):
            for variable in stack.servers.keys() & {"REDIS_URL", "CACHE_URL"}:  # an earlier run's messages and numbers
                redis.Redis.from_url(servers[variable]).flushall()
            folder = stack.folder / name
            folder.mkdir(exist_ok=True)
            good &= conclude(name, *run(name, servers, folder), stack.folder.parent)
    return 0 if good else 1


if __name__ == "__main__":
    try:
        sys.exit(main(sys.argv[1:] or list(SHOPS)))
    except KeyboardInterrupt:
        sys.exit(130)
    except (NotReady, StackError, medusa.NotInstalled) as error:
        sys.exit(str(error))
