"""Checkpoints over all events.

They reveal deletions that leave no trace in any single chain: a chain's truncated tail, or an order that was deleted
together with all its events.
"""

import hashlib
import sqlite3
from collections.abc import Iterable
from datetime import datetime

from domain.times import time_text

MAX_EVENTS = 10_000  # a checkpoint holds the write lock for about 1 ms per 1,000 events


def make_checkpoint(connection: sqlite3.Connection, now: datetime) -> bool:
    """Write a checkpoint over the events since the last one, at most `MAX_EVENTS`. Return False if there are none.

    It must run in a write transaction: then every event id up to the newest one is committed, and no lower id can
    be added later. Call again while it returns True: `while commits.run(lambda c: make_checkpoint(c, now))`.
    """
    last, previous = last_checkpoint(connection)
    events = connection.execute(
        "SELECT event_id, hash FROM order_events WHERE event_id > ? ORDER BY event_id LIMIT ?",
        (last, MAX_EVENTS),
    ).fetchall()
    if not events:
        return False
    connection.execute(
        "INSERT INTO event_checkpoints (at, last_event_id, events, previous_hash, hash) VALUES (?, ?, ?, ?, ?)",
        (time_text(now), events[-1][0], len(events), previous, checkpoint_hash(previous, events)),
    )
    return True


def last_checkpoint(connection: sqlite3.Connection) -> tuple[int, str]:
    """Return the last event id that a checkpoint covers, and that checkpoint's hash; 0 and "" if there is none."""
    row = connection.execute(
        "SELECT last_event_id, hash FROM event_checkpoints ORDER BY checkpoint_id DESC LIMIT 1"
    ).fetchone()
    return (row[0], row[1]) if row else (0, "")


def checkpoint_hash(previous: str, events: Iterable[tuple[int, str]]) -> str:
    """Return the SHA-256 (hex) over the previous checkpoint's hash and each event's id and hash, in id order."""
    digest = hashlib.sha256(previous.encode())
    for event_id, event_hash in events:
        digest.update(f"\n{event_id} {event_hash}".encode())
    return digest.hexdigest()
