"""Books that are wrong at the simulated broker: what our adapter makes of them over Kite Connect."""

from collections.abc import Iterator
from decimal import Decimal

import pytest

from broker.simulator.server import SimulatorServer
from broker.zerodha.adapter import ZerodhaBroker
from domain.broker_reports import BrokerStatus
from domain.errors import ReadFailed
from tests.broker.zerodha.making import make
from tests.contract.broker_contract import (
    EXCHANGE,
    PRODUCT,
    SYMBOL,
    ContractClock,
    a_command,
    a_resting_command,
    ref_to,
)
from tests.contract.simulated_broker import put_faults


@pytest.fixture
def broker(server: SimulatorServer, clock: ContractClock, tmp_path) -> Iterator[ZerodhaBroker]:
    broker = make(server.url, clock, tmp_path)
    yield broker
    broker.close()


@pytest.fixture
def placed(broker: ZerodhaBroker) -> str:
    """The number of a filled order, which a book has shown."""
    number = broker.place(a_command()).broker_order_id
    assert broker.read_book([]).by_id[number].status is BrokerStatus.COMPLETE
    return number


@pytest.mark.parametrize("kind", ["open_only_book", "missing_row", "empty_book"])
def test_a_book_without_what_it_showed_proves_no_absence(broker, server, placed, kind):
    put_faults(server, {"kind": kind, "endpoint": "OrderBook"})
    assert not broker.read_book([]).complete


@pytest.mark.parametrize("kind", ["duplicated_book", "reordered_book", "stale_twin", "missing_fillshares"])
def test_rows_twice_in_any_order_or_without_a_fill_are_settled(broker, server, placed, clock, kind):
    clock.advance(seconds=2)
    broker.place(a_resting_command("resting"))
    put_faults(server, {"kind": kind, "endpoint": "OrderBook"})
    book = broker.read_book([])
    report = book.by_id[placed]
    assert (report.status, report.filled_quantity, report.contradiction) == (BrokerStatus.COMPLETE, 50, "")
    assert len(book.by_id) == 2


def test_a_fill_that_nothing_tells_decides_nothing(broker, server, placed):
    faults = [{"kind": "missing_fillshares"}, {"kind": "missing_fillshares", "endpoint": "SingleOrdHist"}]
    put_faults(server, *faults, {"kind": "failing_book", "endpoint": "TradeBook"})
    assert broker.read_book([]).by_id[placed].contradiction


@pytest.mark.parametrize("value", [None, "1,000", "", "fifty"])
def test_a_row_that_cannot_be_read_is_shown_and_hides_its_order(broker, server, placed, value):
    put_faults(server, {"kind": "unreadable_row", "endpoint": "OrderBook", "value": value})
    book = broker.read_book([])
    assert book.complete and not book.reports
    assert book.hides(ref_to(a_command(), placed), EXCHANGE, SYMBOL) is not None


@pytest.mark.parametrize("value", [None, "1,000"])
def test_a_position_that_cannot_be_read_is_unknown(broker, server, placed, value):
    put_faults(server, {"kind": "unreadable_row", "value": value})
    snapshot = broker.read_positions()
    assert not snapshot.is_readable(EXCHANGE, SYMBOL, PRODUCT) and snapshot.day_pnl is None


@pytest.mark.parametrize("endpoint", ["OrderBook", "PositionBook"])
def test_a_book_that_fails_is_not_empty(broker, server, placed, endpoint):
    put_faults(server, {"kind": "failing_book", "endpoint": endpoint})
    with pytest.raises(ReadFailed):
        broker.read_book([]) if endpoint == "OrderBook" else broker.read_positions()


def test_a_lagging_book_is_not_complete_for_an_order_that_was_acknowledged(broker, server, clock):
    number = broker.place(a_resting_command()).broker_order_id
    clock.advance(seconds=5)
    put_faults(server, {"kind": "lagging_book", "seconds": 60})
    book = broker.read_book([])
    assert number not in book.by_id and not book.complete


def test_a_partial_fill_that_was_cancelled_keeps_what_is_filled(broker, server):
    put_faults(server, {"kind": "cancel_after_partial_fill", "quantity": 20})
    number = broker.place(a_command()).broker_order_id
    report = broker.read_book([]).by_id[number]
    assert (report.status, report.filled_quantity) == (BrokerStatus.CANCELLED, Decimal(20))


def test_an_order_that_is_rejected_later_says_why(broker, server):
    put_faults(server, {"kind": "reject_later", "emsg": "RMS:Margin Exceeds, Required:9000, Available:1"})
    number = broker.place(a_command()).broker_order_id
    report = broker.read_book([]).by_id[number]
    assert (report.status, report.code) == (BrokerStatus.REJECTED, "RMS")
    assert report.reason.startswith("RMS:Margin Exceeds")
