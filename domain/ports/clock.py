"""The time, and new ids: passed in, so that a run can be repeated."""

from datetime import datetime
from typing import Protocol


class Clock(Protocol):
    """The clock, passed in."""

    def now(self) -> datetime:
        """Return the present time, aware UTC."""


class Steadiness(Protocol):
    """Knows whether the machine's clock was set."""

    def since(self) -> datetime | None:
        """Return since when the clock is known not to have been set; None: nobody watches it."""


class Ids(Protocol):
    """New ids, passed in so that a run can be repeated."""

    def alert_id(self, at: datetime) -> str:
        """Return a unique id that sorts by time."""
