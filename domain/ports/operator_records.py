"""What the console keeps of its own: decisions of operators, and the day's course of profit and loss."""

from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple, Protocol

from domain.attention import Decision


class EquityPoint(NamedTuple):
    """A client's profit and loss of the trading day at a time. None: it was not known."""

    at: datetime
    total: Decimal | None


class OperatorRecords(Protocol):
    """Each method raises `StoreUnavailable` when nothing was read or kept."""

    def decide(self, decision: Decision) -> None:
        """Record a decision. Earlier ones stay recorded; the last one of a key counts."""

    def decisions(self) -> Mapping[str, Decision]:
        """Return the last decision of each key, by key."""

    def history(self, *, limit: int) -> list[Decision]:
        """List decisions, the newest first."""

    def note_equity(self, client_id: str, point: EquityPoint) -> None:
        """Record a point of a client's course. One of the same minute replaces it; those of over a week ago go."""

    def equity(self, client_id: str, since: datetime) -> list[EquityPoint]:
        """List the client's points from this time on, the oldest first."""
