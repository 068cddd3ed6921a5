"""The faults: each function breaks something, waits, and heals it before it returns."""

import os
import signal
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from random import Random

import psycopg

from benchmarks.faults.buyers import PLACED, REFUSED, Crowd
from benchmarks.faults.catalogue import HERD, PLENTY, SCARCE
from benchmarks.faults.proxy import Trouble
from benchmarks.faults.wiring import children_of
from benchmarks.faults.world import World
from inventory import tasks
from inventory.models import Effect
from inventory_project.celery import app
from inventory_project.demo.books import ask

TABLE_LOCKED_SECONDS = 4  # longer than a request waits for a connection, and a connection for a lock: 3 s each
FROZEN_SECONDS = 5.5  # longer than a SKU's lock lives and than a transaction may idle


@dataclass
class Scene:
    """What a fault acts on.  complaints: what went wrong that only the fault itself can see."""

    world: World
    crowd: Crowd
    chance: Random
    length: float = 1.0  # of the faults that last; 1.0 in a short run
    herds: Iterator[str] = field(default_factory=lambda: iter(HERD))
    complaints: list[str] = field(default_factory=list)

    def last(self, seconds: float) -> None:
        time.sleep(seconds * self.length)

    @property
    def web(self) -> str:
        """One of the web processes."""
        return f"web-{self.chance.randrange(len(self.world.ports))}"


Strike = Callable[[Scene], None]


# --- F01, F02, F03: processes ----------------------------------------------------------------------------
def kill_web(scene: Scene) -> None:
    """At a random moment: before a lock, with it, around the COMMIT, before the answer."""
    web = scene.web
    scene.last(scene.chance.random() * 0.5)
    scene.world.kill(web)
    scene.world.revive(web)


def freeze_web(scene: Scene) -> None:
    web = scene.web
    scene.world.freeze(web)
    time.sleep(FROZEN_SECONDS)
    scene.world.thaw(web)


def kill_worker(scene: Scene) -> None:
    scene.last(scene.chance.random() * 0.5)
    scene.world.kill("worker")
    scene.world.start("worker")


def kill_worker_child(scene: Scene) -> None:
    """One of the worker's processes, likely in a task."""
    children = children_of(scene.world.pid("worker"))
    if children:
        os.kill(scene.chance.choice(children), signal.SIGKILL)


# --- F04, F05, F06: Redis --------------------------------------------------------------------------------
def restart_redis(name: str, *, empty: bool = False) -> Strike:
    def strike(scene: Scene) -> None:
        scene.world.wiring.kill_server(name)
        scene.last(1.0)
        scene.world.wiring.revive_server(name, empty=empty)

    return strike


def flush_locks(scene: Scene) -> None:
    """Locks that are held, signals and every message of the broker."""
    with scene.world.wiring.redis("locks") as client:
        for _ in range(5):
            client.flushall()
            scene.last(0.1)


def trouble(names: tuple[str, ...], what: Trouble, seconds: float) -> Strike:
    """These ways are in trouble for so many seconds."""

    def strike(scene: Scene) -> None:
        proxies = [scene.world.wiring.proxies[name] for name in names]
        for proxy in proxies:
            proxy.set(what)
        scene.last(seconds)
        for proxy in proxies:
            proxy.heal()

    return strike


def fill_redis(name: str) -> Strike:
    """Every write is refused for want of memory."""

    def strike(scene: Scene) -> None:
        with scene.world.wiring.redis(name) as client:
            before = client.config_get("maxmemory")["maxmemory"]
            client.config_set("maxmemory", 1)
            scene.last(1.5)
            client.config_set("maxmemory", before)

    return strike


def make_read_only(name: str) -> Strike:
    """A fail-over made it a replica."""

    def strike(scene: Scene) -> None:
        with scene.world.wiring.redis(name) as client:
            client.replicaof("127.0.0.1", 1)
            scene.last(1.5)
            client.replicaof("NO", "ONE")

    return strike


def steal_locks(scene: Scene) -> None:
    """Delete some of the locks that are held, and give others to somebody else."""
    with scene.world.wiring.redis("locks") as client:
        end = time.monotonic() + 1.5 * scene.length
        while time.monotonic() < end:
            for key in client.scan_iter("lock:*", count=1000):
                if scene.chance.random() < 0.5:  # noqa: PLR2004
                    client.delete(key)
                else:
                    client.set(key, "somebody else", px=300)
            time.sleep(0.01)  # so that locks are taken in between


# --- F07: PostgreSQL -------------------------------------------------------------------------------------
def kill_postgresql(scene: Scene) -> None:
    scene.last(scene.chance.random() * 0.5)
    scene.world.wiring.kill_server("database")
    scene.last(0.5)
    scene.world.wiring.revive_server("database")


def terminate_backends(scene: Scene) -> None:
    with own_connection() as opened:
        for _ in range(5):
            opened.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE datname = current_database() AND pid <> pg_backend_pid() AND random() < 0.5"
            )
            scene.last(0.1)


def exhaust_pool(_: Scene) -> None:
    """Somebody holds a lock on a whole table: every connection waits for it."""
    with own_connection() as opened, opened.transaction():
        opened.execute("LOCK TABLE inventory_sku IN ACCESS EXCLUSIVE MODE")
        time.sleep(TABLE_LOCKED_SECONDS)


def own_connection() -> "psycopg.Connection[tuple[object, ...]]":
    """Past every pool and every proxy that may be disturbed."""
    return psycopg.connect(os.environ["DATABASE_URL"], autocommit=True)


def restock(scene: Scene) -> None:
    """No fault: new goods, of which we learn by the next snapshot, so that there is something to sell out again."""
    for sku in scene.chance.sample(SCARCE, k=3):
        ask(scene.world.supplier, "restock", {"sku": sku, "quantity": scene.chance.randint(1, 8)})


# --- F08, F09, F10, F12, F14, F15: messages, clients, suppliers, partitions -----------------------------------
def repeat_messages(scene: Scene) -> None:
    """Every lane's task delivered five times, at once and out of order."""
    lanes = [(kind, scene.world.supplier_id) for kind in (Effect.Kind.SYNC, Effect.Kind.CONFIRM)]
    messages = [*lanes, (Effect.Kind.INVALIDATE, None)] * 5
    scene.chance.shuffle(messages)
    with app.connection_for_write() as broker:
        for kind, supplier_id in messages:
            app.send_task(tasks.drain.name, (str(kind), supplier_id), connection=broker, queue="effects")


def one_key_fifty_times(scene: Scene) -> None:
    key = uuid.UUID(int=scene.chance.getrandbits(128)).hex
    statuses = scene.crowd.rush([(key, {scene.chance.choice(PLENTY): 1})] * 50)
    if set(statuses) != {PLACED}:
        scene.complaints.append(f"one key fifty times: {sorted(set(statuses))}")


def herd(scene: Scene) -> None:
    """Many buyers for one unit: one gets it."""
    sku = next(scene.herds)
    keys = [uuid.UUID(int=scene.chance.getrandbits(128)).hex for _ in range(int(150 * scene.length))]
    statuses = scene.crowd.rush([(key, {sku: 1}) for key in keys])
    if statuses.count(PLACED) != 1 or statuses.count(REFUSED) != len(keys) - 1:
        counts = {status: statuses.count(status) for status in set(statuses)}
        scene.complaints.append(f"{len(keys)} buyers for one {sku}: {counts}")


def supplier_behaves(**behaviour: object) -> Strike:
    """The chaos supplier does this for a while."""

    def strike(scene: Scene) -> None:
        ask(scene.world.supplier, "chaos", behaviour)
        scene.last(2.0)
        ask(scene.world.supplier, "chaos", dict.fromkeys(behaviour))

    return strike


def flap(scene: Scene) -> None:
    """Ways fail and heal at random, several at once."""
    proxies = [proxy for name, proxy in scene.world.wiring.proxies.items() if not name.startswith("books")]
    troubles = [Trouble(refuse=True), Trouble(black_hole=True), Trouble(latency=0.1), Trouble(lost_replies=0.2)]
    for _ in range(int(8 * scene.length)):
        proxy = scene.chance.choice(proxies)
        proxy.set(scene.chance.choice(troubles))
        time.sleep(scene.chance.uniform(0.1, 0.7))  # how long this way is in trouble alone
        if scene.chance.random() < 0.7:  # noqa: PLR2004
            proxy.heal()
    for proxy in proxies:
        proxy.heal()
