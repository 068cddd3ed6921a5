"""Tokens that die, and how a supplier says so."""

import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

from suppliers.simulator.draws import draw
from suppliers.simulator.messages import ENDPOINTS, Call, Problem

from .base import Rule

# style → status and code of a refusal; with 200 dialects use their own (TOP: 27).
REFUSALS = {"401": (401, "TOKEN_EXPIRED"), "403": (403, "TOKEN_EXPIRED"), "200": (200, "TOKEN_EXPIRED")}


@dataclass(kw_only=True, eq=False)
class Tokens(Rule):
    """The API takes only tokens from the login, each for ttl_s seconds.

    revoke_p: share of the tokens that die early, after a tenth of that.  rotate: a login ends all earlier tokens, so
    two clients that refresh at once kill each other's.  style: a dead token is answered "401", "403" or "200".
    """

    name = "tokens"
    words = {"style": tuple(REFUSALS)}
    endpoints: Sequence[str] = tuple(endpoint for endpoint in ENDPOINTS if endpoint != "login")
    ttl_s: float = 3_600.0
    revoke_p: float = 0.0
    rotate: bool = False
    style: str = "401"

    def refusal(self) -> Problem:
        status, code = REFUSALS[self.style]
        return Problem(status, code, "the access token is invalid or has expired")

    def is_good(self, number: int, issued_at: float, newest: int, call: Call) -> bool:
        """number: of the token; newest: of the last one issued."""
        revoked = draw(call.seed, "tokens.revoke", number) < self.revoke_p
        lives = self.ttl_s / 10 if revoked else self.ttl_s
        return call.now - issued_at < lives and not (self.rotate and number < newest)


@dataclass
class TokenBook:
    """Which tokens were issued, and when."""

    issued: dict[str, tuple[int, float]] = field(default_factory=dict)  # token → number, time
    _guard: threading.Lock = field(default_factory=threading.Lock)

    def issue(self, seed: int, now: float) -> str:
        with self._guard:
            number = len(self.issued) + 1
            token = f"t{number}-{int(draw(seed, 'token', number) * 2**60):x}"
            self.issued[token] = (number, now)
            return token

    def knows(self, token: str, rule: Tokens | None, call: Call) -> bool:
        number, at = self.issued.get(token, (0, 0.0))
        return number > 0 and (rule is None or rule.is_good(number, at, len(self.issued), call))
