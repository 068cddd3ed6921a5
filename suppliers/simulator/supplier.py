"""The supplier itself: its API over the ledger, seen through the behaviours that are on.  Knows no sockets."""

import hmac
from collections.abc import Callable
from typing import Any

from . import sales, stock
from .asks import Ask, Told
from .behaviours import Clock, TokenBook, Tokens, Webhooks
from .dialects import DIALECTS
from .disturbed import Disturbed
from .ledger import Ledger
from .messages import Call, Problem, Reply, Request
from .scenario import Scenario
from .webhooks import Outbox, announce

TOKEN_SECONDS = 36_000


class ChaosSupplier(Disturbed):
    def __init__(
        self,
        ledger: Ledger,
        scenario: Scenario,
        *,
        token: str,
        dialect: str = "rest_page",
        pause: Callable[[float], bool],
    ) -> None:
        super().__init__(scenario, pause)
        self.ledger = ledger
        self.outbox = Outbox(ledger.clock, pause)
        self._token = token
        self._dialect = DIALECTS[dialect]
        self._tokens = TokenBook()
        ledger.on_change = self._announce

    def counts(self) -> dict[str, Any]:
        return {**super().counts(), "webhooks": dict(self.outbox.sent)}

    def _announce(self, index: int, units: int, delta: int, at: float) -> None:
        for rule in self.scenario.of_kind(Webhooks):
            if rule.url and rule.covers(self.ledger.items[index].sku):
                announce(self.outbox, self.ledger, (index, units, delta, at), rule, self.scenario.seed)

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
        except Problem as problem:
            reply = self._dialect.problem(problem)
            for clock in scenario.of_kind(Clock):  # a client learns from it by how much its own is wrong
                reply = clock.dated(reply, now, uptime)
            return reply
        call = self._call(ask, scenario, now)
        result = self._refusal(given, call, scenario) or self._around(
            call, scenario, lambda: self._dialect.answer(ask, self._act(ask, call, scenario), self.ledger)
        )
        return self._told(call, self._dialect.problem(result) if isinstance(result, Problem) else result)

    def _refusal(self, given: str, call: Call, scenario: Scenario) -> Problem | None:
        """Nothing if this token opens the API now, or none is needed."""
        rule = next((rule for rule in scenario.of_kind(Tokens) if rule.applies(call)), None)
        if call.endpoint == "login" or self._tokens.knows(given, rule, call):
            return None
        if rule is None:
            right = hmac.compare_digest(given.encode(), self._token.encode())
            return None if right else Problem(401, "UNAUTHORIZED", "The token is missing or wrong.")
        call.acted.append(rule.name)
        return rule.refusal()

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
        named = [self.ledger.items[index].sku for index in ask.indexes] + [self.ledger.sku_of(uid) for uid in ask.lines]
        return self._called((ask.endpoint, ask.identity), named, scenario, (now, now - self.ledger.started_at))
