"""Query the values for `/metrics`.

No statement reads more the more orders there are: counts of what is open read partial indexes, what happened lately is
read from the end of its table and at most `MOST_ROWS` of it, and what is closed is counted once a minute.
"""

import shutil
import threading
from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from sqlite3 import Connection

from domain.enums import Outcome
from domain.states import Phase, Status
from domain.times import parse_time, time_text
from persistence.sqlite.database import Readers
from persistence.sqlite.queries.statements import statement

RECENT = timedelta(minutes=5)
"""What "recent" means in the name of a metric."""
MOST_ROWS = 3000
"""As many rows of each table are read for what is recent. Where more have come, the newest count."""
_COUNTED_AGAIN = timedelta(seconds=60)

Figures = dict[str, dict[str, float]]
Timings = dict[str, dict[str, list[float]]]

_ENDED_BADLY = frozenset(
    {Phase.BLOCKED, Phase.LAPSED, Phase.REFUSED, Phase.REJECTED, Phase.EXPIRED, Phase.ABSENT}
)


class ClosedCounts:
    """How many orders are closed, by status: counted once a minute, because that reads an index of all of them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counted_at: datetime | None = None
        self._counts: dict[str, float] = {}

    def at(self, now: datetime, count: Callable[[], dict[str, float]]) -> dict[str, float]:
        """Return the counts, a minute old at most."""
        with self._lock:
            if self._counted_at is None or abs(now - self._counted_at) >= _COUNTED_AGAIN:
                self._counts, self._counted_at = count(), now
            return self._counts


def figures(readers: Readers, closed: ClosedCounts, now: datetime) -> Figures:
    """Return metric name → label → value. Ages are in seconds."""
    connection = readers.get()

    def pairs(sql: str, **values: object) -> dict[str, float]:
        return {str(label): float(figure) for label, figure in connection.execute(sql, values)}

    def ages(sql: str, never: float | None = None) -> dict[str, float]:
        rows = [(str(label), at) for label, at in connection.execute(sql)]
        known = {label: (now - parse_time(at)).total_seconds() for label, at in rows if at is not None}
        return known if never is None else {label: known.get(label, never) for label, _ in rows}

    orders = {str(status): 0.0 for status in Status}
    orders |= closed.at(now, lambda: pairs(statement("closed_orders_by_status")))
    orders |= pairs(
        "SELECT status, count(*) FROM orders WHERE status IN ('CREATED', 'SENT_TO_BROKER') GROUP BY 1"
    )
    unreadable = "(SELECT count(*) FROM unreadable_positions u WHERE u.client_id = accounts.client_id)"
    return {
        "orderwatch_orders": orders,
        "orderwatch_orders_unknown": pairs(
            "SELECT client_id, count(*) FROM orders WHERE status = 'SENT_TO_BROKER' AND phase = 'UNKNOWN' GROUP BY 1"
        ),
        "orderwatch_outbox_pending": pairs(
            "SELECT client_id, count(*) FROM telegram_messages WHERE status = 'PENDING' GROUP BY 1"
        ),
        "orderwatch_outbox_oldest_seconds": ages(
            "SELECT client_id, timestamp FROM (SELECT client_id, timestamp, min(id) FROM telegram_messages "
            "WHERE status = 'PENDING' GROUP BY 1)"
        ),
        "orderwatch_positions_age_seconds": ages("SELECT client_id, positions_read_at FROM accounts"),
        # What was never compared is older than any limit, and not absent: an absent figure alarms nobody.
        "orderwatch_positions_compared_age_seconds": ages(
            "SELECT client_id, positions_compared_at FROM accounts", never=float("inf")
        ),
        "orderwatch_positions_unreadable": pairs(f"SELECT client_id, {unreadable} FROM accounts"),
        "orderwatch_broker_read_failing": pairs("SELECT client_id, read_error IS NOT NULL FROM accounts"),
        "orderwatch_position_differences": pairs(
            "SELECT client_id, count(*) FROM position_differences GROUP BY 1"
        ),
        "orderwatch_halts": pairs("SELECT client_id, count(*) FROM halts GROUP BY 1"),
        "orderwatch_heartbeat_age_seconds": ages(
            "SELECT client_id || '/' || loop, max(beat_at) FROM heartbeats GROUP BY 1"
        ),
        **_waiting(connection, now),
        **_recent(connection, now),
        **_times(connection, now),
    }


def _waiting(connection: Connection, now: datetime) -> Figures:
    counts: dict[str, float] = {}
    oldest: dict[str, float] = {}
    for label, count, since in connection.execute(statement("waiting_since")):
        counts[label], oldest[label] = float(count), (now - parse_time(since)).total_seconds()
    return {"orderwatch_orders_waiting": counts, "orderwatch_orders_waiting_oldest_seconds": oldest}


def _since(now: datetime) -> dict[str, object]:
    return {"since": time_text(now - RECENT), "most": MOST_ROWS}


def _zeros(labels: Iterable[str]) -> dict[str, float]:
    return {str(label): 0.0 for label in labels}


def _recent(connection: Connection, now: datetime) -> Figures:
    """Count what happened lately. An outcome that did not happen is 0 and not absent, so that shares can be taken."""
    alerts = {
        str(outcome): float(n) for outcome, n in connection.execute(statement("recent_alerts"), _since(now))
    }
    phases: Counter[str] = Counter()
    calls: Counter[str] = Counter()
    failures: Counter[str] = Counter()
    for before, after, tag, count in connection.execute(statement("recent_events"), _since(now)):
        phases[after] += count
        if before == Phase.SUBMITTING:
            calls[after] += count
        if after in _ENDED_BADLY:
            failures[tag or "NO_TAG"] += count
    messages = Counter(row[1] for row in connection.execute(statement("recent_messages"), _since(now)))
    return {
        "orderwatch_recent_alerts": _zeros(Outcome) | alerts,
        "orderwatch_recent_orders": _zeros(Phase) | _floats(phases),
        "orderwatch_recent_order_calls": _zeros(
            (Phase.WORKING, Phase.FILLED, Phase.REFUSED, Phase.UNKNOWN, Phase.REGISTERED)
        )
        | _floats(calls),
        "orderwatch_recent_failures": _floats(failures),
        "orderwatch_recent_messages": _zeros(("SENT", "FAILED")) | _floats(messages),
    }


def _floats(counts: Mapping[str, int]) -> dict[str, float]:
    return {label: float(count) for label, count in counts.items()}


def _times(connection: Connection, now: datetime) -> Figures:
    """How long ago the last alert came, and by how much the clock is behind what was written down already."""
    newest = [row[0] for row in connection.execute(statement("newest_records"), {"most": MOST_ROWS})]
    ahead = max(((parse_time(at) - now).total_seconds() for at in newest if at is not None), default=0.0)
    last_alert = newest[1]
    return {
        "orderwatch_clock_set_back_seconds": {"database": max(0.0, ahead)},
        "orderwatch_last_alert_age_seconds": {
            "any": float("inf") if last_alert is None else (now - parse_time(last_alert)).total_seconds()
        },
    }


def timings(readers: Readers, now: datetime) -> Timings:
    """Return metric name → label → seconds, one for each thing that ended lately.

    - `orderwatch_order_seconds`: from the alert's arrival until its order was claimed to be sent (`sent`), and until
      it was filled (`filled`).
    - `orderwatch_order_call_seconds`: from then until the broker's answer was recorded, by client.
    - `orderwatch_telegram_delivery_seconds`: from a message's making until Telegram took it, by client.
    """
    connection = readers.get()
    orders: dict[str, list[float]] = {"sent": [], "filled": []}
    calls: defaultdict[str, list[float]] = defaultdict(list)
    telegram: defaultdict[str, list[float]] = defaultdict(list)
    for after, client, since_alert, since_sent in connection.execute(
        statement("recent_order_times"), _since(now)
    ):
        if after in (Phase.SUBMITTING, Phase.FILLED):
            _add(orders["sent" if after == Phase.SUBMITTING else "filled"], since_alert)
        _add(calls[client], since_sent)
    for client, status, span in connection.execute(statement("recent_messages"), _since(now)):
        if status == "SENT":
            _add(telegram[client], span)
    return {
        "orderwatch_order_seconds": orders,
        "orderwatch_order_call_seconds": dict(calls),
        "orderwatch_telegram_delivery_seconds": dict(telegram),
    }


def _add(seconds: list[float], span: float | None) -> None:
    """Add a time span; not one below zero, of a clock that was set back meanwhile or of a later attempt."""
    if span is not None and span >= 0:
        seconds.append(span)


def room(path: Path) -> Figures:
    """Return what is free on the disk of a database, and how large it and its log are, in bytes. Raises OSError."""
    log = path.with_name(f"{path.name}-wal")
    return {
        "orderwatch_disk_free_bytes": {"database": float(shutil.disk_usage(path.parent).free)},
        "orderwatch_database_bytes": {
            "database": float(path.stat().st_size),
            "log": float(log.stat().st_size) if log.exists() else 0.0,
        },
    }
