"""Check that no event is missing: ids have no gaps, and each checkpoint still matches the events that it covered."""

import heapq
import sqlite3
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from persistence.sqlite.audit.checkpoints import checkpoint_hash


@dataclass(slots=True)
class Coverage:
    """What the checkpoints cover."""

    checkpoints: int = 0
    unseen: int = 0  # checkpoints over archived events, not verified because there is no archive to read
    uncovered: int = 0  # events after the last checkpoint
    head: str = ""  # the last checkpoint's hash


def check_coverage(
    orders: sqlite3.Connection, archive: sqlite3.Connection | None, add: Callable[[str, str], None]
) -> Coverage:
    """Compare all events of both databases, by id, with the checkpoints. Call `add(where, what)` for each fault."""
    (archived,) = orders.execute("SELECT EXISTS (SELECT 1 FROM archived_orders)").fetchone()
    blind = bool(archived) and archive is None
    events = _EventsById([orders] if archive is None else [orders, archive])
    coverage, last_checkpoint = Coverage(), 0
    for row in orders.execute("SELECT * FROM event_checkpoints ORDER BY checkpoint_id"):
        name, last_checkpoint = f"checkpoint {row['checkpoint_id']}", row["checkpoint_id"]
        digest = checkpoint_hash(row["previous_hash"], events.up_to(row["last_event_id"]))
        if row["previous_hash"] != coverage.head:
            add(name, "does not follow the checkpoint before it")
        coverage.checkpoints += 1
        coverage.head = row["hash"]
        if blind and events.gaps:
            coverage.unseen += 1
            continue
        if digest != row["hash"] or events.count != row["events"]:
            add(name, f"its {row['events']} events up to {row['last_event_id']} are not those it covered")
        _tell_gaps(events, add)
    written = _last_given(orders, "event_checkpoints")
    if written != last_checkpoint:
        add("event_checkpoints", f"the last one is {last_checkpoint}, but {written} was written")
    # Archived events are always covered by a checkpoint, so a gap after the last one is a deletion in any case.
    coverage.uncovered = sum(1 for _ in events.up_to(_last_given(orders, "order_events")))
    _tell_gaps(events, add)
    return coverage


def _tell_gaps(events: "_EventsById", add: Callable[[str, str], None]) -> None:
    for first, last in events.gaps:
        add("order_events", f"{last - first + 1} events are gone: {first} to {last}")


def _last_given(connection: sqlite3.Connection, table: str) -> int:
    """Return the last id that SQLite assigned in this table. SQLite keeps it even if the row was deleted."""
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,)).fetchone()
    return int(row[0]) if row else 0


class _EventsById:
    """Iterate over all events in the order of their ids, range by range.

    SQLite assigns ids without gaps, because a failed transaction releases its ids. A gap is therefore a deletion.
    """

    def __init__(self, databases: Sequence[sqlite3.Connection]) -> None:
        streams = [c.execute("SELECT event_id, hash FROM order_events ORDER BY event_id") for c in databases]
        merged = heapq.merge(*((tuple(row) for row in stream) for stream in streams))
        # During a move, the copy and the original are one event. If they differ, the checkpoint's hash shows it.
        self._events: Iterator[tuple[int, str]] = (event for event, _ in groupby(merged))
        self._next = next(self._events, None)
        self._expected = 1
        self.count = 0
        self.gaps: list[tuple[int, int]] = []

    def up_to(self, last: int) -> Iterator[tuple[int, str]]:
        """Yield the events after those already yielded, up to and including `last`.

        `count` and `gaps` are set for this range.
        """
        self.count = 0
        self.gaps = []
        while self._next is not None and self._next[0] <= last:
            event = self._next
            self._close_gap(event[0])
            self._expected = event[0] + 1
            self._next = next(self._events, None)
            self.count += 1
            yield event
        self._close_gap(last + 1)

    def _close_gap(self, until: int) -> None:
        if self._expected < until:
            self.gaps.append((self._expected, until - 1))
            self._expected = until
