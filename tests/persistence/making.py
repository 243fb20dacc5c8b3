"""A database with orders in any phase, made the way the program makes them."""

import sqlite3
from collections import deque
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

from domain.alert import Alert, Delivery
from domain.enums import Outcome
from domain.ids import client_order_id, command_id
from domain.order import Order
from domain.order_events import advance, register
from domain.states import TRANSITIONS, Phase
from persistence.database import open_database
from tests.migrated import migrated
from tests.orders import an_entry_order

START = datetime(2026, 11, 21, 9, 15, tzinfo=UTC)


@dataclass
class StepClock:
    """Each look at it is a millisecond later."""

    at: datetime = START

    def now(self) -> datetime:
        self.at += timedelta(milliseconds=1)
        return self.at


def shortest_way(target: Phase) -> list[Phase]:
    """The phases from REGISTERED to the target, along the table."""
    ways: deque[list[Phase]] = deque([[Phase.REGISTERED]])
    seen = {Phase.REGISTERED}
    while ways:
        way = ways.popleft()
        if way[-1] is target:
            return way
        # In the order of the enum, not of a set: several ways can be the shortest, and every run takes the same.
        for phase in [phase for phase in Phase if phase in TRANSITIONS[way[-1]] - seen]:
            seen.add(phase)
            ways.append([*way, phase])
    raise AssertionError(f"{target} cannot be reached")


@dataclass
class Maker:
    """Makes alerts and orders in a database of its own."""

    path: Path
    clock: StepClock = field(default_factory=StepClock)

    def __post_init__(self) -> None:
        migrated(self.path)
        self.store = open_database(self.path).store(clock=self.clock, render=lambda notice: str(notice.kind))

    def alert(self, alert_id: str, *phases: Phase) -> list[Order]:
        """An alert with a leg in each of these phases."""
        at = self.clock.now()
        delivery = Delivery(at, "127.0.0.1", "{}", "native")
        key = f"default|signal|{alert_id}"
        alert = Alert(alert_id, "default", delivery, Outcome.ACCEPTED, key, signal_id=alert_id)
        legs = [self._leg(alert_id, index, at) for index in range(len(phases))]

        def work(tx):
            tx.add_alert(alert)
            for index, leg in enumerate(legs):
                tx.apply(register(leg, at=at, actor="webhook"))
                tx.add_intent(leg, f"{key}|0|{index}", alert_id)

        self.store.write(work)
        return [self.move(leg.command_id, phase) for leg, phase in zip(legs, phases, strict=True)]

    def order(self, alert_id: str, phase: Phase) -> Order:
        """The one order of a new alert."""
        return self.alert(alert_id, phase)[0]

    def move(self, key: str, phase: Phase) -> Order:
        """Lead a registered order to a phase by the shortest way."""
        order = self.store.get_by_id(key)
        assert order is not None
        for step in shortest_way(phase)[1:]:
            order = self.step(order, step)
        return order

    def step(self, order: Order, phase: Phase) -> Order:
        """One step, with what it takes to be legal."""
        changes: dict[str, object] = {}
        if phase in (Phase.WORKING, Phase.PARTIALLY_FILLED, Phase.FILLED):
            changes["broker_order_id"] = order.broker_order_id or f"B-{order.command_id}"
        if phase is Phase.FILLED:
            changes |= {"filled_quantity": order.quantity, "average_price": Decimal("112.45")}
        return self.store.write(
            lambda tx: tx.apply(advance(order, phase, at=self.clock.now(), actor="test", **changes))
        )

    def sql(self, *statements: str) -> None:
        """What somebody with another tool does to the file."""
        with closing(sqlite3.connect(self.path, isolation_level=None)) as connection:
            for statement in statements:
                connection.execute(statement)

    def rows(self, query: str) -> list[tuple]:
        with closing(sqlite3.connect(self.path)) as connection:
            return connection.execute(query).fetchall()

    def sent_all(self) -> None:
        """Every message was delivered."""
        self.sql("UPDATE telegram_messages SET status = 'SENT'")

    @staticmethod
    def _leg(alert_id: str, index: int, at: datetime) -> Order:
        ids = command_id(alert_id, index), client_order_id(f"{alert_id}|0|{index}")
        return an_entry_order(alert_id, *ids, at, leg_index=index)
