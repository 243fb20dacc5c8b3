"""What the parts of the store contract share: the subclass's store, and orders moved as the program moves them."""

from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from domain.alert import Alert, Delivery
from domain.enums import ExecutionType, Outcome, Side
from domain.ids import client_order_id, command_id
from domain.limits import Limits
from domain.notices import Notice
from domain.order import Order
from domain.order_events import advance, register
from domain.ports import ExposureQuery, OutboxStore, ProcessStore
from domain.risk_facts import Facts
from domain.states import Phase
from domain.transitions import claimed
from tests.contract.broker_contract import ContractClock
from tests.orders import an_entry_order

CLIENT, STRATEGY = "alice", "STRADDLE"
EXCHANGE, SYMBOL, PRODUCT = "NFO", "NIFTY26NOV24500CE", "MIS"
PLACE = (EXCHANGE, SYMBOL, PRODUCT)


def rendered(notice: Notice) -> str:
    """The text of a notice, as the contract's stores keep it."""
    return f"{notice.kind} {notice.detail}"


def an_alert(alert_id: str, at: datetime, **changes: Any) -> Alert:
    delivery = Delivery(at, "127.0.0.1", "{}", "native")
    alert = Alert(alert_id, CLIENT, delivery, Outcome.ACCEPTED, f"{CLIENT}|signal|{alert_id}")
    return replace(alert, **changes)


def an_order(alert_id: str, at: datetime, index: int = 0, **changes: Any) -> Order:
    """An entry of 50 to buy, not registered yet."""
    ids = command_id(alert_id, index), client_order_id(f"{alert_id}|0|{index}")
    usual: dict[str, Any] = {"leg_index": index, "client_id": CLIENT}
    return an_entry_order(alert_id, *ids, at, **(usual | changes))


AN_EXIT = {"execution_type": ExecutionType.EXIT, "side": Side.SELL}


@dataclass
class House:
    """A store, and orders in it."""

    store: ProcessStore
    clock: ContractClock

    def register(self, alert_id: str = "a1", index: int = 0, **changes: Any) -> Order:
        """Register an order with its alert (the alert only with the first leg) and its intent."""
        at = self.clock.now()
        order = an_order(alert_id, at, index, **changes)

        def work(tx):
            if not tx.orders_of_alert(alert_id):
                tx.add_alert(an_alert(alert_id, at, client_id=order.client_id))
            kept = tx.apply(register(order, at=at, actor="webhook"))
            tx.add_intent(kept, f"{order.client_id}|{alert_id}|0|{index}", None)
            return kept

        return self.store.write(work)

    def move(self, order: Order, phase: Phase, **changes: Any) -> Order:
        return self.store.write(
            lambda tx: tx.apply(advance(order, phase, at=self.clock.now(), actor="w1", **changes))
        )

    def claim(self, order: Order) -> Order:
        return self.store.write(lambda tx: tx.apply(claimed(order, at=self.clock.now(), claimant="w1")))

    def work(self, alert_id: str = "a1", index: int = 0, **changes: Any) -> Order:
        """An order that the broker has."""
        order = self.claim(self.register(alert_id, index, **changes))
        return self.move(order, Phase.WORKING, broker_order_id=f"B-{order.command_id}")

    def fill(self, order: Order, quantity: int | None = None) -> Order:
        """Fill an order at the broker, in all or (as its whole so far) in part."""
        filled = order.quantity if quantity is None else Decimal(quantity)
        phase = Phase.FILLED if filled == order.quantity else Phase.PARTIALLY_FILLED
        return self.move(order, phase, filled_quantity=filled, average_price=Decimal("112.45"))

    def entered(self, alert_id: str = "a1", **changes: Any) -> Order:
        """A filled entry: its strategy holds it."""
        return self.fill(self.work(alert_id, **changes))

    def order(self, command_id_: str) -> Order:
        found = self.store.get_by_id(command_id_)
        assert found is not None
        return found

    def held(self, client_id: str = CLIENT) -> dict[str, tuple[Decimal, int]]:
        """What strategies hold: net quantity and entries."""
        return {h.strategy_name: (h.net_quantity, h.entries) for h in self.store.holdings(client_id)}


class StoreCase:
    """What a subclass says of its store. The last three look at rows that no port shows."""

    def make_store(self, clock: ContractClock, folder: Path) -> ProcessStore:
        raise NotImplementedError

    def make_outbox(self, store: ProcessStore, folder: Path) -> OutboxStore:
        raise NotImplementedError

    def events(
        self, store: ProcessStore, folder: Path, command_id: str
    ) -> list[tuple[str | None, str, str, str]]:
        """From which phase to which, the previous hash and the hash of each event of an order."""
        raise NotImplementedError

    def intent(
        self, store: ProcessStore, folder: Path, command_id: str
    ) -> tuple[str, str | None, str | None]:
        """Status, broker order id and error of an order's intent."""
        raise NotImplementedError

    @pytest.fixture
    def clock(self) -> ContractClock:
        return ContractClock()

    @pytest.fixture
    def house(self, clock: ContractClock, tmp_path: Path) -> House:
        return House(self.make_store(clock, tmp_path), clock)

    @pytest.fixture
    def outbox(self, house: House, tmp_path: Path) -> OutboxStore:
        return self.make_outbox(house.store, tmp_path)


def facts(house: House, limits: Limits, **changes: object) -> Facts:
    """What the store knows for an order to buy in `SYMBOL`."""
    values: dict[str, object] = {
        "client_id": CLIENT,
        "strategy_name": STRATEGY,
        "exchange": EXCHANGE,
        "symbol": SYMBOL,
        "sign": 1,
    }
    query = ExposureQuery(**(values | changes))  # type: ignore[arg-type]
    now = house.clock.now()
    return house.store.write(lambda tx: tx.facts(query, now=now, limits=limits, live_allowed=True))
