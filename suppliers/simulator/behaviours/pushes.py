"""How changes are announced to a client's webhook."""

import base64
import binascii
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from suppliers.simulator.draws import draw, lognormal

from .base import Rule

SCHEMES = ("standard_webhooks", "shopify", "woocommerce", "hmac")


@dataclass(kw_only=True, eq=False)
class Webhooks(Rule):
    """Every change of the stock is sent to `url`, signed with `secret` by the scheme.

    content: "absolute", "delta", "both" or "nothing" (only which row).  delay_ms, sigma: lognormal; reorder_s: up to so
    much more; late_p, late_s: a share comes so late.  dup_p, lost_p: shares sent twice or never; replay_p: sent again
    byte by byte replay_after_s later.  burst: with each event so many about rows that did not change.
    disable_after: so many failures in a row end it until it is set anew; 0: nothing does.
    """

    name = "webhooks"
    words = {"scheme": SCHEMES, "content": ("absolute", "delta", "both", "nothing")}
    url: str = ""
    secret: str = ""
    scheme: str = "standard_webhooks"
    content: str = "absolute"
    delay_ms: float = 200.0
    sigma: float = 1.0
    reorder_s: float = 0.0
    late_p: float = 0.0
    late_s: float = 86_400.0
    dup_p: float = 0.0
    lost_p: float = 0.0
    bad_signature_p: float = 0.0
    replay_p: float = 0.0
    replay_after_s: float = 1.0
    burst: int = 0
    disable_after: int = 5
    _failures: int = field(init=False, repr=False, default=0)
    _count: threading.Lock = field(init=False, repr=False, default_factory=threading.Lock)

    @property
    def key(self) -> bytes:
        """Standard Webhooks has secrets in base64, after "whsec_" or bare."""
        if self.scheme != "standard_webhooks":
            return self.secret.encode()
        try:
            return base64.b64decode(self.secret.removeprefix("whsec_"), validate=True)
        except binascii.Error:
            return self.secret.encode()

    @property
    def is_disabled(self) -> bool:
        return 0 < self.disable_after <= self._failures

    def note(self, *, ok: bool) -> None:
        with self._count:
            self._failures = 0 if ok else self._failures + 1

    def chances(self, seed: int, event: str) -> Callable[[str], float]:
        return lambda about: draw(seed, self.name, event, about)

    def delay(self, chance: Callable[[str], float]) -> float:
        """Seconds."""
        if chance("late") < self.late_p:
            return self.late_s
        return lognormal(chance("delay"), self.delay_ms, self.sigma) / 1000 + chance("reorder") * self.reorder_s
