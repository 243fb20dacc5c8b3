"""Exits that rest at the paper broker, whose market takes only so many units at a price: priced anew until flat."""

from decimal import Decimal

from broker.paper.adapter import PaperBroker
from domain.exit_chase import is_successor
from domain.money import ZERO
from tests.broker.making import make
from tests.support import EXIT, MARKET_EXIT, Desk, leg

SYMBOL = "NIFTY26NOV24500CE"


def test_what_the_market_does_not_take_is_priced_anew_until_the_position_is_flat(tmp_path):
    desk = Desk(tmp_path)
    paper: PaperBroker = make(tmp_path / "paper.db", desk.clock)
    desk.broker = paper
    desk.kill()
    desk.engine = desk.new_engine("watcher-2")
    desk.look()
    desk.post(leg(price=Decimal(100)))
    desk.settle()
    paper.set_mark("NFO", SYMBOL, Decimal(100), Decimal(20))
    desk.post(MARKET_EXIT, **EXIT)

    def go_on(seconds: int) -> None:
        for _ in range(seconds):
            desk.clock.advance(1)
            desk.engine.tick()

    go_on(8)
    assert [p.net_quantity for p in paper.read_positions().positions] == [30]
    paper.set_mark("NFO", SYMBOL, Decimal(98), Decimal(25))
    go_on(8)
    paper.set_mark("NFO", SYMBOL, Decimal(97))
    go_on(3)
    assert [p.net_quantity for p in paper.read_positions().positions] == [0]
    assert paper.cash() == -50 * 100 + 20 * 100 + 25 * 98 + 5 * 97
    rows = [desk.order(str(id_)) for (id_,) in desk.rows("SELECT command_id FROM orders WHERE side = 'SELL'")]
    assert sum((o.filled_quantity for o in rows), ZERO) == 50
    assert sum(is_successor(o) for o in rows) >= 2
    assert desk.store.holdings("default") == []
