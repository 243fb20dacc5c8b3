"""Implement the domain's store port on the orders database.

Each thread reads on its own connection. Writes go through group commit.
"""

import json
import sqlite3
from collections.abc import Callable, Collection, Iterable
from datetime import date, datetime
from pathlib import Path
from typing import Any, TypeVar

from domain.account import AccountStanding, BrokerAccount
from domain.broker_reports import Position, PositionsSnapshot
from domain.daily_loss import DayLoss
from domain.enums import Side
from domain.equity import EquityPoint
from domain.errors import ConcurrentUpdate, NotFound, StoreUnavailable
from domain.leg_groups import LegGroup
from domain.marks import Mark
from domain.money import decimal_text, optional_text
from domain.notice_keys import NoticeKey, NoticeSubject
from domain.order import Order
from domain.order_events import advance
from domain.order_matching import SeenOrders
from domain.pnl import DayResult, PnlBook
from domain.ports import Clock, Heartbeat, RiskState, Transaction
from domain.position_comparison import Difference, Place
from domain.protection import Protection
from domain.risk_facts import Holding
from domain.risk_stops import RiskEvent, Stop
from domain.sizing import Equity
from domain.stale_orders import StaleOrder
from domain.states import Phase
from domain.times import parse_time, time_text
from domain.unconfigured_clients import UnconfiguredRows
from persistence.sqlite import (
    accounts,
    daily_loss,
    differences,
    groups,
    protections,
    risk,
    sizing,
    told_notices,
    unconfigured_clients,
    unreadable_rows,
)
from persistence.sqlite import external_orders as sightings
from persistence.sqlite.database import GroupCommit, Readers
from persistence.sqlite.entries import open_entries
from persistence.sqlite.process_locks import ProcessLocks
from persistence.sqlite.queries import claims, rule_facts
from persistence.sqlite.queries.statements import statement
from persistence.sqlite.rows import SELECT_ORDER, SELECT_POSITION, order_of, orders_statement, position_of
from persistence.sqlite.transaction import FactsOf, Render, SqliteTransaction

T = TypeVar("T")


class OrderRepository:
    """Implement `domain.ports.Store` on SQLite.

    Args:
        path: orders.db, already migrated.
        clock: gives the time of messages and of state changes.
        render: turns a notice into text; the outbox keeps the text.
        facts_of: returns the content of that text as data, kept beside it. Without this data, messages are folded
            into digests by their kind alone.
    """

    def __init__(
        self, path: Path, *, clock: Clock, render: Render, facts_of: FactsOf = lambda notice: None
    ) -> None:
        self._clock = clock
        self._render = render
        self._facts_of = facts_of
        self._commits = GroupCommit(path)
        self._readers = Readers(path)
        self.claimants = ProcessLocks(path)

    # writing ------------------------------------------------------------------------------------------------

    def write(self, work: Callable[[Transaction], T]) -> T:
        """Run `work` in one durable transaction; see `domain.ports.Store.write`."""
        result: T = self._commits.run(lambda connection: work(self._transaction(connection)))
        return result

    def _transaction(self, connection: sqlite3.Connection) -> SqliteTransaction:
        return SqliteTransaction(connection, self._render, self._facts_of, self._clock.now)

    def update_status(
        self, command_id: str, expected: Phase, phase: Phase, *, actor: str, **changes: Any
    ) -> Order:
        """Change the phase by compare-and-swap: only from the expected phase, only along the transition table.

        Raises:
            NotFound, ConcurrentUpdate, IllegalTransition: nothing was written.
        """

        def work(tx: Transaction) -> Order:
            order = tx.get(command_id)
            if order is None:
                raise NotFound(f"no order {command_id}")
            if order.phase is not expected:
                raise ConcurrentUpdate(f"{command_id} is {order.phase}, not {expected}")
            return tx.apply(advance(order, phase, at=self._clock.now(), actor=actor, **changes))

        return self.write(work)

    def update_tag(self, command_id: str, expected: Phase, tag: str | None, *, actor: str) -> Order:
        """Change only the tag, where the transition table lets the phase stay. Raises as `update_status` does."""
        return self.update_status(command_id, expected, expected, actor=actor, tag=tag)

    def update_broker_id(
        self, command_id: str, expected: Phase, broker_order_id: str, *, actor: str
    ) -> Order:
        """Record the broker's order id and make the order WORKING. Raises as `update_status` does."""
        return self.update_status(
            command_id, expected, Phase.WORKING, actor=actor, broker_order_id=broker_order_id
        )

    # orders -------------------------------------------------------------------------------------------------

    def get_by_id(self, command_id: str) -> Order | None:
        return self._first(f"{SELECT_ORDER} WHERE command_id = ?", command_id)

    def get_all(self, command_ids: Iterable[str]) -> dict[str, Order]:
        return self._read(lambda connection: claims.get_all(connection, command_ids))

    def orders_of_alert(self, alert_id: str) -> list[Order]:
        return self._read(lambda connection: claims.orders_of_alert(connection, alert_id))

    def parts(self, command_id: str) -> list[Order]:
        return self._read(lambda connection: claims.parts(connection, command_id))

    def get_by_broker_id(self, client_id: str, broker_order_id: str) -> Order | None:
        return self._first(orders_statement("by_broker_id"), client_id, broker_order_id)

    def get_by_client_order_id(self, client_id: str, client_order_id: str) -> Order | None:
        return self._first(
            f"{SELECT_ORDER} INDEXED BY orders_unplaced WHERE client_order_id = ? AND broker_order_id IS NULL "
            "AND sent_at IS NOT NULL "
            "AND client_id = ?",
            client_order_id,
            client_id,
        )

    def get_open_orders(self, client_id: str) -> list[Order]:
        return self._orders(
            f"{SELECT_ORDER} INDEXED BY orders_at_broker WHERE status = 'SENT_TO_BROKER' AND client_id = ? "
            "ORDER BY created_at",
            client_id,
        )

    def may_be_live(self, client_id: str) -> list[Order]:
        return self._orders(
            f"{SELECT_ORDER} INDEXED BY orders_open WHERE status IN ('CREATED', 'SENT_TO_BROKER') AND client_id = ? "
            "AND sent_at IS NOT NULL ORDER BY created_at",
            client_id,
        )

    def has_disputed(self, client_id: str, since: datetime) -> bool:
        return bool(
            self._rows(
                "SELECT 1 FROM position_differences WHERE client_id = ? AND shown_since <= ? "
                "AND believed <> difference LIMIT 1",
                client_id,
                time_text(since),
            )
        )

    def may_forget(self, client_id: str, exchange: str, symbol: str) -> bool:
        return bool(self._rows(statement("explained_by_others"), client_id, exchange, symbol))

    def has_provisional(self, client_id: str, now: datetime) -> bool:
        return bool(
            self._rows(
                "SELECT 1 FROM orders INDEXED BY orders_absent WHERE phase = 'ABSENT' AND client_id = ? "
                "AND provisional_until > ? LIMIT 1",
                client_id,
                time_text(now),
            )
        )

    def get_open_orders_by_strategy(self, client_id: str, strategy_name: str) -> list[Order]:
        return [o for o in self.get_open_orders(client_id) if o.strategy_name == strategy_name]

    def open_entries(self, client_id: str, strategy_name: str) -> list[Order]:
        return self._read(lambda connection: open_entries(connection, client_id, strategy_name))

    def unplaced(self, client_id: str) -> list[Order]:
        return self._read(lambda connection: sightings.unplaced(connection, client_id))

    def sightings(self, client_id: str, broker_order_ids: Iterable[str]) -> SeenOrders:
        return self._read(lambda connection: sightings.sightings(connection, client_id, broker_order_ids))

    def claimable(self, client_id: str, now: datetime, *, limit: int, exits_only: bool) -> list[Order]:
        return self._read(
            lambda connection: claims.claimable(
                connection, client_id, now, limit=limit, exits_only=exits_only
            )
        )

    def has_work(self, client_id: str, now: datetime, *, exits_only: bool = False) -> bool:
        return self._read(
            lambda connection: claims.has_work(connection, client_id, now, exits_only=exits_only)
        )

    # holdings, positions and accounts -----------------------------------------------------------------------

    def holdings(self, client_id: str) -> list[Holding]:
        return self._read(lambda connection: rule_facts.holdings(connection, client_id))

    def last_fill_at(
        self, client_id: str, symbol: str, side: Side | None = None, product: str | None = None
    ) -> datetime | None:
        return self._read(
            lambda connection: differences.last_fill_at(connection, client_id, symbol, side, product)
        )

    def differences_since(self, client_id: str) -> dict[Place, datetime]:
        rows = self._rows(
            "SELECT exchange, symbol, product, shown_since FROM position_differences WHERE client_id = ?",
            client_id,
        )
        return {(exchange, symbol, product): parse_time(since) for exchange, symbol, product, since in rows}

    def told_differences(self, client_id: str) -> list[Difference]:
        return self._read(lambda connection: differences.told_differences(connection, client_id))

    def untold_frozen(self, client_id: str, sent_before: datetime, *, limit: int) -> list[StaleOrder]:
        return self._read(
            lambda connection: differences.untold_frozen(connection, client_id, sent_before, limit=limit)
        )

    def account(self, client_id: str) -> BrokerAccount | None:
        return self._read(lambda connection: accounts.account(connection, client_id))

    def account_standing(self, client_id: str, account: BrokerAccount) -> AccountStanding:
        return self._read(lambda connection: accounts.standing(connection, client_id, account))

    def watchers_of(self, client_id: str) -> list[str]:
        return self._read(lambda connection: accounts.watchers_of(connection, client_id))

    def unconfigured_rows(
        self, configured: Collection[str], served_since: datetime
    ) -> list[UnconfiguredRows]:
        return self._read(
            lambda connection: unconfigured_clients.unconfigured_rows(connection, configured, served_since)
        )

    def is_told(self, client_id: str, key: NoticeKey) -> bool:
        return self._read(lambda connection: told_notices.is_told(connection, client_id, key))

    def told_keys(self, client_id: str, about: NoticeSubject) -> list[NoticeKey]:
        return self._read(lambda connection: told_notices.told_keys(connection, client_id, about))

    def told_clients(self, about: NoticeSubject) -> list[str]:
        return self._read(lambda connection: told_notices.told_clients(connection, about))

    def open_protections(self, client_id: str) -> list[Protection]:
        return self._read(lambda connection: protections.open_protections(connection, client_id))

    def protection(self, protection_id: str) -> Protection | None:
        return self._read(lambda connection: protections.protection(connection, protection_id))

    def open_groups(self, client_id: str) -> list[LegGroup]:
        return self._read(lambda connection: groups.open_groups(connection, client_id))

    def exits_after(self, entry: Order) -> list[Order]:
        return self._read(lambda connection: groups.exits_after(connection, entry))

    def groups_of_alert(self, alert_id: str) -> list[LegGroup]:
        return self._read(lambda connection: groups.groups_of_alert(connection, alert_id))

    def halted_because(self, client_id: str, strategy_name: str) -> str | None:
        return self._read(lambda connection: groups.halted_because(connection, client_id, strategy_name))

    def marks(self, client_id: str) -> list[Mark]:
        return self._read(lambda connection: protections.marks(connection, client_id))

    def equity(self, client_id: str) -> Equity | None:
        return self._read(lambda connection: sizing.equity(connection, client_id))

    def pnl_books(self, client_id: str) -> list[PnlBook]:
        return self._read(lambda connection: risk.pnl_books(connection, client_id))

    def day_results(self, client_id: str, day: date) -> list[DayResult]:
        return self._read(lambda connection: risk.day_results(connection, client_id, day))

    def results_since(self, client_id: str, day: date) -> list[DayResult]:
        return self._read(lambda connection: risk.results_since(connection, client_id, day))

    def equity_curve(self, client_id: str, since: datetime) -> list[EquityPoint]:
        return self._read(lambda connection: risk.equity_curve(connection, client_id, since))

    def last_equity(self, client_id: str) -> EquityPoint | None:
        return self._read(lambda connection: risk.last_equity(connection, client_id))

    def risk_stops(self, client_id: str) -> list[Stop]:
        return self._read(lambda connection: risk.risk_stops(connection, client_id))

    def risk_events(self, client_id: str, *, limit: int) -> list[RiskEvent]:
        return self._read(lambda connection: risk.risk_events(connection, client_id, limit))

    def risk_state(self, client_id: str) -> RiskState:
        return self._read(lambda connection: risk.risk_state(connection, client_id))

    def has_new_fills(self) -> bool:
        return self._read(risk.has_new_fills)

    def saved_positions(self, client_id: str) -> PositionsSnapshot | None:
        rows = self._rows("SELECT positions_read_at FROM accounts WHERE client_id = ?", client_id)
        if not rows or rows[0][0] is None:
            return None
        positions = self._rows(f"{SELECT_POSITION} WHERE client_id = ?", client_id)
        unreadable = self._read(lambda connection: unreadable_rows.rows_of(connection, client_id))
        read_at, kept = parse_time(rows[0][0]), tuple(position_of(row) for row in positions)
        return PositionsSnapshot(read_at, kept, unreadable)

    def day_loss(self, client_id: str) -> DayLoss | None:
        return self._read(lambda connection: daily_loss.day_loss(connection, client_id))

    def save_positions(
        self,
        client_id: str,
        snapshot: PositionsSnapshot,
        day: date,
        *,
        day_starts: datetime | None = None,
        compared_at: datetime | None = None,
    ) -> None:
        # Compute the changes before the transaction, so that no webhook waits for that.
        read_at = time_text(snapshot.read_started_at)
        present = dict.fromkeys(
            self._rows(f"SELECT {_POSITION_COLUMNS} FROM positions WHERE client_id = ?", client_id)
        )
        wanted = dict.fromkeys(_position_row(client_id, p) for p in snapshot.positions)
        # An unreadable position is not a flat one: its last readable row stays, with its age.
        kept = {row[:4] for row in present if not snapshot.is_readable(*row[1:4])}
        kept -= {row[:4] for row in wanted}
        gone = [row[:4] for row in present if row not in wanted and row[:4] not in kept]
        aged = (
            [(at, *place) for place, at in self._read_at(client_id).items() if place in kept] if kept else []
        )
        new = [(*row, read_at) for row in wanted if row not in present]

        def work(connection: sqlite3.Connection) -> None:
            differences.stand_anew_after_a_gap(
                connection, client_id, snapshot.read_started_at, compared_at=compared_at
            )
            daily_loss.save_read(connection, client_id, snapshot, day, day_starts, compared_at)
            connection.executemany(
                "DELETE FROM positions WHERE client_id = ? AND exchange = ? AND symbol = ? AND product = ?",
                gone,
            )
            connection.execute("UPDATE positions SET read_at = ? WHERE client_id = ?", (read_at, client_id))
            connection.executemany(
                "UPDATE positions SET read_at = ? WHERE client_id = ? AND exchange = ? AND symbol = ? AND product = ?",
                aged,
            )
            unreadable_rows.save(connection, client_id, snapshot)
            connection.executemany(
                f"INSERT OR REPLACE INTO positions ({_POSITION_COLUMNS}, read_at) "
                "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                new,
            )

        self._commits.run(work)

    def _read_at(self, client_id: str) -> dict[tuple[str, ...], str]:
        rows = self._rows(
            "SELECT client_id, exchange, symbol, product, read_at FROM positions WHERE client_id = ?",
            client_id,
        )
        return {row[:4]: row[4] for row in rows}

    def save_read_error(self, client_id: str, at: datetime, error: str) -> None:
        self._commits.run(
            lambda connection: connection.execute(
                statement("save_read_error"),
                (client_id, error, time_text(at)),
            )
        )

    # loops --------------------------------------------------------------------------------------------------

    def save_heartbeats(self, heartbeats: Iterable[Heartbeat]) -> None:
        rows = [
            (b.watcher_id, b.loop, b.client_id, time_text(b.at), b.state, b.detail, json.dumps(b.missing))
            for b in heartbeats
        ]
        self._commits.run(lambda connection: connection.executemany(_INSERT_BEAT, rows))

    def forget_beats(self, watchers: Iterable[str]) -> None:
        """Delete the heartbeats of watchers that ended, so that they are not mistaken for stalled watchers."""
        names = [(name,) for name in watchers]
        self._commits.run(
            lambda connection: connection.executemany("DELETE FROM heartbeats WHERE watcher_id = ?", names)
        )

    def look(self) -> None:
        """See `GroupCommit.look`."""
        self._commits.look()

    @property
    def replaced(self) -> str | None:
        """Why this process must not write to the database any more, or None if it may."""
        return None if self._commits.replaced is None else str(self._commits.replaced)

    @property
    def unwritable(self) -> StoreUnavailable | None:
        """See `GroupCommit.unwritable`."""
        return self._commits.unwritable

    def claimant_alive(self, claimant: str) -> bool:
        return self.claimants.alive(claimant)

    def close(self) -> None:
        """Close the write connection. A thread's read connection goes with its thread."""
        self._commits.close()

    def _rows(self, sql: str, *parameters: object) -> list[tuple[Any, ...]]:
        return self._read(lambda connection: connection.execute(sql, parameters).fetchall())

    def _read(self, query: Callable[[sqlite3.Connection], T]) -> T:
        try:
            return query(self._readers.get())
        except sqlite3.Error as error:
            raise StoreUnavailable(f"orders.db: {error}") from error

    def _orders(self, sql: str, *parameters: object) -> list[Order]:
        return [order_of(row) for row in self._rows(sql, *parameters)]

    def _first(self, sql: str, *parameters: object) -> Order | None:
        return next(iter(self._orders(sql, *parameters)), None)


_INSERT_BEAT = (
    "INSERT OR REPLACE INTO heartbeats (watcher_id, loop, client_id, beat_at, state, detail, missing_json) "
    "VALUES (?, ?, ?, ?, ?, ?, ?)"
)
_POSITION_COLUMNS = (
    "client_id, exchange, symbol, product, net_quantity, average_price, last_price, "
    "realized_pnl, unrealized_pnl, delivered"
)


def _position_row(client_id: str, p: Position) -> tuple[str | None, ...]:
    """A position in the order of `_POSITION_COLUMNS`."""
    return (
        client_id,
        p.exchange,
        p.symbol,
        p.product,
        decimal_text(p.net_quantity),
        optional_text(p.average_price),
        optional_text(p.last_price),
        decimal_text(p.realized_pnl),
        decimal_text(p.unrealized_pnl),
        decimal_text(p.delivered),
    )
