"""Query the state of orders.db and of the processes that use it, for the doctor.

The queries are read-only, few and indexed.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from domain.account import BrokerAccount
from domain.broker_reports import UnreadableRow
from domain.health import AccountRead
from domain.ports import Heartbeat
from domain.times import parse_time, time_text
from domain.unconfigured_clients import UnconfiguredRows
from persistence.sqlite.accounts import account as remembered
from persistence.sqlite.differences import frozen_count
from persistence.sqlite.exposure import exposed
from persistence.sqlite.migrations import migrations
from persistence.sqlite.queries.archived_orders import looking
from persistence.sqlite.queries.statements import statement
from persistence.sqlite.rows import optional_time
from persistence.sqlite.triggers import TRIGGERS
from persistence.sqlite.unconfigured_clients import unconfigured_rows
from persistence.sqlite.unreadable_rows import by_client


@dataclass(frozen=True, slots=True)
class Account:
    """When a client's positions were last read, and why they were not read since."""

    client_id: str
    positions_read_at: datetime | None
    read_error: str | None
    compared_at: datetime | None = None  # when its positions were last compared with the holdings
    remembered: BrokerAccount | None = None  # the account of its rows; None: no watcher has seen it yet

    @property
    def read(self) -> AccountRead:
        """What is judged of its reads."""
        return AccountRead(self.positions_read_at, self.read_error, self.compared_at)


@dataclass(frozen=True, slots=True)
class StandingHalt:
    """A halt of a client or, with `strategy_name`, of one of its strategies: no entries are sent."""

    client_id: str
    strategy_name: str | None
    text: str  # what, by whom, why


@dataclass(frozen=True, slots=True)
class DatabaseHealth:
    """What the doctor checks. A time is None if nothing was ever written."""

    pending_migrations: tuple[str, ...]
    triggers_changed: bool
    heartbeats: tuple[Heartbeat, ...]  # the last of every loop, of watchers that ended too
    troubled_loops: tuple[str, ...]  # those whose last heartbeat has a state other than OK
    accounts: tuple[Account, ...]
    outbox: int  # pending messages
    outbox_since: datetime | None  # the oldest of them
    unknown_orders: int
    frozen_orders: int  # at the broker since `sent_before` or earlier
    unreadable: Mapping[str, tuple[UnreadableRow, ...]]  # client, and rows of its last read of the positions
    differences: tuple[tuple[str, str], ...]  # client, and a position that differs from our holdings
    halts: tuple[StandingHalt, ...]
    last_event: datetime | None
    exposed: Mapping[str, str]  # client, and what it has open
    # What clients have open for which no watcher has written a heartbeat since `beats_since`.
    unserved: tuple[UnconfiguredRows, ...]


def read_vitals(path: Path, *, beats_since: datetime, sent_before: datetime) -> DatabaseHealth:
    """Read the state of a database without changing it. Loop states from before `beats_since` are ignored.

    Raises:
        sqlite3.Error: it is missing, damaged, or was never migrated.
    """
    with looking(path) as connection:
        connection.execute("BEGIN")  # one snapshot for all queries

        def rows(query: str, **values: object) -> list[tuple[Any, ...]]:
            return [tuple(row) for row in connection.execute(query, values)]

        pending = tuple(migrations.pending(connection))
        [(outbox, since)] = rows(_OUTBOX)
        [(unknown,)] = rows(_UNKNOWN)
        event = rows("SELECT at FROM order_events ORDER BY event_id DESC LIMIT 1")
        return DatabaseHealth(
            pending_migrations=pending,
            triggers_changed=_stripped(rows(_TRIGGERS)) != _stripped(TRIGGERS.items()),
            heartbeats=tuple(
                Heartbeat(watcher, loop, client, parse_time(at), state, detail or "")
                for watcher, loop, client, at, state, detail in rows(_BEATS)
            ),
            troubled_loops=tuple(" ".join(row) for row in rows(_TROUBLED, since=time_text(beats_since))),
            accounts=tuple(
                Account(
                    id_,
                    optional_time(at),
                    error,
                    optional_time(compared),
                    None if pending else remembered(connection, id_),
                )
                for id_, at, error, compared in rows(_OLD_ACCOUNTS if pending else _ACCOUNTS)
            ),
            outbox=outbox,
            outbox_since=optional_time(since),
            unknown_orders=unknown,
            frozen_orders=frozen_count(connection, sent_before),
            # A database of an older program is reported by its pending migration. It must not fail on a missing table.
            unreadable={} if pending else by_client(connection),
            differences=()
            if pending
            else tuple(_difference(*row) for row in rows(statement("differences_to_check"))),
            halts=tuple(
                StandingHalt(client, what or None, f"{client} {what or '(all)'} by {by}: {why}")
                for client, what, by, why in rows(_HALTS)
            ),
            last_event=optional_time(event[0][0]) if event else None,
            exposed=exposed(connection),
            unserved=() if pending else tuple(unconfigured_rows(connection, (), beats_since)),
        )


def _difference(client: str, place: str, held: str, at_broker: str, kind: str) -> tuple[str, str]:
    ours = "none of ours" if kind == "EXTERNAL" else f"{held} held"
    return client, f"{client} {place}: {ours}, {at_broker} at the broker"


def _stripped(triggers: Iterable[tuple[Any, ...]]) -> dict[str, str]:
    return {name: sql.strip() for name, sql in triggers}


_TRIGGERS = "SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"
_OUTBOX = "SELECT count(*), min(timestamp) FROM telegram_messages WHERE status = 'PENDING'"
_UNKNOWN = "SELECT count(*) FROM orders WHERE status = 'SENT_TO_BROKER' AND phase = 'UNKNOWN'"
_BEATS = (
    "SELECT watcher_id, loop, client_id, beat_at, state, detail FROM heartbeats "
    "ORDER BY watcher_id, loop, client_id"
)
_TROUBLED = (
    "SELECT loop, client_id, state, detail FROM heartbeats WHERE state <> 'OK' AND beat_at > :since "
    "ORDER BY loop, client_id"
)
_OLD_ACCOUNTS = "SELECT client_id, positions_read_at, read_error, NULL FROM accounts ORDER BY client_id"
_ACCOUNTS = (
    "SELECT client_id, positions_read_at, read_error, positions_compared_at FROM accounts ORDER BY client_id"
)
_HALTS = "SELECT client_id, strategy_name, halted_by, reason FROM halts ORDER BY client_id, strategy_name"
