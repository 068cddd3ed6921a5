"""What one supplier may cost us, and we it."""

from dataclasses import dataclass

from suppliers import transport


@dataclass(frozen=True, slots=True)
class Limits:
    """total_seconds: one page, batch, confirm or cancel with its waits and retries.  call_seconds: a whole fetch or
    read-back.  max_bytes: of one answer, decoded.  rate: calls a second on average; burst: at once.
    concurrency: calls under way at the same time; None: any number.  daily_calls: in a day that begins at daily_reset
    (HH:MM) in daily_timezone; daily_reserve: the share of them that only orders may use.
    """

    connect_seconds: float = 3
    read_seconds: float = 10
    total_seconds: float = 10
    call_seconds: float = 60
    max_bytes: int = 5_000_000
    rate: float = 5
    burst: int = 10
    attempts: int = 3
    breaker_failures: int = 5
    breaker_seconds: float = 30
    concurrency: int | None = None
    daily_calls: int | None = None
    daily_reset: str = "00:00"
    daily_timezone: str = "UTC"
    daily_reserve: float = 0.1

    @property
    def exchange(self) -> transport.Limits:
        return transport.Limits(self.connect_seconds, self.read_seconds, self.max_bytes)
