"""Limits on what may be lost and sent. Exits reduce risk and pass all of them."""

from decimal import Decimal

from blockers.rules import Block, Rule
from domain.money import decimal_text
from domain.order import Order
from domain.risk_facts import Facts
from domain.tags import Reason


def daily_loss(order: Order, facts: Facts) -> Block | None:
    """The day's lowest profit and loss has reached the limit; a later recovery does not lift it."""
    limit, lowest = facts.limits.max_daily_loss, facts.lowest_pnl
    if limit is None or lowest is None or lowest > -limit:
        return None  # an account that was never read is stopped by the guard's positions rule
    return Block(Reason.DAILY_LOSS_HIT, f"{decimal_text(lowest)} today, limit -{decimal_text(limit)}")


def order_quantity(order: Order, facts: Facts) -> Block | None:
    """One order's quantity, in units."""
    limit = facts.limits.max_order_quantity
    if limit is None or order.quantity <= limit:
        return None
    return Block(Reason.MAX_ORDER_QUANTITY, f"{decimal_text(order.quantity)}, limit {decimal_text(limit)}")


def order_value(order: Order, facts: Facts) -> Block | None:
    """One order's notional, by the highest price that is known for it; without any price it cannot pass."""
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
    """Entries registered in the sliding minute that ends now."""
    limit = facts.limits.max_orders_per_minute
    if limit is None or facts.entries_last_minute < limit:
        return None
    return Block(Reason.MAX_ORDERS_PER_MINUTE, f"limit {limit}")


def open_orders(order: Order, facts: Facts) -> Block | None:
    """Orders that are created or at the broker."""
    limit = facts.limits.max_open_orders
    if limit is None or facts.open_orders < limit:
        return None
    return Block(Reason.MAX_OPEN_ORDERS, f"limit {limit}")


class RiskManager:
    """The risk rules, in the order in which they are asked."""

    rules: tuple[Rule, ...] = (daily_loss, order_quantity, order_value, orders_per_minute, open_orders)
