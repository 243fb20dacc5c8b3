"""Latch the daily loss limit once two reads show it reached, notify of that, and lift it when an operator says so."""

import logging
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal

from domain.daily_loss import OF_THE_CLIENT, DayLoss, Lift, hit, told_of_latch, with_latched
from domain.errors import NotFound
from domain.limits import ClientPolicy, LimitAction
from domain.loss_limit_lift import lift_in
from domain.money import ZERO, decimal_text
from domain.notices import Notice, NoticeKind
from domain.ports import Clock, Store, Transaction
from domain.risk_stops import EventKind, RiskEvent, RiskRule, Stop, StopKey
from domain.times import day_start
from engine.client_context import ClientContext, EngineTimings

log = logging.getLogger(__name__)


class LossLatch:
    """Stores which limits were hit today, so that changing a limit afterwards lifts nothing."""

    def __init__(self, store: Store, *, clock: Clock, rules: EngineTimings) -> None:
        self._store = store
        self._clock = clock
        self._rules = rules

    def check(self, context: ClientContext) -> None:
        """Latch each limit of the client that was hit and is not latched yet, and notify of it.

        Raises:
            StoreUnavailable: nothing was stored; the next check finds the same.
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
        if OF_THE_CLIENT in new and self._stop(tx, context, loss, new[OF_THE_CLIENT]):
            new = {name: limit for name, limit in new.items() if name != OF_THE_CLIENT}
            if not new:  # our own figure had reached it before, which was told
                return
        text = told_of_latch(loss, new, starts=f"{self._rules.day_starts:%H:%M} {self._rules.zone.key}")
        log.warning("client %s: %s", context.client_id, text)
        tx.notify(Notice(NoticeKind.LOSS_LIMIT_HIT, context.client_id, detail=text))

    def _stop(self, tx: Transaction, context: ClientContext, loss: DayLoss, limit: Decimal) -> bool:
        """Keep the client's stop where it is to ask for exits; True where one was there already."""
        now, book = self._clock.now(), context.policy.limits.default
        key = StopKey(context.client_id, OF_THE_CLIENT, RiskRule.DAILY_LOSS)
        known = next((stop for stop in tx.risk_stops(context.client_id) if stop.key == key), None)
        if known is not None and known.is_confirmed and known.is_standing(now):
            return True
        if book.on_daily_loss is LimitAction.BLOCK:
            return False
        ends = day_start(loss.day + timedelta(days=1), self._rules.zone, self._rules.day_starts)
        figure = loss.lowest or ZERO
        detail = f"{decimal_text(figure)} today, limit {decimal_text(-limit)}"
        stop = Stop(key, now, ends, figure, limit, book.on_daily_loss, detail=detail)
        tx.put_stop(stop)
        tx.add_risk_event(RiskEvent(now, key, EventKind.STOPPED, detail))
        return False


def lift(
    store: Store, clients: Mapping[str, ClientPolicy], client_id: str, *, at: datetime, by: str, reason: str
) -> Lift:
    """Lift the daily loss limit after it was hit, so that entries go on; return what was lifted.

    From then on the limit counts from the present loss. Entries stop once the whole limit is lost again.

    Raises:
        NotFound: no such client.
        NothingToLift: no limit is latched, or the day's profit and loss is not known.
        StoreUnavailable: nothing was stored.
    """
    if client_id not in clients:
        raise NotFound(f"no client {client_id!r}")
    book = clients[client_id].limits
    return store.write(lambda tx: lift_in(tx, client_id, book, at=at, by=by, reason=reason))
