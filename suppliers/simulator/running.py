"""Start and stop a chaos supplier in this process."""

import contextlib
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .asks import line_of
from .catalogue import generated
from .ledger import Clock, Item, Ledger
from .operations import chaos, sell
from .proxy import ChaosProxy
from .scenario import Scenario
from .server import SimulatorServer
from .supplier import ChaosSupplier

TOKEN = "chaos-supplier"  # noqa: S105 - it guards nothing but a simulator


class RunningChaosSupplier:
    """A chaos supplier that serves from threads of this process; use `running_chaos_supplier`."""

    def __init__(
        self,
        items: Sequence[Item],
        *,
        scenario: Mapping[str, Any],
        token: str = TOKEN,
        dialect: str = "rest_page",
        address: tuple[str, int] = ("127.0.0.1", 0),
        clock: Clock = time.time,
    ) -> None:
        stopping = threading.Event()
        self.token = token
        self.dialect = dialect
        self.supplier = ChaosSupplier(
            Ledger(items, clock), Scenario().merged(scenario), token=token, dialect=dialect, pause=stopping.wait
        )
        self.server = SimulatorServer(*address, stopping)
        self.server.supplier = self.supplier
        self.url = self.server.url

    def set(self, **scenario: Any) -> None:
        """Change the scenario, as `PUT /_chaos` does: `set(lag={"lag_s": 5}, latency=None)`, `set(profile="calm")`."""
        self.supplier.change(scenario)

    def truth(self, sku: str | None = None) -> dict[str, dict[str, int]]:
        """Per SKU: initial, restocked, sold, cancelled, on_hand."""
        return self.supplier.ledger.truth(None if sku is None else [sku])

    def audit(self) -> dict[str, Any]:
        """Under "sales" each with time, reference and source; under "duplicates" reference → times it was sold."""
        return self.supplier.ledger.audit()

    def chaos(self) -> dict[str, Any]:
        """The scenario, the requests per endpoint and how often each behaviour acted."""
        return chaos(self.supplier)

    def sell(self, sku: str, quantity: int) -> str:
        """Another channel sells, past the API."""
        return sell(self.supplier, {"sku": sku, "quantity": quantity})

    def restock(self, sku: str, quantity: int) -> None:
        ledger = self.supplier.ledger
        ledger.restock(line_of(ledger, {"sku": sku, "quantity": quantity})[0], quantity)

    def serve_forever(self) -> None:
        self.server.serve_forever(poll_interval=0.05)

    def stop(self) -> None:
        self.server.stop()


class RunningChaosProxy:
    """The faults of a chaos supplier in front of a real system."""

    def __init__(
        self,
        target: str,
        *,
        scenario: Mapping[str, Any],
        endpoints: Mapping[str, str],
        address: tuple[str, int] = ("127.0.0.1", 0),
    ) -> None:
        stopping = threading.Event()
        self.token = ""
        self.proxy = ChaosProxy(target, Scenario().merged(scenario), endpoints=endpoints, pause=stopping.wait)
        self.server = SimulatorServer(*address, stopping)
        self.server.supplier = self.proxy
        self.url = self.server.url

    def serve_forever(self) -> None:
        self.server.serve_forever(poll_interval=0.05)

    def stop(self) -> None:
        self.server.stop()


@contextlib.contextmanager
def running_chaos_supplier(
    rows: int = 10,
    *,
    prefix: str = "SKU-",
    stock: int = 50,
    items: Sequence[Item] | None = None,
    dialect: str = "rest_page",
    clock: Clock = time.time,
    **scenario: Any,
) -> Iterator[RunningChaosSupplier]:
    """A chaos supplier in threads of this process, gone at the end of the block.

    scenario: seed, idempotent, profile, and behaviours by name, each with its parameters or True.
    """
    catalogue = generated(rows, prefix, stock) if items is None else items
    running = RunningChaosSupplier(catalogue, scenario=scenario, dialect=dialect, clock=clock)
    thread = threading.Thread(target=running.serve_forever, name="chaos-supplier", daemon=True)
    thread.start()
    try:
        yield running
    finally:
        running.stop()
        thread.join()
