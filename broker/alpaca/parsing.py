"""Parse the rows of Alpaca. Values are never guessed.

A row that names no order, symbol or quantity raises ValueError: an unreadable value is not zero. The row becomes an
`UnreadableRow`, so that it affects only its own order or position. A quantity is parsed strictly. A price is parsed
where possible: a fill counts, whatever it cost.
"""

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

from broker.alpaca.requests import plain_side
from broker.alpaca.settings import Account
from broker.book_rows import orders_of, positions_of, quoted, side_in, whole
from broker.contradictory_rows import Trade
from broker.fields import Row, needed, number, price_in, text_of
from domain.broker_reports import BrokerStatus, OrderReport, Position, UnreadableRow
from domain.money import ZERO

# A status that is not listed here decides nothing.
_STATUSES = {
    # On their way, or held back by Alpaca until they may go.
    "accepted": BrokerStatus.PENDING,
    "pending_new": BrokerStatus.PENDING,
    "accepted_for_bidding": BrokerStatus.PENDING,
    "held": BrokerStatus.PENDING,
    "pending_review": BrokerStatus.PENDING,
    # Live, or not certain to be over: another one follows `done_for_day`, `calculated`, `stopped` and `suspended`.
    "new": BrokerStatus.OPEN,
    "partially_filled": BrokerStatus.OPEN,
    "pending_cancel": BrokerStatus.OPEN,
    "pending_replace": BrokerStatus.OPEN,
    "done_for_day": BrokerStatus.OPEN,
    "stopped": BrokerStatus.OPEN,
    "suspended": BrokerStatus.OPEN,
    "calculated": BrokerStatus.OPEN,
    "filled": BrokerStatus.COMPLETE,
    "canceled": BrokerStatus.CANCELLED,
    "expired": BrokerStatus.EXPIRED,
    "rejected": BrokerStatus.REJECTED,
}
_REPLACED = "replaced"
_STOPS = ("stop", "stop_limit", "trailing_stop")
_SHOWN = (
    "id", "client_order_id", "status", "symbol", "asset_class", "side", "type", "qty", "notional", "filled_qty",
    "filled_avg_price", "order_class", "avg_entry_price", "updated_at",
)  # fmt: skip
"""The fields that are quoted from a row that cannot be read."""


class Rows:
    """Reads the rows of one account, whose orders and positions all stand under one exchange and product."""

    def __init__(self, account: Account) -> None:
        self._exchange = account.exchange
        self._product = account.product

    def orders_in(self, rows: Sequence[Row]) -> tuple[tuple[OrderReport, ...], tuple[UnreadableRow, ...]]:
        """Parse rows of orders and return the unreadable ones apart. An order that was replaced is as its successor is.

        A person may replace an order in Alpaca's app: the order ends, and another one with another id goes on for it.
        Both are one order here, under the first number.
        """
        by_id = {text_of(row, "id"): row for row in rows}
        merged = {  # it is not in force yet, and the order that it replaces goes on until then
            text_of(row, "id")
            for row in rows
            if text_of(by_id.get(text_of(row, "replaces"), {}), "status").lower() == "pending_replace"
        }
        reports, unreadable = orders_of(
            rows, lambda row: self._order_in(row, by_id, merged), self._unreadable_row
        )
        return tuple(each for each in reports if each.broker_order_id not in merged), unreadable

    def position_in(self, row: Row) -> Position:
        """Parse one row of the positions. A short one has a negative quantity, whatever sign it came with.

        Raises:
            ValueError: the row cannot be read.
        """
        quantity, side = number(row, "qty"), needed(row, "side").lower()
        if side not in ("long", "short") or (quantity < 0 and side == "long"):
            raise ValueError(f"side {side!r} of {quantity}")
        return Position(
            exchange=self._exchange,
            symbol=needed(row, "symbol").upper(),
            product=self._product,
            net_quantity=abs(quantity) if side == "long" else -abs(quantity),
            average_price=price_in(row, "avg_entry_price")[0],
            last_price=price_in(row, "current_price")[0],
            unrealized_pnl=number(row, "unrealized_intraday_pl"),
        )

    def positions_in(self, rows: Sequence[Row]) -> tuple[tuple[Position, ...], tuple[UnreadableRow, ...]]:
        """Parse the positions, each once, and return the unreadable rows."""
        return positions_of(rows, self.position_in, self._unreadable_row)

    def rest_of_the_day(self, account: Row, positions: Sequence[Position]) -> Position | None:
        """Return the day's result that no open position has, as a flat row; None: there is none.

        Alpaca shows no position that is closed. The account's equity has its result.

        Raises:
            ValueError: the account's equity cannot be read.
        """
        result = number(account, "equity") - number(account, "last_equity")
        rest = result - sum((each.unrealized_pnl for each in positions), ZERO)
        if not rest:
            return None
        return Position(self._exchange, "(CLOSED TODAY)", self._product, ZERO, realized_pnl=rest)

    def trade_in(self, row: Row) -> Trade:
        """Parse one fill of the account's activities.

        Raises:
            ReadFailed: the row cannot be read.
        """
        with whole("a fill"):
            return Trade(
                broker_order_id=needed(row, "order_id"),
                trade_id=needed(row, "id"),
                exchange=self._exchange,
                symbol=needed(row, "symbol").upper(),
                side=side_in({"side": plain_side(row)}, "side"),
                quantity=number(row, "qty"),
                price=number(row, "price"),
            )

    def _order_in(self, row: Row, by_id: dict[str, Row], merged: set[str]) -> OrderReport:
        """Parse a row with those of its successors; their ids are added to `merged`."""
        report = self._alone(row)
        seen = {report.broker_order_id}
        while (successor := successor_of(row)) is not None:
            if successor in seen or successor not in by_id:
                return report  # what became of it is not known here: it stays UNRECOGNISED
            row = by_id[successor]
            after = self._alone(row)
            if report.filled_quantity:
                # Whether the successor counts what was filled before it is said nowhere.
                text = f"it was replaced by {after.broker_order_id} after {report.filled_quantity} of it were filled"
                return replace(report, contradiction=text)
            seen.add(successor)
            merged.add(successor)
            report = replace(
                after, broker_order_id=report.broker_order_id, client_order_id=report.client_order_id
            )
        return report

    def _alone(self, row: Row) -> OrderReport:
        status = _STATUSES.get(text_of(row, "status").lower(), BrokerStatus.UNRECOGNISED)
        if status in (BrokerStatus.OPEN, BrokerStatus.PENDING) and text_of(row, "type").lower() in _STOPS:
            status = BrokerStatus.TRIGGER_PENDING  # its status says nothing of its trigger
        filled = number(row, "filled_qty")
        price, unread = price_in(row, "filled_avg_price")
        return OrderReport(
            broker_order_id=needed(row, "id"),
            client_order_id=text_of(row, "client_order_id") or None,
            status=status,
            exchange=self._exchange,
            symbol=needed(row, "symbol").upper(),
            side=side_in({"side": plain_side(row)}, "side"),
            quantity=_quantity_in(row, filled, status),
            filled_quantity=filled,
            average_price=price if filled else None,
            placed_at=time_in(row, "submitted_at"),
            reported_at=time_in(row, "updated_at"),
            unread=unread if filled else "",
        )

    def _unreadable_row(self, row: Row, why: object) -> UnreadableRow:
        """Return what an unreadable row still names."""
        return UnreadableRow(
            exchange=self._exchange,
            symbol=text_of(row, "symbol").upper() or None,
            product=None,
            broker_order_id=text_of(row, "id") or None,
            client_order_id=text_of(row, "client_order_id") or None,
            text=quoted(row, why, _SHOWN),
        )


def successor_of(row: Row) -> str | None:
    """Return the id of the order that goes on for this one; None where it was not replaced."""
    return text_of(row, "replaced_by") or None if text_of(row, "status").lower() == _REPLACED else None


def time_in(row: Row, name: str) -> datetime | None:
    """Parse a time such as `2026-11-20T14:30:05.123456789Z`; None if it is missing or in another format."""
    text = text_of(row, name)
    head, point, rest = text.partition(".")
    if point:
        digits = rest[: len(rest) - len(rest.lstrip("0123456789"))]
        text = f"{head}.{digits[:6]:0<6}{rest[len(digits) :]}"
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return None
    return None if at.tzinfo is None else at.astimezone(UTC)


def _quantity_in(row: Row, filled: Decimal, status: BrokerStatus) -> Decimal:
    """Return what was ordered. An order for an amount of money has a quantity only once it is filled."""
    if not text_of(row, "qty") and text_of(row, "notional") and status is BrokerStatus.COMPLETE:
        return filled
    return number(row, "qty")
