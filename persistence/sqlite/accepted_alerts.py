"""Alerts that were accepted: neither repeated nor rejected."""

import sqlite3
from datetime import datetime

from domain.alert import Alert
from domain.replays import delivered_alert
from domain.times import time_text
from persistence.sqlite.rows import SELECT_ALERT, alert_of

ACCEPTED = "duplicate_of IS NULL AND outcome <> 'rejected'"


class AcceptedAlerts:
    """Part of a transaction."""

    _connection: sqlite3.Connection

    def accepted(self, key: str, since: datetime) -> list[Alert]:
        rows = self._connection.execute(
            f"{SELECT_ALERT} WHERE idempotency_key = ? AND received_at >= ? AND {ACCEPTED} ORDER BY generation",
            (key, time_text(since)),
        )
        return [alert_of(row) for row in rows]

    def replays_of(self, alert_id: str, since: datetime) -> list[Alert]:
        rows = self._connection.execute(
            f"{SELECT_ALERT} WHERE received_at >= ? AND signal_id GLOB 'replay-*' AND {ACCEPTED}",
            (time_text(since),),
        )
        return [alert for alert in map(alert_of, rows) if delivered_alert("", alert.signal_id) == alert_id]
