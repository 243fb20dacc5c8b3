"""Implement `domain.ports.OperatorRecords` on SQLite."""

import sqlite3
from collections.abc import Callable, Mapping
from typing import TypeVar

from domain.attention import Decided, Decision
from domain.errors import StoreUnavailable
from domain.times import parse_time, time_text
from persistence.sqlite.database import GroupCommit, Readers
from persistence.sqlite.queries.statements import statement

T = TypeVar("T")

_COLUMNS = "item, client_id, facts, decided, decided_by, decided_at, until, reason"


class SqliteOperatorRecords:
    """The table `attention_decisions`, which only grows.

    Its group commit must be its own, so that no order in this process waits for a page.
    """

    def __init__(self, commits: GroupCommit, readers: Readers) -> None:
        self._commits = commits
        self._readers = readers

    def decide(self, decision: Decision) -> None:
        values = (
            decision.key,
            decision.client_id,
            decision.facts,
            decision.decided.value,
            decision.by,
            time_text(decision.at),
            None if decision.until is None else time_text(decision.until),
            decision.reason,
        )
        insert = f"INSERT INTO attention_decisions ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)"
        self._commits.run(lambda connection: connection.execute(insert, values).rowcount)

    def decisions(self) -> Mapping[str, Decision]:
        def read(connection: sqlite3.Connection) -> dict[str, Decision]:
            return {row[0]: _decision(row) for row in connection.execute(statement("last_decisions"))}

        return self._read(read)

    def history(self, *, limit: int) -> list[Decision]:
        query = f"SELECT {_COLUMNS} FROM attention_decisions ORDER BY decision_id DESC LIMIT ?"

        def read(connection: sqlite3.Connection) -> list[Decision]:
            return [_decision(row) for row in connection.execute(query, (limit,))]

        return self._read(read)

    def _read(self, question: Callable[[sqlite3.Connection], T]) -> T:
        try:
            return question(self._readers.get())
        except sqlite3.Error as error:
            raise StoreUnavailable(f"orders.db: {error}") from error


def _decision(row: sqlite3.Row | tuple[str, ...]) -> Decision:
    key, client_id, facts, decided, by, at, until, reason = row
    return Decision(
        key,
        client_id,
        facts,
        Decided(decided),
        by,
        parse_time(at),
        None if until is None else parse_time(until),
        reason,
    )
