"""What a broker says of itself: its book, its positions, and what it promises about our ids."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from functools import cached_property

from domain.alert import OrderType, Side
from domain.money import ZERO


class BrokerStatus(StrEnum):
    """A broker's order status in one vocabulary."""

    PENDING = "PENDING"  # taken, not yet live at the exchange
    OPEN = "OPEN"
    TRIGGER_PENDING = "TRIGGER_PENDING"
    COMPLETE = "COMPLETE"
    REJECTED = "REJECTED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"
    UNRECOGNISED = "UNRECOGNISED"  # a word the adapter does not know: decides nothing


@dataclass(frozen=True, slots=True)
class OrderReport:
    """One row of a broker's order book. Quantities in units; `average_price` None while nothing is filled.

    The last four are None where the book does not have them. They matter where it echoes no id of ours:
    `placed_at` is when the broker took the order, by its clock.
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


@dataclass(frozen=True, slots=True)
class OrderRef:
    """How one of our orders can be found at the broker."""

    client_order_id: str
    broker_order_id: str | None


@dataclass(frozen=True)
class Book:
    """One successful read of the order book.

    `complete` is True when an order that the broker had at `read_started_at` and that was asked for
    (or any, for brokers that return everything) would certainly be among the reports, closed ones too.
    """

    read_started_at: datetime
    reports: tuple[OrderReport, ...]
    complete: bool
    covers_from: datetime | None = None  # orders from before are not in it, as where a book holds one day

    @cached_property
    def by_id(self) -> dict[str, OrderReport]:
        """Reports by the broker's id; of a repeated id the last, which the broker appended later."""
        return {r.broker_order_id: r for r in self.reports}

    @cached_property
    def by_tag(self) -> dict[str, list[OrderReport]]:
        """Reports by our client order id, which some brokers allow more than once."""
        tagged: dict[str, list[OrderReport]] = {}
        for report in self.by_id.values():
            if report.client_order_id:
                tagged.setdefault(report.client_order_id, []).append(report)
        return tagged


@dataclass(frozen=True, slots=True)
class Position:
    """One position at the broker. `net_quantity` in units, positive long; money in account currency."""

    exchange: str
    symbol: str
    product: str
    net_quantity: Decimal
    average_price: Decimal | None = None
    last_price: Decimal | None = None
    realized_pnl: Decimal = ZERO  # today's
    unrealized_pnl: Decimal = ZERO


@dataclass(frozen=True)
class PositionsSnapshot:
    """One successful read of all positions of a client."""

    read_started_at: datetime
    positions: tuple[Position, ...]

    @cached_property
    def _by_symbol(self) -> dict[tuple[str, str], dict[str, Decimal]]:
        """Net quantities by product, by exchange and symbol."""
        found: dict[tuple[str, str], dict[str, Decimal]] = {}
        for p in self.positions:
            found.setdefault((p.exchange, p.symbol), {})[p.product] = p.net_quantity
        return found

    def net(self, exchange: str, symbol: str, product: str) -> Decimal:
        """The net quantity there; a position that is not listed is flat, since the read succeeded."""
        return self._by_symbol.get((exchange, symbol), {}).get(product, ZERO)

    def by_product(self, exchange: str, symbol: str) -> Mapping[str, Decimal]:
        """The symbol's net quantities by product, those that are listed."""
        return self._by_symbol.get((exchange, symbol), {})

    def nets(self, exchange: str, symbol: str) -> tuple[Decimal, ...]:
        """The symbol's net quantities, one for each product that is listed."""
        return tuple(self._by_symbol.get((exchange, symbol), {}).values())

    @property
    def day_pnl(self) -> Decimal:
        """Today's profit and loss, realized and not, in account currency."""
        return sum((p.realized_pnl + p.unrealized_pnl for p in self.positions), ZERO)


class IdClass(StrEnum):
    """What a broker promises about our client order id, and so what recovery may do."""

    C0 = "C0"  # echoes nothing: match by symbol, side, quantity, time; never send again
    C1 = "C1"  # echoes our tag, not unique: look it up; never send again
    C2 = "C2"  # unique among open orders only: as C1
    C3 = "C3"  # unique for a window: send again with the same id inside it
    C4 = "C4"  # unique for ever, or refuses the duplicate: send again with the same id

    @property
    def may_send_again(self) -> bool:
        """True where sending once more with the same id cannot make a second order."""
        return self in (IdClass.C3, IdClass.C4)


@dataclass(frozen=True, slots=True)
class BrokerTraits:
    """What an adapter declares about its broker. Durations in seconds."""

    name: str
    is_real: bool  # real money: obeys LIVE_TRADING
    id_class: IdClass
    id_window: float = 0.0  # C3 only: for how long an id stays unique
    visibility_horizon: float = 0.0  # an order may be missing from its book for so long after the send
    acceptance_horizon: float = (
        0.0  # it may still accept for so long what it had received when the call was given up
    )
    position_horizon: float = 0.0  # a fill may be missing from positions for so long
    book_interval: float = 1.0  # read the book no more often than this
    positions_interval: float = 0.0  # and the positions no more often than this
    time_error: float = 2.0  # the times in its book may differ so much from ours
    account: str = ""  # whose rows are kept from it; empty: not told, and never compared
