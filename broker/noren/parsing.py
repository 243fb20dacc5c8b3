"""Parse the broker's rows tolerantly: any case, numbers as text, missing fields. Values are never guessed.

A row that names no order, symbol or quantity raises ValueError: an unreadable value is not zero. The row becomes an
`UnreadableRow`, so that it affects only its own order or position. A quantity is parsed strictly: "1,000" may mean a
thousand or one, and a person has to decide. A price is parsed where possible: a fill counts, whatever it cost.

Symbols are returned in capitals, as our orders have them. `SymbolSpellings` knows how the broker itself spells them.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal

from broker.book_rows import orders_of, positions_of, quoted, time_in, whole
from broker.contradictory_rows import Trade
from broker.fields import Row, needed, number, price_in, text_of
from broker.noren.errors import code_of, with_advice
from domain.broker_reports import BrokerStatus, OrderReport, Position, UnreadableRow
from domain.enums import Side
from domain.money import ZERO, decimal_text

_WRITTEN = "%H:%M:%S %d-%m-%Y"  # `10:48:03 20-05-2020`
_SIDES = {"B": Side.BUY, "S": Side.SELL}

# Spaces stand for underscores. A status that is not listed here decides nothing.
_STATUSES = {
    "PENDING": BrokerStatus.PENDING,
    "AFTER MARKET ORDER REQ RECEIVED": BrokerStatus.PENDING,
    "OPEN PENDING": BrokerStatus.PENDING,
    "NEW": BrokerStatus.OPEN,
    "OPEN": BrokerStatus.OPEN,
    "REPLACED": BrokerStatus.OPEN,
    "MODIFY PENDING": BrokerStatus.OPEN,  # live until the exchange has said otherwise
    "CANCEL PENDING": BrokerStatus.OPEN,
    "TRIGGER PENDING": BrokerStatus.TRIGGER_PENDING,
    "COMPLETE": BrokerStatus.COMPLETE,
    "REJECT": BrokerStatus.REJECTED,
    "REJECTED": BrokerStatus.REJECTED,
    "CANCELED": BrokerStatus.CANCELLED,
    "CANCELLED": BrokerStatus.CANCELLED,
    "EXPIRED": BrokerStatus.EXPIRED,
}


_CANCELLED = (BrokerStatus.CANCELLED, BrokerStatus.EXPIRED)

_SHOWN = (
    "norenordno", "remarks", "status", "exch", "tsym", "prd", "trantype", "qty", "fillshares", "netqty", "daybuyqty",
    "daysellqty", "rpnl", "urmtom", "lp", "norentm",
)  # fmt: skip
"""The fields that are quoted from a row that cannot be read."""


@dataclass(frozen=True, slots=True)
class Scrip:
    """One tradable symbol. `token` is the broker's number for it."""

    exchange: str
    symbol: str
    token: str
    lot_size: Decimal | None
    tick_size: Decimal | None


def status_in(word: str) -> BrokerStatus:
    """Translate a status text: in any case, with spaces or underscores. An unknown text is UNRECOGNISED."""
    words = " ".join(word.upper().replace("_", " ").split())
    return _STATUSES.get(words, BrokerStatus.UNRECOGNISED)


def order_in(row: Row) -> OrderReport:
    """Parse one row of the order book. A partial fill shows as `fillshares` while the status is still OPEN.

    Of a cancelled row without `fillshares` nothing was filled where its `cancelqty` is all of its quantity. Else it is
    not certain how much was: `ReportBuilder` settles that.

    Raises:
        ValueError: the row cannot be read.
    """
    status, quantity = status_in(text_of(row, "status")), number(row, "qty")
    filled, doubt = number(row, "fillshares", ZERO), ""
    cancelled = number(row, "cancelqty", ZERO)
    names_some = cancelled or status is BrokerStatus.CANCELLED  # what has expired unfilled need not name any
    if status in _CANCELLED and names_some and not text_of(row, "fillshares") and cancelled < quantity:
        filled = quantity - cancelled if cancelled else ZERO
        doubt = f"cancelqty {decimal_text(cancelled)} of {decimal_text(quantity)} and no fillshares"
    price, unread = price_in(row, "avgprc")
    reason = with_advice(" ".join(text_of(row, "rejreason").split()))
    return OrderReport(
        broker_order_id=needed(row, "norenordno"),
        client_order_id=text_of(row, "remarks") or None,
        status=status,
        exchange=needed(row, "exch").upper(),
        symbol=needed(row, "tsym").upper(),
        side=side_in(row),
        quantity=quantity,
        filled_quantity=filled,
        average_price=price if filled else None,
        reason=reason,
        code=code_of(reason),
        reported_at=time_in(row, "norentm", _WRITTEN),
        contradiction=doubt,
        unread=unread if filled else "",
    )


def orders_in(rows: Sequence[Row]) -> tuple[tuple[OrderReport, ...], tuple[UnreadableRow, ...]]:
    """Parse all rows of the order book and return the unreadable ones apart."""
    return orders_of(rows, order_in, unreadable_row)


def unreadable_row(row: Row, why: object) -> UnreadableRow:
    """Return what an unreadable row still names. `text` is the reason, and the `_SHOWN` fields as they came."""
    return UnreadableRow(
        exchange=text_of(row, "exch").upper() or None,
        symbol=text_of(row, "tsym").upper() or None,
        product=None,
        broker_order_id=text_of(row, "norenordno") or None,
        client_order_id=text_of(row, "remarks") or None,
        text=quoted(row, why, _SHOWN),
    )


def positions_in(
    rows: Sequence[Row], products: Mapping[str, str]
) -> tuple[tuple[Position, ...], tuple[UnreadableRow, ...]]:
    """Parse the positions, each once, and return the unreadable rows."""
    return positions_of(rows, lambda row: position_in(row, products), unreadable_row)


def position_in(row: Row, products: Mapping[str, str]) -> Position:
    """Parse one row of the positions. `products` maps the API's product names to ours; other names stay as they are.

    Raises:
        ValueError: the row cannot be read.
    """
    product = needed(row, "prd").upper()
    return Position(
        exchange=needed(row, "exch").upper(),
        symbol=needed(row, "tsym").upper(),
        product=products.get(product, product),
        net_quantity=number(row, "netqty"),
        average_price=price_in(row, "netavgprc")[0],
        last_price=price_in(row, "lp")[0],
        realized_pnl=number(row, "rpnl", ZERO),
        unrealized_pnl=number(row, "urmtom", ZERO),
    )


def trade_in(row: Row) -> Trade:
    """Parse one row of the trade book.

    Raises:
        ReadFailed: the row cannot be read.
    """
    with whole("a trade"):
        return Trade(
            broker_order_id=needed(row, "norenordno"),
            trade_id=text_of(row, "flid"),
            exchange=needed(row, "exch").upper(),
            symbol=needed(row, "tsym"),
            side=side_in(row),
            quantity=number(row, "flqty"),
            price=number(row, "flprc"),
        )


def scrip_in(row: Row) -> Scrip:
    """Parse one result of a symbol search.

    Raises:
        ReadFailed: the row cannot be read.
    """
    with whole("a symbol"):
        return Scrip(
            exchange=needed(row, "exch").upper(),
            symbol=needed(row, "tsym"),
            token=needed(row, "token"),
            lot_size=number(row, "ls", ZERO) or None,
            tick_size=number(row, "ti", ZERO) or None,
        )


def side_in(row: Row) -> Side:
    """Parse the side of an order or trade.

    Raises:
        ValueError: it is missing or unknown.
    """
    word = needed(row, "trantype").upper()
    if word[:1] not in _SIDES:
        raise ValueError(f"trantype {word!r}")
    return _SIDES[word[:1]]
