"""What must hold of any desk at any time, whatever happened to it."""

import sqlite3
from contextlib import closing

from domain.broker_reports import BrokerStatus, OrderReport
from domain.order import Order
from domain.states import STATUS_OF, Phase, Status
from persistence.sqlite.audit.replay import faults, histories
from tests.support import Desk


def history_faults(desk: Desk) -> list[str]:
    """Where a row of `orders` is not what its events say, in words."""
    with closing(sqlite3.connect(desk.path)) as connection:
        connection.row_factory = sqlite3.Row
        return [f"{h.command_id}: {fault}" for h in histories(connection) for fault in faults(h)]


def counts(desk: Desk) -> dict[str, int]:
    """How many rows each table has that a delivery can write to."""
    tables = ("alerts", "orders", "order_events", "order_intents", "telegram_messages")
    return {table: desk.rows(f"SELECT count(*) FROM {table}")[0][0] for table in tables}  # type: ignore[misc]


def check_durable_truths(desk: Desk) -> None:
    """Promises 2, 3 and 9: one broker order a leg, EXECUTED has its id, the events rebuild the row."""
    tags = [command.client_order_id for command in desk.broker.placed]
    assert len(tags) == len(set(tags)), f"sent twice: {tags}"
    for status, phase, broker_id in desk.rows("SELECT status, phase, broker_order_id FROM orders"):
        assert status == STATUS_OF[Phase(str(phase))]
        assert status != "EXECUTED" or broker_id
    assert history_faults(desk) == []


ENDS = {
    BrokerStatus.COMPLETE: Phase.FILLED,
    BrokerStatus.CANCELLED: Phase.CANCELLED,
    BrokerStatus.REJECTED: Phase.REJECTED,
    BrokerStatus.EXPIRED: Phase.EXPIRED,
}
FAILURES = {"BLOCKED", "REJECTED", "FAILED"}


def check_end(order: Order, report: OrderReport | None) -> None:
    """The row ends as the broker's book says; test mode ends as its simulated answer says."""
    assert order.status in (Status.EXECUTED, Status.FAILED), f"left {order.phase}"
    if order.test_mode is not None and order.phase is not Phase.BLOCKED:
        assert (order.phase, report) == (Phase.FILLED, None)
    elif report is None:
        assert order.status is Status.FAILED
        assert (order.broker_order_id, order.filled_quantity) == (None, 0)
    else:
        assert order.phase is ENDS[report.status]
        assert order.broker_order_id == report.broker_order_id
        assert order.filled_quantity == report.filled_quantity


def check_told(desk: Desk, order: Order) -> None:
    """Placed, filled and failed are told exactly once, each in the outbox."""
    rows = desk.rows("SELECT kind FROM telegram_messages WHERE command_id = ?", order.command_id)
    kinds = [str(kind) for (kind,) in rows]
    assert kinds.count("PLACED") == int(order.broker_order_id is not None), kinds
    assert kinds.count("FILLED") == int(order.status is Status.EXECUTED), kinds
    assert sum(kind in FAILURES for kind in kinds) == int(order.status is Status.FAILED), kinds
    assert "RESURRECTED" not in kinds
    assert "OVERFILLED" not in kinds
