"""Turn market orders into limits that trade at once but not at any price, for brokers that take no market orders.

Pure. A MARKET order becomes a LIMIT and a STOP becomes a STOP_LIMIT. The limit lies a percentage beyond the price at
which the order would trade. So the order takes every offer or bid in the exchange's book up to the limit, and no more.
"""

from dataclasses import dataclass, replace
from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal

from domain.commands import UniversalOrderCommand
from domain.enums import OrderType, Side
from domain.errors import ReadFailed
from domain.money import decimal_text

UNLIMITED = frozenset({OrderType.MARKET, OrderType.STOP})
"""The order types that name no worst price."""

_LEAST_TICKS = 10  # for a cheap option the percentage is less than one tick
_HUNDRED = Decimal(100)


@dataclass(frozen=True, slots=True)
class Quote:
    """The known prices of a symbol, in its currency; None where there is no such price.

    `tick` is the step of its prices. `low` and `high` are the band in which the exchange takes orders today.
    """

    tick: Decimal
    bid: Decimal | None = None
    offer: Decimal | None = None
    last: Decimal | None = None
    low: Decimal | None = None
    high: Decimal | None = None


def protected(command: UniversalOrderCommand, quote: Quote, percent: Decimal) -> UniversalOrderCommand:
    """Return the command with a limit: `percent` beyond the best price it would trade at, or beyond a stop's trigger.

    The limit is:

    - at least ten ticks from that price,
    - on a tick,
    - above zero,
    - not beyond the worst price that the command names,
    - within the day's band. The band is ignored for a stop whose trigger is outside of it: a limit on the other side
      of the trigger could never be filled.

    A command that names its worst price stays as it is.

    Raises:
        ReadFailed: the quote has neither a price of the book's other side nor a last price.
    """
    if command.order_type not in UNLIMITED:
        return command
    price = _limit(command.side, base_of(command, quote), quote, percent)
    if command.worst_price is not None and command.order_type is OrderType.MARKET:
        price = _not_beyond(command.side, price, command.worst_price, quote.tick)
    if command.order_type is OrderType.STOP:
        assert command.trigger_price is not None
        if (price - command.trigger_price) * command.side.sign < 0:
            price = _limit(command.side, command.trigger_price, replace(quote, low=None, high=None), percent)
        return replace(command, order_type=OrderType.STOP_LIMIT, price=price)
    return replace(command, order_type=OrderType.LIMIT, price=price)


def base_of(command: UniversalOrderCommand, quote: Quote) -> Decimal:
    """Return the price from which the limit is measured. Raises: ReadFailed: there is none."""
    if command.order_type is OrderType.STOP:
        base = command.trigger_price
    else:
        base = (quote.offer if command.side is Side.BUY else quote.bid) or quote.last
    if base is None:
        raise ReadFailed(f"the quote of {command.symbol} has no price")
    return base


def told(sent: UniversalOrderCommand) -> str:
    """Describe what a protected command was sent as, for the order's history."""
    price = decimal_text(sent.price or Decimal(0))
    if sent.order_type is OrderType.LIMIT:
        return f"sent as a limit order at {price}: the broker takes no market orders"
    return f"sent as a stop order with the limit {price}: the broker takes no market orders"


def _limit(side: Side, base: Decimal, quote: Quote, percent: Decimal) -> Decimal:
    room = max(base * percent / _HUNDRED, _LEAST_TICKS * quote.tick)
    if side is Side.BUY:
        price = _on_tick(base + room, quote.tick, ROUND_CEILING)
        if quote.high is not None:
            price = min(price, _on_tick(quote.high, quote.tick, ROUND_FLOOR))
    else:
        price = _on_tick(base - room, quote.tick, ROUND_FLOOR)
        if quote.low is not None:
            price = max(price, _on_tick(quote.low, quote.tick, ROUND_CEILING))
    return max(price, quote.tick)


def _not_beyond(side: Side, price: Decimal, worst: Decimal, tick: Decimal) -> Decimal:
    if side is Side.BUY:
        return max(min(price, _on_tick(worst, tick, ROUND_FLOOR)), tick)
    return max(price, _on_tick(worst, tick, ROUND_CEILING))


def _on_tick(price: Decimal, tick: Decimal, rounding: str) -> Decimal:
    return (price / tick).to_integral_value(rounding) * tick
