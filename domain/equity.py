"""The equity curve of a day: what profit and loss stood at, as it was known, at a bounded rate. Pure."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

KEPT_EACH = timedelta(seconds=60)
"""No two points of a client are closer."""
KEPT_ANYWAY = timedelta(minutes=4)
"""So long after the last point the same figures are kept once more: a longer silence shows that nobody looked."""
KEPT_FOR = timedelta(days=8)
"""How long a point stays: a week of days, and the present one."""


class EquityPoint(NamedTuple):
    """The client's profit and loss of the trading day at an instant, in account currency. None: not known then.

    - `own`: by our own fills. `broker`: as the broker shows it.
    """

    at: datetime
    own: Decimal | None
    broker: Decimal | None


def is_news(point: EquityPoint, last: EquityPoint | None) -> bool:
    """Return True where a point says something that the last one does not, and comes late enough after it.

    A clock that was set back may make the last one lie ahead; then nothing is kept until it has caught up.
    """
    if last is None:
        return (point.own, point.broker) != (None, None)
    age = point.at - last.at
    return age >= KEPT_EACH and (point[1:] != last[1:] or age >= KEPT_ANYWAY)
