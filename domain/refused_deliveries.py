"""How many deliveries were refused because nobody knows their sender. They are not stored."""

from datetime import datetime
from typing import NamedTuple


class RefusedDeliveries(NamedTuple):
    """Those that one process refused since `since`. `last_at` and `last_sender`: of the last one, None: none."""

    total: int
    since: datetime
    last_at: datetime | None = None
    last_sender: str | None = None

    def plus(self, at: datetime, sender: str) -> "RefusedDeliveries":
        """Return the count with one more."""
        return RefusedDeliveries(self.total + 1, self.since, at, sender)
