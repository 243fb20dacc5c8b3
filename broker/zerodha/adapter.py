"""Adapter for Zerodha behind the broker port."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import replace
from decimal import Decimal
from urllib.parse import urlencode

from broker.account_calls import AccountCalls, is_exit
from broker.book_rows import rows_in
from broker.budgets import Budgets
from broker.contradictory_rows import ReportBuilder, Trade
from broker.day_book import DayBook, Rows
from broker.delivered_shares import AccountPositions, Delivered, PositionRows
from broker.fields import in_address, is_order_number, number, text_of
from broker.http_calls import Timeouts
from broker.rate_limit.minute_quota import PeriodicRead
from broker.test_mode import refuse_test_mode
from broker.zerodha import errors, parsing, requests
from broker.zerodha.session import session_of
from broker.zerodha.settings import Account
from broker.zerodha.wire import wire_of
from domain.broker_capabilities import BrokerTraits, IdClass
from domain.broker_reports import Book, OrderRef, OrderReport, PositionsSnapshot
from domain.commands import OrderResult, UniversalOrderCommand
from domain.errors import OutcomeUnknown, ReadFailed
from domain.instruments.instrument import Instrument
from domain.ports import Clock

log = logging.getLogger(__name__)

_ORDERS = "orders/regular"

TRAITS = BrokerTraits(
    name="zerodha",
    is_real=True,
    id_class=IdClass.C1,
    visibility_horizon=3.0,  # not published; as long as at other Indian brokers
    position_horizon=2.0,  # likewise
    day_orders=True,  # `broker.zerodha.requests` sends only day orders
    book_interval=1.0,
    positions_interval=2.0,
)
"""What every account there has in common."""


class ZerodhaBroker:
    """One client's account at Zerodha. Safe to call from several threads.

    The id class is C1: `tag` is echoed but not unique. So an order that may have been sent is looked up and never sent
    again. An order that was turned away, for its session or for the rate, ends as `NotSent` with `look_first`: the book
    is read before a retry.

    Args:
        budgets: the outgoing rates that all of the account's calls share.
        timeouts: must end before the engine's deadline for a call; see `Timeouts.within`.
        acceptance_horizon: seconds for which the broker may still accept what it had received when we hung up. An order
            has been seen to wait for 1.5 minutes there.
        protection_percent: how far from the market a market order may trade; `requests.AUTOMATIC`: Zerodha decides.
    """

    def __init__(
        self,
        account: Account,
        clock: Clock,
        *,
        budgets: Budgets,
        timeouts: Timeouts,
        protection_percent: Decimal,
        acceptance_horizon: float = 180.0,
    ) -> None:
        self.traits = replace(TRAITS, acceptance_horizon=acceptance_horizon, account=account.user_id)
        self._account = account
        self._budgets = budgets
        self._protection = protection_percent
        self._wire = wire_of(account.api_url, account.api_key, timeouts)
        self._session = session_of(account, self._wire, clock, lambda: budgets.reads.take(urgent=True))
        self._calls = AccountCalls(
            self._session, self._wire, clock, budgets=budgets, timeouts=timeouts, meaning=errors
        )
        self._day = DayBook(self._read_orders, clock, ReportBuilder(self.order_history, self.trades, clock))
        self._positions = AccountPositions(self._read_positions, self._read_holdings, clock)

    # the port -----------------------------------------------------------------------------------------------

    def place(self, command: UniversalOrderCommand) -> OrderResult:
        """Send an order, once. In the rate budget, an exit goes before entries.

        Raises:
            NotSent: no connection, no session, no slot in the rate budget, too late to send, or turned away for the
                rate or the session.
            Refused: the answer proves a refusal, or the API cannot express the order (`VALIDATION`).
            OutcomeUnknown: anything else.
        """
        refuse_test_mode(command)
        fields = requests.place_fields(command, self._protection, self._account.algo_id)
        detail = requests.told(command, self._protection)
        if detail is not None:
            log.info("order %s: %s", command.client_order_id, detail)
        answer = self._calls.order("POST", _ORDERS, fields, urgent=is_exit(command))
        broker_order_id = text_of(answer, "order_id")
        if not broker_order_id:
            raise OutcomeUnknown("the broker accepted the order and gave no number for it")
        self._day.given(broker_order_id)
        return OrderResult(broker_order_id, detail=detail)

    def modify(self, broker_order_id: str, command: UniversalOrderCommand) -> None:
        """Modify an order. Only the book shows whether it was done. Raises as `place` does."""
        fields = requests.modify_fields(command, self._protection)
        self._calls.order("PUT", _path_of(broker_order_id), fields, urgent=is_exit(command))

    def cancel(self, ref: OrderRef) -> None:
        """Send a cancel request; see `DayBook.numbers_to_cancel`. Raises as `place` does.

        `NotSent` may also say that the broker is just processing the order.
        """
        for broker_order_id in self._day.numbers_to_cancel(ref):
            self._calls.order("DELETE", _path_of(broker_order_id), None, urgent=True)

    def read_book(self, wanted: Sequence[OrderRef], *, urgent: bool = False) -> Book:
        """Read the day's whole order book, by `DayBook`. Raises: ReadFailed."""
        return self._day.read(wanted, urgent=urgent)

    def _read_orders(self, *, urgent: bool) -> Rows:
        found = self._calls.read("orders", urgent=urgent, reads=PeriodicRead.BOOK)
        return parsing.orders_in(rows_in(found, "order book"))

    def read_positions(self, *, urgent: bool = False) -> PositionsSnapshot:
        """Read all positions, with the delivered shares, by `AccountPositions`. Raises: ReadFailed."""
        return self._positions.read(urgent=urgent)

    def _read_positions(self, *, urgent: bool) -> PositionRows:
        found = self._calls.read("portfolio/positions", urgent=urgent, reads=PeriodicRead.POSITIONS)
        net = rows_in(found.get("net") if isinstance(found, dict) else None, "net positions")
        return parsing.positions_in(net)

    def _read_holdings(self, *, urgent: bool) -> Delivered:
        return parsing.delivered_in(
            rows_in(self._calls.read("portfolio/holdings", urgent=urgent), "Holdings")
        )

    # other reads --------------------------------------------------------------------------------------------

    def order_history(self, broker_order_id: str) -> tuple[OrderReport, ...]:
        """Read every state of one order, the newest first. Raises: ReadFailed."""
        if not is_order_number(broker_order_id):
            raise ReadFailed(f"order number {broker_order_id!r}: expected letters and digits")
        rows = rows_in(self._calls.read(f"orders/{broker_order_id}"), "order's history")
        return parsing.orders_in(rows)[0][::-1]

    def trades(self) -> tuple[Trade, ...]:
        """Read the day's fills. Raises: ReadFailed."""
        return tuple(parsing.trade_in(row) for row in rows_in(self._calls.read("trades"), "trades"))

    def last_price(self, exchange: str, token: str) -> Decimal:
        """Read the last traded price of a symbol. Here `token` is the trading symbol itself. Raises: ReadFailed."""
        name = f"{exchange.upper()}:{token}"
        found = self._calls.read(f"quote/ltp?{urlencode({'i': name})}", budget=self._budgets.quotes)
        row = found.get(name) if isinstance(found, dict) else None
        if not isinstance(row, dict):
            raise ReadFailed(f"the broker has no price of {name}")
        try:
            return number(row, "last_price")
        except ValueError as error:
            raise ReadFailed(f"the price of {name} cannot be read: {error}") from error

    def price_of(self, instrument: Instrument) -> Decimal:
        """Read the last traded price of an instrument of the broker's list. Raises: ReadFailed."""
        return self.last_price(instrument.exchange, instrument.symbol)

    def funds(self) -> Mapping[str, Decimal]:
        """Read what is left to trade with, by segment (`equity`, `commodity`), in rupees. Raises: ReadFailed."""
        found = self._calls.read("user/margins")
        if not isinstance(found, dict):
            raise ReadFailed("the funds cannot be read: expected segments")
        try:
            return {
                segment: number(row, "net")
                for segment, row in found.items()
                if isinstance(row, dict) and row.get("enabled")
            }
        except ValueError as error:
            raise ReadFailed(f"the funds cannot be read: {error}") from error

    def read_equity(self) -> tuple[Decimal, str]:
        """Return what is left to trade with in the equity segment, by which entries are sized. Raises: ReadFailed."""
        left = self.funds().get("equity")
        if left is None:
            raise ReadFailed("the funds have no segment equity")
        return left, "what the broker says is left to trade with"

    def close(self) -> None:
        """Close the connections that are kept."""
        self._wire.close()


def _path_of(broker_order_id: str) -> str:
    return f"{_ORDERS}/{in_address(broker_order_id)}"
