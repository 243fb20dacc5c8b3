"""What somebody does in the broker's own terminal, and positions that are empty or cannot be read."""

from decimal import Decimal

from domain.broker_reports import BrokerStatus, OrderReport, PositionsSnapshot
from domain.enums import Side
from domain.errors import ReadFailed
from tests.engine.test_late_evidence import spin
from tests.support import leg

SYMBOL = "NIFTY26NOV24500CE"


def hand(desk, units, number, product="MIS", symbol=SYMBOL):
    """Somebody trades in the broker's own terminal."""
    quantity, side = Decimal(abs(units)), Side.BUY if units > 0 else Side.SELL
    desk.broker.orders[number] = OrderReport(
        number,
        None,
        BrokerStatus.COMPLETE,
        "NFO",
        symbol,
        side,
        quantity,
        quantity,
        Decimal(100),
        product=product,
    )
    desk.broker.products[number] = product


def resting_elsewhere(desk):
    """Any live order of the client: its book is read each second, as on any busy day."""
    desk.broker.fill_at_once = False
    desk.post(leg("BANKNIFTY"), strategy_name="ELSE")
    spin(desk, 2)
    desk.broker.fill_at_once = True


def round_trip(desk, units):
    resting_elsewhere(desk)
    hand(desk, units, "H1")
    spin(desk, 15)
    hand(desk, -units, "H2")
    spin(desk, 300)


def empty(desk):
    return lambda *, urgent=False: PositionsSnapshot(desk.clock.now(), ())


def failing(*, urgent=False):
    raise ReadFailed("502")
