"""The exits of one alert in the order in which its legs may leave: sold ones are bought back before hedges are sold."""

import logging
from collections.abc import Sequence
from decimal import Decimal

from domain.enums import ExecutionType, Side
from domain.exit_chase import chase_of
from domain.group_asked import handling_of
from domain.money import ZERO
from domain.notice_keys import NoticeSubject, of_order
from domain.notices import Notice, NoticeKind
from domain.order import Order
from domain.ports import Clock, Store
from domain.risk_facts import Holding
from domain.states import Status
from domain.times import has_elapsed
from engine.client_context import ClientContext

log = logging.getLogger(__name__)

WAITS = "a sold leg of its alert is bought back first"


class ExitOrder:
    """Says which exits wait for others of their alert. Safe to call from several threads."""

    def __init__(self, store: Store, *, clock: Clock) -> None:
        self._store = store
        self._clock = clock

    def waits(self, context: ClientContext, order: Order) -> str | None:
        """Return what an exit waits for; None: it may go.

        It waits for a bounded time only, because an exit is never kept from leaving for good. What then leaves before
        the sold leg is told. A further part of an exit's leg waits no more: the leg has gone already.
        """
        if order.parent_command_id is not None:
            return None
        handling = handling_of(context.policy, order)
        if not handling.is_grouped or order.alert_id == order.command_id or order.test_mode is not None:
            return None
        legs = [leg for leg in self._store.orders_of_alert(order.alert_id) if _is_beside(leg, order)]
        if not legs:
            return None
        holdings = self._store.holdings(order.client_id)
        if _net(order, holdings) <= ZERO:
            return None  # it sells no hedge
        now = self._clock.now()
        found = (
            _to_come((leg, *self._store.parts(leg.command_id))) for leg in legs if _is_short(leg, holdings)
        )
        sold = [each for each in found if each is not None]
        if not sold:
            return None
        if not has_elapsed(order.created_at, now, handling.group_exit_wait):
            return WAITS
        self._tell(order, sold)
        return None

    def _tell(self, order: Order, sold: Sequence[Order]) -> None:
        named = ", ".join(f"{leg.symbol} ({leg.short_id}, {leg.phase})" for leg in sold)
        text = (
            f"the exit of {order.symbol} goes before its sold leg is bought back: {named} is not filled in time. UNTIL "
            "IT IS, THE SOLD LEG IS WITHOUT ITS HEDGE. Look at that exit: cancel it and exit at market, or use "
            "cli.py flatten"
        )
        key = of_order(NoticeSubject.HEDGE_SOLD_FIRST, order.command_id)
        notice = Notice(NoticeKind.SYSTEM, order.client_id, order, order.alert_id, order.symbol, text)
        if not self._store.is_told(order.client_id, key):
            log.warning("order %s: %s", order.command_id, text)
            self._store.write(lambda tx: tx.notify_once(key, notice))


def _is_beside(leg: Order, order: Order) -> bool:
    return (
        leg.execution_type is ExecutionType.EXIT
        and (leg.client_id, leg.strategy_name) == (order.client_id, order.strategy_name)
        and (leg.exchange, leg.symbol) != (order.exchange, order.symbol)
    )


def _to_come(rows: Sequence[Order]) -> Order | None:
    """Return the row by which an exit may still buy back, or has failed to: what it wanted closed is still sold.

    None: each row is filled, or has ended and another one has taken over its rest.

    Args:
        rows: all rows of the exit's leg.
    """
    replaced = {chase_of(each).instead_of for each in rows}
    for each in rows:
        is_replaced = each.status is Status.FAILED and each.command_id in replaced
        if each.status is not Status.EXECUTED and not is_replaced:
            return each
    return None


def _is_short(leg: Order, holdings: Sequence[Holding]) -> bool:
    return leg.requested_side is not Side.SELL and _net(leg, holdings) < ZERO


def _net(order: Order, holdings: Sequence[Holding]) -> Decimal:
    place = (order.strategy_name, order.exchange, order.symbol)
    nets = (
        h.net_quantity for h in holdings if (h.strategy_name, h.exchange, h.symbol) == place and h.entries
    )
    return sum(nets, ZERO)
