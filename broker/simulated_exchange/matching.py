"""A small simulated exchange: what an order, a cancel or a new price does to one account's market in one symbol.

Pure: every function takes a `Market` and returns a `MarketStep` with the market after it and what changed. The caller
decides where orders are stored and under which ids. Here an order is identified by its `sequence`, which rises with
time.

Invariants, tested with any sequence of orders, cancels and prices:

- the net position is the sum of the signed fills, and no order is filled beyond its quantity;
- realized plus unrealized profit and loss is what the fills are worth at the mark, to the last digit;
- a limit order is never filled at a price worse than its limit.
"""

from dataclasses import replace
from datetime import date
from decimal import Decimal

from broker.simulated_exchange.model import (
    NEEDS_PRICE,
    NEEDS_TRIGGER,
    Fill,
    Mark,
    Market,
    MarketStep,
    NetPosition,
    Rejection,
    Rules,
    SimOrder,
)
from domain.broker_reports import BrokerStatus
from domain.enums import OrderType, Side
from domain.errors import Refused
from domain.money import ZERO

_LARGEST = Decimal(10) ** 18  # larger than any sensible number, and still computed exactly


def place(
    market: Market, order: SimOrder, rules: Rules, *, day: date, rejection: Rejection | None = None
) -> MarketStep:
    """Accept a new order, and fill what can be filled at once. A stop whose trigger is already met triggers at once.

    Raises:
        Refused: by `rejection`, because the order is not possible (see `check_order`), or because a MARKET order has
            no mark.
    """
    check_order(order)
    if rejection is not None:
        if not rejection.later:
            raise Refused(rejection.text, rejection.code)
        dead = replace(order, status=BrokerStatus.REJECTED, code=rejection.code, reason=rejection.text)
        return MarketStep(market, (dead,))
    if order.order_type is OrderType.MARKET and market.mark is None:
        raise Refused("no price is known for the symbol", "NO_PRICE")
    if order.order_type in NEEDS_TRIGGER:
        order = replace(order, status=BrokerStatus.TRIGGER_PENDING)
    return _settle(replace(market, resting=(*market.resting, order)), rules, day, touched=order)


def cancel(market: Market, sequence: int) -> MarketStep:
    """Remove a resting order from the market. Its fills stay.

    Raises:
        Refused: there is no such resting order.
    """
    dead = replace(market.order(sequence), status=BrokerStatus.CANCELLED)
    rest = tuple(order for order in market.resting if order.sequence != sequence)
    return MarketStep(replace(market, resting=rest), (dead,))


def modify(
    market: Market,
    sequence: int,
    rules: Rules,
    *,
    day: date,
    quantity: Decimal | None = None,
    price: Decimal | None = None,
    trigger_price: Decimal | None = None,
) -> MarketStep:
    """Change the named values of a resting order (None: unchanged), and fill what can be filled then.

    The order keeps its place in the queue.

    Raises:
        Refused: there is no such resting order, the changed order is not possible, or as much as the new quantity is
            already filled.
    """
    old = market.order(sequence)
    order = replace(
        old,
        quantity=old.quantity if quantity is None else quantity,
        price=old.price if price is None else price,
        trigger_price=old.trigger_price if trigger_price is None else trigger_price,
    )
    check_order(order)
    if order.open_quantity <= 0:
        raise Refused("as much is already filled", "ALREADY_FILLED")
    rest = tuple(order if each.sequence == sequence else each for each in market.resting)
    return _settle(replace(market, resting=rest), rules, day, touched=order)


def set_mark(market: Market, mark: Mark, rules: Rules, *, day: date) -> MarketStep:
    """Set a new last price. It triggers stops and fills what it crosses, the most aggressive first, then the oldest.

    Raises:
        Refused: the price, or the available quantity, is not a number that can be traded.
    """
    _check_number(mark.price, "price")
    if mark.available:
        _check_number(mark.available, "available quantity")
    return _settle(replace(market, mark=mark), rules, day)


def check_order(order: SimOrder) -> None:
    """Check that an exchange could accept the order.

    Raises:
        Refused: quantity, price or trigger price is missing, not positive, or too large.
    """
    _check_number(order.quantity, "quantity")
    if order.order_type in NEEDS_PRICE:
        _check_number(order.price, "price")
    if order.order_type in NEEDS_TRIGGER:
        _check_number(order.trigger_price, "trigger price")


def _check_number(value: Decimal | None, name: str) -> None:
    code = name.upper().replace(" ", "_")
    if value is None:
        raise Refused(f"{name} is missing", f"{code}_MISSING")
    if not (value.is_finite() and 0 < value < _LARGEST):
        raise Refused(f"{name} {value} is not positive, or too large", f"{code}_INVALID")


def _settle(market: Market, rules: Rules, day: date, touched: SimOrder | None = None) -> MarketStep:
    """Trigger and fill what the mark allows. The caller has already changed `touched`, which is reported too."""
    mark = market.mark
    if mark is None:
        return MarketStep(market, () if touched is None else (touched,))
    if not market.resting:
        return MarketStep(market)
    before = {order.sequence: order for order in market.resting}
    after = {sequence: _triggered(order, mark.price) for sequence, order in before.items()}
    positions = dict(market.positions)
    available, fills = mark.available, []
    crossed = [order for order in after.values() if _crossed(order, mark.price)]
    for order in sorted(crossed, key=lambda o: _priority(o, mark.price)):
        quantity = order.open_quantity if available is None else min(order.open_quantity, available)
        if not quantity:
            break
        available = None if available is None else available - quantity
        fill = _fill(order, quantity, _fill_price(order, mark.price, rules))
        fills.append(fill)
        after[order.sequence] = fill.order
        held = positions.get(order.product, NetPosition())
        positions[order.product] = held.after(fill.signed, fill.price, day=day)
    changed = tuple(o for o in after.values() if o is touched or o is not before[o.sequence])
    resting = tuple(o for o in after.values() if o.is_live)
    return MarketStep(Market(replace(mark, available=available), resting, positions), changed, tuple(fills))


def _triggered(order: SimOrder, mark: Decimal) -> SimOrder:
    """Return the order, opened if its trigger price has traded."""
    if order.status is not BrokerStatus.TRIGGER_PENDING:
        return order
    assert order.trigger_price is not None
    sign = order.side.sign
    return replace(order, status=BrokerStatus.OPEN) if mark * sign >= order.trigger_price * sign else order


def _crossed(order: SimOrder, mark: Decimal) -> bool:
    """True when the order is open and its limit allows a trade at the mark."""
    if order.status is not BrokerStatus.OPEN:
        return False
    return order.limit is None or mark * order.side.sign <= order.limit * order.side.sign


def _priority(order: SimOrder, mark: Decimal) -> tuple[bool, Decimal, int]:
    """Sort by price-time priority: the order that would pay most beyond the mark goes first, then the oldest."""
    if order.limit is None:
        return False, ZERO, order.sequence
    return True, (mark - order.limit) * order.side.sign, order.sequence


def _fill_price(order: SimOrder, mark: Decimal, rules: Rules) -> Decimal:
    """Return the mark with slippage against the taker, but never worse than the limit and never below one tick."""
    price = max(mark + rules.slippage * order.side.sign, min(mark, rules.tick))
    if order.limit is None:
        return price
    return min(price, order.limit) if order.side is Side.BUY else max(price, order.limit)


def _fill(order: SimOrder, quantity: Decimal, price: Decimal) -> Fill:
    filled = order.filled_quantity + quantity
    after = replace(
        order,
        status=BrokerStatus.COMPLETE if filled == order.quantity else BrokerStatus.OPEN,
        filled_quantity=filled,
        filled_value=order.filled_value + quantity * price,
    )
    return Fill(after, quantity, price)
