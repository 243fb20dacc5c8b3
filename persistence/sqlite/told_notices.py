"""Remember which notices were sent, by client and key, so that `Transaction.notify_once` sends each only once."""

import sqlite3
from collections.abc import Iterable
from datetime import datetime

from domain.notice_keys import NoticeKey, NoticeSubject, joined, parted
from domain.times import time_text
from persistence.sqlite.queries.statements import statement

_OF_KEY = "client_id = ? AND about = ? AND facts = ?"


def note(
    connection: sqlite3.Connection,
    client_id: str,
    key: NoticeKey,
    state: Iterable[str],
    *,
    command_id: str | None,
    at: datetime,
) -> bool:
    """Record the notice as sent. Return False if it was recorded already with the same state."""
    values = (client_id, key.about, joined(key.facts), joined(state), command_id, time_text(at))
    return connection.execute(statement("note_told"), values).rowcount == 1


def clear(connection: sqlite3.Connection, client_id: str, key: NoticeKey) -> bool:
    """Forget the notice, so that it is sent again the next time. Return True if it was recorded."""
    done = connection.execute(
        f"DELETE FROM told_notices WHERE {_OF_KEY}", (client_id, key.about, joined(key.facts))
    )
    return done.rowcount == 1


def is_told(connection: sqlite3.Connection, client_id: str, key: NoticeKey) -> bool:
    """Return whether the notice was sent and is not cleared."""
    row = connection.execute(
        f"SELECT 1 FROM told_notices WHERE {_OF_KEY}", (client_id, key.about, joined(key.facts))
    ).fetchone()
    return row is not None


def told_keys(connection: sqlite3.Connection, client_id: str, about: NoticeSubject) -> list[NoticeKey]:
    """Return the keys of the client's notices of this subject that were sent and are not cleared."""
    rows = connection.execute(
        "SELECT facts FROM told_notices WHERE client_id = ? AND about = ? ORDER BY facts", (client_id, about)
    )
    return [NoticeKey(about, parted(row[0])) for row in rows]


def told_clients(connection: sqlite3.Connection, about: NoticeSubject) -> list[str]:
    """Return the clients about which a notice of this subject was sent and is not cleared."""
    rows = connection.execute(
        "SELECT DISTINCT client_id FROM told_notices WHERE about = ? ORDER BY client_id", (about,)
    )
    return [row[0] for row in rows]


_OF_THE_ID = (
    NoticeSubject.UNCONFIGURED_CLIENT,
    NoticeSubject.REFUSED_ACCOUNT,
    NoticeSubject.UNREADABLE_ORDER_ROW,
    NoticeSubject.UNREADABLE_POSITION_ROW,
)
"""Subjects that are detected anew under the client's new id, so their notices do not move to it."""


def move_told(connection: sqlite3.Connection, old: str, new: str) -> None:
    """Move the client's notices to its new id, so that those about its orders are not sent again."""
    marks = ", ".join("?" * len(_OF_THE_ID))
    connection.execute(
        f"DELETE FROM told_notices WHERE client_id IN (?, ?) AND about IN ({marks})", (old, new, *_OF_THE_ID)
    )
    connection.execute("UPDATE OR IGNORE told_notices SET client_id = ? WHERE client_id = ?", (new, old))
    connection.execute("DELETE FROM told_notices WHERE client_id = ?", (old,))
