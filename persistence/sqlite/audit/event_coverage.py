"""Whether no event is gone: ids without holes, and checkpoints that still fit what they covered."""

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
    unseen: int = 0  # checkpoints over archived events while there is no archive to read
    uncovered: int = 0  # events after the last checkpoint
    head: str = ""  # the last checkpoint's hash


def check_coverage(
    orders: sqlite3.Connection, archive: sqlite3.Connection | None, add: Callable[[str, str], None]
) -> Coverage:
    """Walk all events of both databases by id beside the checkpoints; `add(where, what)` is told of each fault."""
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
    # What is archived is covered by a checkpoint: a hole after the last one is a deletion in any case.
    coverage.uncovered = sum(1 for _ in events.up_to(_last_given(orders, "order_events")))
    _tell_gaps(events, add)
    return coverage


def _tell_gaps(events: "_EventsById", add: Callable[[str, str], None]) -> None:
    for first, last in events.gaps:
        add("order_events", f"{last - first + 1} events are gone: {first} to {last}")


def _last_given(connection: sqlite3.Connection, table: str) -> int:
    """The last id that SQLite gave out in this table, kept even where its row is gone."""
    row = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = ?", (table,)).fetchone()
    return int(row[0]) if row else 0


class _EventsById:
    """All events in the order of their ids, handed out range by range.

    SQLite gives ids without holes, as a transaction that fails takes its ids back: a hole is a deletion.
    """

    def __init__(self, databases: Sequence[sqlite3.Connection]) -> None:
        streams = [c.execute("SELECT event_id, hash FROM order_events ORDER BY event_id") for c in databases]
        merged = heapq.merge(*((tuple(row) for row in stream) for stream in streams))
        # The copy and the original of a move under way are one event; if they differ, the hash will tell.
        self._events: Iterator[tuple[int, str]] = (event for event, _ in groupby(merged))
        self._next = next(self._events, None)
        self._expected = 1
        self.count = 0
        self.gaps: list[tuple[int, int]] = []

    def up_to(self, last: int) -> Iterator[tuple[int, str]]:
        """The events that follow those handed out before, `last` included; sets `count` and `gaps` of this range."""
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
