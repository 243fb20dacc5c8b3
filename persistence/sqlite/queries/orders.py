"""The read model of orders.db for pages and diagnostics.

A row is a dict by column name, with values as they are stored: times are ISO-8601 UTC text, money and quantities are
decimal text. Every method raises `StoreUnavailable` when the database cannot be read.

Every list of orders is merged from one stream per status. Each stream is read newest first from an index of that
status only. No query scans the table, and the cost of a page does not grow with history.
"""

import base64
import binascii
import heapq
import json
import sqlite3
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime
from typing import Any, Protocol, TypeVar

from domain.broker_reports import UnreadableRow
from domain.errors import StoreUnavailable
from domain.exit_sizing import OPERATOR
from domain.states import Status
from domain.times import parse_time, time_text
from domain.unconfigured_clients import UnconfiguredRows
from persistence.sqlite.differences import Row, frozen_count, frozen_rows, rows_of
from persistence.sqlite.exposure import exposed
from persistence.sqlite.id_ends import ids_ending
from persistence.sqlite.queries.archived_orders import story_of, strategies_of
from persistence.sqlite.queries.statements import statement
from persistence.sqlite.queries.status_counts import StatusCounts
from persistence.sqlite.unconfigured_clients import unconfigured_rows
from persistence.sqlite.unreadable_rows import by_client

T = TypeVar("T")

_STREAMS = {
    Status.CREATED: "orders INDEXED BY orders_claimable WHERE status = 'CREATED'",
    Status.SENT_TO_BROKER: "orders INDEXED BY orders_at_broker WHERE status = 'SENT_TO_BROKER'",
    # SQLite uses a partial index only for a query that repeats the index's condition literally.
    Status.EXECUTED: "orders INDEXED BY orders_closed WHERE status IN ('EXECUTED', 'FAILED') AND status = 'EXECUTED'",
    Status.FAILED: "orders INDEXED BY orders_closed WHERE status IN ('EXECUTED', 'FAILED') AND status = 'FAILED'",
}
_NEWEST = ("created_at", "command_id")
_SHORTEST_END = 4  # characters of an id that are searched for as its end


class Connections(Protocol):
    """Gives the connection to read on."""

    def get(self) -> sqlite3.Connection:
        """Return this thread's connection."""


class OrderQueries:
    """Queries on orders.db. Each thread has its own connection and never waits for a writer."""

    def __init__(self, readers: Connections) -> None:
        self._readers = readers
        self._status_counts = StatusCounts()

    def ping(self) -> None:
        """Check that the database answers.

        Raises:
            StoreUnavailable: it does not.
        """
        self._rows("SELECT 1 FROM orders LIMIT 1")

    # orders -------------------------------------------------------------------------------------------------

    def orders(
        self, wanted: Mapping[str, object], *, limit: int, cursor: str | None = None
    ) -> tuple[list[Row], str | None]:
        """Return the matching orders, newest first, and the cursor of the next page (None on the last page).

        Args:
            wanted: any of these filters:

                - `status`: a status, exactly;
                - `symbol`, `strategy_name`, `client_id`: text, in which `*` stands for anything;
                - `since`, `until`: aware times; orders created at or after `since`, and before `until`.
            limit: rows on a page.
            cursor: where the previous page ended; opaque.

        Raises:
            ValueError: the cursor is not one that this method returned, or the status is unknown.
        """
        until = _text_of(wanted.get("until"))
        conditions, values = _conditions(wanted)
        if cursor is not None:
            at, command_id = _read_cursor(cursor)
            if until is None or at < until:
                until = None
                conditions += " AND created_at <= :at AND (created_at < :at OR command_id < :command_id)"
                values |= {"at": at, "command_id": command_id}
        if until is not None:
            conditions += " AND created_at < :until"
            values["until"] = until
        values["limit"] = limit + 1
        order = "ORDER BY created_at DESC, command_id DESC LIMIT :limit"
        with self._one_view():
            streams = [
                self._rows(f"SELECT * FROM {stream}{conditions} {order}", values)
                for stream in _streams_of(wanted)
            ]
        rows = list(heapq.merge(*streams, key=_newest, reverse=True))
        return rows[:limit], _cursor_of(rows[limit - 1]) if len(rows) > limit else None

    def counts(self, wanted: Mapping[str, object]) -> dict[str, int]:
        """Count the matching orders of each status. `wanted` is as for `orders`; its status is ignored."""
        conditions, values = _conditions(wanted)
        if "until" in wanted:
            conditions += " AND created_at < :until"
            values["until"] = _text_of(wanted["until"])

        def count_all() -> dict[str, int]:
            return {
                status.value: self._count(f"SELECT count(*) FROM {stream}{conditions}", values)
                for status, stream in _STREAMS.items()
            }

        with self._one_view():
            if conditions:
                return count_all()
            return self._read(lambda connection: self._status_counts.of(connection, count_all))

    def story(self, command_id: str) -> Row | None:
        """Return everything about one order, or None if there is no such order.

        The keys are `order`; its `events` and `messages`, in order; its `intent` and `alert`, None if it has none;
        its `siblings`, the alert's other legs; its `protections`, or the one that asked for it, and its `groups`, with
        their events; `alert_messages`, those about its alert as a whole.
        """
        with self._one_view():
            story = self._read(lambda connection: story_of(connection, command_id))
            if story is None:
                return None
            alert_id = story["order"]["alert_id"]
            return story | {
                "intent": self._first("SELECT * FROM order_intents WHERE command_id = ?", (command_id,)),
                "alert": self._first("SELECT * FROM alerts WHERE alert_id = ?", (alert_id,)),
                "siblings": self._rows(
                    "SELECT * FROM orders WHERE alert_id = ? AND command_id <> ? ORDER BY leg_index",
                    (alert_id, command_id),
                ),
                "protections": [
                    self._with_events(row)
                    for row in self._rows(statement("protections_of_order"), {"id": command_id})
                ],
                "groups": [
                    self._with_legs(row)
                    for row in self._rows(_GROUPS_OF_ALERT, (alert_id, story["order"]["client_id"]))
                    if command_id in json.loads(row["legs"])
                ],
                "alert_messages": self._rows(_MESSAGES_OF_ALERT, (alert_id, story["order"]["client_id"])),
            }

    def protections(self, *, client_id: str | None, open_only: bool, limit: int) -> list[Row]:
        """Return protections, the newest first; `client_id` None: of all clients."""
        found = statement("open_protections") if open_only else statement("protections")
        return self._rows(found, {"client": client_id, "limit": limit})

    def groups(self, *, client_id: str | None, open_only: bool, limit: int) -> list[Row]:
        """Return groups of legs with their events, the newest first; `client_id` None: of all clients."""
        found = statement("groups_open") if open_only else statement("groups_all")
        with self._one_view():
            return [self._with_legs(row) for row in self._rows(found, {"client": client_id, "limit": limit})]

    def _with_legs(self, group: Row) -> Row:
        events = self._rows(_GROUP_EVENTS, (group["group_id"],))
        combined = None if group["combined"] is None else json.loads(group["combined"])
        return {**group, "legs": json.loads(group["legs"]), "combined": combined, "events": events}

    def protection(self, protection_id: str) -> Row | None:
        """Return one protection with its events, or None if there is no such one."""
        with self._one_view():
            row = self._first("SELECT * FROM protections WHERE protection_id = ?", (protection_id,))
            return None if row is None else self._with_events(row)

    def _with_events(self, row: Row) -> Row:
        events = self._rows(
            "SELECT event_id, at, kind, detail_json FROM protection_events WHERE protection_id = ? ORDER BY event_id",
            (row["protection_id"],),
        )
        return {**row, "events": [{**e, "facts": json.loads(e.pop("detail_json"))} for e in events]}

    def strategies(self, client_id: str) -> list[str]:
        """Return the strategies of which the client has orders, sorted by name."""
        return self._read(lambda connection: strategies_of(connection, client_id))

    # diagnostics --------------------------------------------------------------------------------------------

    def signals(self, *, since: datetime, settled_before: datetime, side: str | None, limit: int) -> Row:
        """Return the legs of the alerts received since `since`, and the rejected alerts (without legs), newest first.

        - `signals`: the newest `limit` of them.
        - `violations`: the newest `limit` of those with any of the flags `missing_intent`, `null_decision`, `untold`.
        - `counts`: over all of them.

        An undecided order that is still open is a violation only if it was created before `settled_before`.
        """
        values = {
            "since": time_text(since),
            "settled_before": time_text(settled_before),
            "side": side,
            "limit": limit,
        }
        signals = statement("recent_signals")
        with self._one_view():
            [counts] = self._rows(f"WITH signals AS ({signals}) {statement('signal_counts')}", values)
            broken = counts["missing_intent"] or counts["null_decisions"] or counts["failed_without_telegram"]
            return {
                "counts": {name: value or 0 for name, value in counts.items()},
                "signals": self._rows(f"{signals} {_NEWEST_SIGNALS}", values),
                "violations": self._rows(f"{signals} AND {_VIOLATES} {_NEWEST_SIGNALS}", values)
                if broken
                else [],
            }

    # health -------------------------------------------------------------------------------------------------

    def heartbeats(self) -> list[Row]:
        """Return the last heartbeat of every loop, including those of watchers that ended long ago."""
        return self._rows("SELECT * FROM heartbeats ORDER BY watcher_id, loop, client_id")

    def accounts(self) -> list[Row]:
        """Return when each client's positions were last read, and the trading day's profit and loss."""
        return self._rows("SELECT * FROM accounts ORDER BY client_id")

    def halts(self) -> list[Row]:
        """Return what is halted. An empty `strategy_name` means the whole client."""
        return self._rows("SELECT * FROM halts ORDER BY client_id, strategy_name")

    def stops(self, now: datetime) -> list[Row]:
        """Return what stops entries beside halts. An empty `strategy_name` means the whole client."""
        return self._rows(statement("standing_stops"), (time_text(now),))

    def positions(self) -> list[Row]:
        """Return the broker's positions as last read, including flat ones."""
        return self._rows("SELECT * FROM positions ORDER BY client_id, exchange, symbol, product")

    def unreadable_positions(self) -> dict[str, tuple[UnreadableRow, ...]]:
        """Return the unreadable rows of each client's last read of the positions. Most clients have none."""
        return self._read(by_client)

    def holdings(self) -> list[Row]:
        """Return what each strategy holds by its own fills."""
        return self._rows("SELECT * FROM holdings ORDER BY client_id, symbol, exchange, strategy_name")

    def exposed(self) -> dict[str, str]:
        """See `persistence.sqlite.exposure`."""
        try:
            return exposed(self._readers.get())
        except sqlite3.Error as error:
            raise StoreUnavailable(f"orders.db: {error}") from error

    def unconfigured(self, configured: Collection[str], served_since: datetime) -> list[UnconfiguredRows]:
        """Return what clients that are not configured have open.

        A client that a watcher has served since `served_since` is left out.
        """
        return self._read(lambda connection: unconfigured_rows(connection, configured, served_since))

    def unknown_orders(self) -> list[Row]:
        """Return orders of which it is not known whether the broker has them, oldest first, at most 500."""
        return self._rows(
            f"SELECT * FROM {_STREAMS[Status.SENT_TO_BROKER]} AND phase = 'UNKNOWN' ORDER BY created_at LIMIT 500"
        )

    def frozen_orders(self, sent_before: datetime, *, limit: int = 500) -> list[Row]:
        """Return orders that have been SENT_TO_BROKER since `sent_before` or earlier, oldest first.

        Each has `sent_to_broker_at` and `why` it is still open.
        """
        return self._read(lambda connection: frozen_rows(connection, sent_before, limit=limit))

    def frozen_count(self, sent_before: datetime) -> int:
        """Count all orders that have been SENT_TO_BROKER since `sent_before` or earlier."""
        return self._read(lambda connection: frozen_count(connection, sent_before))

    def position_differences(self) -> list[Row]:
        """Return the positions whose difference from our strategies' holdings was notified and still stands."""
        return self._rows(
            "SELECT * FROM position_differences WHERE savings <> difference "
            "ORDER BY client_id, symbol, exchange, product"
        )

    def failed_exits(self) -> list[Row]:
        """Return the last exits of what is still held, where they failed, each with what is `still_held`."""
        return self._rows(statement("failed_exits"), {"operator": OPERATOR})

    def incomplete_alerts(self, since: datetime) -> list[Row]:
        """Return entries that came to nothing while another leg of their alert is held; the newest 50."""
        return self._rows(statement("incomplete_alerts"), (time_text(since),))

    def lost_protections(self) -> list[Row]:
        """Return protections that ended without an exit of what is still held, each with what is `still_held`."""
        return self._rows(statement("lost_protections"))

    def find_orders(self, text: str) -> list[Row]:
        """Return the orders that an id means, whole or the end of ours or of the alert's; the newest 20.

        An end has at least four characters.
        """
        with self._one_view():
            ending = (
                self._read(lambda connection: ids_ending(connection, text))
                if len(text) >= _SHORTEST_END
                else []
            )
            return self._rows(statement("find_orders"), {"id": text, "ending": json.dumps(ending)})

    def alerts(
        self, *, rejected_only: bool, limit: int, cursor: str | None = None
    ) -> tuple[list[Row], str | None]:
        """Return deliveries, newest first, each with `orders`, and the cursor of the next page (None on the last).

        Raises:
            ValueError: the cursor is not one that this method returned.
        """
        at, alert_id = ("9999", "") if cursor is None else _read_cursor(cursor)
        query = statement("rejected_alerts") if rejected_only else statement("alerts")
        with self._one_view():
            rows = self._rows(query, {"at": at, "id": alert_id, "limit": limit + 1})
            more = len(rows) > limit
            rows = [{**row, "orders": self._legs(row["alert_id"])} for row in rows[:limit]]
        last = (rows[-1]["received_at"], rows[-1]["alert_id"]) if more else None
        return rows, None if last is None else _encoded(last)

    def _legs(self, alert_id: str) -> list[Row]:
        return self._rows("SELECT * FROM orders WHERE alert_id = ? ORDER BY leg_index", (alert_id,))

    def alert_counts(self, since: datetime) -> Row:
        """Count the deliveries since then: `alerts`, and `rejected` among them."""
        [row] = self._rows(statement("alert_counts"), {"since": time_text(since)})
        return row

    def outbox(self) -> Row:
        """Return how many messages are pending (`pending`), and since when (`oldest`, None if there are none)."""
        [row] = self._rows(statement("outbox"))
        return row

    # ----------------------------------------------------------------------------------------------------------

    @contextmanager
    def _one_view(self) -> Iterator[None]:
        """Make all reads inside the block see one snapshot."""
        connection = self._readers.get()
        connection.execute("BEGIN")
        try:
            yield
        finally:
            connection.execute("ROLLBACK")  # nothing was written: this only releases the snapshot

    def _rows(self, sql: str, values: Any = ()) -> list[Row]:
        return self._read(lambda connection: rows_of(connection, sql, values))

    def _read(self, question: Callable[[sqlite3.Connection], T]) -> T:
        try:
            return question(self._readers.get())
        except sqlite3.Error as error:
            raise StoreUnavailable(f"orders.db: {error}") from error

    def _first(self, sql: str, values: tuple[object, ...]) -> Row | None:
        return next(iter(self._rows(sql, values)), None)

    def _count(self, sql: str, values: Mapping[str, object]) -> int:
        [row] = self._rows(sql, values)
        return int(next(iter(row.values())))


def _streams_of(wanted: Mapping[str, object]) -> list[str]:
    status = wanted.get("status")
    return [_STREAMS[Status(str(status))]] if status is not None else list(_STREAMS.values())


def _conditions(wanted: Mapping[str, object]) -> tuple[str, dict[str, object]]:
    """Return SQL to append to a stream's WHERE, and its values, for all filters but `until`."""
    conditions, values = "", dict[str, object]()
    for name in ("symbol", "strategy_name", "client_id"):
        text = wanted.get(name)
        if text is not None:
            conditions += f" AND {name} {'GLOB' if '*' in str(text) else '='} :{name}"
            values[name] = _pattern(str(text))
    if wanted.get("since") is not None:
        conditions += " AND created_at >= :since"
        values["since"] = _text_of(wanted["since"])
    return conditions, values


def _pattern(text: str) -> str:
    """Escape the text so that `*` is the only wildcard in a pattern."""
    return text.replace("[", "[[]").replace("?", "[?]") if "*" in text else text


def _text_of(at: object) -> str | None:
    return time_text(at) if isinstance(at, datetime) else None


def _newest(row: Row) -> tuple[str, ...]:
    return tuple(row[name] for name in _NEWEST)


def _cursor_of(row: Row) -> str:
    return _encoded(_newest(row))


def _encoded(place: tuple[str, ...]) -> str:
    return base64.urlsafe_b64encode("|".join(place).encode()).decode().rstrip("=")


def _read_cursor(cursor: str) -> tuple[str, str]:
    try:
        text = base64.b64decode(cursor + "=" * (-len(cursor) % 4), altchars=b"-_", validate=True).decode()
        at, separator, command_id = text.partition("|")
        if not separator:
            raise ValueError("no separator")
        return time_text(parse_time(at)), command_id
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"{cursor!r} is no cursor of ours") from error


_GROUPS_OF_ALERT = "SELECT * FROM order_groups WHERE alert_id = ? AND client_id = ? ORDER BY created_at"
_GROUP_EVENTS = (
    "SELECT event_id, at, from_state, to_state, detail, kind FROM order_group_events "
    "WHERE group_id = ? ORDER BY event_id"
)
_MESSAGES_OF_ALERT = (
    "SELECT * FROM telegram_messages WHERE command_id IS NULL AND alert_id = ? AND client_id = ? ORDER BY id"
)
_VIOLATES = "(missing_intent OR null_decision OR untold)"
_NEWEST_SIGNALS = "ORDER BY a.received_at DESC, a.alert_id DESC, o.leg_index LIMIT :limit"
