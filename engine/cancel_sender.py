"""Send the requested cancels to the brokers. The order book shows what became of them."""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from domain.broker_reports import Book, OrderRef
from domain.errors import BrokerError
from domain.notice_keys import NoticeKey, NoticeSubject
from domain.notices import Notice, NoticeKind
from domain.order import Order
from domain.order_events import advance
from domain.ports import Clock, Transaction, Writes
from domain.times import has_elapsed
from engine.client_context import ClientContext, EngineTimings

log = logging.getLogger(__name__)

_AGAIN = timedelta(minutes=1)  # the longest wait between two requests to cancel one order
_SOON = timedelta(seconds=30)  # for so long a request that failed is sent again soon: an exit may wait for it


class CancelSender:
    """Sends each requested cancel, again while the book shows the order. Notifies once if the order does not end."""

    def __init__(self, store: Writes, *, clock: Clock, claimant: str, rules: EngineTimings) -> None:
        self._store = store
        self._clock = clock
        self._claimant = claimant
        self._rules = rules
        self._errors: dict[str, str] = {}  # the error that each order's last cancel request ended with

    def send(self, context: ClientContext, orders: Sequence[Order], book: Book) -> None:
        """Send the cancels that are due after this book.

        Raises:
            StoreUnavailable: a request could not be recorded, and was not sent.
        """
        now = self._clock.now()
        for order in orders:
            if self._is_due(order, book, now) and self._store.write(
                partial(self._note, order=order, now=now)
            ):
                self._ask(context, order)

    def _ask(self, context: ClientContext, order: Order) -> None:
        self._errors.pop(order.command_id, None)
        try:
            context.broker.cancel(OrderRef.of(order))
        except BrokerError as error:
            log.warning("order %s: cancel: %s", order.command_id, error)
            self._errors[order.command_id] = str(error)
        except Exception as error:  # a defect of the adapter: the book shows whether the order was cancelled
            log.exception("order %s: the adapter failed to cancel", order.command_id)
            self._errors[order.command_id] = f"{type(error).__name__}: {error}"

    def _is_due(self, order: Order, book: Book, now: datetime) -> bool:
        """Return True when the order's cancel is to be sent now.

        - The first request goes at once.
        - It is repeated while the book shows the order, ever more rarely: each request takes from the rate budget.
        - In the first half minute a request that failed is repeated within twice `resend_after`, because an exit that
          waits for the cancel leaves its position open.
        - It is not repeated for an order that the book does not show: as far as is known, nothing is left to cancel.
        """
        asked, sent = order.cancel_requested_at, order.cancel_sent_at
        if asked is None or not order.may_be_live or order.broker_order_id is None:
            return False
        if sent is None:
            return True
        wait = min(max(sent - asked, self._rules.resend_after), _AGAIN)
        if order.command_id in self._errors and sent - asked < _SOON:
            wait = min(wait, 2 * self._rules.resend_after)
        if sent < asked:  # the clock was set back in between
            wait = _AGAIN
        return order.broker_order_id in book.by_id and not timedelta(0) <= now - sent < wait

    def _note(self, tx: Transaction, order: Order, now: datetime) -> bool:
        """Record the request before it is sent. Notify once when earlier requests did not end the order.

        Returns False when the order has moved meanwhile: the next poll shows whether anything is left to cancel.
        """
        current = tx.get(order.command_id)
        if current is None or current.phase is not order.phase or current.cancel_requested_at is None:
            return False
        changes: dict[str, Any] = {"cancel_sent_at": now}
        late = has_elapsed(current.cancel_requested_at, now, self._rules.unknown_log)
        if current.cancel_sent_at is not None and late:
            why = self._errors.get(order.command_id, "the broker did not refuse it")
            text = f"cancel not confirmed: the broker's book still shows the order; {why}"[:500]
            notice = Notice(NoticeKind.SYSTEM, order.client_id, current, order.alert_id, order.symbol, text)
            if tx.notify_once(NoticeKey(NoticeSubject.CANCEL_UNCONFIRMED, (order.command_id,)), notice):
                changes["exchange_error_snippet"] = text
                log.warning("order %s: %s", order.command_id, text)
        tx.apply(advance(current, current.phase, at=now, actor=self._claimant, **changes))
        return True
