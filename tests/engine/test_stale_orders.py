"""An order that has been at the broker for over an hour is listed, and told once."""

import re
from datetime import timedelta
from decimal import Decimal

import pytest

from domain.broker_reports import BrokerStatus
from domain.enums import ExecutionType, OrderType
from domain.errors import NotSent, OutcomeUnknown
from domain.notices import NoticeKind
from domain.stale_orders import why_still_open
from domain.states import Phase
from engine.stale_orders import StaleOrderNotifier
from persistence.sqlite import differences
from persistence.sqlite.database import Readers
from persistence.sqlite.queries.orders import OrderQueries
from persistence.sqlite.queries.statements import statement
from tests.domain.making import AT, an_order
from tests.support import Desk, leg

HOUR = 3600


def told(desk: Desk) -> list[str]:
    """Which orders the operator was asked about."""
    return [n.order.command_id for n in desk.notices if n.kind is NoticeKind.FROZEN and n.order is not None]


def listed(desk: Desk) -> list[str]:
    rows = OrderQueries(Readers(desk.path)).frozen_orders(desk.clock.now() - timedelta(hours=1))
    return [row["command_id"] for row in rows]


def tell(desk: Desk) -> int:
    return StaleOrderNotifier(desk.store, clock=desk.clock).tell_frozen("default")


def rest(desk: Desk, symbol: str = "INFY") -> str:
    """An order that the broker has and does not fill."""
    desk.broker.fill_at_once = False
    (order,) = desk.post(leg(symbol))
    desk.engine.execute_next("default")
    assert desk.order(order.command_id).phase is Phase.WORKING
    return str(order.command_id)


def test_an_order_is_told_once_when_it_was_sent_an_hour_ago(desk):
    order = rest(desk)
    desk.clock.advance(HOUR - 5)
    assert (tell(desk), listed(desk)) == (0, [])
    desk.clock.advance(10)
    assert (tell(desk), listed(desk)) == (1, [order])
    assert told(desk) == [order]
    for _ in range(3):
        desk.clock.advance(HOUR)
        assert tell(desk) == 0  # each time somebody who remembers nothing, as after a restart
    assert (told(desk), listed(desk)) == ([order], [order])


def test_an_order_that_has_ended_is_neither_told_nor_listed(desk):
    order = rest(desk)
    desk.clock.advance(2 * HOUR)
    desk.broker.report(desk.order(order).broker_order_id, BrokerStatus.CANCELLED)
    desk.engine.reconcile("default")
    assert (tell(desk), listed(desk)) == (0, [])


def test_the_hour_begins_with_the_send_not_with_the_alert(desk):
    desk.broker.script = [NotSent("no connection")]
    desk.broker.fill_at_once = False
    (order,) = desk.post(leg("INFY"))
    desk.engine.execute_next("default")
    desk.clock.advance(290)
    desk.engine.refresh("default", force=True)
    desk.engine.execute_next("default")
    assert desk.order(order.command_id).phase is Phase.WORKING
    desk.clock.advance(HOUR - 200)
    assert (tell(desk), listed(desk)) == (0, [])
    desk.clock.advance(210)
    assert (tell(desk), listed(desk)) == (1, [order.command_id])


def test_what_was_never_sent_is_not_at_the_broker(desk):
    desk.post(leg("INFY"))
    desk.clock.advance(2 * HOUR)
    assert (tell(desk), listed(desk)) == (0, [])


def test_the_oldest_come_first_and_many_are_told_in_portions(desk, monkeypatch):
    monkeypatch.setattr("engine.stale_orders._AT_ONCE", 2)
    orders = []
    for number in range(5):
        orders.append(rest(desk, f"S{number}"))
        desk.clock.advance(1)
    desk.clock.advance(HOUR)
    assert tell(desk) == 5
    assert (told(desk), listed(desk)) == (orders, orders)


def test_a_watcher_that_was_slower_tells_nothing(desk, monkeypatch):
    rest(desk)
    desk.clock.advance(HOUR + 1)
    looked = desk.store.untold_frozen("default", desk.clock.now() - timedelta(hours=1), limit=1)
    assert tell(desk) == 1
    monkeypatch.setattr(desk.store, "untold_frozen", lambda *place, limit: looked)  # as it was before
    assert tell(desk) == 0
    assert len(told(desk)) == 1


def test_another_client_is_not_told_of(desk):
    rest(desk)
    desk.clock.advance(HOUR + 1)
    assert StaleOrderNotifier(desk.store, clock=desk.clock).tell_frozen("second") == 0


def test_the_row_says_phase_sends_since_when_and_why(desk):
    desk.broker.script = [OutcomeUnknown("no answer")]
    (order,) = desk.post(leg("INFY"))
    desk.engine.execute_next("default")
    sent_at = desk.rows("SELECT sent_at FROM orders")[0][0]
    desk.clock.advance(HOUR + 1)
    [row] = OrderQueries(Readers(desk.path)).frozen_orders(desk.clock.now() - timedelta(hours=1))
    assert (row["command_id"], row["phase"], row["attempts"]) == (order.command_id, "UNKNOWN", 1)
    assert (row["sent_to_broker_at"], row["why"]) == (sent_at, "outcome unknown: no answer")


@pytest.mark.parametrize(
    ("phase", "changes", "says"),
    [
        (Phase.WORKING, {}, "filled nothing: a LIMIT order may rest"),
        (Phase.WORKING, {"order_type": OrderType.MARKET}, "odd for a MARKET order"),
        (
            Phase.WORKING,
            {"order_type": OrderType.MARKET, "reason_message": "sent as a limit"},
            "sent as a limit",
        ),
        (Phase.PARTIALLY_FILLED, {"filled_quantity": Decimal(20)}, "20 of 50 filled"),
        (Phase.UNKNOWN, {"reason_message": "outcome unknown: timeout"}, "outcome unknown: timeout"),
        (Phase.UNKNOWN, {}, "its outcome is unknown"),
        (Phase.SUBMITTING, {}, "claimed by watcher-1"),
        (Phase.WORKING, {"cancel_requested_at": AT}, "a cancel was asked for and is not confirmed"),
        (Phase.WORKING, {"execution_type": ExecutionType.EXIT}, "may rest"),
    ],
)
def test_why_an_order_is_still_open(phase, changes, says):
    assert says in why_still_open(an_order(phase, **changes))


@pytest.mark.parametrize("of_client", ["", differences._OF_CLIENT_AND_UNTOLD])
def test_only_orders_at_the_broker_are_looked_at(desk, of_client):
    sql = f"{statement('frozen_orders')} {of_client} {differences._OLDEST}"
    values = {"before": "", "client": "default", "about": "", "limit": 1}
    plan = "\n".join(row[3] for row in desk.store._readers.get().execute(f"EXPLAIN QUERY PLAN {sql}", values))
    assert "orders USING INDEX orders_at_broker" in plan
    assert "SEARCH e USING" in plan
    # Open orders are few, and this index holds nothing else.
    assert "SCAN" not in re.sub(r"SCAN orders USING INDEX orders_at_broker", "", plan)
