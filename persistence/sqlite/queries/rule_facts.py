"""Query the facts for the blockers.

Queries on orders use a partial index or a range of the primary key, so none grows with history.
"""

import json
import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any, NamedTuple

from domain.account_state import AccountState
from domain.enums import Side
from domain.ids import ulid
from domain.limits import Limits
from domain.money import ZERO, optional_decimal, parse_decimal
from domain.order import Order
from domain.ports import ExposureQuery, FactsQuestion
from domain.position_comparison import Place, converted, known_elsewhere, still_disputed
from domain.risk_facts import ExitFacts, Facts, Holding
from domain.risk_stops import RiskRule, Stop
from domain.times import parse_time, time_text
from persistence.sqlite import unreadable_rows
from persistence.sqlite.queries.limit_facts import limit_facts, stops_of
from persistence.sqlite.queries.statements import statement
from persistence.sqlite.rows import optional_time, order_of, orders_statement

_MINUTE = timedelta(seconds=60)


def holdings(connection: sqlite3.Connection, client_id: str, symbol: str | None = None) -> list[Holding]:
    """Return what strategies hold, of one symbol or of all."""
    rows = connection.execute(
        "SELECT client_id, strategy_name, exchange, symbol, product, net_quantity, entries FROM holdings "
        "WHERE client_id = ?" + (" AND symbol = ?" if symbol else ""),
        (client_id, symbol) if symbol else (client_id,),
    )
    return [_holding_of(row) for row in rows]


@lru_cache(maxsize=4096)  # most holdings are as they were at the last look
def _holding_of(row: tuple[Any, ...]) -> Holding:
    client, strategy, exchange, name, product, net, entries = row
    return Holding(client, strategy, exchange, name, product, parse_decimal(net), entries)


def held_at(connection: sqlite3.Connection, client_id: str, place: Place) -> Decimal:
    """Return what all strategies together hold at exchange, symbol and product."""
    held = holdings(connection, client_id, place[1])
    return sum((h.net_quantity for h in held if (h.exchange, h.symbol, h.product) == place), ZERO)


def exit_facts(connection: sqlite3.Connection, order: Order, now: datetime) -> ExitFacts:
    """Return what an exit must know about its symbol."""
    place = (order.client_id, order.symbol, order.exchange)
    rows = connection.execute(
        orders_statement("orders_beside"),
        (*place, order.command_id, time_text(now)),
    )
    held = holdings(connection, order.client_id, order.symbol)
    elsewhere = connection.execute(statement("elsewhere_on_symbol"), place).fetchall()
    believed_, by_hand_ = (
        [(product, parse_decimal(units)) for kind, product, units, *_ in elsewhere if kind == wanted]
        for wanted in ("BELIEVED", "BY_HAND")
    )
    differences = [
        (product, parse_decimal(units), parse_time(since))
        for kind, product, _, units, since in elsewhere
        if kind == "BELIEVED"
    ]
    believed_units = sum((units for _, units in believed_), ZERO)
    by_hand_units = sum((units for _, units in by_hand_), ZERO)
    return ExitFacts(
        holdings=tuple(h for h in held if h.exchange == order.exchange),
        orders=tuple(order_of(row) for row in rows),
        by_hand=by_hand_units,
        believed=believed_units,
        known=known_elsewhere(differences, by_hand_),
        disputed=still_disputed(
            sum((units for _, units, _ in differences), ZERO), believed_units, by_hand_units
        ),
        last_fills={Side(row[1]): parse_time(row[4]) for row in elsewhere if row[0] == "FILLED"},
        elsewhere=tuple(h for h in held if h.exchange != order.exchange),
    )


_BELIEVED = "SELECT believed FROM position_differences WHERE client_id = ? AND symbol = ? AND exchange = ?"


def by_hand(connection: sqlite3.Connection, client_id: str, symbol: str, exchange: str) -> Decimal:
    """Return what external orders did to the position, except what a believed difference contains already."""
    return _total(connection, statement("by_hand"), (client_id, symbol, exchange))


def is_closed_by_others(
    connection: sqlite3.Connection, client_id: str, symbol: str, exchange: str, held: Mapping[str, Decimal]
) -> bool:
    """Return True if others have closed all that strategies hold there (signed units, by product).

    Two sums must say so, for each product: a hand that sells another product as a hedge closes nothing of ours. All
    that others have there makes it flat: a hand that sells what it had bought closes nothing either. And what they did
    since our last fill on that side is enough: what was there before is theirs.
    """

    def is_closed(product: str, units: Decimal) -> bool:
        side = Side.BUY if units > 0 else Side.SELL
        there, since = _of_others(connection, (client_id, symbol, exchange), product, side)
        if units + there:
            return False
        elsewhere = converted(_differences(connection, (client_id, symbol, exchange)), product)
        carried_on = max(elsewhere * side.sign, ZERO)  # under another product: nobody has closed those
        return -since * side.sign - carried_on >= abs(units)

    open_ = {product: units for product, units in held.items() if units}
    return bool(open_) and all(is_closed(product, units) for product, units in open_.items())


def _differences(
    connection: sqlite3.Connection, place: tuple[str, str, str]
) -> list[tuple[str, Decimal, datetime]]:
    rows = connection.execute(
        "SELECT product, difference, since FROM position_differences "
        "WHERE client_id = ? AND symbol = ? AND exchange = ?",
        place,
    )
    return [(product, parse_decimal(amount), parse_time(since)) for product, amount, since in rows]


def _of_others(
    connection: sqlite3.Connection, place: tuple[str, str, str], product: str, side: Side
) -> tuple[Decimal, Decimal]:
    """Return what others have of a product: all of it, and what they have since our last fill on that side."""
    client_id, symbol, exchange = place
    values = {"client": client_id, "symbol": symbol, "exchange": exchange, "side": side}
    rows = connection.execute(statement("closed_by_others"), values).fetchall()
    units = [(parse_decimal(text), is_since) for of, text, is_since in rows if of in ("", product)]
    return sum((u for u, _ in units), ZERO), sum((u for u, is_since in units if is_since), ZERO)


def believed(connection: sqlite3.Connection, client_id: str, symbol: str, exchange: str) -> Decimal:
    """Return the believed part of the differences there. Most become believed when they have lasted long enough."""
    return _total(connection, _BELIEVED, (client_id, symbol, exchange))


def _total(connection: sqlite3.Connection, sql: str, place: tuple[str, str, str]) -> Decimal:
    return sum((parse_decimal(row[0]) for row in connection.execute(sql, place)), ZERO)


class Account(NamedTuple):
    """What is known of a client's account: the age of its positions, and its loss of the day."""

    read_at: datetime | None = None
    pnl: Decimal | None = None  # zero while the broker still shows that of the day before
    lowest: Decimal | None = None
    loss_counts_from: Decimal = ZERO
    latched: Sequence[str] = ()
    disputed: bool = False


def account_facts(
    connection: sqlite3.Connection, client_id: str, place: tuple[str, str] = ("", "")
) -> Account:
    """Return when positions were read, what is known of the day's loss, and whether the position is disputed."""
    row = connection.execute(
        statement("account_facts"),
        (client_id, *place),
    ).fetchone()
    if row is None:
        return Account()
    read_at, pnl, lowest, counts_from, latched, disputed = row
    return Account(
        optional_time(read_at),
        optional_decimal(pnl),
        optional_decimal(lowest),
        parse_decimal(counts_from),
        json.loads(latched),
        bool(disputed),
    )


class Stopping(NamedTuple):
    """Why the client or the strategy is halted, the row that hides the symbol's position, and stops."""

    halt: str | None = None
    unreadable: str | None = None
    stops: tuple[Stop, ...] = ()


def _stopping(connection: sqlite3.Connection, query: ExposureQuery, limits: Limits) -> Stopping:
    """Return what stands in the way of the client's or the strategy's entries.

    With a limit on the day's loss, every row whose profit and loss is missing blocks every symbol.
    """
    halt, found, stops = connection.execute(
        statement("stopping"),
        (query.client_id, query.strategy_name),
    ).fetchone()
    rows = unreadable_rows.rows_in(json.loads(found)) if found != "[]" else ()
    place = (query.exchange, query.symbol, query.product)
    row = unreadable_rows.hiding(connection, query.client_id, rows, place)
    if row is None and limits.max_daily_loss is not None:
        row = next((each for each in rows if each.has_pnl), None)
    standing = stops_of(query.client_id, json.loads(stops)) if stops != "[]" else ()
    return Stopping(halt, None if row is None else row.text, standing)


@dataclass(slots=True)
class OpenOrders:
    """The open orders of one symbol, from the point of view of one order."""

    unknown: int = 0
    own: int = 0  # open entries of its strategy without a fill
    own_partial: int = 0  # open entries of its strategy with a fill
    turns_own_entry: bool = False
    exit_ahead: bool = False
    exit_open: bool = False
    opposite: set[str] = field(default_factory=set)  # other strategies with entries on the other side


def _open_on_symbol(connection: sqlite3.Connection, query: ExposureQuery, now: datetime) -> OpenOrders:
    """Summarise the other open orders on the symbol.

    A claimed order whose broker call never returned counts as unknown only once that has been detected. Until then
    it holds back its own strategy, because it is open.
    """
    place = (query.client_id, query.symbol, query.exchange, query.command_id or "")
    rows = connection.execute(
        statement("open_on_symbol"), (*place, time_text(now), time_text(query.created_at or now))
    )
    return open_orders_in(rows, query)


def open_orders_in(rows: Iterable[Sequence[Any]], query: ExposureQuery) -> OpenOrders:
    """Summarise open orders on the symbol of an order."""
    found = OpenOrders()
    for strategy, side, kind, is_unknown, has_fill, count in rows:
        found.unknown += count if is_unknown else 0
        is_own, is_opposite = strategy == query.strategy_name, Side(side).sign != query.sign
        if kind in ("ENTRY", "LATER_ENTRY"):
            _count_entries(
                found, strategy, kind, count, is_own=is_own, is_opposite=is_opposite, has_fill=has_fill
            )
        elif is_own and kind != "ABSENT":
            found.exit_open = True
            found.exit_ahead |= kind == "EXIT"
    return found


def _count_entries(
    found: OpenOrders,
    strategy: str,
    kind: str,
    count: int,
    *,
    is_own: bool,
    is_opposite: bool,
    has_fill: bool,
) -> None:
    if not is_own:
        found.opposite |= {strategy} if is_opposite else set()
    elif kind == "ENTRY":  # a later entry that waits is sent after this one
        found.own_partial += count if has_fill else 0
        found.own += 0 if has_fill else count
        found.turns_own_entry |= is_opposite


@dataclass(slots=True)
class Held:
    """What strategies hold of one symbol, from the point of view of one order. Units are signed, long positive."""

    own_entries: int = 0  # entries that make up what its strategy holds
    own_net: Decimal = ZERO
    by_product: dict[str, Decimal] = field(default_factory=dict)  # of all strategies
    opposite: set[str] = field(default_factory=set)  # other strategies that hold the other side


def _held_on_symbol(connection: sqlite3.Connection, query: ExposureQuery) -> Held:
    held = Held()
    for h in holdings(connection, query.client_id, query.symbol):
        if h.exchange != query.exchange:
            continue
        held.by_product[h.product] = held.by_product.get(h.product, ZERO) + h.net_quantity
        if h.strategy_name == query.strategy_name:
            held.own_entries += max(h.entries, 1)
            held.own_net += h.net_quantity if h.entries else ZERO
        elif h.net_quantity * query.sign < 0:
            held.opposite.add(h.strategy_name)
    return held


def _entries_last_minute(
    connection: sqlite3.Connection, query: ExposureQuery, now: datetime, limits: Limits
) -> int:
    if limits.max_orders_per_minute is None:
        return 0
    return _count(
        connection,
        statement("entries_since"),
        (
            ulid(now - _MINUTE, 0),
            query.client_id,
            time_text(now - _MINUTE),
            time_text(now + _MINUTE),
            query.command_id or "",
            limits.max_orders_per_minute + 1,
        ),
    )


def _open_orders(connection: sqlite3.Connection, query: ExposureQuery, limits: Limits) -> int:
    if limits.max_open_orders is None:
        return 0
    return _count(
        connection,
        statement("open_entries"),
        (query.client_id, query.command_id or "", limits.max_open_orders + 1),
    )


def _count(connection: sqlite3.Connection, rows: str, parameters: tuple[object, ...]) -> int:
    """Count the rows, but no further than their LIMIT. The check of a limit needs no larger number."""
    return int(connection.execute(f"SELECT count(*) FROM ({rows})", parameters).fetchone()[0])


def _last_price(connection: sqlite3.Connection, query: ExposureQuery) -> Decimal | None:
    row = connection.execute(
        "SELECT last_price FROM positions WHERE client_id = ? AND exchange = ? AND symbol = ? "
        "AND last_price IS NOT NULL LIMIT 1",
        (query.client_id, query.exchange, query.symbol),
    ).fetchone()
    return None if row is None else optional_decimal(row[0])


def entry_facts(
    connection: sqlite3.Connection,
    query: ExposureQuery,
    *,
    now: datetime,
    limits: Limits,
    live_allowed: bool,
) -> Facts:
    """Return everything the rules need about one order. Counts that no limit asks for are left at zero."""
    account = account_facts(connection, query.client_id, (query.exchange, query.symbol))
    return facts_from(
        connection,
        FactsQuestion(query, now, limits, live_allowed),
        account,
        _open_on_symbol(connection, query, now),
        _held_on_symbol(connection, query),
        _stopping(connection, query, limits),
    )


def facts_from(
    connection: sqlite3.Connection,
    asked: FactsQuestion,
    account: Account,
    opened: OpenOrders,
    held: Held,
    stopping: Stopping,
) -> Facts:
    """Put together what was found about one order, and what its limits need beside that."""
    query, now, limits = asked.query, asked.now, asked.limits
    reduces = any(s.key.rule is RiskRule.REDUCING and s.is_standing(now) for s in stopping.stops)
    reduces |= limits.scheduled is AccountState.REDUCING
    return Facts(
        now=now,
        limits=limits,
        live_allowed=asked.live_allowed,
        halt=stopping.halt,
        unreadable_row=stopping.unreadable,
        positions_read_at=account.read_at,
        pnl=account.pnl,
        lowest_pnl=account.lowest,
        loss_counts_from=account.loss_counts_from,
        loss_latched=query.limits_of in account.latched,
        entries_last_minute=_entries_last_minute(connection, query, now, limits),
        open_orders=_open_orders(connection, query, limits),
        unknown_on_symbol=opened.unknown,
        position_disputed=account.disputed,
        own_open_entries=opened.own,
        # A partly filled entry is both open and held, but counts as one.
        own_held_entries=max(held.own_entries, opened.own_partial),
        own_net=held.own_net,
        closed_by_hand=bool(held.own_entries)
        and is_closed_by_others(connection, query.client_id, query.symbol, query.exchange, held.by_product),
        turns_own_entry=opened.turns_own_entry,
        exit_ahead=opened.exit_ahead,
        exit_open=opened.exit_open,
        opposite_holders=tuple(sorted(opened.opposite | held.opposite)),
        last_price=_last_price(connection, query) if limits.max_order_value is not None else None,
        stops=stopping.stops,
        of_limits=limit_facts(connection, query, limits, now, reduces=reduces),
    )
