"""Parse the rows of Kite Connect. Values are never guessed.

A row that names no order, symbol or quantity raises ValueError: an unreadable value is not zero. The row becomes an
`UnreadableRow`, so that it affects only its own order or position. A quantity is parsed strictly. A price is parsed
where possible: a fill counts, whatever it cost.
"""

from collections.abc import Sequence

from broker.book_rows import latest_in, orders_of, positions_of, quoted, side_in, whole
from broker.contradictory_rows import Trade
from broker.delivered_shares import Delivered, delivered_of
from broker.fields import Row, needed, number, price_in, text_of
from broker.shown_shares import Place
from broker.zerodha.errors import code_of, with_advice
from domain.broker_reports import BrokerStatus, OrderReport, Position, UnreadableRow
from domain.money import ZERO

# Those of the documentation and of the vendor's answers to users. A status that is not listed here decides nothing.
_STATUSES = {
    "PUT ORDER REQ RECEIVED": BrokerStatus.PENDING,
    "VALIDATION PENDING": BrokerStatus.PENDING,
    "OPEN PENDING": BrokerStatus.PENDING,
    "AMO REQ RECEIVED": BrokerStatus.PENDING,
    "MODIFY AMO REQ RECEIVED": BrokerStatus.PENDING,
    "OPEN": BrokerStatus.OPEN,
    "MODIFY VALIDATION PENDING": BrokerStatus.OPEN,  # live until the exchange has said otherwise
    "MODIFY PENDING": BrokerStatus.OPEN,
    "MODIFIED": BrokerStatus.OPEN,
    "NOT MODIFIED": BrokerStatus.OPEN,
    "CANCEL PENDING": BrokerStatus.OPEN,
    "NOT CANCELLED": BrokerStatus.OPEN,
    "TRIGGER PENDING": BrokerStatus.TRIGGER_PENDING,
    "COMPLETE": BrokerStatus.COMPLETE,
    "REJECTED": BrokerStatus.REJECTED,
    "CANCELLED": BrokerStatus.CANCELLED,
}
_TIMES = ("order_timestamp", "exchange_timestamp", "exchange_update_timestamp")
_SHOWN = (
    "order_id", "tag", "status", "exchange", "tradingsymbol", "product", "transaction_type", "quantity",
    "filled_quantity", "pending_quantity", "overnight_quantity", "m2m", "opening_quantity", "order_timestamp",
)  # fmt: skip
"""The fields that are quoted from a row that cannot be read."""


def status_in(word: str) -> BrokerStatus:
    """Translate a status. An unknown one is UNRECOGNISED: it is no end of the order."""
    return _STATUSES.get(" ".join(word.upper().split()), BrokerStatus.UNRECOGNISED)


def order_in(row: Row) -> OrderReport:
    """Parse one row of the order book. A partial fill shows as `filled_quantity` while the status is still OPEN.

    Type and price are left out: a market order comes back as a limit order.

    Raises:
        ValueError: the row cannot be read.
    """
    filled = number(row, "filled_quantity", ZERO)
    price, unread = price_in(row, "average_price")
    said = " ".join((text_of(row, "status_message") or text_of(row, "status_message_raw")).split())
    return OrderReport(
        broker_order_id=needed(row, "order_id"),
        client_order_id=tag_in(row),
        status=status_in(text_of(row, "status")),
        exchange=needed(row, "exchange").upper(),
        symbol=needed(row, "tradingsymbol").upper(),
        side=side_in(row, "transaction_type"),
        quantity=number(row, "quantity"),
        filled_quantity=filled,
        average_price=price if filled else None,
        reason=with_advice(said),
        code=code_of(said),
        reported_at=latest_in(row, _TIMES),
        unread=unread if filled else "",
    )


def orders_in(rows: Sequence[Row]) -> tuple[tuple[OrderReport, ...], tuple[UnreadableRow, ...]]:
    """Parse all rows of the order book and return the unreadable ones apart."""
    return orders_of(rows, order_in, unreadable_row)


def positions_in(rows: Sequence[Row]) -> tuple[tuple[Position, ...], tuple[UnreadableRow, ...]]:
    """Parse the `net` positions, each once, and return the unreadable rows."""
    return positions_of(rows, position_in, unreadable_row)


def unreadable_row(row: Row, why: object) -> UnreadableRow:
    """Return what an unreadable row still names. `text` is the reason, and the `_SHOWN` fields as they came."""
    return UnreadableRow(
        exchange=text_of(row, "exchange").upper() or None,
        symbol=text_of(row, "tradingsymbol").upper() or None,
        product=None,
        broker_order_id=text_of(row, "order_id") or None,
        client_order_id=tag_in(row),
        text=quoted(row, why, _SHOWN),
    )


def position_in(row: Row) -> Position:
    """Parse one row of the net positions.

    `m2m` is the day's profit and loss as a whole, counted from the last close; `pnl` counts from the purchase, and
    `realised` is always 0. So all of `m2m` counts as realized where nothing is held, else as unrealized.

    Raises:
        ValueError: the row cannot be read.
    """
    quantity, result = number(row, "quantity"), number(row, "m2m")
    return Position(
        exchange=needed(row, "exchange").upper(),
        symbol=needed(row, "tradingsymbol").upper(),
        product=needed(row, "product").upper(),
        net_quantity=quantity,
        average_price=price_in(row, "average_price")[0],
        last_price=price_in(row, "last_price")[0],
        realized_pnl=ZERO if quantity else result,
        unrealized_pnl=result if quantity else ZERO,
    )


def delivered_in(rows: Sequence[Row]) -> Delivered:
    """Parse the Holdings: the units of each share that were carried into the day.

    `opening_quantity` counts. What is sold today does not change it, and shows as a negative CNC position. The other
    quantities change in the course of the day.
    """
    return delivered_of(rows, _share_in, "opening_quantity", _SHOWN)


def _share_in(row: Row) -> Place:
    return needed(row, "exchange").upper(), needed(row, "tradingsymbol").upper()


def trade_in(row: Row) -> Trade:
    """Parse one row of the trades.

    Raises:
        ReadFailed: the row cannot be read.
    """
    with whole("a trade"):
        return Trade(
            broker_order_id=needed(row, "order_id"),
            trade_id=text_of(row, "trade_id"),
            exchange=needed(row, "exchange").upper(),
            symbol=needed(row, "tradingsymbol"),
            side=side_in(row, "transaction_type"),
            quantity=number(row, "quantity"),
            price=number(row, "average_price"),
        )


def tag_in(row: Row) -> str | None:
    """Return our client order id; None if the row has none."""
    return text_of(row, "tag") or None
