"""Implement `domain.ports.OperatorRecords` in memory, for tests."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from domain.attention import Decision
from domain.ports import EquityPoint


class MemoryOperatorRecords:
    """Decisions in a list, and points by client and minute."""

    def __init__(self) -> None:
        self._decisions: list[Decision] = []
        self._points: dict[str, dict[datetime, EquityPoint]] = {}

    def decide(self, decision: Decision) -> None:
        self._decisions.append(decision)

    def decisions(self) -> Mapping[str, Decision]:
        return {each.key: each for each in self._decisions}

    def history(self, *, limit: int) -> list[Decision]:
        return self._decisions[::-1][:limit]

    def note_equity(self, client_id: str, point: EquityPoint) -> None:
        minute = point.at.replace(second=0, microsecond=0)
        oldest = minute - timedelta(days=7)
        kept = {at: each for at, each in self._points.get(client_id, {}).items() if at >= oldest}
        self._points[client_id] = {**kept, minute: point}

    def equity(self, client_id: str, since: datetime) -> list[EquityPoint]:
        points = self._points.get(client_id, {})
        return [points[minute] for minute in sorted(points) if points[minute].at >= since]
