"""Limits on what may be lost and on what may be sent. Exits reduce risk and pass all of them."""

from decimal import Decimal

from blockers.rules import Block, Rule
from domain.daily_loss import floor_of
from domain.money import decimal_text
from domain.order import Order
from domain.reason_codes import Reason
from domain.risk_facts import Facts


def daily_loss(order: Order, facts: Facts) -> Block | None:
    """Block entries once two reads of the trading day have shown the limit reached; a later recovery does not lift it.

    While only the last read shows the limit reached, entries are blocked for as long as that is so.
    """
    limit = facts.limits.max_daily_loss
    floor = None if limit is None else floor_of(limit, facts.loss_counts_from)
    if facts.loss_latched or (
        floor is not None and facts.lowest_pnl is not None and facts.lowest_pnl <= floor
    ):
        return Block(Reason.DAILY_LOSS_HIT, _loss(facts.lowest_pnl, facts))
    if floor is None or facts.pnl is None:
        return None  # where the loss is not known, `positions_stale` of the guard blocks entries
    if facts.pnl <= floor:
        return Block(Reason.DAILY_LOSS_UNCONFIRMED, _loss(facts.pnl, facts))
    return None


def _loss(pnl: Decimal | None, facts: Facts) -> str:
    return f"{decimal_text(pnl)} today, {_limit(facts)}" if pnl is not None else _limit(facts)


def _limit(facts: Facts) -> str:
    limit, since = facts.limits.max_daily_loss, facts.loss_counts_from
    if limit is None:
        return "limit none any more"
    if not since:
        return f"limit -{decimal_text(limit)}"
    floor = decimal_text(floor_of(limit, since))
    return f"limit {floor}: -{decimal_text(limit)} from the {decimal_text(since)} of the lift"


def order_quantity(order: Order, facts: Facts) -> Block | None:
    """Limit one order's quantity, in units."""
    limit = facts.limits.max_order_quantity
    if limit is None or order.quantity <= limit:
        return None
    return Block(Reason.MAX_ORDER_QUANTITY, f"{decimal_text(order.quantity)}, limit {decimal_text(limit)}")


def order_value(order: Order, facts: Facts) -> Block | None:
    """Limit one order's notional, by the highest price that is known for it. Without any price it is blocked."""
    limit = facts.limits.max_order_value
    if limit is None:
        return None
    price = _price(order, facts)
    if price is None:
        return Block(Reason.ORDER_VALUE_UNKNOWN, f"limit {decimal_text(limit)}")
    value = order.quantity * price
    if value <= limit:
        return None
    return Block(Reason.MAX_ORDER_VALUE, f"{decimal_text(value)}, limit {decimal_text(limit)}")


def _price(order: Order, facts: Facts) -> Decimal | None:
    known = (order.price, order.trigger_price, order.reference_price, facts.last_price)
    return max((p for p in known if p is not None), default=None)


def orders_per_minute(order: Order, facts: Facts) -> Block | None:
    """Limit the entries registered in the sliding minute that ends now."""
    limit = facts.limits.max_orders_per_minute
    if limit is None or facts.entries_last_minute < limit:
        return None
    return Block(Reason.MAX_ORDERS_PER_MINUTE, f"limit {limit}")


def open_orders(order: Order, facts: Facts) -> Block | None:
    """Limit the orders that are created or at the broker."""
    limit = facts.limits.max_open_orders
    if limit is None or facts.open_orders < limit:
        return None
    return Block(Reason.MAX_OPEN_ORDERS, f"limit {limit}")


class RiskManager:
    """The risk rules, in the order in which they apply."""

    rules: tuple[Rule, ...] = (daily_loss, order_quantity, order_value, orders_per_minute, open_orders)
