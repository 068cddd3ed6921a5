"""Everything that a run needs, as real processes on this box, gone when it ends."""

import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import redis

from benchmarks.peers.holdfast.seller import HoldfastSeller
from benchmarks.peers.holdfast.supplier import Depot, as_supplier, running_depot
from benchmarks.peers.medusa import catalogue
from benchmarks.peers.medusa import server as medusa
from benchmarks.peers.medusa.seller import Checkout, Reservation
from benchmarks.peers.oscar import databases
from benchmarks.peers.oscar import server as oscar
from benchmarks.peers.oscar.launch import WEB_PROCESSES, WEB_THREADS, WORKERS, running_holdfast
from benchmarks.peers.oscar.seller import OscarSeller
from benchmarks.peers.oscar.shopping import product_ids
from benchmarks.peers.seller import Seller
from inventory_project.localstack import LocalStack

Say = Callable[[str], None]
StockOf = Callable[[str], dict[str, int]]
"""What a seller, by name, has to have in stock: code → units."""


@dataclass(frozen=True)
class Stage:
    """All shops, running.  shops: title → how it runs, for the report."""

    sellers: list[Seller]
    shops: dict[str, str]
    holdfast: HoldfastSeller
    depot: Depot
    database_url: str


@contextmanager
def running_stage(stock_of: StockOf, say: Say) -> Iterator[Stage]:
    """Install what is missing, start every shop, fill it.  Medusa is left out where it cannot be had."""
    say("installing django-oscar and its API (the first time takes a minute)")
    oscar.install()
    with_medusa = _installed_medusa(say)
    with ExitStack() as stack:
        local = stack.enter_context(LocalStack("bench-peers"))
        servers = {**os.environ, **local.environment()}
        for variable in local.servers.keys() & {"REDIS_URL", "CACHE_URL"}:  # an earlier run's messages and numbers
            redis.Redis.from_url(servers[variable]).flushall()
        start = _Start(stack, servers, local.folder, stock_of)
        say("starting Holdfast: supplier, web, worker, beat")
        ours, depot = start.holdfast()
        say("starting the Oscar shop")
        sellers: list[Seller] = [ours, start.oscar()]
        if with_medusa:
            say("starting Medusa and filling it (half a minute)")
            sellers += start.medusa()
        yield Stage(sellers, _shops(with_medusa=with_medusa), ours, depot, servers["DATABASE_URL"])


@dataclass(frozen=True)
class _Start:
    """Starts one shop after another; they stop in reverse order at the end of `stack`."""

    stack: ExitStack
    servers: Mapping[str, str]
    folder: Path
    stock_of: StockOf

    @property
    def database_server(self) -> str:
        return self.servers["DATABASE_URL"]

    def holdfast(self) -> tuple[HoldfastSeller, Depot]:
        stock = self.stock_of(HoldfastSeller.name)
        depot = self.stack.enter_context(running_depot(self.folder, stock))
        environment = {
            **self.servers,
            "DATABASE_URL": databases.recreate(self.database_server, "holdfast_peers"),
        }
        running = running_holdfast(environment, self.folder, as_supplier(depot, stock), list(stock))
        return HoldfastSeller(self.stack.enter_context(running), stock), depot

    def oscar(self) -> OscarSeller:
        shop = self.stack.enter_context(oscar.running_shop(self.database_server, self.stock_of(OscarSeller.name)))
        return OscarSeller(shop, product_ids(shop))

    def medusa(self) -> list[Seller]:
        shop = self.stack.enter_context(medusa.running_medusa(self.database_server))
        goods = catalogue.fill(shop, {**self.stock_of(Checkout.name), **self.stock_of(Reservation.name)})
        return [Checkout(shop, goods), Reservation(shop, goods)]


def _installed_medusa(say: Say) -> bool:
    say("installing Medusa (the first time takes two minutes and 700 MB)")
    try:
        medusa.install()
    except medusa.NotInstalled as reason:
        say(f"{reason}: the run goes on without Medusa")
        return False
    return True


def _shops(*, with_medusa: bool) -> dict[str, str]:
    ours = f"granian, {WEB_PROCESSES} processes of {WEB_THREADS} threads; {WORKERS} Celery workers, beat"
    theirs = f"{oscar.versions()}; gunicorn, {oscar.WORKERS} workers of {oscar.THREADS} threads"
    shops = {HoldfastSeller.title: ours, OscarSeller.title: theirs}
    if with_medusa:
        shops["Medusa"] = f"{medusa.versions()}; `medusa start`, one process, its modules as they come"
    return shops
