"""Which faults a run injects, under the numbers of GUARANTEES: a seeded order, every fault as often as every other."""

from dataclasses import dataclass
from random import Random

from benchmarks.faults import strikes
from benchmarks.faults.proxy import Trouble
from benchmarks.faults.strikes import Strike, fill_redis, make_read_only, restart_redis, supplier_behaves, trouble

LOCKS = ("web-locks", "work-locks")
CACHE = ("web-cache", "work-cache")
DATABASE = ("web-database", "work-database")


@dataclass(frozen=True, slots=True)
class Fault:
    """number: of the class of faults.  name: what happens, for a person.  small: part of the short run too."""

    number: str
    name: str
    strike: Strike
    small: bool = True


FAULTS = (
    Fault("F01", "web process killed", strikes.kill_web),
    Fault("F02", "web process frozen past its lock, then thawed", strikes.freeze_web),
    Fault("F03", "worker killed", strikes.kill_worker),
    Fault("F03", "a child of the worker killed", strikes.kill_worker_child),
    Fault("F04", "lock Redis killed and restarted", restart_redis("locks")),
    Fault("F04", "lock Redis restarted empty", restart_redis("locks", empty=True), small=False),
    Fault("F04", "cache Redis killed and restarted", restart_redis("cache"), small=False),
    Fault("F04", "FLUSHALL while locks are held", strikes.flush_locks),
    Fault("F05", "lock Redis unreachable", trouble(LOCKS, Trouble(refuse=True), 1.5), small=False),
    Fault("F05", "lock Redis a black hole", trouble(LOCKS, Trouble(black_hole=True), 3)),
    Fault("F05", "lock Redis 200 ms away", trouble(LOCKS, Trouble(latency=0.1), 2)),
    Fault("F05", "lock Redis loses replies", trouble(LOCKS, Trouble(lost_replies=0.3), 2)),
    Fault("F05", "lock Redis out of memory", fill_redis("locks")),
    Fault("F05", "lock Redis read-only", make_read_only("locks")),
    Fault("F05", "cache Redis unreachable", trouble(CACHE, Trouble(refuse=True), 1)),
    Fault("F05", "cache Redis a black hole", trouble(CACHE, Trouble(black_hole=True), 2), small=False),
    Fault("F05", "both Redis black holes", trouble((*LOCKS, *CACHE), Trouble(black_hole=True), 3)),
    Fault("F05", "cache Redis out of memory", fill_redis("cache"), small=False),
    Fault("F06", "locks deleted and stolen while held", strikes.steal_locks),
    Fault("F07", "PostgreSQL killed and restarted", strikes.kill_postgresql),
    Fault("F07", "backends terminated", strikes.terminate_backends),
    Fault("F07", "pool exhausted behind a table lock", strikes.exhaust_pool),
    Fault("F07", "replies of PostgreSQL lost", trouble(DATABASE, Trouble(lost_replies=0.02), 1.5)),
    Fault("F08", "every message five times", strikes.repeat_messages),
    Fault("F09", "one key fifty times at once", strikes.one_key_fifty_times),
    Fault("F10", "a herd for one unit", strikes.herd),
    Fault("F12", "supplier down", supplier_behaves(down=True)),
    Fault("F12", "supplier unreachable", trouble(("supplier",), Trouble(refuse=True), 1.5), small=False),
    Fault("F12", "supplier's answers cut", trouble(("supplier",), Trouble(cut_after=300), 1.5)),
    Fault("F14", "supplier's replies to orders lost", supplier_behaves(lost_reply={"p": 0.5})),
    Fault("F15", "PostgreSQL partitioned away", trouble(DATABASE, Trouble(black_hole=True), 3)),
    Fault("F15", "parts flap", strikes.flap),
)


def drawn(chance: Random, rounds: int, only: str = "", *, small: bool) -> list[Fault]:
    """Every fault once a round, each round in another order.  only: the class, or a part of the name."""
    wanted = [fault for fault in FAULTS if only == fault.number or only in fault.name]
    wanted = [fault for fault in wanted if fault.small or not small]
    plan: list[Fault] = []
    for _ in range(rounds):
        chance.shuffle(wanted)
        plan += wanted
    # What a killed worker had claimed is free again a minute later: no need to wait for that at the end.
    last = plan[len(plan) - len(wanted) :]
    return plan[: len(plan) - len(wanted)] + sorted(last, key=lambda fault: fault.number != "F03")
