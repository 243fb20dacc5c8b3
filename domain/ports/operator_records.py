"""What the console keeps of its own: decisions of operators."""

from collections.abc import Mapping
from typing import Protocol

from domain.attention import Decision


class OperatorRecords(Protocol):
    """Each method raises `StoreUnavailable` when nothing was read or kept."""

    def decide(self, decision: Decision) -> None:
        """Record a decision. Earlier ones stay recorded; the last one of a key counts."""

    def decisions(self) -> Mapping[str, Decision]:
        """Return the last decision of each key, by key."""

    def history(self, *, limit: int) -> list[Decision]:
        """List decisions, the newest first."""
