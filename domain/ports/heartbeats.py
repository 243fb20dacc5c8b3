"""Signs of life of a watcher's loops."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Protocol

from domain.first_reads import Missing

WAITING = "WAITING"
"""The state of a client's `reconcile` loop until its broker has been read; the heartbeat says what is missing."""

CANNOT_BE_READ_AFTER = timedelta(seconds=15)
"""A broker counts as unreadable when its reads have failed without a break for so long.

People are then notified, and the client is not ready. A single failure is only a lag.
"""


@dataclass(frozen=True, slots=True)
class Heartbeat:
    """A loop's heartbeat. `detail` says as a text what `missing` says part by part."""

    watcher_id: str
    loop: str
    client_id: str
    at: datetime
    state: str = "OK"
    detail: str = ""
    missing: Missing = field(default_factory=dict)


class HeartbeatStore(Protocol):
    """Where a watcher's loops leave their signs of life."""

    def save_heartbeats(self, heartbeats: Iterable[Heartbeat]) -> None: ...
