"""Knowing the positions: read, kept with their age, and told when they cannot be read."""

import logging
from datetime import datetime, timedelta

from blockers.execution_guard import ExecutionGuard
from domain.errors import ReadFailed
from domain.notices import Notice, NoticeKind
from domain.ports import Clock, Store
from domain.times import trading_day
from engine.comparing import PositionComparer
from engine.gate import Part, StartGate
from engine.seat import Seat, WatcherRules

log = logging.getLogger(__name__)


class PositionKeeper:
    """Keeps each client's positions and profit and loss fresh in the store."""

    def __init__(self, store: Store, gate: StartGate, *, clock: Clock, rules: WatcherRules) -> None:
        self._store = store
        self._gate = gate
        self._clock = clock
        self._rules = rules
        self._guard = ExecutionGuard(store)
        self._comparer = PositionComparer(store, clock=clock)
        self._refreshed_at: dict[str, datetime] = {}
        self._unreadable_since: dict[str, datetime] = {}
        self._told_unreadable: set[str] = set()

    def refresh(self, seat: Seat, *, force: bool = False) -> bool:
        """Read and keep the client's positions and profit and loss, when it is time; True when they were read.

        Raises:
            StoreUnavailable: they could not be kept.
        """
        now, client_id = self._clock.now(), seat.client_id
        last = self._refreshed_at.get(client_id)
        if not force and last is not None and now - last < self._rules.positions_refresh:
            return False
        self._refreshed_at[client_id] = now
        try:
            snapshot = seat.broker.read_positions()
        except ReadFailed as error:
            self._unreadable(client_id, now, str(error))
            return False
        self._store.save_positions(client_id, snapshot, trading_day(now, self._rules.zone))
        horizon = timedelta(seconds=seat.broker.traits.position_horizon)
        self._guard.reconcile_with_broker(client_id, snapshot, horizon=horizon)
        self._readable(client_id)
        self._gate.passed(client_id, Part.POSITIONS)
        self._comparer.compare(client_id, snapshot, horizon=horizon)
        return True

    def _unreadable(self, client_id: str, now: datetime, error: str) -> None:
        """Keep what was read before, with its age; tell once when it lasts."""
        self._store.save_read_error(client_id, now, error)
        if self._gate.failed(client_id, Part.POSITIONS, error):
            return  # which has told it
        since = self._unreadable_since.setdefault(client_id, now)
        if now - since >= self._rules.unknown_log and client_id not in self._told_unreadable:
            self._tell(
                client_id, f"the broker cannot be read since {since:%H:%M:%S} UTC: {error}; entries stop"
            )
            self._told_unreadable.add(client_id)

    def _readable(self, client_id: str) -> None:
        self._unreadable_since.pop(client_id, None)
        if client_id in self._told_unreadable:
            self._tell(client_id, "the broker can be read again")
            self._told_unreadable.discard(client_id)

    def _tell(self, client_id: str, text: str) -> None:
        log.warning("client %s: %s", client_id, text)
        self._store.write(lambda tx: tx.notify(Notice(NoticeKind.SYSTEM, client_id, detail=text)))
