"""Adapter for Dhan behind the broker port."""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from broker.account_calls import AccountCalls, is_exit
from broker.book_rows import rows_in
from broker.budgets import Budgets
from broker.contradictory_rows import ReportBuilder, Trade
from broker.day_book import DayBook
from broker.day_book import Rows as BookRows
from broker.delivered_shares import AccountPositions, Delivered, PositionRows
from broker.dhan import errors, parsing, requests
from broker.dhan.security_ids import SEGMENTS, SecurityIds
from broker.dhan.session import session_of
from broker.dhan.settings import Account
from broker.dhan.wire import wire_of
from broker.fields import in_address, is_order_number, number, text_of
from broker.http_calls import Timeouts
from broker.rate_limit.minute_quota import PeriodicRead
from broker.test_mode import refuse_test_mode
from domain.broker_capabilities import BrokerTraits, IdClass
from domain.broker_reports import Book, OrderRef, OrderReport, Position, PositionsSnapshot
from domain.commands import OrderResult, UniversalOrderCommand
from domain.errors import ReadFailed
from domain.ids import CLIENT_ORDER_ID_LENGTH
from domain.instruments.instrument import Instrument
from domain.ports import Clock
from domain.ports.instruments import Master

log = logging.getLogger(__name__)

_LOOKED_UP = 3  # orders that a book lacks, in one read
_LOOKED_UP_WITHIN = timedelta(seconds=2)  # since the read began: a slow broker is not asked for more

TRAITS = BrokerTraits(
    name="dhan",
    is_real=True,
    id_class=IdClass.C1,
    visibility_horizon=5.0,  # not published; the look-up by our id has been seen to lag by a moment
    position_horizon=3.0,  # not published
    day_orders=True,  # `broker.dhan.requests` sends only day orders
    # It is not said whether reads of the book count among the 1,000 order calls of an hour: these would be 900.
    book_interval=4.0,
    positions_interval=2.0,
)
"""What every account there has in common."""


class DhanBroker:
    """One client's account at Dhan. Safe to call from several threads.

    The id class is C1: `correlationId` is echoed, and that it is unique is promised nowhere. So an order that may have
    been sent is looked up and never sent again. An order that was turned away, for its session or for the rate, ends as
    `NotSent` with `look_first`: the book is read before a retry.

    Args:
        master: returns the newest list of instruments; None: there is none. Raises: StoreUnavailable.
        budgets: the outgoing rates that all of the account's calls share.
        timeouts: must end before the engine's deadline for a call; see `Timeouts.within`.
        acceptance_horizon: seconds for which the broker may still accept what it had received when we hung up.
        protection_percent: how far beyond its trigger the limit of a stop at market lies.
        has_prices: the account has the data plan, so that the positions get the last prices of what is held.
    """

    def __init__(
        self,
        account: Account,
        clock: Clock,
        master: Callable[[], Master | None],
        *,
        budgets: Budgets,
        timeouts: Timeouts,
        protection_percent: Decimal,
        acceptance_horizon: float = 180.0,
        has_prices: bool = False,
    ) -> None:
        if CLIENT_ORDER_ID_LENGTH > requests.TAG_LENGTH:
            raise ValueError(
                f"our order ids have {CLIENT_ORDER_ID_LENGTH} characters, too many for correlationId"
            )
        self.traits = replace(TRAITS, acceptance_horizon=acceptance_horizon, account=account.client_id)
        self._account = account
        self._budgets = budgets
        self._protection = protection_percent
        self._wire = wire_of(account.api_url, account.client_id, timeouts)
        self._session = session_of(account, self._wire, clock, lambda: budgets.reads.take(urgent=True))
        self._calls = AccountCalls(
            self._session, self._wire, clock, budgets=budgets, timeouts=timeouts, meaning=errors
        )
        self._ids = SecurityIds(master, clock)
        self._rows = parsing.Rows(self._ids)
        self._day = DayBook(self._read_orders, clock, ReportBuilder(self.order_history, self.trades, clock))
        self._positions = AccountPositions(self._read_positions, self._read_holdings, clock)
        self._clock = clock
        self._has_prices = has_prices

    # the port -----------------------------------------------------------------------------------------------

    def place(self, command: UniversalOrderCommand) -> OrderResult:
        """Send an order, once. In the rate budget, an exit goes before entries.

        Raises:
            NotSent: no connection, no session, no slot in the rate budget, too late to send, the security id could not
                be read, or turned away for the rate or the session.
            Refused: the answer proves a refusal, or the API cannot express the order, or its security id is not known
                (`VALIDATION`).
            OutcomeUnknown: anything else.
        """
        refuse_test_mode(command)
        began = (
            self._clock.now()
        )  # what is read for the security id takes of the time in which the order may leave
        requests.check(command)
        exchange, symbol = command.exchange.upper(), command.symbol.upper()
        if is_exit(command):
            security_id = self._ids.for_exit(exchange, symbol, lambda: self.read_positions(urgent=True))
        else:
            security_id = self._ids.for_entry(exchange, symbol)
        sent = requests.with_limit(command, self._ids.tick_of(exchange, symbol), self._protection)
        fields = requests.place_fields(sent, self._account.client_id, security_id)
        detail = requests.told(command, sent)
        if detail is not None:
            log.info("order %s: %s", command.client_order_id, detail)
        answer = self._calls.order("POST", "orders", fields, urgent=is_exit(command), began=began)
        broker_order_id = text_of(answer, "orderId")
        self._day.given(broker_order_id)
        return OrderResult(broker_order_id, detail=detail)

    def modify(self, broker_order_id: str, command: UniversalOrderCommand) -> None:
        """Modify an order. Only the book shows whether it was done. Raises as `place` does."""
        tick = self._ids.tick_of(command.exchange.upper(), command.symbol.upper())
        sent = requests.with_limit(command, tick, self._protection)
        path = _path_of(broker_order_id)
        fields = requests.modify_fields(sent, self._account.client_id, broker_order_id)
        self._calls.order("PUT", path, fields, urgent=is_exit(command))

    def cancel(self, ref: OrderRef) -> None:
        """Send a cancel request; see `DayBook.numbers_to_cancel`. Raises as `place` does."""
        for broker_order_id in self._day.numbers_to_cancel(ref):
            self._calls.order("DELETE", _path_of(broker_order_id), None, urgent=True)

    def read_book(self, wanted: Sequence[OrderRef], *, urgent: bool = False) -> Book:
        """Read the day's whole order book, by `DayBook`. Raises: ReadFailed.

        Nor is it complete if it lacks an order that the broker finds by our id.
        """
        book = self._day.read(wanted, urgent=urgent)
        asked = [ref for ref in wanted if ref.broker_order_id is None and ref.test_command is None]
        missing = [ref.client_order_id for ref in asked if ref.client_order_id not in book.by_tag]
        found = []
        for each in missing[:_LOOKED_UP]:
            if self._clock.now() - book.read_started_at > _LOOKED_UP_WITHIN:
                break
            found.append(self.order_by_our_id(each, urgent=urgent))
        proven = tuple(report for report in found if report is not None)
        if proven:  # they exist, so that this book proves nothing of others
            return replace(book, reports=(*book.reports, *proven), complete=False)
        return book

    def _read_orders(self, *, urgent: bool) -> BookRows:
        found = self._calls.read("orders", urgent=urgent, reads=PeriodicRead.BOOK)
        return self._rows.orders_in(rows_in(found, "order book"))

    def read_positions(self, *, urgent: bool = False) -> PositionsSnapshot:
        """Read all positions, with the delivered shares, by `AccountPositions`. Raises: ReadFailed."""
        return self._positions.read(urgent=urgent)

    def _read_positions(self, *, urgent: bool) -> PositionRows:
        found = self._calls.read("positions", urgent=urgent, reads=PeriodicRead.POSITIONS)
        positions, unreadable = self._rows.positions_in(rows_in(found, "positions"))
        # An exit waits for no price.
        return self._priced(positions) if self._has_prices and not urgent else positions, unreadable

    def _read_holdings(self, *, urgent: bool) -> Delivered:
        return parsing.delivered_in(rows_in(self._calls.read("holdings", urgent=urgent), "Holdings"))

    def _priced(self, positions: Sequence[Position]) -> tuple[Position, ...]:
        """Return the positions with the last prices of what is held, as far as they can be read."""
        held = {
            (p.exchange, p.symbol): security_id
            for p in positions
            if p.net_quantity and (security_id := self._ids.of_row(p.exchange, p.symbol)) is not None
        }
        if not held:
            return tuple(positions)
        try:
            prices = self._last_prices([(exchange, each) for (exchange, _), each in held.items()])
        except ReadFailed as error:
            log.warning("the last prices of what is held could not be read: %s", error)
            return tuple(positions)
        return tuple(
            replace(
                p, last_price=prices.get((p.exchange, held.get((p.exchange, p.symbol), "")), p.last_price)
            )
            for p in positions
        )

    # other reads --------------------------------------------------------------------------------------------

    def order_history(self, broker_order_id: str) -> tuple[OrderReport, ...]:
        """Read the state of one order: the broker keeps no earlier ones. Raises: ReadFailed."""
        if not is_order_number(broker_order_id):
            raise ReadFailed(f"order number {broker_order_id!r}: expected letters and digits")
        reports = self._rows.orders_in(_as_rows(self._calls.read(f"orders/{broker_order_id}"), "order"))[0]
        return tuple(each for each in reports if each.broker_order_id == broker_order_id)

    def order_by_our_id(self, client_order_id: str, *, urgent: bool = False) -> OrderReport | None:
        """Look an order up by our id. None proves nothing: the index lags behind, and errors say no more."""
        if not requests.is_tag(client_order_id):
            return None
        try:
            found = _as_rows(self._calls.read(f"orders/external/{client_order_id}", urgent=urgent), "order")
        except ReadFailed:
            return None
        reports = self._rows.orders_in(found)[0]
        return next((each for each in reports if each.client_order_id == client_order_id), None)

    def trades(self) -> tuple[Trade, ...]:
        """Read the day's fills. Raises: ReadFailed."""
        return tuple(self._rows.trade_in(row) for row in rows_in(self._calls.read("trades"), "trades"))

    def last_price(self, exchange: str, token: str) -> Decimal:
        """Read the last traded price of the instrument with this security id. It needs the data plan.

        Raises:
            ReadFailed: it could not be read.
        """
        price = self._last_prices([(exchange.upper(), token)]).get((exchange.upper(), token))
        if price is None:
            raise ReadFailed(f"there is no price of {exchange} {token}")
        return price

    def _last_prices(self, places: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Decimal]:
        """Read the last traded prices of these exchanges and security ids, in one call. Raises: ReadFailed."""
        asked: dict[str, list[int]] = {}
        for exchange, security_id in places:
            if exchange not in SEGMENTS or not security_id.isdecimal():
                raise ReadFailed(f"the price of {exchange} {security_id} cannot be asked for: no security id")
            asked.setdefault(SEGMENTS[exchange], []).append(int(security_id))
        found = self._calls.read("marketfeed/ltp", budget=self._budgets.quotes, fields=asked)
        return parsing.prices_in(found, places)

    def price_of(self, instrument: Instrument) -> Decimal:
        """Read the last traded price of an instrument of the broker's list. Raises: ReadFailed."""
        return self.last_price(instrument.exchange, instrument.token)

    def read_equity(self) -> tuple[Decimal, str]:
        """Return what is left to trade with, by which entries are sized. Raises: ReadFailed."""
        found = self._calls.read("fundlimit")
        try:
            # The first is the vendor's own spelling.
            name = "availabelBalance" if "availabelBalance" in found else "availableBalance"
            return number(found, name), "what the broker says is left to trade with"
        except (ValueError, TypeError, AttributeError) as error:
            raise ReadFailed(f"the funds cannot be read: {error}") from error

    def close(self) -> None:
        """Close the connections that are kept."""
        self._wire.close()


def _path_of(broker_order_id: str) -> str:
    return f"orders/{in_address(broker_order_id)}"


def _as_rows(found: Any, what: str) -> list[dict[str, Any]]:
    """Return the rows of a look-up, which answers one row, or a list of it."""
    return rows_in([found] if isinstance(found, dict) else found, what)
