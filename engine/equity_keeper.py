"""Keep the equity curve of each client's day, a point a minute at most, however many watchers look."""

from datetime import datetime
from decimal import Decimal

from domain.equity import KEPT_EACH, KEPT_FOR, EquityPoint, is_news
from domain.ports import Store, Transaction
from domain.times import has_elapsed


class EquityKeeper:
    """Stores what profit and loss stands at. Safe to call from several threads and processes."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._looked_at: dict[str, datetime] = {}

    def keep(self, client_id: str, own: Decimal | None, broker: Decimal | None, now: datetime) -> bool:
        """Keep a point if one is due; returns True where one was kept.

        Raises:
            StoreUnavailable: nothing was stored; the next round tries again.
        """
        last = self._looked_at.get(client_id)
        if last is not None and not has_elapsed(last, now, KEPT_EACH):
            return False
        point = EquityPoint(now, own, broker)
        kept = is_news(point, self._store.last_equity(client_id)) and self._store.write(
            lambda tx: _keep(tx, client_id, point)
        )
        self._looked_at[client_id] = now
        return kept


def _keep(tx: Transaction, client_id: str, point: EquityPoint) -> bool:
    if not is_news(point, tx.last_equity(client_id)):
        return False  # another watcher was first
    tx.keep_equity_point(client_id, point, forget_before=point.at - KEPT_FOR)
    return True
