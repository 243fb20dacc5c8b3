"""Queries for what a person should check: orders long at the broker, and position differences.

None of them grows with history.
"""

import sqlite3
from collections.abc import Mapping
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from domain.broker_reports import OrderReport
from domain.enums import Side
from domain.holdings import taken_off
from domain.money import ZERO, decimal_text, parse_decimal
from domain.notice_keys import NoticeSubject
from domain.order import Order
from domain.order_events import column
from domain.position_comparison import (
    READS_APART_AT_MOST,
    Difference,
    Place,
    ToldDifference,
    certain_with_their_halves,
)
from domain.stale_orders import StaleOrder, why_still_open
from domain.times import parse_time, time_text
from persistence.sqlite.queries.statements import statement
from persistence.sqlite.rows import ORDER_COLUMNS, optional_time, order_of

Row = dict[str, Any]

_OF_CLIENT_AND_UNTOLD = (
    "AND client_id = :client AND NOT EXISTS (SELECT 1 FROM told_notices t "
    "WHERE t.client_id = :client AND t.about = :about AND t.facts = orders.command_id)"
)
_OLDEST = "ORDER BY sent_to_broker_at, command_id LIMIT :limit"


def frozen_rows(connection: sqlite3.Connection, sent_before: datetime, *, limit: int) -> list[Row]:
    """Return the orders of all clients that have been SENT_TO_BROKER since `sent_before` or earlier, oldest first.

    Each has the order's columns, `sent_to_broker_at`, and `why` it is still open.
    """
    values = {"before": time_text(sent_before), "limit": limit}
    rows = rows_of(connection, f"{statement('frozen_orders')} {_OLDEST}", values)
    return [{**row, "why": why_still_open(_order(row))} for row in rows]


def frozen_count(connection: sqlite3.Connection, sent_before: datetime) -> int:
    """Count the orders of all clients that have been SENT_TO_BROKER since `sent_before` or earlier."""
    count = f"SELECT count(*) FROM ({statement('frozen_orders')})"
    [(found,)] = connection.execute(count, {"before": time_text(sent_before)})
    return int(found)


def untold_frozen(
    connection: sqlite3.Connection, client_id: str, sent_before: datetime, *, limit: int
) -> list[StaleOrder]:
    """Return the client's stale orders about which no notice was sent yet, oldest first."""
    values = {
        "before": time_text(sent_before), "client": client_id, "about": NoticeSubject.FROZEN, "limit": limit,
    }  # fmt: skip
    rows = rows_of(connection, f"{statement('frozen_orders')} {_OF_CLIENT_AND_UNTOLD} {_OLDEST}", values)
    return [StaleOrder(_order(row), parse_time(row["sent_to_broker_at"])) for row in rows]


_DIFFERENCE = (
    "SELECT exchange, symbol, product, held, at_broker, kind = 'EXTERNAL', savings FROM position_differences"
)


def told_differences(connection: sqlite3.Connection, client_id: str) -> list[Difference]:
    """Return the client's differences that were notified and still stand."""
    rows = connection.execute(f"{_DIFFERENCE} WHERE client_id = ?", (client_id,))
    return [_difference(row) for row in rows]


def told_difference(connection: sqlite3.Connection, client_id: str, place: Place) -> Difference | None:
    """Return the notified difference that stands at this place, or None."""
    row = connection.execute(
        f"{_DIFFERENCE} WHERE client_id = ? AND exchange = ? AND symbol = ? AND product = ?",
        (client_id, *place),
    ).fetchone()
    return None if row is None else _difference(row)


def keep_difference(
    connection: sqlite3.Connection,
    client_id: str,
    d: Difference,
    since: datetime,
    told_at: datetime,
    *,
    believed: bool,
) -> None:
    """Replace the difference stored at its place. A difference that is gone leaves no row.

    Args:
        believed: units that the broker has in excess of our holdings are believed at once.
    """
    key = (client_id, *d.where)
    old = connection.execute(f"SELECT believed, difference, since, shown_since {_AT_PLACE}", key).fetchone()
    known = parse_decimal(old[0]) if old else ZERO
    believed_before = known
    if believed and d.adds and d.is_kept:
        known = d.amount
    change = (known if d.is_kept else ZERO) - believed_before
    _follow_believed(connection, (client_id, *d.where), change, since)
    shown_since = since
    if old and parse_decimal(old[1]) == d.amount:
        # Both sides moved by the same amount: it is the earlier difference, and it has stood since then.
        shown_since = min(since, parse_time(old[3]))
    if old and parse_decimal(old[1]) * d.amount > 0:
        since = min(since, parse_time(old[2]))  # since then something is missing there, or too many are
    connection.execute(f"DELETE {_AT_PLACE}", key)
    if d.is_kept:
        kind = "EXTERNAL" if d.is_external else "DIFFERENT"
        figures = (decimal_text(d.held), decimal_text(d.at_broker), decimal_text(d.amount), kind)
        connection.execute(
            "INSERT INTO position_differences VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                *key,
                *figures,
                time_text(since),
                time_text(told_at),
                decimal_text(known),
                decimal_text(d.savings),
                time_text(shown_since),
            ),
        )


_AT_PLACE = "FROM position_differences WHERE client_id = ? AND exchange = ? AND symbol = ? AND product = ?"


def believe_differences(
    connection: sqlite3.Connection,
    client_id: str,
    since: datetime,
    standing: Mapping[Place, Decimal],
    *,
    now: datetime,
) -> None:
    """Believe the differences that reads have shown since `since` or earlier, and that are among `standing`.

    From now on our fills and the broker's position are expected to differ by them.

    Args:
        standing: the amounts that reads have shown all that time, by place.
    """
    shown_by = max(since, now - _SHOWS_WITHIN)
    rows = connection.execute(
        "SELECT exchange, symbol, product, difference, believed, since, shown_since FROM position_differences "
        "WHERE client_id = ?",
        (client_id,),
    ).fetchall()
    told = {
        row[:3]: ToldDifference(
            row[:3],
            parse_decimal(row[3]),
            parse_time(row[5]),
            row[3] == row[4]
            or (row[6] <= time_text(since) and standing.get(row[:3]) == parse_decimal(row[3])),
        )
        for row in rows
    }
    certain = certain_with_their_halves(told.values())
    for exchange, symbol, product, difference, believed, stood_since, _ in rows:
        place = (exchange, symbol, product)
        if place not in certain or believed == difference:
            continue
        connection.execute(
            "UPDATE position_differences SET believed = difference WHERE client_id = ? AND exchange = ? "
            "AND symbol = ? AND product = ?",
            (client_id, *place),
        )
        change = parse_decimal(difference) - parse_decimal(believed)
        change -= _explain_shown(connection, (client_id, *place), shown_by)
        _follow_believed(connection, (client_id, *place), change, parse_time(stood_since))


def stand_anew_after_a_gap(
    connection: sqlite3.Connection, client_id: str, read_at: datetime, *, compared_at: datetime | None
) -> None:
    """Let differences be shown anew where the last read that was compared is too long ago for them to have stood.

    What was there before the gap may have gone and come again.

    Args:
        compared_at: when the caller last compared a read, which is not stored yet; None: it has compared none.
    """
    oldest = read_at - READS_APART_AT_MOST
    if compared_at is not None and compared_at >= oldest:
        return
    connection.execute(
        statement("stand_anew"),
        (client_id, time_text(read_at), time_text(oldest)),
    )


def take_elsewhere(connection: sqlite3.Connection, order: Order, units: Decimal) -> None:
    """Subtract units (signed) that an exit's fill took although no strategy held them.

    They no longer count as a believed difference or as unexplained units of external orders.
    """
    place = (order.client_id, order.exchange, order.symbol)
    found = connection.execute(statement("held_by_others"), place).fetchall()
    for (kind, key), left in taken_off(
        (((kind, key), parse_decimal(text)) for kind, key, text in found), units
    ):
        if kind == "D":
            connection.execute(
                # The stored difference was measured before this fill: it must stand anew before it is believed.
                "UPDATE position_differences SET believed = ?1, since = ?2, shown_since = ?2 "
                "WHERE client_id = ?3 AND exchange = ?4 AND symbol = ?5 AND product = ?6",
                (decimal_text(left), column(order.updated_at), *place, key),
            )
        else:
            connection.execute(
                statement("set_unexplained"),
                (decimal_text(abs(left)), order.client_id, key),
            )


def forget_explanations(connection: sqlite3.Connection, client_id: str, day_starts: datetime) -> None:
    """Let external orders of earlier days explain nothing more: the positions of a new day begin with what they left.

    Delivered shares that a hand has sold, and what the broker squares off at the end of the day, are in no read of the
    positions any more.
    """
    connection.execute(
        "UPDATE external_orders SET unexplained_quantity = '0' WHERE client_id = ? AND unexplained_quantity <> '0' "
        "AND first_seen_at < ?",
        (client_id, time_text(day_starts)),
    )


def forget_symbol(connection: sqlite3.Connection, client_id: str, exchange: str, symbol: str) -> None:
    """Drop everything that was notified or believed about a symbol, because it is flat on both sides."""
    connection.execute(
        "DELETE FROM position_differences WHERE client_id = ? AND exchange = ? AND symbol = ?",
        (client_id, exchange, symbol),
    )
    connection.execute(
        "DELETE FROM believed_ahead WHERE client_id = ? AND exchange = ? AND symbol = ?",
        (client_id, exchange, symbol),
    )
    connection.execute(
        "UPDATE external_orders SET unexplained_quantity = '0' WHERE client_id = ? AND exchange = ? AND symbol = ? "
        "AND unexplained_quantity <> '0'",
        (client_id, exchange, symbol),
    )


def _explain_shown(
    connection: sqlite3.Connection, place: tuple[str, str, str, str], shown_by: datetime
) -> Decimal:
    """Let external orders that were seen by then explain nothing more, and return their units, signed.

    A difference that stands has all of them, on whichever side, those too that the order book showed only after the
    positions did: they must not count twice.
    """
    shown = statement("external_orders_shown_by_position")
    rows = connection.execute(shown, (*place, time_text(shown_by))).fetchall()
    for number, _ in rows:
        connection.execute(statement("set_unexplained"), ("0", place[0], number))
    return sum((parse_decimal(text) for _, text in rows), ZERO)


def _follow_believed(
    connection: sqlite3.Connection, place: tuple[str, str, str, str], change: Decimal, at: datetime
) -> None:
    """Take a change of what is believed at a place off its external orders: they must not count twice.

    Units bought by hand that are believed now are in the difference. A believed difference that is gone took the units
    sold by hand with it. What finds no order to take from is kept for one that the order book shows later.

    Args:
        at: when reads first showed the change.
    """
    if not change:
        return
    rows = connection.execute(statement("external_orders_of_product"), place).fetchall()
    figures = {number: parse_decimal(text) for number, text in rows}
    for number, left in taken_off(figures.items(), -change):
        connection.execute(
            statement("set_unexplained"),
            (decimal_text(abs(left)), place[0], number),
        )
        change -= figures[number] - left
    if change:
        _keep_ahead(connection, place, change, at)


_SHOWS_WITHIN = timedelta(seconds=40)
"""Order book and positions are read at different times: so long may one show an order by hand before the other does."""


def _keep_ahead(
    connection: sqlite3.Connection, place: tuple[str, str, str, str], units: Decimal, at: datetime
) -> None:
    """Keep units (signed) that positions have shown and no order of the book explains yet.

    A position that is gone for one read and comes again takes them back.
    """
    known = connection.execute(
        "SELECT units FROM believed_ahead WHERE client_id = ? AND exchange = ? AND symbol = ? AND product = ? "
        "AND at >= ?",
        (*place, time_text(at - _SHOWS_WITHIN)),
    ).fetchone()
    units += parse_decimal(known[0]) if known else ZERO
    connection.execute(
        "INSERT OR REPLACE INTO believed_ahead VALUES (?, ?, ?, ?, ?, ?)",
        (*place, decimal_text(units), time_text(at)),
    )


def take_believed(
    connection: sqlite3.Connection, client_id: str, report: OrderReport, units: Decimal, unseen_at: datetime
) -> Decimal:
    """Return how many of these units of an external order were believed before the order book showed it.

    They are in a difference, or in the end of one, and do not explain another order as well. An order that a whole
    book did not show long after the positions did (`unseen_at`) is not the one; while the book cannot be read, none is
    too late.
    """
    rows = connection.execute(
        "SELECT product, units FROM believed_ahead WHERE client_id = ?1 AND exchange = ?2 AND symbol = ?3 "
        "AND product = coalesce(?4, product) AND at >= ?5",
        (client_id, report.exchange, report.symbol, report.product, time_text(unseen_at - _SHOWS_WITHIN)),
    ).fetchall()
    wanted = units
    for product, text in rows:
        ahead = parse_decimal(text)
        if ahead * report.side.sign > 0:
            taken = min(abs(ahead), wanted)
            wanted -= taken
            connection.execute(
                "UPDATE believed_ahead SET units = ? WHERE client_id = ? AND exchange = ? AND symbol = ? "
                "AND product = ?",
                (
                    decimal_text(ahead - taken * report.side.sign),
                    client_id,
                    report.exchange,
                    report.symbol,
                    product,
                ),
            )
    return units - wanted


def last_fill_at(
    connection: sqlite3.Connection,
    client_id: str,
    symbol: str,
    side: Side | None = None,
    product: str | None = None,
) -> datetime | None:
    """Return when a fill in the symbol was last recorded, of that side and product or of any, or None."""
    row = connection.execute(
        "SELECT max(filled_at) FROM last_fills WHERE client_id = ?1 AND symbol = ?2 AND coalesce(?3, side) = side "
        "AND (?4 IS NULL OR product IN (?4, ''))",
        (client_id, symbol, side, product),
    ).fetchone()
    return None if row is None else optional_time(row[0])


def _difference(row: tuple[Any, ...]) -> Difference:
    exchange, symbol, product, held, at_broker, external, savings = row
    return Difference(
        exchange,
        symbol,
        product,
        parse_decimal(held),
        parse_decimal(at_broker),
        is_external=bool(external),
        savings=parse_decimal(savings),
    )


def _order(row: Row) -> Order:
    return order_of(tuple(row[name] for name in ORDER_COLUMNS))


def rows_of(connection: sqlite3.Connection, sql: str, values: Any = ()) -> list[Row]:
    """Return the rows that a query finds, each as a dict by column name."""
    found = connection.execute(sql, values)
    names = [column[0] for column in found.description]
    return [dict(zip(names, row, strict=True)) for row in found]
