"""Empty reads of the positions: around outages and stops they forget nothing, and a difference has to stand."""

from datetime import timedelta
from decimal import Decimal

from domain.broker_reports import BrokerStatus
from domain.limits import Limits
from engine.client_context import EngineTimings
from tests.engine.by_hand import empty, failing
from tests.engine.test_late_evidence import net, spin
from tests.support import EXIT, MARKET_EXIT, leg


def empty_around_an_outage(desk):
    """Two empty reads, three minutes in which nothing can be read; then positions are empty again."""
    desk.post()
    spin(desk, 60)
    desk.broker.read_positions = empty(desk)
    spin(desk, 4.5)
    desk.broker.read_positions = failing
    spin(desk, 180)
    desk.broker.read_positions = empty(desk)


def test_empty_reads_around_an_outage_forget_nothing(desk):
    right = desk.broker.read_positions
    empty_around_an_outage(desk)
    spin(desk, 2)
    desk.broker.read_positions = right
    spin(desk, 10)
    desk.post(MARKET_EXIT, **EXIT)
    spin(desk, 60)
    assert net(desk) == 0


def test_empty_reads_around_a_stop_forget_nothing(desk):
    desk.post()
    spin(desk, 60)
    right = desk.broker.read_positions
    desk.broker.read_positions = empty(desk)
    spin(desk, 4.5)
    desk.kill()
    desk.clock.advance(3600)
    desk.engine = desk.new_engine("watcher-2")
    desk.look()
    desk.broker.read_positions = right
    spin(desk, 10)
    desk.post(MARKET_EXIT, **EXIT)
    spin(desk, 60)
    assert net(desk) == 0


def test_a_difference_that_is_gone_is_not_believed(desk):
    desk.post()
    spin(desk, 60)
    desk.broker.fill_at_once = False
    (b,) = desk.post(leg(qty=25, price=Decimal(90)), strategy_name="OTHER")
    spin(desk, 10)
    right = desk.broker.read_positions
    desk.broker.read_positions = empty(desk)
    spin(desk, 5)
    desk.broker.read_positions = right
    desk.broker.report(desk.order(b.command_id).broker_order_id, BrokerStatus.OPEN, 10)
    desk.engine.reconcile("default")
    spin(desk, 240)
    desk.broker.fill_at_once = True
    (exit_,) = desk.post(MARKET_EXIT, **EXIT)
    spin(desk, 60)
    assert desk.order(exit_.command_id).filled_quantity == 50


def test_what_a_process_saw_before_an_outage_is_no_proof_for_the_next_one(desk):
    """A watcher is replaced as the outage ends, when another one has read the positions a second ago."""
    right = desk.broker.read_positions
    empty_around_an_outage(desk)
    other = desk.new_engine("watcher-2")
    other.reconcile("default")
    other.refresh("default")
    desk.kill()
    desk.engine = desk.new_engine("watcher-3")
    spin(desk, 3)
    desk.broker.read_positions = right
    spin(desk, 10)
    desk.post(MARKET_EXIT, **EXIT)
    spin(desk, 60)
    assert net(desk) == 0


def test_a_difference_is_believed_where_reads_are_half_a_minute_apart(make_desk):
    desk = make_desk(
        rules=EngineTimings(positions_refresh=timedelta(seconds=45)),
        limits=Limits(positions_max_age_seconds=300),
    )
    desk.post()
    desk.settle(3)
    desk.broker.read_positions = empty(desk)
    for _ in range(20):
        desk.clock.advance(45)
        desk.engine.tick()
        desk.engine.refresh("default")
    assert desk.rows("SELECT 1 FROM holdings WHERE net_quantity <> '0'") == []


def test_a_read_on_each_side_of_an_outage_is_no_difference_that_stood(desk):
    """One empty read before three minutes in which nothing can be read, and one after: nothing was told in between."""
    desk.post()
    spin(desk, 60)
    right = desk.broker.read_positions
    desk.broker.read_positions = empty(desk)
    desk.clock.advance(2)
    desk.engine.refresh("default", force=True)
    desk.broker.read_positions = failing
    spin(desk, 190)
    desk.broker.read_positions = empty(desk)
    desk.clock.advance(2)
    desk.engine.refresh("default", force=True)
    desk.broker.read_positions = right
    spin(desk, 10)
    desk.post(MARKET_EXIT, **EXIT)
    spin(desk, 60)
    assert net(desk) == 0
