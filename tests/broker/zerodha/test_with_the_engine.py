"""The whole engine at the simulated broker over Kite Connect: each order once, whatever its answer was."""

from decimal import Decimal

import pytest

from domain.states import Phase, Status
from tests.broker.zerodha.making import TOKEN, USER, a_server, make, put_faults
from tests.support import Desk, leg

SYMBOL = "NIFTY26NOV24500CE"


@pytest.fixture
def desk(tmp_path):
    """A desk whose broker is ours over HTTP."""
    desk = Desk(tmp_path)
    desk.server = a_server(desk.clock)
    desk.broker = make(desk.server.url, desk.clock, tmp_path, horizon=20.0)
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
    return [versions[-1].order for _, versions in desk.server.simulator.exchange.orders(USER)]


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "refuse_after"},  # HTTP 400: "Order request timed out. …"
        {"kind": "error_5xx_after"},
        {"kind": "drop_after"},
        {"kind": "truncate", "declared": "whole"},
        {"kind": "refuse_after", "emsg": "GeneralException: Something", "status": 500},
        {"kind": "refuse_after", "emsg": "NetworkException: Too many requests", "status": 429},
        {"kind": "refuse_after", "emsg": "TokenException: Incorrect `access_token`.", "status": 403},
    ],
)
def test_an_order_whose_answer_says_otherwise_is_found_and_sent_once(desk, fault):
    put_faults(desk.server, {**fault, "endpoint": "PlaceOrder", "times": 1})
    order = posted(desk, 8)
    assert (order.status, order.filled_quantity) == (Status.EXECUTED, 50)
    assert len(at_the_broker(desk)) == 1


def test_an_order_that_never_came_is_proven_absent_and_not_sent_again(desk):
    put_faults(desk.server, {"kind": "error_5xx_before", "endpoint": "PlaceOrder", "times": 1})
    order = posted(desk, 10)
    assert order.phase is Phase.UNKNOWN  # the broker may still accept it
    spin(desk, 40)
    assert desk.order(order.command_id).tag == "BROKER_ABSENT:PROVEN"
    assert not at_the_broker(desk)


def test_a_token_that_ends_in_the_middle_loses_no_order(desk):
    order = posted(desk, 4, signal_id="before")
    assert order.status is Status.EXECUTED
    desk.server.simulator.sessions.end(TOKEN)
    late = posted(desk, 6, signal_id="after")
    assert late.status is not Status.EXECUTED and len(at_the_broker(desk)) == 1
    assert desk.order(order.command_id).status is Status.EXECUTED
