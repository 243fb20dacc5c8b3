"""An order that lives for a day has ended when the next day's book does not have it."""

from dataclasses import replace
from datetime import timedelta

import pytest

from domain.broker_reports import BrokerStatus
from domain.errors import OutcomeUnknown
from domain.states import Phase, Status
from tests.support import Desk


@pytest.fixture
def desk(tmp_path):
    """An order rests at the close; the next morning's book is empty."""
    desk = Desk(tmp_path)
    desk.broker.traits = replace(desk.broker.traits, day_orders=True, visibility_horizon=3.0)
    desk.broker.fill_at_once = False
    desk.post()
    desk.settle()
    return desk


def next_morning(desk):
    desk.broker.orders.clear()
    desk.clock.advance(15 * 3600)
    desk.broker.covers_from = desk.clock.now() - timedelta(hours=6)
    desk.engine.reconcile("default")
    return desk.only()


def test_an_unfilled_one_has_expired(desk):
    order = next_morning(desk)
    assert (order.status, order.phase, order.tag) == (Status.FAILED, Phase.EXPIRED, "BROKER_EXPIRED")
    assert "0 of 50 filled" in order.reason_message
    assert not [n for n in desk.notices if n.kind == "UNKNOWN"]


def test_what_a_partly_filled_one_filled_stays(desk):
    desk.broker.report("B00001", BrokerStatus.OPEN, 20)
    desk.engine.reconcile("default")
    order = next_morning(desk)
    assert (order.phase, order.filled_quantity) == (Phase.EXPIRED, 20)
    assert [h.net_quantity for h in desk.store.holdings("default")] == [20]


def test_one_that_is_gone_from_its_own_days_book_is_unknown(desk):
    desk.broker.orders.clear()
    desk.broker.covers_from = desk.clock.now() - timedelta(hours=6)
    desk.clock.advance(60)
    desk.engine.reconcile("default")
    assert desk.only().phase is Phase.UNKNOWN


def test_where_orders_may_live_for_longer_it_is_unknown(desk):
    desk.broker.traits = replace(desk.broker.traits, day_orders=False)
    assert next_morning(desk).phase is Phase.UNKNOWN


def test_one_that_was_never_acknowledged_is_a_persons(desk):
    desk.broker.report("B00001", BrokerStatus.COMPLETE, 50)
    desk.broker.script = [OutcomeUnknown("timed out")]
    desk.post(strategy_name="S2", signal_id="2")
    desk.engine.tick()
    desk.broker.orders.clear()
    desk.clock.advance(15 * 3600)
    desk.broker.covers_from = desk.clock.now() - timedelta(hours=6)
    desk.engine.reconcile("default")
    phases = [phase for (phase,) in desk.rows("SELECT phase FROM orders WHERE strategy_name = 'S2'")]
    assert phases == ["UNKNOWN"]
