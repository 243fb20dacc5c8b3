"""A desk whose broker is one over HTTP, and what is done at it."""

from contextlib import contextmanager
from decimal import Decimal

from domain.order import Order
from tests.contract.broker_contract import SYMBOL
from tests.support import Desk, leg


@contextmanager
def a_desk(at, tmp_path, options=lambda _: {}):
    """A desk at the simulated broker of this `HttpBroker`. `options` returns those of the adapter."""
    desk = Desk(tmp_path)
    desk.server = at.a_server(desk.clock)
    desk.broker = at.make(desk.server.url, desk.clock, tmp_path, horizon=20.0, **options(desk))
    desk.kill()
    desk.engine = desk.new_engine("watcher-2")
    desk.look()
    yield desk
    desk.broker.close()
    desk.server.stop()


def spin(desk: Desk, seconds: float) -> None:
    for _ in range(int(seconds * 2)):
        desk.engine.tick()
        desk.engine.refresh("default")
        desk.clock.advance(0.5)


def posted(desk: Desk, seconds: float, **changes) -> Order:
    (order,) = desk.post(leg(SYMBOL, price=Decimal(100)), **changes)
    spin(desk, seconds)
    return desk.order(order.command_id)


def at_the_broker(desk, user):
    """The orders that the broker has of this user."""
    return [versions[-1].order for _, versions in desk.server.simulator.exchange.orders(user)]
