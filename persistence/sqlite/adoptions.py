"""Store adoptions: units of the account that a person assigned to a strategy.

The table `adoptions` is append-only. Each row is chained to the one before it, as order events are.
"""

import sqlite3
from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import Decimal

from domain.adoption import Adoption, AdoptionFacts, KnownDifference
from domain.broker_reports import PositionsSnapshot
from domain.money import ZERO, decimal_text, optional_text, parse_decimal
from domain.order_events import event_hash
from domain.times import parse_time, time_text
from persistence.sqlite import differences as review
from persistence.sqlite import unreadable_rows
from persistence.sqlite.queries import rule_facts
from persistence.sqlite.queries.statements import statement
from persistence.sqlite.rows import SELECT_POSITION, order_of, orders_statement, position_of

_TOLD = ("client_id", "exchange", "symbol", "product", "strategy_name", "quantity", "average_price", "adopted_at",
         "adopted_by", "reason", "positions_read_at", "at_broker", "moved_from")  # fmt: skip
"""The columns with a row's content.

`moved_from` is the row of the client's old id that this row repeats under the new id, if any.
"""

_INSERT = (
    f"INSERT INTO adoptions ({', '.join(_TOLD)}, previous_hash, hash) "
    f"VALUES ({', '.join('?' * (len(_TOLD) + 2))})"
)

Values = tuple[str | int | None, ...]


def adoption_facts(
    connection: sqlite3.Connection, client_id: str, symbol: str, now: datetime
) -> AdoptionFacts:
    """Return what is known of the symbol on all exchanges.

    Brokers may write the symbol in other upper and lower case than we do.
    """
    snapshot, error = _read(connection, client_id, symbol)
    orders = connection.execute(
        orders_statement("orders_of_symbol"),
        (client_id, symbol, time_text(now)),
    )
    differences = connection.execute(
        "SELECT exchange, symbol, product, difference, believed, kind = 'EXTERNAL' FROM position_differences "
        "WHERE client_id = ? AND symbol = ? COLLATE NOCASE",
        (client_id, symbol),
    )
    by_hand: dict[str, Decimal] = {}
    for exchange, side, units in connection.execute(
        "SELECT exchange, side, unexplained_quantity FROM external_orders WHERE unexplained_quantity <> '0' "
        "AND client_id = ? AND symbol = ? COLLATE NOCASE",
        (client_id, symbol),
    ):
        by_hand[exchange] = by_hand.get(exchange, ZERO) + parse_decimal(units) * (1 if side == "BUY" else -1)
    return AdoptionFacts(
        snapshot=snapshot,
        read_error=error,
        holdings=tuple(rule_facts.holdings(connection, client_id, symbol)),
        orders=tuple(order_of(row) for row in orders),
        differences=tuple(_known(*row) for row in differences),
        by_hand=by_hand,
        last_fill_at=review.last_fill_at(connection, client_id, symbol),
    )


def _read(
    connection: sqlite3.Connection, client_id: str, symbol: str
) -> tuple[PositionsSnapshot | None, str | None]:
    """Return the symbol's part of the last positions that were read, and why a later read failed."""
    row = connection.execute(
        "SELECT positions_read_at, read_error FROM accounts WHERE client_id = ?", (client_id,)
    ).fetchone()
    if row is None or row[0] is None:
        return None, None if row is None else row[1]
    # A row from an earlier read stays in the table with that read's time. It does not count as listed now.
    positions = connection.execute(
        f"{SELECT_POSITION} WHERE client_id = ? AND symbol = ? COLLATE NOCASE AND read_at = ?",
        (client_id, symbol, row[0]),
    )
    found = tuple(position_of(each) for each in positions)
    return PositionsSnapshot(parse_time(row[0]), found, unreadable_rows.rows_of(connection, client_id)), row[
        1
    ]


def _known(
    exchange: str, symbol: str, product: str, amount: str, believed: str, external: int
) -> KnownDifference:
    place = (exchange, symbol, product)
    return KnownDifference(place, parse_decimal(amount), parse_decimal(believed), is_external=bool(external))


def keep_adoption(connection: sqlite3.Connection, a: Adoption) -> None:
    """Write the adoption, the strategy's new holding, and what is left of the notified difference.

    Units that external orders explain are subtracted from what those orders still have unexplained.
    """
    _append(
        connection,
        (a.client_id, a.exchange, a.symbol, a.product, a.strategy_name, decimal_text(a.quantity),
         optional_text(a.average_price), time_text(a.at), a.by, a.reason, time_text(a.read_at),
         decimal_text(a.at_broker), None),
    )  # fmt: skip
    h = a.holding
    connection.execute(
        statement("put_holding"),
        (h.client_id, h.symbol, h.exchange, h.strategy_name, h.product, decimal_text(h.net_quantity), h.entries,
         time_text(a.at)),
    )  # fmt: skip
    if a.difference is not None:
        _keep_difference(connection, a, a.difference)
    if a.explained:
        _explain(connection, a)


def _append(connection: sqlite3.Connection, told: Values) -> None:
    last = connection.execute("SELECT hash FROM adoptions ORDER BY adoption_id DESC LIMIT 1").fetchone()
    previous = "" if last is None else last[0]
    connection.execute(_INSERT, (*told, previous, _hash(previous, told)))


def _hash(previous: str, told: Values) -> str:
    return event_hash(previous, *(None if value is None else str(value) for value in told))


def _keep_difference(connection: sqlite3.Connection, a: Adoption, left: KnownDifference) -> None:
    place = (a.client_id, *left.where)
    where = "WHERE client_id = ? AND exchange = ? AND symbol = ? AND product = ?"
    if not left.amount:
        connection.execute(f"DELETE FROM position_differences {where}", place)
        return
    held = rule_facts.held_at(connection, a.client_id, (a.exchange, a.symbol, a.product))
    connection.execute(
        "UPDATE position_differences SET held = ?, at_broker = ?, difference = ?, believed = ?, kind = 'DIFFERENT', "
        "savings = iif(savings = difference, ?, savings) " + where,
        (decimal_text(held), decimal_text(held + left.amount), decimal_text(left.amount),
         decimal_text(left.believed), decimal_text(left.amount), *place),
    )  # fmt: skip


def _explain(connection: sqlite3.Connection, a: Adoption) -> None:
    """Subtract the explained units from the unexplained units of external orders on that side, oldest first."""
    left = a.explained
    rows = connection.execute(
        statement("external_orders_of_side"),
        (a.client_id, a.exchange, a.symbol, "BUY" if a.quantity > 0 else "SELL"),
    ).fetchall()
    for broker_order_id, units in rows:
        taken = min(left, parse_decimal(units))
        left -= taken
        connection.execute(
            statement("set_unexplained"),
            (decimal_text(parse_decimal(units) - taken), a.client_id, broker_order_id),
        )


def move_adoptions(connection: sqlite3.Connection, old: str, new: str) -> None:
    """Repeat a client's adoptions under its new id. Those under the old id stay as they were written."""
    rows = connection.execute(
        f"SELECT {', '.join(_TOLD[1:-1])}, adoption_id FROM adoptions a WHERE client_id = ? AND NOT EXISTS "
        "(SELECT 1 FROM adoptions b WHERE b.moved_from = a.adoption_id) ORDER BY adoption_id",
        (old,),
    ).fetchall()
    for row in rows:
        _append(connection, (new, *row))


def check_adoptions(connection: sqlite3.Connection, add: Callable[[str, str], None]) -> int:
    """Check the hash chain and call `add(where, what)` for each fault. Return how many rows there are."""
    count, previous, expected = 0, "", 1
    for adoption_id, told, before, digest in _rows(connection):
        name, count = f"adoption {adoption_id}", count + 1
        if adoption_id != expected:
            add("adoptions", f"{adoption_id - expected} are gone before {adoption_id}")
        if before != previous:
            add(name, "does not follow the one before it")
        if digest != _hash(before, told):
            add(name, "its content was changed")
        previous, expected = digest, adoption_id + 1
    given = connection.execute("SELECT seq FROM sqlite_sequence WHERE name = 'adoptions'").fetchone()
    if given is not None and given[0] >= expected:
        add("adoptions", f"the last one is {expected - 1}, but {given[0]} was written")
    return count


def _rows(connection: sqlite3.Connection) -> Iterator[tuple[int, Values, str, str]]:
    sql = f"SELECT adoption_id, {', '.join(_TOLD)}, previous_hash, hash FROM adoptions ORDER BY adoption_id"
    for row in connection.execute(sql):
        adoption_id, *told, previous, digest = tuple(row)
        yield adoption_id, tuple(told), previous, digest
