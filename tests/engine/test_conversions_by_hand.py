"""A hand carries a position on under another product: it is still its strategy's, whatever reads say in between."""

from dataclasses import replace

from domain.broker_reports import Position
from domain.errors import OutcomeUnknown
from domain.states import Status
from tests.engine.by_hand import SYMBOL, empty
from tests.engine.test_adopting import by_hand
from tests.engine.test_late_evidence import spin
from tests.support import EXIT, MARKET_EXIT, leg


def convert(desk, units=50):
    """A hand carries units on from MIS to NRML: no order, only the positions show it."""
    right = desk.broker.read_positions

    def read(*, urgent=False):
        now = right()
        others = tuple(p for p in now.positions if p.symbol != SYMBOL)
        left = Position("NFO", SYMBOL, "MIS", now.net("NFO", SYMBOL, "MIS") - units)
        carried = Position("NFO", SYMBOL, "NRML", now.net("NFO", SYMBOL, "NRML") + units)
        return replace(now, positions=(*others, left, carried))

    desk.broker.read_positions = read


def test_a_wild_read_after_a_conversion_forgets_nothing_and_ends_no_exit(desk):
    """Both halves are believed; then a few empty reads end the one that appeared, and the other is still missing."""
    desk.post()
    spin(desk, 40)
    convert(desk)
    spin(desk, 240)
    right = desk.broker.read_positions
    desk.broker.read_positions = empty(desk)
    spin(desk, 6)
    (exit_,) = desk.post(MARKET_EXIT, **EXIT)
    spin(desk, 4)
    assert desk.rows("SELECT net_quantity FROM holdings") == [("50",)]
    desk.broker.read_positions = right
    spin(desk, 120)
    order = desk.order(exit_.command_id)
    assert (order.status, order.product) == (Status.EXECUTED, "NRML")


def test_anothers_exit_in_the_old_product_took_nothing_of_what_was_converted(desk):
    """What is gone of the new product is gone by a wild read: the exit that was filled since was one of the old."""
    desk.post()
    desk.post(strategy_name="OTHER")
    spin(desk, 40)
    convert(desk)
    spin(desk, 10)
    (other,) = desk.post(replace(MARKET_EXIT, product="MIS"), strategy_name="OTHER", **EXIT)
    spin(desk, 240)
    assert desk.order(other.command_id).product == "MIS"
    right = desk.broker.read_positions
    desk.broker.read_positions = empty(desk)
    spin(desk, 6)
    assert desk.rows("SELECT net_quantity FROM holdings") == [("50",)]
    desk.broker.read_positions = right
    (exit_,) = desk.post(MARKET_EXIT, **EXIT)
    spin(desk, 120)
    order = desk.order(exit_.command_id)
    assert (order.status, order.product) == (Status.EXECUTED, "NRML")


def test_a_conversion_that_is_told_by_and_by_is_one(desk):
    """100 of ours are carried on. Of them 50 are of an entry whose fill is recorded a minute later."""
    desk.post(leg(qty=50))
    spin(desk, 40)
    desk.broker.script = [("after", OutcomeUnknown("cut off"))]
    read_book = desk.broker.read_book
    (late,) = desk.post(leg(qty=50), strategy_name="LATE")
    desk.broker.read_book = lambda refs, urgent=False: replace(
        b := read_book(refs),
        reports=tuple(r for r in b.reports if r.client_order_id != late.client_order_id),
    )
    spin(desk, 5)
    convert(desk, 100)
    spin(desk, 60)
    desk.broker.read_book = read_book
    spin(desk, 40)
    assert desk.order(late.command_id).status is Status.EXECUTED
    exits = [desk.post(MARKET_EXIT, strategy_name=name, **EXIT)[0] for name in ("STRADDLE", "LATE")]
    spin(desk, 120)
    found = [desk.order(each.command_id) for each in exits]
    assert [(o.status, o.product, o.filled_quantity) for o in found] == [(Status.EXECUTED, "NRML", 50)] * 2


def test_a_hand_that_sells_a_part_and_carries_on_the_rest_forgets_nothing(desk):
    desk.post()
    spin(desk, 40)
    by_hand(desk, -10)
    spin(desk, 240)
    convert(desk, 40)
    spin(desk, 240)
    right = desk.broker.read_positions
    desk.broker.read_positions = empty(desk)
    spin(desk, 6)
    assert desk.rows("SELECT net_quantity FROM holdings") == [("50",)]
    desk.broker.read_positions = right
    spin(desk, 240)
    (exit_,) = desk.post(MARKET_EXIT, **EXIT)
    spin(desk, 60)
    order = desk.order(exit_.command_id)
    assert (order.status, order.product, order.filled_quantity) == (Status.EXECUTED, "NRML", 40)
