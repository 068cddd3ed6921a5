"""The supplier itself: its API over the ledger, seen through the behaviours that are on.  Knows no sockets."""

import threading
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from . import sales, stock
from .asks import Ask, Told
from .behaviours import Clock, Fault, Spoiler, TokenBook, Tokens
from .dialects import DIALECTS
from .ledger import Ledger
from .messages import Call, Problem, Reply, Request
from .scenario import Scenario

UNAUTHORIZED = Problem(401, "UNAUTHORIZED", "A bearer token or X-Api-Key is required.")
TOKEN_SECONDS = 36_000


class ChaosSupplier:
    """pause: waits for so many seconds, or says true at once when the server stops."""

    def __init__(
        self,
        ledger: Ledger,
        scenario: Scenario,
        *,
        token: str,
        dialect: str = "rest_page",
        pause: Callable[[float], bool],
    ) -> None:
        self.ledger = ledger
        self.scenario = scenario
        self._token = token
        self._dialect = DIALECTS[dialect]
        self._pause = pause
        self._guard = threading.Lock()
        self._tokens = TokenBook()
        self._numbers: Counter[tuple[str, str]] = Counter()
        self._requests: Counter[str] = Counter()
        self._acted: Counter[str] = Counter()

    # --- Run time -----------------------------------------------------------------------------------
    def change(self, change: Mapping[str, Any]) -> Scenario:
        """Merge a change into the scenario.  Raises ValueError, and then nothing has changed."""
        with self._guard:
            self.scenario = self.scenario.merged(change)
            return self.scenario

    def counts(self) -> dict[str, dict[str, int]]:
        """How many requests came per endpoint, and how often each behaviour acted."""
        with self._guard:
            return {"requests": dict(self._requests), "acted": dict(self._acted)}

    # --- The API ------------------------------------------------------------------------------------
    def answer(self, request: Request) -> Reply:
        """The reply to one request of a client, with X-Chaos naming what was done to it."""
        self.ledger.run_due()
        scenario, now = self.scenario, self.ledger.clock()
        uptime = now - self.ledger.started_at
        wrong_by = sum(clock.wrong_by(uptime) for clock in scenario.of_kind(Clock))
        try:
            given = self._dialect.credential(request, self._token, now + wrong_by)
            ask = self._dialect.understand(request, self.ledger)
            call = self._call(ask, scenario, now)
            if ask.endpoint != "login":
                self._admit(given, call, scenario)
        except Problem as problem:
            return self._dialect.problem(problem)
        reply = self._through_behaviours(ask, call, scenario)
        reply.headers["X-Chaos"] = ", ".join(call.acted) or "none"
        with self._guard:
            self._acted.update(name.partition("=")[0] for name in call.acted)
        return reply

    def _admit(self, given: str, call: Call, scenario: Scenario) -> None:
        """Raises Problem unless this token opens the API now."""
        rule = scenario.striking(Tokens, call)
        if self._tokens.knows(given, rule, call) or (rule is None and given == self._token):
            return
        raise rule.refusal() if rule else UNAUTHORIZED

    def _through_behaviours(self, ask: Ask, call: Call, scenario: Scenario) -> Reply:
        reply = self._undisturbed(ask, call, scenario)
        return self._dialect.problem(reply) if isinstance(reply, Problem) else reply

    def _undisturbed(self, ask: Ask, call: Call, scenario: Scenario) -> Reply | Problem:
        for fault in scenario.of_kind(Fault):
            if instead := fault.before(call):
                return instead
        try:
            reply = self._dialect.answer(ask, self._act(ask, call, scenario), self.ledger)
        except Problem as problem:
            return problem
        for spoiler in scenario.of_kind(Spoiler):
            reply = spoiler.after(call, reply)
        return reply

    def _act(self, ask: Ask, call: Call, scenario: Scenario) -> Told:
        match ask.endpoint:
            case "list":
                return stock.listed(self.ledger, ask, call, scenario)
            case "fetch":
                return stock.fetched(self.ledger, ask, call, scenario)
            case "confirm":
                return sales.confirm(self.ledger, ask, call, scenario)
            case "readback":
                return sales.readback(self.ledger, ask, call, scenario)
            case "cancel":
                return sales.cancel(self.ledger, ask)
        return self._log_in(call, scenario)

    def _log_in(self, call: Call, scenario: Scenario) -> Told:
        rules = scenario.of_kind(Tokens)
        ttl = rules[0].ttl_s if rules else TOKEN_SECONDS
        return Told(call.now, token=self._tokens.issue(call.seed, call.now), ttl=ttl)

    def _call(self, ask: Ask, scenario: Scenario, now: float) -> Call:
        with self._guard:
            self._requests[ask.endpoint] += 1
            self._numbers[ask.endpoint, ask.identity] += 1
            number = self._numbers[ask.endpoint, ask.identity]
        named = [self.ledger.items[index].sku for index in ask.indexes] + [self.ledger.sku_of(uid) for uid in ask.lines]
        uptime = now - self.ledger.started_at
        return Call(ask.endpoint, ask.identity, number, tuple(named), scenario.seed, self._pause, now, uptime)
