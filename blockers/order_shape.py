"""What an entry may be at all: its symbol, its product, its prices beside the market, and the time of day."""

from decimal import Decimal

from blockers.rules import Block, Rule
from domain.account_state import AccountState
from domain.limits import is_named
from domain.marks import Mark, MarkFault
from domain.money import decimal_text
from domain.order import Order
from domain.reason_codes import Reason
from domain.risk_facts import Facts

_AHEAD = 2.0  # seconds; a price may come from a clock that runs ahead of ours by that much


def restricted(order: Order, facts: Facts) -> Block | None:
    """Block entries in symbols that nobody is to enter."""
    for name in facts.limits.restricted_symbols:
        if is_named(order.symbol, name):
            return Block(Reason.SYMBOL_RESTRICTED, f"{order.symbol} is {name} of restricted_symbols")
    return None


def product_allowed(order: Order, facts: Facts) -> Block | None:
    """Block entries in products that are not among those that may be entered."""
    allowed = facts.limits.products
    if allowed is None or order.product.upper() in allowed:
        return None
    return Block(Reason.PRODUCT_NOT_ALLOWED, f"{order.product}, expected {' or '.join(allowed) or 'none'}")


def halted_by_schedule(order: Order, facts: Facts) -> Block | None:
    """Block entries from a time of day on."""
    if facts.limits.scheduled is not AccountState.HALTED:
        return None
    return Block(Reason.TRADING_HALTED, f"by schedule, halted_from {facts.limits.halted_from:%H:%M}")


def price_collar(order: Order, facts: Facts) -> Block | None:
    """Block an entry whose own price lies too far from the last one, on either side.

    What it names is compared: its limit, its trigger, and the price that the alert saw. An order that names none is
    the market's own. The last price is read before an order is sent; until then one that is not known blocks nothing.
    """
    percent = facts.limits.price_collar_percent
    if percent is None:
        return None
    mark, fault = facts.of_limits.last_mark, None
    named = {
        "price": order.price,
        "trigger price": order.trigger_price,
        "reference price": order.reference_price,
    }
    prices = {name: price for name, price in named.items() if price is not None}
    if not prices:
        return None
    fault = _fault(mark, facts)
    if mark is None or fault is not None:
        if not order.event_hash:
            return None
        return Block(
            Reason.MARK_UNKNOWN,
            f"price_collar_percent: {order.symbol}, {(fault or MarkFault.MISSING).sentence}",
        )
    for name, price in prices.items():
        apart = abs(price - mark.price) * 100
        if apart > percent * mark.price:
            return Block(Reason.PRICE_COLLAR, _apart(name, price, mark, percent))
    return None


def _fault(mark: Mark | None, facts: Facts) -> MarkFault | None:
    if mark is None:
        return MarkFault.MISSING
    if not mark.is_price:
        return MarkFault.NO_PRICE
    age = (facts.now - mark.at).total_seconds()
    if age < -_AHEAD:
        return MarkFault.FROM_FUTURE
    return MarkFault.STALE if age > facts.limits.positions_max_age_seconds else None


def _apart(name: str, price: Decimal, mark: Mark, percent: Decimal) -> str:
    share = round(abs(price - mark.price) / mark.price * 100, 2)
    figures = f"{name} {decimal_text(price)}, last price {decimal_text(mark.price)} of {mark.at:%H:%M:%S} UTC"
    return f"{figures}: {decimal_text(share)} percent apart, limit {decimal_text(percent)}"


RULES: tuple[Rule, ...] = (restricted, product_allowed, halted_by_schedule, price_collar)
"""In the order in which they apply."""
