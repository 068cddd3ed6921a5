"""Why a supplier could not be read.  The core decides by these types alone."""


class SupplierError(Exception):
    """The supplier could not be used; stock stays as it was."""

    retry_after: float | None = None  # seconds


class Throttled(SupplierError):
    """The supplier asks us to slow down; retry after the given time."""

    def __init__(self, detail: str, retry_after: float | None = None) -> None:
        super().__init__(detail)
        self.retry_after = retry_after


class QuotaExhausted(Throttled):
    """The supplier's calls of this day are used up; nothing was sent, and retry_after is when they begin anew."""


class Transient(SupplierError):
    """The supplier failed on its side; retry later.  sent: the request had left, so it may have taken effect."""

    def __init__(self, detail: str, *, sent: bool = False) -> None:
        super().__init__(detail)
        self.sent = sent


class CircuitOpen(Transient):
    """The supplier failed too often just now; it is left alone until the breaker closes."""


class UpstreamTimeout(Transient):
    """The supplier did not answer in time; retry later."""


class AuthExpired(SupplierError):
    """The supplier does not accept our credentials any more; renew them in the admin."""


class WrongClock(AuthExpired):
    """The supplier does not accept the time in our requests; set our clock right, or tell the supplier of its own."""


class Forbidden(SupplierError):
    """The supplier refuses this call to us; check the permissions of the credentials."""


class Conflict(SupplierError):
    """The supplier's number is no longer the one we saw, and nothing was ordered; read it again and decide again."""


class Malformed(SupplierError):
    """The answer is not what the configuration describes; nothing was applied."""

    def __init__(self, detail: str, evidence: str = "") -> None:
        super().__init__(detail)
        self.evidence = evidence


class BlockedAddress(SupplierError):
    """The address may not be called from here; correct the URL in the admin."""


class Unchanged(Exception):
    """The file is the one that was applied last; there is nothing to read.  reason: how that was seen."""


class NotConfigured(SupplierError):
    """The supplier's configuration does not say how to do this; complete it in the admin."""


class PushRefused(Exception):
    """A push was not taken in; nothing changed."""


class BadSignature(PushRefused):
    """The push is not signed by a supplier that may send any; compare the secret and the raw body."""


class UntimelyPush(PushRefused):
    """The push was signed more than 300 s ago or ahead; look at the clock, and sign anew what is sent again."""


class ReplayedPush(PushRefused):
    """Exactly this push was taken in before; sent again in earnest it would carry a new time."""
