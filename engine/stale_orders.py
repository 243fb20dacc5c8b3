"""Telling the operator of orders that have been at the broker for over an hour."""

import logging
from datetime import datetime

from domain.notice_keys import NoticeKey, NoticeSubject
from domain.notices import Notice, NoticeKind
from domain.ports import Clock, Store, Transaction
from domain.stale_orders import FROZEN_AFTER, why_still_open

log = logging.getLogger(__name__)

_AT_ONCE = 100  # told in one transaction: webhooks wait for no longer than that


class StaleOrderNotifier:
    """Asks a person, once for each order, whether it should still be at the broker.

    That it was told is kept in the store: no restart and no second watcher tells it again.
    """

    def __init__(self, store: Store, *, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def tell_frozen(self, client_id: str) -> int:
        """Tell of the client's orders that came into that age; returns how many.

        Raises:
            StoreUnavailable: the database could not be read or written; the rest is told the next time.
        """
        told, sent_before = 0, self._clock.now() - FROZEN_AFTER
        # Looked for outside of the transaction first, so that nobody waits while there is nothing to tell.
        while self._store.untold_frozen(client_id, sent_before, limit=1):
            now_told = self._store.write(lambda tx: self._tell(tx, client_id, sent_before))
            if not now_told:
                break  # another watcher was faster
            told += now_told
        return told

    def _tell(self, tx: Transaction, client_id: str, sent_before: datetime) -> int:
        frozen = tx.untold_frozen(client_id, sent_before, limit=_AT_ONCE)
        for each in frozen:
            order, why = each.order, why_still_open(each.order)
            log.warning("order %s: SENT_TO_BROKER since %s: %s", order.command_id, each.since, why)
            notice = Notice(NoticeKind.FROZEN, order.client_id, order, order.alert_id, order.symbol, why)
            tx.notify_once(NoticeKey(NoticeSubject.FROZEN, (order.command_id,)), notice)
        return len(frozen)
