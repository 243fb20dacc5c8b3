"""The simulated broker's records of orders, trades and positions. Names from the wire are kept as they are."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from broker.simulated_exchange.model import NetPosition, SimOrder
from domain.enums import OrderType
from domain.money import ZERO
from domain.times import trading_day

ZONE = ZoneInfo("Asia/Kolkata")  # of the broker's times and days
PRICE_TYPES = {
    "LMT": OrderType.LIMIT,
    "MKT": OrderType.MARKET,
    "SL-LMT": OrderType.STOP_LIMIT,
    "SL-MKT": OrderType.STOP,
}
PRICE_TYPE_OF = {order_type: word for word, order_type in PRICE_TYPES.items()}
PRODUCTS = frozenset("CMIBH")
DELIVERY = "C"
RETENTIONS = frozenset({"DAY", "IOC", "EOS"})


@dataclass(frozen=True, slots=True)
class Instrument:
    """A symbol that the broker knows, because somebody named it. `ls` is its lot in units, `ti` its tick."""

    exch: str
    tsym: str
    token: str
    ls: Decimal = Decimal(1)
    ti: Decimal = Decimal("0.05")


@dataclass(frozen=True, slots=True)
class OrderTerms:
    """The part of an order that never changes once it was taken. `remarks` None: the request had none."""

    norenordno: str
    sequence: int
    uid: str
    actid: str
    exch: str
    tsym: str
    prd: str
    ret: str
    remarks: str | None
    dscqty: str = "0"
    ordersource: str = "API"
    amo: str = "NO"


@dataclass(frozen=True, slots=True)
class Trade:
    """One fill: its number, and what was traded at which price."""

    flid: str
    quantity: Decimal
    price: Decimal


@dataclass(frozen=True, slots=True)
class Version:
    """One state of an order, from `at` on.

    `report` is the wire's report type for what happened. `trade` is the fill, if there was one.
    """

    at: datetime
    report: str
    order: SimOrder
    trade: Trade | None = None


@dataclass(frozen=True, slots=True)
class BookEntry:
    """One order in the book, with all its versions. The last version is the present one."""

    ticket: OrderTerms
    versions: list[Version]

    @property
    def order(self) -> SimOrder:
        """The order as it stands now."""
        return self.versions[-1].order

    def until(self, at: datetime | None) -> list[Version]:
        """The versions up to `at`, oldest first; empty before the order arrived. None: up to now."""
        if at is None:
            return list(self.versions)
        return [version for version in self.versions if version.at <= at]


@dataclass(frozen=True, slots=True)
class DayPosition:
    """A position: its net, and what was bought and sold, in units and money."""

    net: NetPosition = field(default_factory=NetPosition)
    bought: Decimal = ZERO
    paid: Decimal = ZERO
    sold: Decimal = ZERO
    earned: Decimal = ZERO

    def after(self, version: Version) -> "DayPosition":
        """The position after the version's trade."""
        trade, day = version.trade, trading_day(version.at, ZONE)
        assert trade is not None
        signed, money = trade.quantity * version.order.side.sign, trade.quantity * trade.price
        net = self.net.after(signed, trade.price, day=day)
        if signed > 0:
            return replace(self, net=net, bought=self.bought + trade.quantity, paid=self.paid + money)
        return replace(self, net=net, sold=self.sold + trade.quantity, earned=self.earned + money)

    def moved(self, signed: Decimal, price: Decimal, day: date) -> "DayPosition":
        """The position after `signed` units came from another product or, if negative, went to one."""
        return replace(self, net=self.net.after(signed, price, day=day))


HoldingKey = tuple[str, str, str]
"""Exchange, trading symbol, product."""


@dataclass(frozen=True, slots=True)
class Conversion:
    """Units of a position that were moved to another product.

    They move at `price`, which is what they had cost, so no profit or loss is realized.
    """

    at: datetime
    uid: str
    exch: str
    tsym: str
    prd: str
    to: str
    quantity: Decimal
    price: Decimal

    def apply(self, held: dict[HoldingKey, DayPosition]) -> None:
        """Move the units."""
        for prd, quantity in ((self.prd, -self.quantity), (self.to, self.quantity)):
            key = (self.exch, self.tsym, prd)
            held[key] = held.get(key, DayPosition()).moved(quantity, self.price, trading_day(self.at, ZONE))


OrderChange = tuple[OrderTerms, Version] | Conversion
"""A change to positions: a trade of an order, or a conversion."""


def holdings(changes: Iterable[OrderChange]) -> dict[HoldingKey, DayPosition]:
    """The positions that these trades and conversions make, applied in their order."""
    held: dict[HoldingKey, DayPosition] = {}
    for change in changes:
        apply_change(held, change)
    return held


def apply_change(held: dict[HoldingKey, DayPosition], change: OrderChange) -> None:
    """Apply a trade or a conversion to the positions, in place."""
    if isinstance(change, Conversion):
        change.apply(held)
        return
    ticket, version = change
    key = (ticket.exch, ticket.tsym, ticket.prd)
    held[key] = held.get(key, DayPosition()).after(version)
