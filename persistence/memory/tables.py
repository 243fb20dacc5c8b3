"""What the store in memory holds. Rows are never changed, only replaced: a copy of the tables shares them."""

from collections.abc import Iterator
from copy import copy
from dataclasses import dataclass, field, fields
from datetime import date, datetime
from decimal import Decimal

from domain.account import BrokerAccount
from domain.adoption import Adoption
from domain.alert import Alert
from domain.broker_reports import OrderReport, Position, UnreadableRow
from domain.daily_loss import DayLoss, Lift
from domain.enums import Side
from domain.equity import EquityPoint
from domain.holdings import Held
from domain.leg_groups import GroupState, LegGroup
from domain.marks import Mark
from domain.message_facts import MessageFacts
from domain.money import ZERO
from domain.order import Order
from domain.order_events import OrderEvent
from domain.pnl import DayResult, PnlBook
from domain.pnl import Place as PnlPlace
from domain.ports import Halt, Heartbeat
from domain.position_comparison import Difference, Place
from domain.protection import Protection, ProtectionEvent
from domain.risk_stops import RiskEvent, Stop, StopKey
from domain.sizing import Equity


@dataclass(frozen=True, slots=True)
class Intent:
    """The intent of one order, under its unique key."""

    command_id: str
    signal_id: str | None
    status: str = "PENDING"
    broker_order_id: str | None = None
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Message:
    """One row of the outbox."""

    client_id: str
    kind: str
    text: str
    at: datetime
    command_id: str | None
    facts: MessageFacts | None
    status: str = "PENDING"
    attempts: int = 0


@dataclass(frozen=True, slots=True)
class KeptPosition:
    """A position, and when the read began that showed it."""

    position: Position
    read_at: datetime


@dataclass(frozen=True, slots=True)
class AccountRow:
    """A client's account: whose it is, and what was read of it."""

    account: BrokerAccount | None = None
    read_at: datetime | None = None
    compared_at: datetime | None = None
    read_error: str | None = None
    day_loss: DayLoss | None = None


@dataclass(frozen=True, slots=True)
class KeptDifference:
    """A difference that was notified, since when it has stood, and how much of it is believed."""

    difference: Difference
    since: datetime
    shown_since: datetime  # reads have shown it since then without a gap
    believed: Decimal = ZERO

    @property
    def is_settled(self) -> bool:
        """True when all of it is believed."""
        return self.believed == self.difference.amount


@dataclass(frozen=True, slots=True)
class ExternalOrder:
    """A broker order that no row explains. `unexplained`: units that count in the position by it alone, unsigned."""

    report: OrderReport
    first_seen_at: datetime
    unexplained: Decimal

    @property
    def effect(self) -> Decimal:
        """The unexplained units, signed."""
        return self.unexplained * self.report.side.sign


HoldingKey = tuple[str, str, str, str, str]
"""Client, symbol, exchange, strategy, product."""
PlaceKey = tuple[str, str, str, str]
"""Client, exchange, symbol, product."""


@dataclass(slots=True)
class Tables:
    """All rows. `messages` and `events` are in the order in which they were written."""

    alerts: dict[str, Alert] = field(default_factory=dict)
    orders: dict[str, Order] = field(default_factory=dict)
    events: list[OrderEvent] = field(default_factory=list)
    intents: dict[str, Intent] = field(default_factory=dict)
    messages: dict[int, Message] = field(default_factory=dict)
    leases: dict[str, tuple[str, datetime]] = field(default_factory=dict)
    told: dict[tuple[str, str, str], str] = field(default_factory=dict)
    holdings: dict[HoldingKey, Held] = field(default_factory=dict)
    last_fills: dict[tuple[str, str, str, str], datetime] = field(default_factory=dict)
    positions: dict[PlaceKey, KeptPosition] = field(default_factory=dict)
    unreadable: dict[str, tuple[UnreadableRow, ...]] = field(default_factory=dict)
    accounts: dict[str, AccountRow] = field(default_factory=dict)
    differences: dict[PlaceKey, KeptDifference] = field(default_factory=dict)
    external: dict[tuple[str, str], ExternalOrder] = field(default_factory=dict)
    ahead: dict[PlaceKey, tuple[Decimal, datetime]] = field(
        default_factory=dict
    )  # believed before the book shows it
    halts: dict[tuple[str, str], Halt] = field(default_factory=dict)
    lifts: list[Lift] = field(default_factory=list)
    adoptions: list[Adoption] = field(default_factory=list)
    protections: dict[str, Protection] = field(default_factory=dict)
    protection_events: list[tuple[str, ProtectionEvent]] = field(default_factory=list)
    marks: dict[tuple[str, str, str], Mark] = field(default_factory=dict)
    equities: dict[tuple[str], Equity] = field(default_factory=dict)
    groups: dict[str, LegGroup] = field(default_factory=dict)
    group_events: list[tuple[str, GroupState | None, GroupState, str]] = field(default_factory=list)
    pnl_books: dict[PnlPlace, PnlBook] = field(default_factory=dict)
    results: dict[tuple[PnlPlace, date], DayResult] = field(default_factory=dict)
    counted_fills: int = 0  # events whose fills are counted
    stops: dict[StopKey, Stop] = field(default_factory=dict)
    risk_events: list[RiskEvent] = field(default_factory=list)
    equity: dict[tuple[str, datetime], EquityPoint] = field(default_factory=dict)
    heartbeats: dict[tuple[str, str, str], Heartbeat] = field(default_factory=dict)

    def last_fill(self, client_id: str, symbol: str, side: Side) -> datetime | None:
        """Return when a fill on that side was last recorded in the symbol, in any product."""
        place = (client_id, symbol, side)
        return max((at for key, at in self.last_fills.items() if key[:3] == place), default=None)

    def draft(self) -> "Tables":
        """Return a copy to write to. What is written there changes nothing here."""
        return Tables(**{each.name: copy(getattr(self, each.name)) for each in fields(self)})

    def orders_of(self, client_id: str) -> Iterator[Order]:
        """Yield the client's orders, as they were registered."""
        return (order for order in self.orders.values() if order.client_id == client_id)

    def differences_of(
        self, client_id: str, exchange: str, symbol: str
    ) -> list[tuple[Place, KeptDifference]]:
        """Return the differences of a symbol, with their places."""
        there = (client_id, exchange, symbol)
        return [(key[1:], kept) for key, kept in self.differences.items() if key[:3] == there]

    def external_of(self, client_id: str, exchange: str, symbol: str) -> list[tuple[str, ExternalOrder]]:
        """Return the external orders of a symbol by their number, the first seen first."""
        found = [
            (number, order)
            for (client, number), order in self.external.items()
            if (client, order.report.exchange, order.report.symbol) == (client_id, exchange, symbol)
        ]
        return sorted(found, key=lambda each: each[1].first_seen_at)
