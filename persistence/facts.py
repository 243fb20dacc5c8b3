"""The queries behind the blockers' facts. Each uses a partial index, so none grows with history."""

import sqlite3
from datetime import datetime, timedelta
from decimal import Decimal

from domain.alert import Side
from domain.ids import ulid
from domain.limits import Limits
from domain.money import ZERO, optional_decimal, parse_decimal
from domain.order import Order
from domain.ports import ExposureQuery
from domain.risk_facts import ExitFacts, Facts, Holding
from domain.times import parse_time, time_text
from persistence.rows import optional_time

_MINUTE = timedelta(seconds=60)


def entry_facts(
    connection: sqlite3.Connection,
    query: ExposureQuery,
    *,
    now: datetime,
    limits: Limits,
    live_allowed: bool,
) -> Facts:
    """Everything the rules need about one order; counts that no limit asks for are left at zero."""
    read_at, lowest = _account(connection, query.client_id)
    unknown, own_open, own_partial, opposite_open = _open_on_symbol(connection, query)
    own_held, opposite_held = _held_on_symbol(connection, query)
    return Facts(
        now=now,
        limits=limits,
        live_allowed=live_allowed,
        halt=_halt(connection, query.client_id, query.strategy_name),
        positions_read_at=read_at,
        lowest_pnl=lowest,
        entries_last_minute=_entries_last_minute(connection, query, now, limits),
        open_orders=_open_orders(connection, query, limits),
        unknown_on_symbol=unknown,
        own_open_entries=own_open,
        own_held_entries=max(own_held, own_partial),  # a partly filled entry is open and held, and still one
        opposite_holders=tuple(sorted(opposite_open | opposite_held)),
        last_price=_last_price(connection, query) if limits.max_order_value is not None else None,
    )


def holdings(connection: sqlite3.Connection, client_id: str, symbol: str | None = None) -> list[Holding]:
    """What strategies hold, of one symbol or of all."""
    rows = connection.execute(
        "SELECT client_id, strategy_name, exchange, symbol, product, net_quantity, entries FROM holdings "
        "WHERE client_id = ?" + (" AND symbol = ?" if symbol else ""),
        (client_id, symbol) if symbol else (client_id,),
    )
    return [
        Holding(client, strategy, exchange, name, product, parse_decimal(net), entries)
        for client, strategy, exchange, name, product, net, entries in rows
    ]


def exit_facts(connection: sqlite3.Connection, order: Order) -> ExitFacts:
    """What an exit must know about its symbol and product."""
    held = {
        h.strategy_name: h.net_quantity
        for h in holdings(connection, order.client_id, order.symbol)
        if (h.exchange, h.product) == (order.exchange, order.product)
    }
    in_flight, entries = ZERO, 0
    resting, unknown = dict[Side, Decimal](), dict[Side, Decimal]()
    rows = connection.execute(
        "SELECT strategy_name, execution_type, side, quantity, filled_quantity, status, created_at, product, "
        "broker_order_id "
        "FROM orders WHERE status IN ('CREATED', 'SENT_TO_BROKER') AND client_id = ? AND symbol = ? "
        "AND exchange = ? AND command_id <> ? AND test_mode IS NULL",
        (order.client_id, order.symbol, order.exchange, order.command_id),
    )
    for strategy, execution, side, quantity, filled, status, created_at, product, broker_id in rows:
        if product != order.product:
            continue
        sent, is_own = status == "SENT_TO_BROKER", strategy == order.strategy_name
        unfilled = max(parse_decimal(quantity) - parse_decimal(filled), ZERO)
        if execution == "EXIT" and sent:
            in_flight += unfilled
        elif execution == "ENTRY" and sent and not is_own:
            of_others = resting if broker_id else unknown
            of_others[Side(side)] = of_others.get(Side(side), ZERO) + unfilled
        if execution == "ENTRY" and is_own and created_at <= time_text(order.created_at):
            entries += 1
    return ExitFacts(
        held=held.pop(order.strategy_name, ZERO),
        held_by_others=held,
        resting_of_others=resting,
        unknown_of_others=unknown,
        exits_in_flight=in_flight,
        entries_in_flight=entries,
        last_fills=_last_fills(connection, order),
    )


def _last_fills(connection: sqlite3.Connection, order: Order) -> dict[Side, datetime]:
    rows = connection.execute(
        "SELECT side, filled_at FROM last_fills WHERE client_id = ? AND symbol = ?",
        (order.client_id, order.symbol),
    )
    return {Side(side): parse_time(at) for side, at in rows}


def net_position(
    connection: sqlite3.Connection, client_id: str, exchange: str, symbol: str, product: str
) -> Decimal | None:
    """The position as last read; None when positions were never read."""
    if _account(connection, client_id)[0] is None:
        return None
    row = connection.execute(
        "SELECT net_quantity FROM positions WHERE client_id = ? AND exchange = ? AND symbol = ? AND product = ?",
        (client_id, exchange, symbol, product),
    ).fetchone()
    return ZERO if row is None else parse_decimal(row[0])


def _account(connection: sqlite3.Connection, client_id: str) -> tuple[datetime | None, Decimal | None]:
    row = connection.execute(
        "SELECT positions_read_at, lowest_pnl FROM accounts WHERE client_id = ?", (client_id,)
    ).fetchone()
    return (None, None) if row is None else (optional_time(row[0]), optional_decimal(row[1]))


def _halt(connection: sqlite3.Connection, client_id: str, strategy_name: str) -> str | None:
    row = connection.execute(
        "SELECT reason FROM halts WHERE client_id = ? AND strategy_name IN ('', ?) LIMIT 1",
        (client_id, strategy_name),
    ).fetchone()
    return None if row is None else str(row[0])


def _open_on_symbol(connection: sqlite3.Connection, query: ExposureQuery) -> tuple[int, int, int, set[str]]:
    """Unknown outcomes on the symbol; the strategy's own open entries without and with fills; opposite strategies.

    A claimed order whose call never came back counts as unknown only once it has been found out; until then
    its own strategy is held back by its being open.
    """
    rows = connection.execute(
        "SELECT strategy_name, side, execution_type, phase = 'UNKNOWN', filled_quantity <> '0', count(*) FROM orders "
        "WHERE status IN ('CREATED', 'SENT_TO_BROKER') AND client_id = ? AND symbol = ? AND exchange = ? "
        "AND command_id <> ? AND test_mode IS NULL GROUP BY 1, 2, 3, 4, 5",
        (query.client_id, query.symbol, query.exchange, query.command_id or ""),
    )
    unknown, own, partial, opposite = 0, 0, 0, set()
    for strategy, side, execution, is_unknown, has_fill, count in rows:
        unknown += count if is_unknown else 0
        if execution != "ENTRY":
            continue
        if strategy == query.strategy_name and has_fill:
            partial += count
        elif strategy == query.strategy_name:
            own += count
        elif Side(side).sign != query.sign:
            opposite.add(strategy)
    return unknown, own, partial, opposite


def _held_on_symbol(connection: sqlite3.Connection, query: ExposureQuery) -> tuple[int, set[str]]:
    own, opposite = 0, set()
    for h in holdings(connection, query.client_id, query.symbol):
        if h.exchange != query.exchange:
            continue
        if h.strategy_name == query.strategy_name:
            own += max(h.entries, 1)
        elif h.net_quantity * query.sign < 0:
            opposite.add(h.strategy_name)
    return own, opposite


def _entries_last_minute(
    connection: sqlite3.Connection, query: ExposureQuery, now: datetime, limits: Limits
) -> int:
    if limits.max_orders_per_minute is None:
        return 0
    return _count(
        connection,
        # Ids begin with their time, so the primary key finds the last minute without an index of its own.
        "SELECT 1 FROM orders WHERE command_id >= ? AND client_id = ? AND created_at > ? "
        "AND execution_type = 'ENTRY' AND phase <> 'BLOCKED' AND test_mode IS NULL AND command_id <> ? LIMIT ?",
        (
            ulid(now - _MINUTE, 0),
            query.client_id,
            time_text(now - _MINUTE),
            query.command_id or "",
            limits.max_orders_per_minute + 1,
        ),
    )


def _open_orders(connection: sqlite3.Connection, query: ExposureQuery, limits: Limits) -> int:
    if limits.max_open_orders is None:
        return 0
    return _count(
        connection,
        "SELECT 1 FROM orders WHERE status IN ('CREATED', 'SENT_TO_BROKER') AND client_id = ? "
        "AND execution_type = 'ENTRY' AND test_mode IS NULL AND command_id <> ? LIMIT ?",
        (query.client_id, query.command_id or "", limits.max_open_orders + 1),
    )


def _count(connection: sqlite3.Connection, rows: str, parameters: tuple[object, ...]) -> int:
    """How many rows, counted no further than their LIMIT: a limit needs no larger number."""
    return int(connection.execute(f"SELECT count(*) FROM ({rows})", parameters).fetchone()[0])


def _last_price(connection: sqlite3.Connection, query: ExposureQuery) -> Decimal | None:
    row = connection.execute(
        "SELECT last_price FROM positions WHERE client_id = ? AND exchange = ? AND symbol = ? "
        "AND last_price IS NOT NULL LIMIT 1",
        (query.client_id, query.exchange, query.symbol),
    ).fetchone()
    return None if row is None else optional_decimal(row[0])
