"""Cache the positions that exits are sized from. One read may serve several exits, but none that it is too old for.

Each broker call uses up rate budget. Without the cache, a basket of legs that is closed at once would pay twice for
each leg.
"""

import threading
from dataclasses import dataclass
from datetime import datetime, timedelta

from domain.broker_reports import PositionsSnapshot
from domain.order import Order
from domain.ports import Clock
from engine.client_context import ClientContext

_SERVES = timedelta(seconds=2)  # from the read's beginning: a trade by hand since then would not show
_RENEWED = timedelta(seconds=1)  # from the read's end: then one caller reads anew, the others still use it


@dataclass(slots=True)
class _Kept:
    snapshot: PositionsSnapshot | None = None
    ended_at: datetime | None = None
    readers: int = 0  # threads that are reading at this moment


class PositionCache:
    """Each client's last read of the positions. Safe to call from several threads; none waits for another's read.

    A read serves an exit whose row was last written before the read began. Such a read shows all that the exit could
    ask for when it was registered or last postponed. `domain.exit_sizing.size_exit` accounts for what has changed
    since: it knows the outstanding orders, and asks for a later read after a fill that closes.
    """

    def __init__(self, *, clock: Clock) -> None:
        self._clock = clock
        self._kept: dict[str, _Kept] = {}
        self._lock = threading.Lock()

    def read(self, context: ClientContext, order: Order) -> PositionsSnapshot:
        """Return the positions, read now or shortly before.

        Raises:
            ReadFailed: they had to be read and could not be.
        """
        with self._lock:
            kept = self._kept.setdefault(context.client_id, _Kept())
            if self._may_serve(kept, order):
                assert kept.snapshot is not None
                return kept.snapshot
            kept.readers += 1
        try:
            snapshot = context.broker.read_positions(urgent=True)
            with self._lock:
                if kept.snapshot is None or kept.snapshot.read_started_at <= snapshot.read_started_at:
                    kept.snapshot, kept.ended_at = snapshot, self._clock.now()
            return snapshot
        finally:
            with self._lock:
                kept.readers -= 1

    def _may_serve(self, kept: _Kept, order: Order) -> bool:
        if kept.snapshot is None or kept.ended_at is None or order.updated_at is None:
            return False
        now, began = self._clock.now(), kept.snapshot.read_started_at
        is_young = order.updated_at < began <= now <= began + _SERVES
        return is_young and (kept.readers > 0 or now <= kept.ended_at + _RENEWED)
