"""Latching the daily loss limit once two reads show it reached, telling that, and lifting it on a person's word."""

import logging
from collections.abc import Mapping
from datetime import datetime
from decimal import Decimal

from domain.daily_loss import DayLoss, Lift, hit, told_of_latch, with_latched
from domain.errors import NotFound
from domain.limits import ClientPolicy
from domain.loss_limit_lift import lift_in
from domain.notices import Notice, NoticeKind
from domain.ports import Store, Transaction
from engine.client_context import ClientContext, EngineTimings

log = logging.getLogger(__name__)


class LossLatch:
    """Keeps in the store which limits were hit today, so that a limit that is changed afterwards lifts nothing."""

    def __init__(self, store: Store, *, rules: EngineTimings) -> None:
        self._store = store
        self._rules = rules

    def check(self, context: ClientContext) -> None:
        """Latch and tell each limit of the client that was hit and is not latched yet.

        Raises:
            StoreUnavailable: nothing was kept; the next check finds the same.
        """
        book = context.policy.limits
        if all(limits.max_daily_loss is None for limits in (book.default, *book.by_strategy.values())):
            return
        if self._newly_hit(context, self._store.day_loss(context.client_id)):
            self._store.write(lambda tx: self._latch(tx, context))

    def _newly_hit(self, context: ClientContext, loss: DayLoss | None) -> Mapping[str, Decimal]:
        if loss is None:
            return {}
        found = hit(loss, context.policy.limits)
        return {name: limit for name, limit in found.items() if name not in loss.latched}

    def _latch(self, tx: Transaction, context: ClientContext) -> None:
        loss = tx.day_loss(context.client_id)
        new = self._newly_hit(context, loss)
        if loss is None or not new:
            return
        tx.keep_day_loss(context.client_id, with_latched(loss, new))
        text = told_of_latch(loss, new, starts=f"{self._rules.day_starts:%H:%M} {self._rules.zone.key}")
        log.warning("client %s: %s", context.client_id, text)
        tx.notify(Notice(NoticeKind.LOSS_LIMIT_HIT, context.client_id, detail=text))


def lift(
    store: Store, clients: Mapping[str, ClientPolicy], client_id: str, *, at: datetime, by: str, reason: str
) -> Lift:
    """Let entries go on after the daily loss limit was hit; returns what was lifted.

    From then on the limit counts from the loss that there is now: entries stop once the whole of it is lost again.

    Raises:
        NotFound: no such client.
        NothingToLift: no limit is latched, or the day's profit and loss is not known.
        StoreUnavailable: nothing was kept.
    """
    if client_id not in clients:
        raise NotFound(f"no client {client_id!r}")
    book = clients[client_id].limits
    return store.write(lambda tx: lift_in(tx, client_id, book, at=at, by=by, reason=reason))
