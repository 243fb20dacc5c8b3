"""Implement `domain.ports.OutboxStore` on SQLite: the outbox as its sender sees it."""

import sqlite3
from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from typing import Any, cast

from domain.message_facts import message_facts
from domain.ports import OutboxMessage
from domain.times import parse_time, time_text
from persistence.sqlite.database import GroupCommit, Readers
from persistence.sqlite.queries.statements import statement

_COLUMNS = "id, client_id, kind, message, attempts, timestamp, command_id, facts_json"
_LONGEST = timedelta(minutes=1)  # no lease is made for longer


class SqliteOutbox:
    """Reads and marks `telegram_messages`.

    Its group commit must be its own, so that no order in this process waits for a message.
    """

    def __init__(self, commits: GroupCommit, readers: Readers) -> None:
        self._commits = commits
        self._readers = readers

    def pending(self, client_ids: Sequence[str], limit: int) -> list[OutboxMessage]:
        """Return the clients' pending messages, oldest first."""
        rows = self._readers.get().execute(
            f"SELECT {_COLUMNS} FROM telegram_messages "
            f"WHERE status = 'PENDING' AND client_id IN ({_marks(client_ids)}) ORDER BY id LIMIT ?",
            (*client_ids, limit),
        )
        return [
            OutboxMessage(id_, client, kind, text, attempts, parse_time(at), command_id, message_facts(facts))
            for id_, client, kind, text, attempts, at, command_id, facts in rows
        ]

    def mark_sent(self, ids: Sequence[int], telegram_message_id: str, at: datetime) -> None:
        self._mark(
            ids, "status = 'SENT', telegram_message_id = ?, sent_at = ?", telegram_message_id, time_text(at)
        )

    def mark_attempt(self, ids: Sequence[int], error: str, at: datetime) -> None:
        self._mark(ids, "last_error = ?", error)

    def mark_failed(self, ids: Sequence[int], error: str, at: datetime) -> None:
        self._mark(ids, "status = 'FAILED', last_error = ?", error)

    def lease(self, name: str, holder: str, now: datetime, length: timedelta) -> bool:
        """Take or renew an exclusive lease. Return False while another holder has it."""

        def work(connection: sqlite3.Connection) -> bool:
            done = connection.execute(
                statement("take_lease"),
                (
                    name,
                    holder,
                    time_text(now + length),
                    time_text(now),
                    time_text(now + max(length, _LONGEST)),
                ),
            )
            return done.rowcount == 1

        return self._run(work)

    def _mark(self, ids: Sequence[int], sets: str, *values: str) -> None:
        def work(connection: sqlite3.Connection) -> bool:
            connection.executemany(
                f"UPDATE telegram_messages SET attempts = attempts + 1, {sets} WHERE id = ? AND status = 'PENDING'",
                [(*values, id_) for id_ in ids],
            )
            return True

        self._run(work)

    def _run(self, work: Callable[[sqlite3.Connection], bool]) -> bool:
        return cast("bool", self._commits.run(cast("Callable[[sqlite3.Connection], Any]", work)))


def _marks(values: Sequence[object]) -> str:
    return ", ".join("?" * len(values))
