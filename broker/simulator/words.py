"""What the simulated broker remembers of orders, trades and positions. Names of the wire are kept as they are there."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

from broker.simulated_exchange.model import NetPosition, SimOrder
from domain.alert import OrderType
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
    """What never changes of an order once it was taken. `remarks` None: none came."""

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
    """One order as it stood from `at` on: `report` is the wire's word for what happened, `trade` the fill, if any."""

    at: datetime
    report: str
    order: SimOrder
    trade: Trade | None = None


@dataclass(frozen=True, slots=True)
class BookEntry:
    """One order in the book, with all it has been; the last version is the present one."""

    ticket: OrderTerms
    versions: list[Version]

    @property
    def order(self) -> SimOrder:
        """The order as it stands now."""
        return self.versions[-1].order

    def until(self, at: datetime | None) -> list[Version]:
        """What it had been by then, oldest first; empty before it came. None: until now."""
        if at is None:
            return list(self.versions)
        return [version for version in self.versions if version.at <= at]


@dataclass(frozen=True, slots=True)
class DayPosition:
    """A position of today: the net of it, and what was bought and sold, in units and money."""

    net: NetPosition = field(default_factory=NetPosition)
    bought: Decimal = ZERO
    paid: Decimal = ZERO
    sold: Decimal = ZERO
    earned: Decimal = ZERO

    def after(self, version: Version) -> "DayPosition":
        """The holding after the version's trade."""
        trade, day = version.trade, trading_day(version.at, ZONE)
        assert trade is not None
        signed, money = trade.quantity * version.order.side.sign, trade.quantity * trade.price
        net = self.net.after(signed, trade.price, day=day)
        if signed > 0:
            return replace(self, net=net, bought=self.bought + trade.quantity, paid=self.paid + money)
        return replace(self, net=net, sold=self.sold + trade.quantity, earned=self.earned + money)

    def moved(self, signed: Decimal, price: Decimal, day: date) -> "DayPosition":
        """The holding after so many units came (or, negative, went) from or to another product."""
        return replace(self, net=self.net.after(signed, price, day=day))


HoldingKey = tuple[str, str, str]
"""Exchange, trading symbol, product."""


@dataclass(frozen=True, slots=True)
class Conversion:
    """Units of a position that were moved to another product at `price`, what they had cost: nothing is realized."""

    at: datetime
    uid: str
    exch: str
    tsym: str
    prd: str
    to: str
    quantity: Decimal
    price: Decimal

    def apply(self, held: dict[HoldingKey, DayPosition]) -> None:
        """Move them."""
        for prd, quantity in ((self.prd, -self.quantity), (self.to, self.quantity)):
            key = (self.exch, self.tsym, prd)
            held[key] = held.get(key, DayPosition()).moved(quantity, self.price, trading_day(self.at, ZONE))


OrderChange = tuple[OrderTerms, Version] | Conversion
"""What changes positions: a trade of an order, or a conversion."""


def holdings(changes: Iterable[OrderChange]) -> dict[HoldingKey, DayPosition]:
    """The positions that these trades and conversions, in their order, have made."""
    held: dict[HoldingKey, DayPosition] = {}
    for change in changes:
        apply_change(held, change)
    return held


def apply_change(held: dict[HoldingKey, DayPosition], change: OrderChange) -> None:
    """Bring positions to where they are after a trade or a conversion."""
    if isinstance(change, Conversion):
        change.apply(held)
        return
    ticket, version = change
    key = (ticket.exch, ticket.tsym, ticket.prd)
    held[key] = held.get(key, DayPosition()).after(version)
