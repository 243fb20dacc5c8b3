"""The types of the simulated exchange: one account's market in one symbol, its orders, its positions. All immutable."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import date
from decimal import Context, Decimal

from domain.broker_reports import BrokerStatus
from domain.enums import OrderType, Side
from domain.errors import Refused
from domain.money import ZERO

LIVE = frozenset({BrokerStatus.OPEN, BrokerStatus.TRIGGER_PENDING})
"""The statuses in which an order rests. Every other status is final."""

NEEDS_PRICE = frozenset({OrderType.LIMIT, OrderType.STOP_LIMIT})
NEEDS_TRIGGER = frozenset({OrderType.STOP, OrderType.STOP_LIMIT})

_QUOTIENT = Context(prec=16)  # for an average price, which may have endless decimals
_MONEY_STEP = Decimal("1e-8")  # for the cost that a partial reduction releases, with the same problem
_WIDE = Context(prec=60)  # no sum of allowed numbers is too large for it


@dataclass(frozen=True, slots=True)
class Mark:
    """The last price of a symbol, and how many units trade there: `available` None means any number.

    A mark that is not `firm` was only inferred. Any price that is named later replaces it.
    """

    price: Decimal
    available: Decimal | None = None
    firm: bool = True


@dataclass(frozen=True, slots=True)
class Rules:
    """The rules for fills: a taker's price is `slippage_ticks` × `tick` worse than the mark."""

    tick: Decimal
    slippage_ticks: int = 0

    @property
    def slippage(self) -> Decimal:
        """What a taker loses on one unit, in the symbol's currency."""
        return self.tick * self.slippage_ticks


@dataclass(frozen=True, slots=True)
class Rejection:
    """A refusal to simulate: of the request itself or, if `later`, of the order once it is in the book."""

    code: str
    text: str
    later: bool = False


@dataclass(frozen=True, slots=True)
class SimOrder:
    """One order at the simulated exchange. Quantities are in units. `filled_value` is the sum of quantity × price."""

    sequence: int
    product: str
    side: Side
    order_type: OrderType
    quantity: Decimal
    price: Decimal | None = None
    trigger_price: Decimal | None = None
    status: BrokerStatus = BrokerStatus.OPEN
    filled_quantity: Decimal = ZERO
    filled_value: Decimal = ZERO
    code: str = ""
    reason: str = ""

    @property
    def open_quantity(self) -> Decimal:
        """What may still be filled, in units."""
        return self.quantity - self.filled_quantity

    @property
    def is_live(self) -> bool:
        """True while the order rests."""
        return self.status in LIVE

    @property
    def average_price(self) -> Decimal | None:
        """The mean price of the fills; None while there are none."""
        return average(self.filled_value, self.filled_quantity)

    @property
    def limit(self) -> Decimal | None:
        """The worst price at which it may be filled; None means any price."""
        return self.price if self.order_type in NEEDS_PRICE else None


@dataclass(frozen=True, slots=True)
class NetPosition:
    """What the account holds of one symbol under one product. Money in account currency.

    `open_cost` is the cost of the net quantity; the proceeds of a short are negative. `realized_pnl` is that of the
    trading day `traded_on`, the day of the last fill.
    """

    net_quantity: Decimal = ZERO
    open_cost: Decimal = ZERO
    realized_pnl: Decimal = ZERO
    traded_on: date | None = None

    @property
    def average_price(self) -> Decimal | None:
        """The mean price of what is held; None when flat."""
        return average(self.open_cost, self.net_quantity)

    def realized_on(self, day: date) -> Decimal:
        """Return the realized profit and loss of that trading day."""
        return self.realized_pnl if self.traded_on == day else ZERO

    def unrealized(self, price: Decimal) -> Decimal:
        """Return the profit and loss if what is held were closed at this price."""
        return self.net_quantity * price - self.open_cost

    def after(self, signed: Decimal, price: Decimal, *, day: date) -> "NetPosition":
        """Return the position after a fill of `signed` units. It may reduce, close or reverse what is held."""
        held, direction = abs(self.net_quantity), 1 if self.net_quantity > 0 else -1
        closing = min(abs(signed), held) if signed * direction < 0 else ZERO
        if closing == held:
            released = self.open_cost
        else:
            released = (self.open_cost * closing / held).quantize(_MONEY_STEP, context=_WIDE)
        opening = signed + direction * closing
        return NetPosition(
            net_quantity=self.net_quantity + signed,
            open_cost=self.open_cost - released + opening * price,
            realized_pnl=self.realized_on(day) + direction * closing * price - released,
            traded_on=day,
        )


@dataclass(frozen=True, slots=True)
class Fill:
    """One trade of one order."""

    order: SimOrder  # as it stands after the fill
    quantity: Decimal
    price: Decimal

    @property
    def signed(self) -> Decimal:
        """The quantity, negative when sold."""
        return self.quantity * self.order.side.sign


@dataclass(frozen=True, slots=True)
class Market:
    """One account's market in one symbol: the mark, the resting orders, the positions by product."""

    mark: Mark | None = None
    resting: tuple[SimOrder, ...] = ()
    positions: Mapping[str, NetPosition] = field(default_factory=dict)

    def order(self, sequence: int) -> SimOrder:
        """Return the resting order with that sequence.

        Raises:
            Refused: there is no such resting order.
        """
        for order in self.resting:
            if order.sequence == sequence:
                return order
        raise Refused("the order is not open", "ORDER_NOT_OPEN")


@dataclass(frozen=True, slots=True)
class MarketStep:
    """The market after an event, each order that the event changed as it stands now, and the trades in their order."""

    market: Market
    changed: tuple[SimOrder, ...] = ()
    fills: tuple[Fill, ...] = ()


def average(value: Decimal, quantity: Decimal) -> Decimal | None:
    """Divide value by quantity, to 16 digits. None if the quantity is zero."""
    return _QUOTIENT.divide(value, quantity) if quantity else None
