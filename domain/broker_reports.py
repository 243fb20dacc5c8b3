"""What a broker reports (its order book and its positions), and what it promises about our ids."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from functools import cached_property

from domain.commands import UniversalOrderCommand
from domain.enums import OrderType, Side
from domain.money import ZERO
from domain.order import Order
from domain.times import counted_from


class BrokerStatus(StrEnum):
    """A broker's order status, in one vocabulary for all brokers."""

    PENDING = "PENDING"  # accepted by the broker, not yet live at the exchange
    OPEN = "OPEN"
    TRIGGER_PENDING = "TRIGGER_PENDING"
    COMPLETE = "COMPLETE"
    REJECTED = "REJECTED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"
    UNRECOGNISED = "UNRECOGNISED"  # a status that the adapter does not know: decides nothing


@dataclass(frozen=True, slots=True)
class OrderReport:
    """One row of a broker's order book. Quantities in units; `average_price` None while nothing is filled.

    From `placed_at` on, fields are None where the book does not have them. They matter where the book echoes no id of
    ours.

    - `placed_at`: when the broker accepted the order, by its clock.
    - `reported_at`: when the broker last wrote the row.
    - `contradiction`: why the row cannot be true, with the row, where nothing else at the broker settles the matter.
      Such a report decides nothing.
    - `unread`: the part of the row that could not be read and that no decision depends on, such as a price. The fill
      counts all the same.
    """

    broker_order_id: str
    client_order_id: str | None
    status: BrokerStatus
    exchange: str
    symbol: str
    side: Side
    quantity: Decimal
    filled_quantity: Decimal = ZERO
    average_price: Decimal | None = None
    reason: str = ""
    code: str = ""
    placed_at: datetime | None = None
    product: str | None = None
    order_type: OrderType | None = None
    price: Decimal | None = None
    reported_at: datetime | None = None
    contradiction: str = ""
    unread: str = ""

    @property
    def has_ended(self) -> bool:
        """True when the broker says that no more of the order will be filled."""
        return self.status in _ENDED

    @property
    def came_to_nothing(self) -> bool:
        """True where the order is dead and nothing of it was filled."""
        is_dead = self.has_ended and self.status is not BrokerStatus.COMPLETE
        return is_dead and not self.filled_quantity and not self.contradiction


_ENDED = frozenset(
    {BrokerStatus.COMPLETE, BrokerStatus.REJECTED, BrokerStatus.CANCELLED, BrokerStatus.EXPIRED}
)


@dataclass(frozen=True, slots=True)
class UnreadableRow:
    """A row that could not be read, with the fields that it gives all the same; None: the row does not give it.

    `has_pnl` is False where the row says nothing about the day's profit and loss, such as a row of the Holdings.
    """

    exchange: str | None
    symbol: str | None
    product: str | None
    broker_order_id: str | None
    client_order_id: str | None
    text: str
    has_pnl: bool = True

    def hides(self, exchange: str, symbol: str, product: str | None = None, *, listed: bool) -> bool:
        """Return True when the position at exchange, symbol and product is not known because of this row.

        Args:
            product: None where the symbol matters in any product.
            listed: whether other rows of the same read give the position there.
        """
        if self.exchange is not None and self.exchange.casefold() != exchange.casefold():
            return False
        if self.symbol is not None:
            return self.symbol.casefold() == symbol.casefold()
        if None not in (self.product, product) and self.product != product:
            return False
        return not listed


@dataclass(frozen=True, slots=True)
class OrderRef:
    """The ids by which one of our orders can be found at the broker.

    `test_command`: the command of an order in test mode, from which its report is simulated. None: it is a real order.
    """

    client_order_id: str
    broker_order_id: str | None
    test_command: UniversalOrderCommand | None = None

    @classmethod
    def of(cls, order: Order) -> "OrderRef":
        """Make the reference to this order."""
        command = None if order.test_mode is None else UniversalOrderCommand.of(order)
        return cls(order.client_order_id, order.broker_order_id, command)


@dataclass(frozen=True)
class Book:
    """One successful read of the order book.

    `complete` is True when an order that the broker had at `read_started_at` and that was asked for
    (or any, for brokers that return everything) would certainly be among the reports, closed ones too.
    """

    read_started_at: datetime
    reports: tuple[OrderReport, ...]
    complete: bool
    covers_from: datetime | None = None  # earlier orders are not in it, as in a book of one day
    unreadable: tuple[UnreadableRow, ...] = ()
    steady_since: datetime | None = None  # since when our clock was not set; None: nobody watches it

    def counted_from(self, at: datetime) -> datetime:
        """Return from when the time that had elapsed at this read can be counted: see `domain.times.counted_from`."""
        return counted_from(at, self.steady_since)

    def is_later_than(self, at: datetime, window: timedelta) -> bool:
        """Return True when this read began more than the window after that, by time that can be counted."""
        return self.read_started_at > self.counted_from(at) + window

    @cached_property
    def by_id(self) -> dict[str, OrderReport]:
        """Reports by the broker's id. Of several rows with one id the most advanced is kept (`says_more`).

        The position in the list decides nothing, because a book may come in any order. An order that has ended does not
        become live again, and a fill is not reversed.
        """
        found: dict[str, OrderReport] = {}
        for report in self.reports:
            known = found.get(report.broker_order_id)
            if known is None or says_more(report) > says_more(known):
                found[report.broker_order_id] = report
        return found

    def hides(self, ref: OrderRef, exchange: str, symbol: str) -> UnreadableRow | None:
        """Return an unreadable row that may be this order. With such a row, a missing report proves nothing."""
        return next((row for row in self.unreadable if _may_be(row, ref, exchange, symbol)), None)

    @cached_property
    def by_tag(self) -> dict[str, list[OrderReport]]:
        """Reports by our client order id, which some brokers allow more than once."""
        tagged: dict[str, list[OrderReport]] = {}
        for report in self.by_id.values():
            if report.client_order_id:
                tagged.setdefault(report.client_order_id, []).append(report)
        return tagged


def says_more(report: OrderReport) -> tuple[bool, bool, bool, Decimal, float, str]:
    """Sort key for the rows of one order number: the most advanced row is the greatest.

    The row's text at the end breaks ties the same way each time.
    """
    at = report.reported_at
    return (
        report.status is not BrokerStatus.UNRECOGNISED,
        report.has_ended,
        bool(report.contradiction),  # a row that was found contradictory is not settled by another row
        report.filled_quantity,
        0.0 if at is None else at.timestamp(),
        repr(report),
    )


def _may_be(row: UnreadableRow, ref: OrderRef, exchange: str, symbol: str) -> bool:
    if row.broker_order_id is not None and ref.broker_order_id is not None:
        return row.broker_order_id == ref.broker_order_id
    if row.client_order_id is not None:
        return row.client_order_id == ref.client_order_id
    return row.hides(exchange, symbol, listed=False)


@dataclass(frozen=True, slots=True)
class Position:
    """One position at the broker. `net_quantity` in units, positive long; money in account currency.

    `delivered`: the part of `net_quantity` that was delivered on earlier days. The broker lists those shares elsewhere.
    `delivered_sold`: how many such shares were sold today, which are in `net_quantity` no more.
    """

    exchange: str
    symbol: str
    product: str
    net_quantity: Decimal
    average_price: Decimal | None = None
    last_price: Decimal | None = None
    realized_pnl: Decimal = ZERO  # today's
    unrealized_pnl: Decimal = ZERO
    delivered: Decimal = ZERO
    delivered_sold: Decimal = ZERO


@dataclass(frozen=True)
class PositionsSnapshot:
    """One successful read of all positions of a client. A position that could not be read is unknown, not flat."""

    read_started_at: datetime
    positions: tuple[Position, ...]
    unreadable: tuple[UnreadableRow, ...] = ()
    steady_since: datetime | None = None  # since when our clock was not set; None: nobody watches it

    def counted_from(self, at: datetime) -> datetime:
        """Return from when the time that had elapsed at this read can be counted: see `domain.times.counted_from`."""
        return counted_from(at, self.steady_since)

    @cached_property
    def _by_symbol(self) -> dict[tuple[str, str], dict[str, Decimal]]:
        """Map exchange and symbol to net quantities by product."""
        found: dict[tuple[str, str], dict[str, Decimal]] = {}
        for p in self.positions:
            found.setdefault(_key(p.exchange, p.symbol), {})[p.product] = p.net_quantity
        return found

    @cached_property
    def _delivered(self) -> dict[tuple[str, str, str], Decimal]:
        """Map exchange, symbol and product to the units that were delivered on earlier days."""
        found: dict[tuple[str, str, str], Decimal] = {}
        for p in self.positions:
            if p.delivered:
                place = (*_key(p.exchange, p.symbol), p.product)
                found[place] = found.get(place, ZERO) + p.delivered
        return found

    def net(self, exchange: str, symbol: str, product: str) -> Decimal:
        """Return the net quantity there; a position that is not listed is flat, provided that it `is_readable`."""
        return self._by_symbol.get(_key(exchange, symbol), {}).get(product, ZERO)

    def delivered(self, exchange: str, symbol: str, product: str) -> Decimal:
        """Return the part of the net quantity there that was delivered on earlier days."""
        return self._delivered.get((*_key(exchange, symbol), product), ZERO)

    def delivered_sold(self, exchange: str, symbol: str) -> Mapping[str, Decimal]:
        """Return how many shares of the symbol that were delivered on earlier days were sold today, by product."""
        place = _key(exchange, symbol)
        return {p.product: p.delivered_sold for p in self.positions if _key(p.exchange, p.symbol) == place}

    def by_product(self, exchange: str, symbol: str) -> Mapping[str, Decimal]:
        """Return the symbol's net quantities by product, for the listed products."""
        return self._by_symbol.get(_key(exchange, symbol), {})

    def nets(self, exchange: str, symbol: str) -> tuple[Decimal, ...]:
        """Return the symbol's net quantities, one for each listed product."""
        return tuple(self._by_symbol.get(_key(exchange, symbol), {}).values())

    def is_readable(self, exchange: str, symbol: str, product: str | None = None) -> bool:
        """Return False where an unreadable row may be of that symbol: its position is not known."""
        return self.unreadable_at(exchange, symbol, product) is None

    def unreadable_at(self, exchange: str, symbol: str, product: str | None = None) -> UnreadableRow | None:
        """Return the unreadable row because of which the position there is not known; None when it is known."""
        if not self.unreadable:  # nearly always
            return None
        products = self._by_symbol.get(_key(exchange, symbol), {})
        listed = bool(products) if product is None else product in products
        hiding = (row for row in self.unreadable if row.hides(exchange, symbol, product, listed=listed))
        return next(hiding, None)

    def last_price(self, exchange: str, symbol: str) -> Decimal | None:
        """Return the symbol's last price, by a row of units that are held; None: there is no usable one."""
        place = _key(exchange, symbol)
        for p in self.positions:
            price = p.last_price
            is_price = price is not None and price.is_finite() and price > ZERO
            if is_price and p.net_quantity and _key(p.exchange, p.symbol) == place:
                return price
        return None

    @property
    def day_pnl(self) -> Decimal | None:
        """Today's profit and loss, realized and unrealized, in account currency; None where a row could not be read."""
        if any(row.has_pnl for row in self.unreadable):
            return None
        return sum((p.realized_pnl + p.unrealized_pnl for p in self.positions), ZERO)


def _key(exchange: str, symbol: str) -> tuple[str, str]:
    """Ignore letter case: brokers and alerts may differ in it, and no two symbols differ in it alone."""
    return exchange.casefold(), symbol.casefold()
