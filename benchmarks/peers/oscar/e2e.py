"""The race, with and without Holdfast, at a shop that nobody here wrote: `python -m benchmarks.peers.oscar.e2e`.

Exits 1 if Holdfast breaks its promise, or if the shop alone keeps it: then the race proves nothing.
"""

import json
import os
import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial

import redis

from benchmarks.peers.oscar import databases
from benchmarks.peers.oscar.holdfast import Holdfast
from benchmarks.peers.oscar.launch import (
    NotReady,
    audit,
    running_holdfast,
    shop_as_supplier,
    wait_for,
    wait_until_told,
)
from benchmarks.peers.oscar.report import as_json, as_table
from benchmarks.peers.oscar.results import Ledger, Results, Round, judge
from benchmarks.peers.oscar.server import Shop, install, running_shop
from benchmarks.peers.oscar.shopping import Books, all_at_once, buy, product_ids, read_books
from inventory_project.localstack import LocalStack, StackError

ROUNDS = 10
BUYERS = 15
STOCK = 5
TOLD_SECONDS = 180  # longer than the lease of a claim, in case one has to be read back
AGREED_SECONDS = 60  # longer than two full snapshots
NUMBERS = range(1, ROUNDS + 1)
IN_TURN = "IN-TURN"
QUIET = [f"QUIET-{number:02}" for number in range(1, 21)]  # the rest of the catalogue, which nobody buys

Buyer = Callable[[], str]


def say(text: str) -> None:
    print(f"{datetime.now(UTC):%H:%M:%S}  {text}", flush=True)


def race(code: str, buyer: Buyer, others: list[Buyer], reported: int | None = None) -> Round:
    """Let all buyers of one round go at once, and the other channel's beside them."""
    answers = all_at_once([buyer] * BUYERS + others)
    ours, theirs = answers[:BUYERS], answers[BUYERS:]
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


def race_at_the_shop(shop: Shop, products: dict[str, int]) -> list[Round]:
    """The control: everybody buys from the shop itself."""
    say(f"1/3 the shop alone: {BUYERS} buyers for {STOCK} units, {ROUNDS} rounds")
    return [race(code, partial(buy, shop, products[code]), []) for code in codes("ALONE")]


def buy_in_turn(shop: Shop, product: int) -> Round:
    """The same buyers one after another: only their haste makes the difference."""
    answers = [buy(shop, product) for _ in range(BUYERS)]
    say(f"    one buyer after another: {answers.count('sold')} sold of {STOCK}")
    return Round(IN_TURN, STOCK, answers.count("sold"), answers.count("refused"), answers.count("failed"))


def race_through_holdfast(holdfast: Holdfast) -> list[Round]:
    """Everybody buys from Holdfast."""
    say("2/3 the same buyers through Holdfast")
    return [race(code, partial(holdfast.buy, code), [], holdfast.reported()[code]) for code in codes("BEHIND")]


def race_beside_holdfast(holdfast: Holdfast, shop: Shop, products: dict[str, int]) -> list[Round]:
    """Everybody buys from Holdfast, and one more buyer every round from the shop itself at the same time."""
    say("3/3 the same, while another channel buys from the shop directly")
    return [
        race(
            code, partial(holdfast.buy, code), [partial(buy, shop, products[code])] * others, holdfast.reported()[code]
        )
        for others, code in enumerate(codes("BESIDE"), start=1)
    ]


def settle(holdfast: Holdfast, shop: Shop) -> Ledger:
    """Wait until both sides have told each other everything, then read what each has written down."""
    say("waiting until the shop has been told of every sale")
    wait_until_told(holdfast, TOLD_SECONDS)
    books = read_books(shop)
    say("waiting until Holdfast has the shop's last numbers")
    wait_for(lambda: not ledger_of(holdfast, books).disagreements(), AGREED_SECONDS)
    return replace(ledger_of(holdfast, books), broken=holdfast.sales_beyond_reported(), audit=audit(holdfast))


def ledger_of(holdfast: Holdfast, books: Books) -> Ledger:
    """Both sides' records as they are now."""
    return Ledger(holdfast.promises(), books.orders, books.available, books.allocated, holdfast.reported())


def codes(kind: str) -> list[str]:
    """The products of one kind of race, one for each round."""
    return [f"{kind}-{number:02}" for number in NUMBERS]


def run(stack: LocalStack, servers: dict[str, str]) -> Results:
    """All three kinds of race, and what both sides wrote down."""
    database = databases.recreate(servers["DATABASE_URL"], "holdfast_e2e")
    ours = [*codes("BEHIND"), *codes("BESIDE"), *QUIET]
    stock = dict.fromkeys([IN_TURN, *codes("ALONE"), *ours], STOCK)
    with running_shop(servers["DATABASE_URL"], stock) as shop:
        say(f"the shop is open at {shop.url}")
        products = product_ids(shop)
        control = race_at_the_shop(shop, products)
        in_turn = buy_in_turn(shop, products[IN_TURN])
        say("starting Holdfast: web, worker, beat")
        register = shop_as_supplier(shop, ours)
        with running_holdfast({**servers, "DATABASE_URL": database}, stack.folder, register, ours) as holdfast:
            say(f"Holdfast has read the shop and sells at {holdfast.url}")
            behind = race_through_holdfast(holdfast)
            beside = race_beside_holdfast(holdfast, shop, products)
            ledger = settle(holdfast, shop)
    return Results(in_turn, control, behind, beside, ledger)


def main() -> int:
    """Run everything; 0 if all is as promised."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends as Ctrl-C does, with nothing left behind
    say("installing django-oscar and its API (the first time takes a minute)")
    install()
    with LocalStack("e2e") as stack:
        servers = {**os.environ, **stack.environment()}
        for variable in stack.servers.keys() & {"REDIS_URL", "CACHE_URL"}:  # an earlier run's messages and numbers
            redis.Redis.from_url(servers[variable]).flushall()
        results = run(stack, servers)
    problems = judge(results)
    print(as_table(results))
    path = stack.folder.parent / "e2e.json"
    path.write_text(json.dumps(as_json(results, problems), indent=2) + "\n")
    for problem in problems:
        say(f"NOT AS PROMISED: {problem}")
    say(f"{'failed' if problems else 'all as promised'}; the figures are in {path}")
    return 1 if problems else 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
    except (NotReady, StackError) as error:
        sys.exit(str(error))
