"""Token buckets, one per sender, in bounded memory."""

from collections.abc import Callable
from typing import NamedTuple

from domain.senders import ANYBODY, SendersBook

MAX_SENDERS = 10_000
SMALLEST_BURST = 5
"""Alerts that a sender may always send at once: alerts for the close and the open of a bar arrive together."""


class RateLimiter:
    """Lets each sender through `per_second` times a second, and `burst` times at once.

    Args:
        per_second: 0 lets everything through.
        monotonic: seconds on a clock that never goes back.
    """

    # No lock: every step on the dictionaries is one atomic operation. Threads that interleave may let one request
    # too many through, which is acceptable for a rate limit.

    def __init__(
        self,
        per_second: float,
        *,
        burst: float,
        monotonic: Callable[[], float],
        max_senders: int = MAX_SENDERS,
    ) -> None:
        self._interval = 1 / per_second if per_second > 0 else 0.0
        self._slack = self._interval * (max(burst, 1) - 0.5)  # half a token of margin for rounding
        self._monotonic = monotonic
        # For each sender, the time at which its bucket is full again. Two generations approximate an order of
        # last use: a sender that was not seen for a whole generation is forgotten with it.
        self._generation_size = max(1, max_senders // 2)
        self._recent: dict[str, float] = {}
        self._older: dict[str, float] = {}

    def wait(self, sender: str) -> float:
        """Take a token: 0 when there was one, else the seconds until there will be one (and none is taken)."""
        if not self._interval:
            return 0.0
        now = self._monotonic()
        full_at = self._full_at(sender, now)
        if full_at - now > self._slack:
            return full_at - now - self._slack
        self._remember(sender, full_at + self._interval)
        return 0.0

    def peek(self, sender: str) -> float:
        """As `wait`, and no token is taken."""
        if not self._interval:
            return 0.0
        now = self._monotonic()
        return max(0.0, self._full_at(sender, now) - now - self._slack)

    def _full_at(self, sender: str, now: float) -> float:
        return max(now, self._recent.get(sender) or self._older.get(sender) or now)

    def _remember(self, sender: str, full_at: float) -> None:
        if sender not in self._recent and len(self._recent) >= self._generation_size:
            self._older, self._recent = self._recent, {}
        self._recent[sender] = full_at


def delivery_limiter(per_second: float, monotonic: Callable[[], float]) -> RateLimiter:
    """Limit the deliveries of one sender; 0 means no limit."""
    return RateLimiter(per_second, burst=max(per_second, SMALLEST_BURST), monotonic=monotonic)


def guess_limiter(per_minute: int, monotonic: Callable[[], float]) -> RateLimiter:
    """Limit the wrong secrets of one sender that are answered as such; 0 means no limit."""
    return RateLimiter(per_minute / 60, burst=per_minute, monotonic=monotonic)


class Admission(NamedTuple):
    """Who is let in, and how often.

    - `deliveries`: limits the right deliveries of one sender.
    - `strangers`: limits the deliveries of one sender that carry no right secret. They are counted by themselves: the
      users of a platform share its addresses, and what others send must not stop our user's alerts.
    - `guesses`: limits the wrong secrets of one sender that are answered as such.
    - `senders`: who may send each strategy's alerts.
    """

    deliveries: RateLimiter
    strangers: RateLimiter
    guesses: RateLimiter
    senders: SendersBook = ANYBODY
