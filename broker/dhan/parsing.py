"""Parse the rows of DhanHQ. Values are never guessed.

A row that names no order, instrument or quantity raises ValueError: an unreadable value is not zero. The row becomes an
`UnreadableRow`, so that it affects only its own order or position. A quantity is parsed strictly. A price is parsed
where possible: a fill counts, whatever it cost.

The name that a row gives a contract may be that of several weeks. Its date of expiry makes it one (`masters.dhan`), and
where that is missing, the list of instruments by the row's security id.
"""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal
from typing import Any

from broker.book_rows import latest_in, orders_of, positions_of, quoted, side_in, whole
from broker.contradictory_rows import Trade
from broker.delivered_shares import Delivered, delivered_of
from broker.dhan.errors import code_of, with_advice
from broker.dhan.requests import PRODUCTS
from broker.dhan.security_ids import EXCHANGES, SEGMENTS, SecurityIds
from broker.fields import Row, needed, number, price_in, text_of
from broker.masters.dhan import dated, is_dated
from broker.shown_shares import Place
from domain.broker_reports import BrokerStatus, OrderReport, Position, UnreadableRow

# Those of the documentation for plain orders. A status that is not listed here decides nothing.
_STATUSES = {
    "TRANSIT": BrokerStatus.PENDING,
    "PENDING": BrokerStatus.OPEN,
    "PART_TRADED": BrokerStatus.OPEN,
    "TRADED": BrokerStatus.COMPLETE,
    "REJECTED": BrokerStatus.REJECTED,
    "CANCELLED": BrokerStatus.CANCELLED,
    "EXPIRED": BrokerStatus.EXPIRED,
}
_NOT_WELL = (BrokerStatus.REJECTED, BrokerStatus.CANCELLED, BrokerStatus.EXPIRED)
_STOPS = ("STOP_LOSS", "STOP_LOSS_MARKET")
_TIMES = ("createTime", "updateTime", "exchangeTime")
_PRODUCTS = {theirs: ours for ours, theirs in PRODUCTS.items()}
_SHOWN = (
    "orderId", "correlationId", "orderStatus", "exchangeSegment", "tradingSymbol", "securityId", "drvExpiryDate",
    "productType", "transactionType", "quantity", "filledQty", "netQty", "totalQty", "realizedProfit",
    "unrealizedProfit", "updateTime",
)  # fmt: skip
"""The fields that are quoted from a row that cannot be read."""


class Rows:
    """Reads the rows of one account, and notes the security ids that they show."""

    def __init__(self, ids: SecurityIds) -> None:
        self._ids = ids

    def order_in(self, row: Row) -> OrderReport:
        """Parse one row of the order book. Type and price are left out: a market order comes back as a limit order.

        Raises:
            ValueError: the row cannot be read.
        """
        exchange, symbol = self.place_of(row)
        filled = number(row, "filledQty" if "filledQty" in row else "filled_qty")  # v1's name is still seen
        price, unread = price_in(row, "averageTradedPrice")
        status = status_in(row)
        # Of an order that is well it says `CONFIRMED`.
        said = " ".join(text_of(row, "omsErrorDescription").split()) if status in _NOT_WELL else ""
        return OrderReport(
            broker_order_id=needed(row, "orderId"),
            client_order_id=tag_in(row),
            status=status,
            exchange=exchange,
            symbol=symbol,
            side=side_in(row, "transactionType"),
            quantity=number(row, "quantity"),
            filled_quantity=filled,
            average_price=price if filled else None,
            reason=with_advice(said),
            code=code_of(said) if said else "",
            reported_at=latest_in(row, _TIMES),
            unread=unread if filled else "",
        )

    def orders_in(self, rows: Sequence[Row]) -> tuple[tuple[OrderReport, ...], tuple[UnreadableRow, ...]]:
        """Parse all rows of the order book and return the unreadable ones apart."""
        return orders_of(rows, self.order_in, self.unreadable_row)

    def position_in(self, row: Row) -> Position:
        """Parse one row of the positions. There is no last price in it.

        Raises:
            ValueError: the row cannot be read.
        """
        exchange, symbol = self.place_of(row)
        product = needed(row, "productType").upper()
        return Position(
            exchange=exchange,
            symbol=symbol,
            product=_PRODUCTS.get(product, product),
            net_quantity=number(row, "netQty"),
            average_price=price_in(row, "costPrice")[0],
            last_price=None,
            realized_pnl=number(row, "realizedProfit"),
            unrealized_pnl=number(row, "unrealizedProfit"),
        )

    def positions_in(self, rows: Sequence[Row]) -> tuple[tuple[Position, ...], tuple[UnreadableRow, ...]]:
        """Parse the positions, each once, and return the unreadable rows."""
        return positions_of(rows, self.position_in, self.unreadable_row)

    def trade_in(self, row: Row) -> Trade:
        """Parse one row of the trades.

        Raises:
            ReadFailed: the row cannot be read.
        """
        with whole("a trade"):
            exchange, symbol = self.place_of(row)
            return Trade(
                broker_order_id=needed(row, "orderId"),
                trade_id=text_of(row, "exchangeTradeId"),
                exchange=exchange,
                symbol=symbol,
                side=side_in(row, "transactionType"),
                quantity=number(row, "tradedQuantity"),
                price=number(row, "tradedPrice"),
            )

    def place_of(self, row: Row) -> Place:
        """Return the exchange of a row, and its symbol in capitals.

        Raises:
            ValueError: they are missing or unknown, or several contracts have that name.
        """
        segment = needed(row, "exchangeSegment").upper()
        exchange = EXCHANGES.get(segment)
        if exchange is None:
            raise ValueError(f"exchangeSegment {segment!r}")
        symbol, security_id = needed(row, "tradingSymbol").upper(), text_of(row, "securityId")
        if not is_dated(symbol):
            expiry = _expiry_in(row)
            listed = None if expiry is not None else self._ids.symbol_of(exchange, security_id)
            if expiry is None and listed is None:
                raise ValueError("drvExpiryDate is missing: contracts of several weeks may have that name")
            symbol = dated(symbol, expiry) if expiry is not None else str(listed)
        self._ids.shown(exchange, symbol, security_id)
        return exchange, symbol

    def unreadable_row(self, row: Row, why: object) -> UnreadableRow:
        """Return what an unreadable row still names. Its symbol is left out: it may be that of several contracts."""
        exchange = EXCHANGES.get(text_of(row, "exchangeSegment").upper())
        try:
            symbol: str | None = self.place_of(row)[1]
        except ValueError:
            symbol = None
        return UnreadableRow(
            exchange=exchange,
            symbol=symbol,
            product=None,
            broker_order_id=text_of(row, "orderId") or None,
            client_order_id=tag_in(row),
            text=quoted(row, why, _SHOWN),
        )


def status_in(row: Row) -> BrokerStatus:
    """Translate a status. An unknown one is UNRECOGNISED: it is no end of the order.

    A stop is PENDING before its trigger and after it.
    """
    status = _STATUSES.get(text_of(row, "orderStatus").upper(), BrokerStatus.UNRECOGNISED)
    is_stop = text_of(row, "orderType").upper() in _STOPS
    return BrokerStatus.TRIGGER_PENDING if status is BrokerStatus.OPEN and is_stop else status


def delivered_in(rows: Sequence[Row]) -> Delivered:
    """Parse the Holdings: the units of each share that were carried into the day.

    `totalQty` counts. Shares that are listed at both exchanges (`ALL`) count at NSE.
    """
    return delivered_of(rows, _share_in, "totalQty", _SHOWN)


def _share_in(row: Row) -> Place:
    exchange = needed(row, "exchange").upper().removesuffix("_EQ")
    return "NSE" if exchange == "ALL" else exchange, needed(row, "tradingSymbol").upper()


def prices_in(found: Any, places: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Decimal]:
    """Return the prices above 0 of these exchanges and security ids, as far as the answer has them."""
    prices = {}
    for exchange, security_id in places:
        row = found
        for name in ("data", SEGMENTS[exchange], security_id):
            row = row.get(name) if isinstance(row, dict) else None
        price = price_in(row, "last_price")[0] if isinstance(row, dict) else None
        if price is not None and price > 0:
            prices[exchange, security_id] = price
    return prices


def tag_in(row: Row) -> str | None:
    """Return our client order id; None if the row has none."""
    tag = text_of(row, "correlationId")
    return None if tag in ("", "NA") else tag


def _expiry_in(row: Row) -> date | None:
    """Parse the date on which the row's contract expires; None if it has none. `0001-01-01` stands for none."""
    text = text_of(row, "drvExpiryDate")[:10]
    try:
        day = date.fromisoformat(text)
    except ValueError:
        return None
    return day if day.year > 2000 else None
