"""The whole engine at the simulated broker over DhanHQ, where it is as at no other broker."""

import pytest

from domain.enums import ExecutionType
from domain.instruments.instrument import Instrument
from domain.states import Status
from tests.broker.desk import a_desk, at_the_broker, posted, spin
from tests.broker.dhan.making import CE, CLIENT, SHARE, master_of
from tests.contract.simulated_broker import put_faults
from tests.support import MARKET_EXIT


@pytest.fixture
def listed() -> list[Instrument]:
    """What the list of instruments has."""
    return [CE]


@pytest.fixture
def desk(at, listed, tmp_path):
    with a_desk(at, tmp_path, lambda desk: {"master": lambda: master_of(desk.clock, listed)()}) as desk:
        yield desk


def test_an_order_that_the_look_up_finds_is_not_absent(desk):
    faults = {"kind": "lagging_book", "endpoint": "OrderBook", "seconds": 3600}
    put_faults(desk.server, {"kind": "drop_after", "endpoint": "PlaceOrder", "times": 1}, faults)
    order = posted(desk, 60)  # far longer than the broker may take to accept it
    assert (order.status, order.filled_quantity) == (Status.EXECUTED, 50)
    assert len(at_the_broker(desk, CLIENT)) == 1


def test_without_its_row_in_the_list_an_entry_is_refused_and_an_exit_goes(desk, listed):
    order = posted(desk, 6, signal_id="in")
    assert order.status is Status.EXECUTED
    listed[:] = [SHARE]  # the list of the next morning has lost the contract
    other = posted(desk, 6, signal_id="more", strategy_name="another")
    assert (other.status, other.tag) == (Status.FAILED, "BROKER_REJECTED:VALIDATION")
    (out,) = desk.post(MARKET_EXIT, execution_type=ExecutionType.EXIT, signal_id="out")
    spin(desk, 10)
    assert desk.order(out.command_id).status is Status.EXECUTED
    assert [order.side.value for order in at_the_broker(desk, CLIENT)] == ["BUY", "SELL"]
