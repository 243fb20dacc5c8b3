"""Implement `domain.ports.ConversationStore` on SQLite."""

import json
import sqlite3
from collections.abc import Callable
from datetime import datetime
from typing import TypeVar, cast

from domain.conversation import Act, ActState, Listening, Press, pressed
from domain.errors import StoreUnavailable
from domain.ports import Received
from domain.times import parse_time, time_text
from persistence.sqlite.database import GroupCommit, Readers
from persistence.sqlite.queries.statements import statement

T = TypeVar("T")


class SqliteConversations:
    """The tables `telegram_bots`, `telegram_acts` and `telegram_mutes`.

    Its group commit must be its own, so that no order in this process waits for a chat.
    """

    def __init__(self, commits: GroupCommit, readers: Readers) -> None:
        self._commits = commits
        self._readers = readers

    def listening(self, bot: str) -> Listening:
        return self._read(lambda connection: _listening(connection, bot))

    def receive(
        self,
        bot: str,
        update_id: int,
        at: datetime,
        *,
        ignored: int = 0,
        ask: Act | None = None,
        press: Press | None = None,
    ) -> Received | None:
        def work(connection: sqlite3.Connection) -> Received | None:
            after = _listening(connection, bot).after(update_id, at, ignored=ignored)
            if after is None:
                return None
            connection.execute(
                "INSERT OR REPLACE INTO telegram_bots VALUES (?, ?, ?, ?, ?)",
                (bot, after.next_update, _text(after.at), after.ignored, _text(after.ignored_at)),
            )
            if ask is not None:
                connection.execute(statement("add_telegram_act"), _values(ask))
                return Received(ask, is_changed=True)
            return Received(None, is_changed=False) if press is None else _press(connection, press)

        return self._write(work)

    def finish(self, act_id: str, state: ActState, outcome: str, at: datetime) -> None:
        self._change(
            "UPDATE telegram_acts SET state = ?, outcome = ?, ended_at = ? WHERE act_id = ? AND state = 'TAKEN'",
            (state.value, outcome, time_text(at), act_id),
        )

    def mark_told(self, act_id: str, at: datetime) -> None:
        self._change("UPDATE telegram_acts SET told_at = ? WHERE act_id = ?", (time_text(at), act_id))

    def unfinished(self, bot: str) -> list[Act]:
        def read(connection: sqlite3.Connection) -> list[Act]:
            return [_act(row) for row in connection.execute(statement("unfinished_telegram_acts"), (bot,))]

        return self._read(read)

    def mute(self, chat_id: str, until: datetime, by: str, at: datetime) -> None:
        self._change(
            "INSERT OR REPLACE INTO telegram_mutes VALUES (?, ?, ?, ?)",
            (chat_id, time_text(until), by, time_text(at)),
        )

    def muted_until(self, chat_id: str) -> datetime | None:
        def read(connection: sqlite3.Connection) -> datetime | None:
            query = "SELECT until FROM telegram_mutes WHERE chat_id = ?"
            row = connection.execute(query, (chat_id,)).fetchone()
            return None if row is None else parse_time(row[0])

        return self._read(read)

    def _change(self, sql: str, values: tuple[object, ...]) -> None:
        self._write(lambda connection: connection.execute(sql, values).rowcount)

    def _write(self, work: Callable[[sqlite3.Connection], T]) -> T:
        return cast("T", self._commits.run(work))

    def _read(self, question: Callable[[sqlite3.Connection], T]) -> T:
        try:
            return question(self._readers.get())
        except sqlite3.Error as error:
            raise StoreUnavailable(f"orders.db: {error}") from error


def _listening(connection: sqlite3.Connection, bot: str) -> Listening:
    query = "SELECT next_update, received_at, ignored, ignored_at FROM telegram_bots WHERE bot = ?"
    row = connection.execute(query, (bot,)).fetchone()
    return Listening() if row is None else Listening(row[0], _time(row[1]), row[2], _time(row[3]))


def _press(connection: sqlite3.Connection, press: Press) -> Received:
    row = connection.execute(statement("telegram_act"), (press.act_id,)).fetchone()
    if row is None:
        return Received(None, is_changed=False)
    before = _act(row)
    after = pressed(before, press)
    if after != before:
        connection.execute(
            "UPDATE telegram_acts SET state = ?, pressed_at = ? WHERE act_id = ?",
            (after.state.value, _text(after.pressed_at), after.act_id),
        )
    return Received(after, after != before)


def _values(act: Act) -> tuple[object, ...]:
    arguments = json.dumps(act.arguments, ensure_ascii=False)
    return (act.act_id, act.bot, act.chat_id, act.user_id, act.kind, arguments, time_text(act.asked_at))


def _act(row: sqlite3.Row | tuple[object, ...]) -> Act:
    act_id, bot, chat_id, user_id, kind, arguments, asked, state, at, outcome, told = row
    return Act(
        act_id=str(act_id),
        bot=str(bot),
        chat_id=str(chat_id),
        user_id=str(user_id),
        kind=str(kind),
        asked_at=parse_time(str(asked)),
        arguments=json.loads(str(arguments)),
        state=ActState(str(state)),
        pressed_at=None if at is None else parse_time(str(at)),
        outcome=str(outcome),
        is_told=told is not None,
    )


def _text(at: datetime | None) -> str | None:
    return None if at is None else time_text(at)


def _time(text: str | None) -> datetime | None:
    return None if text is None else parse_time(text)
