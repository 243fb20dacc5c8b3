"""What must hold of any desk at any time, whatever happened to it."""

import sqlite3
from contextlib import closing

from domain.states import STATUS_OF, Phase
from persistence.histories import faults, histories
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
        assert status == STATUS_OF[Phase(phase)]
        assert status != "EXECUTED" or broker_id
    assert history_faults(desk) == []
