"""The command service and the engine work on any store that keeps the contract: here on the one in memory."""

from datetime import timedelta
from decimal import Decimal

import pytest

from command_service import CommandService
from domain.alert import Delivery
from domain.enums import ExecutionType, Outcome
from domain.errors import OutcomeUnknown
from domain.limits import ClientPolicy, LimitBook, StrategyBook
from domain.states import Phase, Status
from engine.client_context import ClientContext, EngineTimings
from engine.order_watcher import OrderWatcherEngine
from persistence.memory.store import MemoryStore
from tests.support import (
    EXIT,
    INDEPENDENT,
    MARKET_EXIT,
    FakeBroker,
    ManualClock,
    SeededIds,
    entry,
    leg,
)


class Desk:
    """A service and an engine on a store in memory, with a broker that fills at once."""

    def __init__(self) -> None:
        self.clock = ManualClock()
        self.broker = FakeBroker(self.clock)
        self.store = MemoryStore(clock=self.clock, render=lambda notice: f"{notice.kind} {notice.detail}")
        policy = ClientPolicy("default", LimitBook(), True, StrategyBook(INDEPENDENT))
        self.commands = CommandService(
            self.store,
            {"default": policy},
            clock=self.clock,
            ids=SeededIds(),
            dedup_window=timedelta(seconds=60),
            alert_life=timedelta(seconds=300),
        )
        self.store.claimants.enter("w1")
        self.engine = OrderWatcherEngine(
            self.store,
            {"default": ClientContext("default", self.broker, policy)},
            clock=self.clock,
            claimant="w1",
            rules=EngineTimings(),
        )
        self.engine.reconcile("default")
        self.engine.refresh("default", force=True)

    def post(self, *legs, **changes):
        delivery = Delivery(self.clock.now(), "127.0.0.1", "{}", "native")
        return self.commands.register(entry(*legs, **changes), delivery)

    def settle(self) -> None:
        for _ in range(3):
            self.engine.tick()
            self.clock.advance(0.3)
        self.engine.refresh("default", force=True)


@pytest.fixture
def desk() -> Desk:
    return Desk()


def order_of(desk: Desk, receipt):
    return desk.store.get_by_id(receipt.legs[0].command_id)


def test_an_entry_and_its_exit_go_the_whole_way(desk):
    entered = desk.post()
    desk.settle()
    order = order_of(desk, entered)
    assert (order.status, order.broker_order_id) == (Status.EXECUTED, "B00001")
    [held] = desk.store.holdings("default")
    assert (held.net_quantity, held.entries) == (Decimal(50), 1)
    desk.clock.advance(5)
    left = desk.post(MARKET_EXIT, **EXIT)
    desk.settle()
    assert order_of(desk, left).status is Status.EXECUTED
    assert desk.store.holdings("default") == []
    assert [c.execution_type for c in desk.broker.placed] == [ExecutionType.ENTRY, ExecutionType.EXIT]
    kinds = [message.kind for message in desk.store.outbox().pending(["default"], 99)]
    assert kinds == ["PLACED", "FILLED"] * 2


def test_a_lost_answer_is_settled_by_the_book_and_the_order_is_sent_once(desk):
    desk.broker.script = [("after", OutcomeUnknown("timeout"))]
    posted = desk.post()
    desk.settle()
    assert order_of(desk, posted).phase is Phase.FILLED
    assert len(desk.broker.placed) == 1


def test_a_repeated_alert_is_a_duplicate_and_a_second_strategy_is_not(desk):
    first = desk.post()
    again = desk.post()
    other = desk.post(leg(), strategy_name="OTHER")
    assert (first.outcome, again.outcome) == (Outcome.ACCEPTED, Outcome.DUPLICATE)
    assert other.outcome is Outcome.ACCEPTED
    desk.settle()
    assert len(desk.broker.placed) == 2
