"""Query the values for `/metrics`."""

from datetime import datetime

from domain.times import parse_time
from persistence.sqlite.database import Readers
from persistence.sqlite.queries.statements import statement


def figures(readers: Readers, now: datetime) -> dict[str, dict[str, float]]:
    """Return metric name → label → value. Ages are in seconds.

    Counts of orders, messages and unreadable rows use only partial and covering indexes.
    """
    connection = readers.get()

    def pairs(sql: str) -> dict[str, float]:
        return {str(label): float(figure) for label, figure in connection.execute(sql)}

    def ages(sql: str) -> dict[str, float]:
        rows = connection.execute(sql)
        return {str(label): (now - parse_time(at)).total_seconds() for label, at in rows if at is not None}

    return {
        "orderwatch_orders": pairs(statement("orders_by_status")),
        "orderwatch_orders_unknown": pairs(
            "SELECT client_id, count(*) FROM orders WHERE status = 'SENT_TO_BROKER' AND phase = 'UNKNOWN' GROUP BY 1"
        ),
        "orderwatch_outbox_pending": pairs(
            "SELECT client_id, count(*) FROM telegram_messages WHERE status = 'PENDING' GROUP BY 1"
        ),
        "orderwatch_positions_age_seconds": ages("SELECT client_id, positions_read_at FROM accounts"),
        "orderwatch_positions_unreadable": pairs(
            "SELECT client_id, (SELECT count(*) FROM unreadable_positions u WHERE u.client_id = accounts.client_id) "
            "FROM accounts"
        ),
        "orderwatch_heartbeat_age_seconds": ages(
            "SELECT client_id || '/' || loop, max(beat_at) FROM heartbeats GROUP BY 1"
        ),
    }
