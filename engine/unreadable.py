"""Since when something of a broker cannot be read."""

from datetime import datetime

from domain.ports import Clock
from engine.seat import WatcherRules


class Unreadable:
    """Since when one thing could not be read, for each client: one failure is a lag, many on end are news."""

    def __init__(self, *, clock: Clock, rules: WatcherRules) -> None:
        self._clock = clock
        self._rules = rules
        self._since: dict[str, datetime] = {}

    def failed(self, client_id: str) -> datetime | None:
        """A read has failed; since when, if that has lasted."""
        now = self._clock.now()
        since = self._since[client_id] = min(self._since.get(client_id, now), now)
        return since if now - since >= self._rules.unknown_log else None

    def passed(self, client_id: str) -> None:
        """A read has succeeded."""
        self._since.pop(client_id, None)
