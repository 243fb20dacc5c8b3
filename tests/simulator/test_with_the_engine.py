"""The whole engine at the simulated broker: delivered shares, and rows that cannot be read or cannot be true."""

import pytest

from domain.enums import OrderType
from domain.states import Phase, Status
from tests.broker.noren.making import make
from tests.simulator.wire import TSYM, USER, Wire, serving
from tests.support import EXIT, MARKET_EXIT, Desk, leg

INFY = "INFY-EQ"


@pytest.fixture
def desk(tmp_path):
    """A desk whose broker is ours over HTTP; `desk.wire` is another session of the same user."""
    desk = Desk(tmp_path)
    with serving(clock=desk.clock) as server:
        desk.broker = make(f"{server.url}/NorenWClientTP", desk.clock, tmp_path, user_id=USER)
        desk.wire = Wire(server.url).login()
        desk.kill()
        desk.engine = desk.new_engine("watcher-2")
        desk.look()
        yield desk
        desk.broker.close()


def spin(desk, seconds):
    for _ in range(int(seconds * 2)):
        desk.engine.tick()
        desk.engine.refresh("default")
        desk.clock.advance(0.5)


def posted(desk, *legs, **changes):
    (order,) = desk.post(*legs, **changes)
    spin(desk, 6)
    return desk.order(order.command_id)


def test_shares_bought_yesterday_can_be_exited_and_not_entered_again(desk):
    share = leg(INFY, exchange="NSE", product="CNC", order_type=OrderType.MARKET, price=None)
    assert posted(desk, share).status is Status.EXECUTED
    assert desk.wire.book("Holdings") == []
    desk.clock.advance(24 * 3600)
    assert desk.wire.book("PositionBook") == [] and desk.wire.book("Holdings")[0]["holdqty"] == "50"
    spin(desk, 6)
    assert [h.net_quantity for h in desk.store.holdings("default")] == [50]
    again = posted(desk, share, signal_id="again")
    assert again.tag == "DUPLICATE_BLOCKED:DUPLICATE_ENTRY_BLOCKED"
    exit_ = leg(
        INFY, qty=None, exchange="NSE", product="", side=None, order_type=OrderType.MARKET, price=None
    )
    order = posted(desk, exit_, signal_id="out", **EXIT)
    assert (order.status, order.quantity, order.product) == (Status.EXECUTED, 50, "CNC")
    spin(desk, 6)
    assert not desk.store.holdings("default")
    assert not [n for n in desk.notices if n.kind in ("EXTERNAL_POSITION", "POSITION_DIFFERS")]


def test_a_row_that_cannot_be_read_holds_its_own_symbols_exit_alone(desk):
    other = "BANKNIFTY26NOV52000CE"
    for symbol in (TSYM, other):
        assert posted(desk, leg(symbol), signal_id=symbol).status is Status.EXECUTED
    desk.wire.faults({"kind": "unreadable_row", "tsym": other, "value": "1,000"})
    assert posted(desk, MARKET_EXIT, signal_id="out", **EXIT).status is Status.EXECUTED
    held = posted(desk, leg(other, qty=None, side=None, order_type=OrderType.MARKET, price=None), **EXIT)
    spin(desk, 6)
    held = desk.order(held.command_id)
    assert held.status is Status.CREATED and "1,000" in held.reason_message
    desk.wire.faults()
    spin(desk, 6)
    assert desk.order(held.command_id).status is Status.EXECUTED


def test_a_fill_that_only_the_trades_tell_is_followed(desk):
    desk.wire.faults(
        {"kind": "missing_fillshares"}, {"kind": "missing_fillshares", "endpoint": "SingleOrdHist"}
    )
    order = posted(desk, leg())
    assert (order.status, order.filled_quantity) == (Status.EXECUTED, 50)


def test_a_fill_that_nothing_tells_is_unknown_and_told(desk):
    desk.wire.faults(
        {"kind": "missing_fillshares"},
        {"kind": "missing_fillshares", "endpoint": "SingleOrdHist"},
        {"kind": "failing_book", "endpoint": "TradeBook"},
    )
    order = posted(desk, leg())
    assert order.phase is Phase.WORKING
    spin(desk, 15)
    assert desk.order(order.command_id).phase is Phase.UNKNOWN
    assert len([n for n in desk.notices if "contradict themselves" in n.detail]) == 1
