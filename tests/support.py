"""What many tests need: a clock that is told the time, repeatable ids, a broker that misbehaves as it is told."""

import random
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from broker.test_mode import BrokerWithTestMode
from command_service import CommandService
from domain.alert import Delivery, LegRequest, ParsedAlert, kind_of
from domain.broker_capabilities import BrokerTraits, IdClass
from domain.broker_reports import (
    Book,
    BrokerStatus,
    OrderRef,
    OrderReport,
    Position,
    PositionsSnapshot,
    UnreadableRow,
)
from domain.commands import OrderResult, UniversalOrderCommand
from domain.enums import ExecutionType, OrderType, Side
from domain.errors import BrokerError, NotSent, ReadFailed, Refused
from domain.ids import ulid
from domain.limits import ClientPolicy, GroupPolicy, LimitBook, Limits, StrategyBook, StrategyPolicy
from domain.message_facts import MessageFacts
from domain.money import ZERO
from domain.notices import Notice
from domain.order import Order
from domain.times import time_text
from engine.client_context import ClientContext, EngineTimings
from engine.order_watcher import OrderWatcherEngine
from persistence.database import open_database
from tests.migrated import migrated

INDEPENDENT = StrategyPolicy(group=GroupPolicy.INDEPENDENT)
"""Each leg for itself."""

START = datetime(2026, 11, 20, 4, 0, tzinfo=UTC)


class ManualClock:
    """Stands still until it is told otherwise, but for a microsecond a look, so that no two instants are one."""

    def __init__(self, at: datetime = START) -> None:
        self.at = at

    def now(self) -> datetime:
        self.at += timedelta(microseconds=1)
        return self.at

    def advance(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


class SeededIds:
    """The same ids in every run."""

    def __init__(self, seed: int = 0) -> None:
        self._random = random.Random(seed)

    def alert_id(self, at: datetime) -> str:
        return ulid(at, self._random.getrandbits(80))


class FakeBroker:
    """A broker in memory that fills at once, and fails as it is told.

    `script` holds what the next calls of `place` do, in order: an exception to raise, before (default) or after the
    order was taken (`("after", error)`), or None to behave.
    """

    def __init__(self, clock: ManualClock, id_class: IdClass = IdClass.C1, *, is_real: bool = False) -> None:
        self.clock = clock
        self.traits = BrokerTraits(
            name="fake", is_real=is_real, id_class=id_class, visibility_horizon=0, book_interval=0
        )
        self.orders: dict[str, OrderReport] = {}
        self.products: dict[str, str] = {}
        self.placed: list[UniversalOrderCommand] = []
        self.cancelled: list[str] = []
        self.script: list[BrokerError | tuple[str, BrokerError] | None] = []
        self.fill_at_once = True
        self.prices: dict[str, Decimal] = {}  # last prices, as positions show them
        self.covers_from: datetime | None = None
        self.book_error: ReadFailed | None = None
        self.positions_error: ReadFailed | None = None
        self.unreadable_orders: tuple[UnreadableRow, ...] = ()
        self.unreadable_positions: tuple[UnreadableRow, ...] = ()
        self.owners: dict[
            str, str
        ] = {}  # whose each order really is: client order ids, which C0 does not echo
        self.tells_time = id_class is IdClass.C0
        self.before_place: Callable[[UniversalOrderCommand], None] = lambda command: None

    def place(self, command: UniversalOrderCommand) -> OrderResult:
        self.before_place(command)
        step = self.script.pop(0) if self.script else None
        if isinstance(step, BrokerError):
            raise step
        broker_id = self._take(command)
        if step is not None:
            raise step[1]
        return OrderResult(broker_id)

    def place_together(
        self, groups: Sequence[Sequence[UniversalOrderCommand]]
    ) -> list[list[OrderResult | BrokerError]]:
        return [self._place_group(group) for group in groups]

    def _place_group(self, group: Sequence[UniversalOrderCommand]) -> list[OrderResult | BrokerError]:
        answers: list[OrderResult | BrokerError] = []
        for command in group:
            if any(isinstance(answer, Refused) for answer in answers):
                answers.append(NotSent("another order of its group was refused"))
                continue
            try:
                answers.append(self.place(command))
            except BrokerError as error:
                answers.append(error)
        return answers

    def _take(self, command: UniversalOrderCommand) -> str:
        known = [r for r in self.orders.values() if r.client_order_id == command.client_order_id]
        if known and self.traits.id_class.may_send_again:
            return known[0].broker_order_id
        self.placed.append(command)
        broker_id = f"B{len(self.orders) + 1:05d}"
        price = command.price or command.reference_price or Decimal(100)
        self.products[broker_id] = command.product
        self.orders[broker_id] = OrderReport(
            broker_order_id=broker_id,
            client_order_id=command.client_order_id if self.traits.id_class is not IdClass.C0 else None,
            status=BrokerStatus.COMPLETE if self.fill_at_once else BrokerStatus.OPEN,
            exchange=command.exchange,
            symbol=command.symbol,
            side=command.side,
            quantity=command.quantity,
            filled_quantity=command.quantity if self.fill_at_once else ZERO,
            average_price=price if self.fill_at_once else None,
            placed_at=self.clock.now() if self.tells_time else None,
        )
        self.owners[broker_id] = command.client_order_id
        return broker_id

    def report(self, broker_id: str, status: BrokerStatus, filled: int = 0, **changes: object) -> None:
        """Change what the book says of an order."""
        self.orders[broker_id] = replace(
            self.orders[broker_id],
            status=status,
            filled_quantity=Decimal(filled),
            average_price=Decimal(100) if filled else None,
            **changes,  # type: ignore[arg-type]
        )

    def cancel(self, ref: OrderRef) -> None:
        assert ref.broker_order_id is not None
        self.cancelled.append(ref.broker_order_id)
        report = self.orders[ref.broker_order_id]
        self.orders[ref.broker_order_id] = replace(report, status=BrokerStatus.CANCELLED)

    def read_book(self, wanted: Sequence[OrderRef], *, urgent: bool = False) -> Book:
        if self.book_error is not None:
            raise self.book_error
        hidden = {row.broker_order_id for row in self.unreadable_orders}
        return Book(
            self.clock.now(),
            tuple(r for r in self.orders.values() if r.broker_order_id not in hidden),
            complete=True,
            covers_from=self.covers_from,
            unreadable=self.unreadable_orders,
        )

    def read_positions(self, *, urgent: bool = False) -> PositionsSnapshot:
        if self.positions_error is not None:
            raise self.positions_error
        at = self.clock.now()
        nets: dict[tuple[str, str, str], Decimal] = {}
        for report in self.orders.values():
            key = (report.exchange, report.symbol, self.products[report.broker_order_id])
            nets[key] = nets.get(key, ZERO) + report.filled_quantity * report.side.sign
        hidden = {(row.exchange, row.symbol) for row in self.unreadable_positions}
        listed = tuple(
            Position(*key, net, last_price=self.prices.get(key[1]))
            for key, net in nets.items()
            if key[:2] not in hidden
        )
        return PositionsSnapshot(at, listed, self.unreadable_positions)


class Desk:
    """A whole engine on a real database with a fake broker and a clock that is told the time."""

    def __init__(
        self,
        folder: Path,
        *,
        limits: Limits | None = None,
        id_class: IdClass = IdClass.C1,
        is_real: bool = False,
        live_allowed: bool = True,
        rules: EngineTimings | None = None,
        strategy: StrategyPolicy | None = None,
        together: int = 1,
    ) -> None:
        self.path = folder / "orders.db"
        migrated(self.path)
        self.clock = ManualClock()
        self.notices: list[Notice] = []
        strategies = StrategyBook(strategy or StrategyPolicy())
        policy = ClientPolicy("default", LimitBook(limits or Limits()), live_allowed, strategies)
        self.policies = {"default": policy}
        self.broker = FakeBroker(self.clock, id_class, is_real=is_real)
        self.broker.traits = replace(self.broker.traits, claims_together=together)
        self.store = open_database(self.path).store(
            clock=self.clock, render=self._render, facts_of=self._facts_of
        )
        self.rules = rules or EngineTimings()
        self.commands = self.new_front_desk()
        self.engine = self.new_engine("watcher-1")
        self.look()

    def new_front_desk(self, **parts: Any) -> CommandService:
        """What registers alerts here; `parts` are other parts of it than usual."""
        usual: dict[str, Any] = {
            "clock": self.clock,
            "ids": SeededIds(),
            "dedup_window": timedelta(seconds=60),
            "alert_life": timedelta(seconds=300),
        }
        return CommandService(self.store, self.policies, **(usual | parts))

    def _facts_of(self, notice: Notice) -> MessageFacts | None:
        return None

    def _render(self, notice: Notice) -> str:
        self.notices.append(notice)
        failed = " ORDER FAILED" if notice.order is not None and notice.order.status == "FAILED" else ""
        return f"{notice.kind}{failed} {notice.detail}"

    def look(self, engine: OrderWatcherEngine | None = None) -> None:
        """What a watcher does first: from then on it sends entries."""
        engine = engine or self.engine
        engine.reconcile("default")
        engine.refresh("default", force=True)

    def new_engine(self, name: str) -> OrderWatcherEngine:
        """A watcher of that name; it is alive until `kill`."""
        self.store.claimants.enter(name)
        broker = BrokerWithTestMode(self.broker, self.clock)
        return OrderWatcherEngine(
            self.store,
            {"default": ClientContext("default", broker, self.policies["default"], self.broker)},
            clock=self.clock,
            claimant=name,
            rules=self.rules,
        )

    def kill(self, name: str = "watcher-1") -> None:
        """What is left of a watcher that was killed: nothing but its name, which nobody holds."""
        self.store.claimants.leave(name)

    def replace_watcher(self) -> None:
        """The watcher is killed, and another begins; it has looked at nothing yet."""
        self.kill()
        self.engine = self.new_engine("watcher-2")

    def post(self, *legs: LegRequest, **changes: object) -> tuple[Order, ...]:
        """Register an alert; its legs' rows."""
        alert = entry(*legs, **changes)
        return self.commands.register(alert, self.delivery()).legs

    def delivery(self) -> Delivery:
        return Delivery(self.clock.now(), "127.0.0.1", "{}", "native")

    def order(self, command_id: str) -> Order:
        found = self.store.get_by_id(command_id)
        assert found is not None
        return found

    def only(self) -> Order:
        """The one order there is."""
        rows = self.rows("SELECT command_id FROM orders")
        assert len(rows) == 1, rows
        return self.order(str(rows[0][0]))

    def rows(self, sql: str, *parameters: object) -> list[tuple[object, ...]]:
        store: Any = self.store  # on SQLite: its own connection is open already
        found: list[tuple[object, ...]] = store._rows(sql, *parameters)
        return found

    def hold(self, quantity: int, *, strategy: str = "STRADDLE", symbol: str = "NIFTY26NOV24500CE") -> None:
        """Let a strategy hold what it did not buy here."""
        row = ("default", symbol, "NFO", strategy, "MIS", str(quantity), 1, time_text(self.clock.now()))
        store: Any = self.store
        store._commits.run(
            lambda c: c.execute("INSERT OR REPLACE INTO holdings VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
        )

    def settle(self, rounds: int = 3) -> None:
        """Tick until nothing moves, a little later each time."""
        for _ in range(rounds):
            self.engine.tick()
            self.clock.advance(0.3)
        self.engine.refresh("default", force=True)


def leg(symbol: str = "NIFTY26NOV24500CE", qty: int | None = 50, **changes: object) -> LegRequest:
    values: dict[str, object] = {
        "symbol": symbol,
        "exchange": "NFO",
        "side": Side.BUY,
        "quantity": None if qty is None else Decimal(qty),
        "product": "MIS",
        "order_type": OrderType.LIMIT,
        "price": Decimal("112.5"),
    }
    return LegRequest(**(values | changes))  # type: ignore[arg-type]


MARKET_EXIT = leg(qty=None, side=None, order_type=OrderType.MARKET, price=None)
EXIT = {"execution_type": ExecutionType.EXIT}


def entry(*legs: LegRequest, **changes: object) -> ParsedAlert:
    """An alert; the kind of its legs follows from its execution type."""
    values: dict[str, Any] = {
        "format": "native",
        "client_id": "default",
        "strategy_name": "STRADDLE",
        "execution_type": ExecutionType.ENTRY,
        "legs": legs or (leg(),),
        "signal_id": None,
        "test_mode": None,
    }
    values |= changes
    kinds = [replace(leg, kind=kind_of(values["execution_type"], leg.quantity)) for leg in values["legs"]]
    return ParsedAlert(**(values | {"legs": tuple(kinds)}))


def kinds(desk: Desk) -> list[str]:
    """What people were told, by kind, in that order."""
    return [str(notice.kind) for notice in desk.notices]
