"""Implement `domain.ports.OperatorRecords` in memory, for tests."""

from collections.abc import Mapping

from domain.attention import Decision


class MemoryOperatorRecords:
    """Decisions in a list."""

    def __init__(self) -> None:
        self._decisions: list[Decision] = []

    def decide(self, decision: Decision) -> None:
        self._decisions.append(decision)

    def decisions(self) -> Mapping[str, Decision]:
        return {each.key: each for each in self._decisions}

    def history(self, *, limit: int) -> list[Decision]:
        return self._decisions[::-1][:limit]
