"""Notify the operator of orders that have been at the broker for over an hour."""

import logging
from datetime import datetime

from domain.notice_keys import NoticeKey, NoticeSubject
from domain.notices import Notice, NoticeKind
from domain.ports import Clock, Store, Transaction
from domain.stale_orders import FROZEN_AFTER, why_still_open

log = logging.getLogger(__name__)

_AT_ONCE = 100  # notices in one transaction, so that no webhook waits for longer than that


class StaleOrderNotifier:
    """Asks a person, once for each order, whether it should still be at the broker.

    The notice is recorded in the store: no restart and no second watcher repeats it.
    """

    def __init__(self, store: Store, *, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def tell_frozen(self, client_id: str) -> int:
        """Notify of the client's orders that have reached that age; return how many.

        Raises:
            StoreUnavailable: the database could not be read or written; the next call does the rest.
        """
        told, sent_before = 0, self._clock.now() - FROZEN_AFTER
        # Checked outside a transaction first, so that no other writer waits while there is nothing to notify.
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
