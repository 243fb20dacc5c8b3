"""Write the changes of several orders: one statement for each table."""

import json
import sqlite3
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from typing import Any

from domain.effects import decision_effect, intent_effect, releases_waiting
from domain.errors import ConcurrentUpdate
from domain.holdings import effects_of, touches_holdings
from domain.money import decimal_text
from domain.notices import Notice
from domain.order import Order
from domain.order_events import OrderChange, column
from persistence.sqlite import holdings, waiting_entries
from persistence.sqlite.differences import take_elsewhere
from persistence.sqlite.queries.statements import statement
from persistence.sqlite.registrations import event_row, insert_rows
from persistence.sqlite.rows import move_statement
from persistence.sqlite.triggers import CONCURRENT

MessageRow = Callable[[Notice], Sequence[Any]]
"""Makes a notice's row of the outbox, in the order of `add_message.sql`."""

UPDATE_INTENT = (
    "UPDATE order_intents SET status = ?, order_id = ?, error_message = ?, updated_at = ? "
    "WHERE command_id = ?"
)
# A broker order that has turned out to be one of ours is no external order.
_DELETE_EXTERNAL = (
    "DELETE FROM external_orders WHERE (client_id, broker_order_id) IN "
    "(SELECT value ->> 0, value ->> 1 FROM json_each(?))"
)


def in_runs(connection: sqlite3.Connection, changes: Sequence[OrderChange]) -> Iterator[list[OrderChange]]:
    """Cut changes into runs that can be written together; a change that needs more is a run of its own.

    Such a change:

    - registers an order;
    - lets an entry go that waited;
    - is of a strategy and symbol that an earlier change of the run is of, because what that one does to the holdings
      has to be there.
    """
    waiting = waiting_entries.clients_with_any(connection)
    run: list[OrderChange] = []
    places = set[tuple[str, ...]]()
    for change in changes:
        before, after = change.before, change.after
        place = (after.client_id, after.strategy_name, after.exchange, after.symbol)
        releases = before is not None and after.client_id in waiting and releases_waiting(before, after)
        if before is None or releases or place in places:
            yield from ([run] if run else [])
            yield [change]
            run, places = [], set()
            waiting = waiting_entries.clients_with_any(connection)
        else:
            run.append(change)
            places.add(place)
    yield from ([run] if run else [])


def write_together(
    connection: sqlite3.Connection, changes: Sequence[OrderChange], message_row: MessageRow
) -> None:
    """Write the changes of one run. Triggers and UNIQUE keys judge every row, as where they are written one by one.

    Raises:
        ConcurrentUpdate: an order has moved since its change was computed.
        sqlite3.IntegrityError: one of the rows may not be written.
    """
    try:
        insert_rows(connection, statement("add_event"), [event_row(each.event) for each in changes])
    except sqlite3.IntegrityError as error:
        if CONCURRENT in str(error):
            raise ConcurrentUpdate("one of several orders moved on") from error
        raise
    _move(connection, changes)
    _follow(connection, [(each.before, each.after) for each in changes if each.before is not None])
    insert_rows(
        connection,
        statement("add_message"),
        [message_row(notice) for each in changes for notice in each.notices],
    )


def _move(connection: sqlite3.Connection, changes: Sequence[OrderChange]) -> None:
    of_columns = defaultdict[tuple[str, ...], list[list[Any]]](list)
    for each in changes:
        assert each.before is not None
        row = [column(getattr(each.after, name)) for name in each.columns]
        of_columns[each.columns].append([*row, each.before.command_id, each.before.event_hash])
    for names, rows in of_columns.items():
        done = connection.executemany(move_statement(names), rows)
        if done.rowcount != len(rows):
            raise ConcurrentUpdate("one of several orders moved on")


def _follow(connection: sqlite3.Connection, moves: Sequence[tuple[Order, Order]]) -> None:
    """Write what the moves of orders do to other tables."""
    intents, alerts = [], []
    for before, after in moves:
        intent, decision = intent_effect(before, after), decision_effect(before, after)
        if intent is not None:
            intents.append((*intent, column(after.updated_at), after.command_id))
        if decision is not None:
            *columns, replaces = decision
            alerts.append((*columns, after.alert_id, json.dumps(replaces)))
    connection.executemany(UPDATE_INTENT, intents)
    connection.executemany(statement("follow_decision"), alerts)
    numbers = [
        (after.client_id, after.broker_order_id)
        for before, after in moves
        if after.broker_order_id != before.broker_order_id
    ]
    if numbers:
        connection.execute(_DELETE_EXTERNAL, (json.dumps(numbers),))
    _follow_fills(connection, [move for move in moves if touches_holdings(*move)])


def _follow_fills(connection: sqlite3.Connection, moves: Sequence[tuple[Order, Order]]) -> None:
    """Write what fills do to the holdings; each move is of another strategy or symbol."""
    if not moves:
        return
    held = holdings.held_by_product(connection, [after for _, after in moves])
    fills, kept, gone = [], [], []
    for (before, after), mine in zip(moves, held, strict=True):
        effects = effects_of(before, after, mine, partial(holdings.still_to_come, connection, after))
        at = column(after.updated_at)
        if effects.is_fill:
            fills.append(holdings.fill_row(after))
        if effects.taken_elsewhere:
            take_elsewhere(connection, after, effects.taken_elsewhere)
        for product, units in effects.held.items():
            key = (after.client_id, after.symbol, after.exchange, after.strategy_name, product)
            if units.net:
                kept.append((*key, decimal_text(units.net), units.entries, at))
            else:
                gone.append(key)
    connection.executemany(holdings.INSERT_FILL, fills)
    connection.executemany(statement("put_holding"), kept)
    connection.executemany(holdings.DELETE_HOLDING, gone)
