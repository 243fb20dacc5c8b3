"""The whole engine at the simulated broker over DhanHQ: each order once, whatever its answer was."""

from decimal import Decimal

import pytest

from domain.enums import ExecutionType
from domain.states import Phase, Status
from tests.broker.dhan.making import CE, CLIENT, SHARE, TOKEN, a_server, make, master_of, put_faults
from tests.support import MARKET_EXIT, Desk, leg

SYMBOL = CE.symbol


@pytest.fixture
def desk(tmp_path):
    """A desk whose broker is ours over HTTP."""
    desk = Desk(tmp_path)
    desk.server = a_server(desk.clock)
    desk.lists = list(master_of(desk.clock)().named(SYMBOL))
    desk.broker = make(
        desk.server.url,
        desk.clock,
        tmp_path,
        horizon=20.0,
        master=lambda: master_of(desk.clock, desk.lists)(),
    )
    desk.kill()
    desk.engine = desk.new_engine("watcher-2")
    desk.look()
    yield desk
    desk.broker.close()
    desk.server.stop()


def spin(desk, seconds):
    for _ in range(int(seconds * 2)):
        desk.engine.tick()
        desk.engine.refresh("default")
        desk.clock.advance(0.5)


def posted(desk, seconds, **changes):
    (order,) = desk.post(leg(SYMBOL, price=Decimal(100)), **changes)
    spin(desk, seconds)
    return desk.order(order.command_id)


def at_the_broker(desk):
    return [versions[-1].order for _, versions in desk.server.simulator.exchange.orders(CLIENT)]


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "refuse_after"},  # HTTP 400 with DH-909
        {"kind": "error_5xx_after"},
        {"kind": "drop_after"},
        {"kind": "truncate", "declared": "whole"},
        {"kind": "refuse_after", "emsg": "DH-906: Incorrect request", "status": 500},
        {"kind": "refuse_after", "emsg": "DH-904: Too many requests", "status": 429},
        {"kind": "refuse_after", "emsg": "DH-901: expired", "status": 401},
    ],
)
def test_an_order_whose_answer_says_otherwise_is_found_and_sent_once(desk, fault):
    put_faults(desk.server, {**fault, "endpoint": "PlaceOrder", "times": 1})
    order = posted(desk, 12)
    assert (order.status, order.filled_quantity) == (Status.EXECUTED, 50)
    assert len(at_the_broker(desk)) == 1


def test_an_order_that_never_came_is_proven_absent_and_not_sent_again(desk):
    put_faults(desk.server, {"kind": "error_5xx_before", "endpoint": "PlaceOrder", "times": 1})
    order = posted(desk, 10)
    assert order.phase is Phase.UNKNOWN  # the broker may still accept it
    spin(desk, 40)
    assert desk.order(order.command_id).tag == "BROKER_ABSENT:PROVEN"
    assert not at_the_broker(desk)


def test_an_order_that_the_look_up_finds_is_not_absent(desk):
    faults = {"kind": "lagging_book", "endpoint": "OrderBook", "seconds": 3600}
    put_faults(desk.server, {"kind": "drop_after", "endpoint": "PlaceOrder", "times": 1}, faults)
    order = posted(desk, 60)  # far longer than the broker may take to accept it
    assert (order.status, order.filled_quantity) == (Status.EXECUTED, 50)
    assert len(at_the_broker(desk)) == 1


def test_a_token_that_ends_in_the_middle_loses_no_order(desk):
    order = posted(desk, 6, signal_id="before")
    assert order.status is Status.EXECUTED
    desk.server.simulator.sessions.end(TOKEN)
    late = posted(desk, 6, signal_id="after")
    assert late.status is not Status.EXECUTED and len(at_the_broker(desk)) == 1
    assert desk.order(order.command_id).status is Status.EXECUTED


def test_without_its_row_in_the_list_an_entry_is_refused_and_an_exit_goes(desk):
    order = posted(desk, 6, signal_id="in")
    assert order.status is Status.EXECUTED
    desk.lists[:] = [SHARE]  # the list of the next morning has lost the contract
    other = posted(desk, 6, signal_id="more", strategy_name="another")
    assert (other.status, other.tag) == (Status.FAILED, "BROKER_REJECTED:VALIDATION")
    (out,) = desk.post(MARKET_EXIT, execution_type=ExecutionType.EXIT, signal_id="out")
    spin(desk, 10)
    assert desk.order(out.command_id).status is Status.EXECUTED
    assert [order.side.value for order in at_the_broker(desk)] == ["BUY", "SELL"]
