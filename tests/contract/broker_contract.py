"""What every broker adapter promises, whatever is behind it. Each adapter's tests subclass `BrokerContract`."""

import multiprocessing
import threading
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from pathlib import Path
from typing import ClassVar

import pytest

from domain.broker_capabilities import IdClass
from domain.broker_reports import BrokerStatus, OrderRef, OrderReport
from domain.commands import OrderResult, UniversalOrderCommand
from domain.enums import ExecutionType, OrderType, Side, TestMode
from domain.errors import NotSent, OutcomeUnknown, ReadFailed, Refused
from domain.ids import client_order_id
from domain.money import ZERO
from domain.ports import Broker

START = datetime(2026, 11, 20, 4, 0, tzinfo=UTC)
EXCHANGE, SYMBOL, PRODUCT = "NFO", "NIFTY26NOV24500CE", "MIS"
PRICE = Decimal("112.5")
SPAWN = multiprocessing.get_context("spawn")


class ContractClock:
    """Stands still but for a microsecond a look; may be shared by threads."""

    def __init__(self, at: datetime = START) -> None:
        self.at = at
        self._lock = threading.Lock()

    def now(self) -> datetime:
        with self._lock:
            self.at += timedelta(microseconds=1)
            return self.at

    def advance(self, **duration: float) -> None:
        self.at += timedelta(**duration)


def a_command(intent: str = "first", **changes) -> UniversalOrderCommand:
    """A market order to buy 50; `intent` decides its client order id."""
    wanted = {
        "command_id": intent,
        "client_order_id": client_order_id(intent),
        "client_id": "default",
        "execution_type": ExecutionType.ENTRY,
        "exchange": EXCHANGE,
        "symbol": SYMBOL,
        "side": Side.BUY,
        "quantity": Decimal(50),
        "product": PRODUCT,
        "order_type": OrderType.MARKET,
        "price": None,
        "trigger_price": None,
    }
    return UniversalOrderCommand(**{**wanted, **changes})


def a_resting_command(intent: str = "first", **changes) -> UniversalOrderCommand:
    """A limit order to buy 50, far below `PRICE`."""
    return a_command(intent, order_type=OrderType.LIMIT, price=PRICE / 2, **changes)


def ref_to(command: UniversalOrderCommand, broker_order_id: str | None = None) -> OrderRef:
    return OrderRef(command.client_order_id, broker_order_id)


def reports_of(broker: Broker, commands: Sequence[UniversalOrderCommand]) -> list[OrderReport]:
    """What the book says of these commands, found by the client's ids."""
    book = broker.read_book([ref_to(command) for command in commands])
    tags = {command.client_order_id for command in commands}
    return [report for report in book.by_id.values() if report.client_order_id in tags]


def net_of(broker: Broker) -> Decimal:
    return broker.read_positions().net(EXCHANGE, SYMBOL, PRODUCT)


class BrokerContract:
    """Subclass, name it Test…, and say how to make the broker and how to move its world."""

    between_processes: ClassVar[bool] = (
        False  # several processes may work for one account, through one `place_`
    )

    def make_broker(self, clock: ContractClock, place_: Path) -> Broker:
        """The adapter, with a world behind it that lives at `place_`; the same again for the same place."""
        raise NotImplementedError

    def set_price(self, broker: Broker, price: Decimal) -> None:
        """Make this the last price of `SYMBOL`."""
        raise NotImplementedError

    def refuse_next(self, broker: Broker, code: str, text: str) -> None:
        """Let the broker refuse the next order in `SYMBOL`."""
        raise NotImplementedError

    def cut_off(self, broker: Broker, place_: Path) -> None:
        """Make whatever is behind the broker unreachable."""
        raise NotImplementedError

    @pytest.fixture
    def clock(self) -> ContractClock:
        return ContractClock()

    @pytest.fixture
    def broker(self, clock: ContractClock, tmp_path: Path) -> Broker:
        broker = self.make_broker(clock, tmp_path)
        self.set_price(broker, PRICE)
        return broker

    # one order ----------------------------------------------------------------------------------------------

    def test_an_order_in_test_mode_is_refused(self, broker):
        with pytest.raises(Refused) as caught:
            broker.place(a_command(test_mode=TestMode.SUCCESS))
        assert caught.value.code == "TEST_MODE"
        assert not reports_of(broker, [a_command()])

    def test_a_placed_order_is_in_the_book_under_both_ids(self, broker, clock):
        before = clock.now()
        command = a_command()
        result = broker.place(command)
        book = broker.read_book([ref_to(command, result.broker_order_id)])
        assert book.complete and book.read_started_at > before
        report = book.by_id[result.broker_order_id]
        assert book.by_tag[command.client_order_id] == [report]
        assert (report.exchange, report.symbol, report.side) == (EXCHANGE, SYMBOL, Side.BUY)
        assert report.status is BrokerStatus.COMPLETE
        assert report.filled_quantity == report.quantity == 50
        assert report.average_price == PRICE

    def test_a_closed_order_is_found_by_either_id_long_after(self, broker, clock):
        command = a_command()
        result = broker.place(command)
        clock.advance(minutes=30)
        assert [r.broker_order_id for r in reports_of(broker, [command])] == [result.broker_order_id]
        assert result.broker_order_id in broker.read_book([OrderRef("", result.broker_order_id)]).by_id

    def test_an_open_order_is_in_every_book(self, broker):
        result = broker.place(a_resting_command())
        report = broker.read_book([]).by_id[result.broker_order_id]
        assert report.status is BrokerStatus.OPEN
        assert report.filled_quantity == 0 and report.average_price is None

    def test_an_order_that_never_came_is_absent_from_a_complete_book(self, broker):
        broker.place(a_command())
        book = broker.read_book([ref_to(a_command("never"))])
        assert book.complete and client_order_id("never") not in book.by_tag

    def test_the_same_client_id_again_is_the_same_order(self, broker):
        if broker.traits.id_class is not IdClass.C4:
            pytest.skip(f"the broker's ids are {broker.traits.id_class}")
        first, again = broker.place(a_command()), broker.place(a_command())
        assert (again.broker_order_id, again.duplicate) == (first.broker_order_id, True)
        assert not first.duplicate
        assert len(reports_of(broker, [a_command()])) == 1 and net_of(broker) == 50

    def test_a_stop_waits_as_trigger_pending(self, broker):
        result = broker.place(a_command(order_type=OrderType.STOP, trigger_price=PRICE + 5))
        assert broker.read_book([]).by_id[result.broker_order_id].status is BrokerStatus.TRIGGER_PENDING
        self.set_price(broker, PRICE + 6)
        assert [r.status for r in reports_of(broker, [a_command()])] == [BrokerStatus.COMPLETE]

    # cancel -------------------------------------------------------------------------------------------------

    @pytest.mark.parametrize("by_client_id", [False, True])
    def test_a_cancelled_order_is_cancelled_in_the_book_and_never_fills(self, broker, by_client_id):
        command = a_resting_command()
        result = broker.place(command)
        broker.cancel(ref_to(command, None if by_client_id else result.broker_order_id))
        self.set_price(broker, PRICE / 4)
        (report,) = reports_of(broker, [command])
        assert (report.status, report.filled_quantity) == (BrokerStatus.CANCELLED, ZERO)

    def test_a_closed_or_unknown_order_cannot_be_cancelled(self, broker):
        command = a_command()
        result = broker.place(command)
        with pytest.raises(Refused):
            broker.cancel(ref_to(command, result.broker_order_id))
        with pytest.raises(Refused):
            broker.cancel(ref_to(a_command("never")))

    # refused ------------------------------------------------------------------------------------------------

    def test_a_refused_order_is_not_live_and_says_why(self, broker):
        self.refuse_next(broker, "RMS", "margin exceeds")
        with pytest.raises(Refused, match="margin exceeds") as refusal:
            broker.place(a_command())
        assert refusal.value.code == "RMS"
        live = [r for r in reports_of(broker, [a_command()]) if r.status is not BrokerStatus.REJECTED]
        assert not live and net_of(broker) == 0
        assert broker.place(a_command("second")).broker_order_id

    # positions ----------------------------------------------------------------------------------------------

    def test_a_fill_shows_in_the_positions(self, broker):
        broker.place(a_command())
        (position,) = broker.read_positions().positions
        assert (position.exchange, position.symbol, position.product) == (EXCHANGE, SYMBOL, PRODUCT)
        assert (position.net_quantity, position.average_price) == (50, PRICE)
        assert (position.realized_pnl, position.unrealized_pnl) == (0, 0)
        self.set_price(broker, PRICE + 2)
        assert broker.read_positions().day_pnl == 100

    def test_an_exit_in_full_leaves_a_flat_position_and_its_profit(self, broker):
        broker.place(a_command())
        self.set_price(broker, PRICE + 2)
        broker.place(a_command("exit", side=Side.SELL, execution_type=ExecutionType.EXIT))
        snapshot = broker.read_positions()
        assert snapshot.net(EXCHANGE, SYMBOL, PRODUCT) == 0
        assert snapshot.day_pnl == 100

    def test_no_positions_are_read_as_none(self, broker):
        assert broker.read_positions().positions == ()

    # what goes wrong ----------------------------------------------------------------------------------------

    def test_only_errors_of_the_port_come_out_when_the_broker_is_gone(self, broker, tmp_path):
        broker.place(a_resting_command())
        self.cut_off(broker, tmp_path)
        with ThreadPoolExecutor(1) as other_thread:
            for call in (lambda run: run(), lambda run: other_thread.submit(run).result()):
                with pytest.raises((NotSent, OutcomeUnknown)):
                    call(lambda: broker.place(a_command("second")))
                with pytest.raises((NotSent, OutcomeUnknown)):
                    call(lambda: broker.cancel(ref_to(a_resting_command())))
                with pytest.raises(ReadFailed):
                    call(lambda: broker.read_book([]))
                with pytest.raises(ReadFailed):
                    call(broker.read_positions)

    # many at once -------------------------------------------------------------------------------------------

    def test_threads_that_place_the_same_orders_make_each_once(self, broker):
        if broker.traits.id_class is not IdClass.C4:
            pytest.skip(f"the broker's ids are {broker.traits.id_class}")
        commands = [a_command(f"order {n}") for n in range(50)]
        with ThreadPoolExecutor(8) as threads:
            results = list(threads.map(broker.place, commands * 4))
        _check_each_once(broker, commands, results)

    def test_processes_that_place_the_same_orders_make_each_once(self, broker, tmp_path):
        if not self.between_processes or broker.traits.id_class is not IdClass.C4:
            pytest.skip("several processes cannot share this broker's ids")
        commands = [a_command(f"order {n}") for n in range(50)]
        together = SPAWN.Barrier(2)
        children = [_Child(type(self), tmp_path, commands * 2, together) for _ in range(2)]
        results = [result for child in children for result in child.results()]
        assert len(results) == 200
        _check_each_once(broker, commands, [result for _, result in results])

    def test_what_was_acknowledged_outlives_a_kill(self, broker, tmp_path):
        if not self.between_processes:
            pytest.skip("the broker's world lives in this process")
        commands = [a_command(f"order {n}") for n in range(20_000)]
        child = _Child(type(self), tmp_path, commands)
        acknowledged = dict(child.receive() for _ in range(100))
        child.process.kill()
        acknowledged |= dict(child.results())
        assert 100 <= len(acknowledged) < len(commands)
        reports = {r.client_order_id: r for r in reports_of(broker, commands[: len(acknowledged) + 1])}
        for tag, result in acknowledged.items():
            assert reports[tag].broker_order_id == result.broker_order_id
            assert reports[tag].status is BrokerStatus.COMPLETE
        assert net_of(broker) == 50 * len(reports)
        assert broker.place(a_command("after the kill")).broker_order_id


def _check_each_once(
    broker: Broker, commands: list[UniversalOrderCommand], results: list[OrderResult]
) -> None:
    assert len({result.broker_order_id for result in results}) == len(commands)
    assert sum(not result.duplicate for result in results) == len(commands)
    reports = reports_of(broker, commands)
    assert {r.client_order_id for r in reports} == {c.client_order_id for c in commands}
    assert len(reports) == len(commands) and net_of(broker) == 50 * len(commands)


class _Child:
    """A process that places orders and tells of each result, once `place` has returned it."""

    def __init__(
        self,
        contract: type[BrokerContract],
        place_: Path,
        commands: list[UniversalOrderCommand],
        together: Barrier | None = None,
    ) -> None:
        self._receiver, sender = SPAWN.Pipe(duplex=False)
        self.process = SPAWN.Process(
            target=_place_all, args=(contract, place_, commands, sender, together), daemon=True
        )
        self.process.start()
        sender.close()  # ours; the end of the child's is then the end of the pipe

    def receive(self) -> tuple[str, OrderResult]:
        """The next client order id and its result; EOFError at the end."""
        received: tuple[str, OrderResult] = self._receiver.recv()
        return received

    def results(self) -> list[tuple[str, OrderResult]]:
        """All that are still to come, until the process has ended."""
        got = []
        try:
            while True:
                got.append(self.receive())
        except (EOFError, OSError):  # OSError: killed in the middle of telling
            self.process.join(30)
            return got


def _place_all(
    contract: type[BrokerContract],
    place_: Path,
    commands: list[UniversalOrderCommand],
    sender: Connection,
    together: Barrier | None,
) -> None:
    broker = contract().make_broker(ContractClock(), place_)
    if together is not None:
        together.wait(30)
    for command in commands:
        sender.send((command.client_order_id, broker.place(command)))
