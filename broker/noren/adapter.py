"""Adapter for brokers that use the Noren API, behind the broker port."""

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import partial
from typing import Any

from broker import protection
from broker.account_calls import is_exit
from broker.call_errors import errors_of_a_read, errors_of_an_order
from broker.contradictory_rows import ReportBuilder, Trade
from broker.day_book import DayBook, Rows
from broker.delivered_shares import DELIVERY, AccountPositions, Delivered, PositionRows
from broker.fields import number, text_of
from broker.http_calls import Timeouts
from broker.noren import parsing, quotes, requests
from broker.noren.errors import (
    accepted,
    expired,
    minute_is_full,
    record_in,
    refuses_market_orders,
    rows_in,
)
from broker.noren.holdings import delivered_in
from broker.noren.order_stream import OrderUpdates
from broker.noren.presets import NorenAccount, Preset
from broker.noren.session import session_of
from broker.noren.symbol_spellings import SymbolSpellings
from broker.noren.wire import HttpReply, Wire
from broker.rate_limit.limiter import RateBudget
from broker.rate_limit.minute_quota import PeriodicRead
from broker.sessions import AUTHENTICATION
from broker.test_mode import refuse_test_mode
from domain.broker_capabilities import BrokerTraits, IdClass
from domain.broker_reports import Book, OrderRef, OrderReport, PositionsSnapshot
from domain.commands import OrderResult, UniversalOrderCommand
from domain.errors import NotSent, OutcomeUnknown, ReadFailed, Refused
from domain.instruments.instrument import Instrument
from domain.money import ZERO
from domain.ports import Clock

log = logging.getLogger(__name__)

_SESSION_REFUSED = "the broker refused the session twice"
_READS = {
    "OrderBook": PeriodicRead.BOOK,
    "PositionBook": PeriodicRead.POSITIONS,
}  # the reads that are repeated all the time
DEFAULT_PROTECTION_PERCENT = Decimal(3)


def traits_of(preset: Preset) -> BrokerTraits:
    """What every account there has in common."""
    return BrokerTraits(
        name=preset.name,
        is_real=True,
        id_class=IdClass.C1,
        visibility_horizon=3.0,
        position_horizon=2.0,
        day_orders=True,  # `broker.noren.requests` sends only day orders
        book_interval=2.0,  # each read uses one of the minute's calls; order updates trigger one at once
        positions_interval=5.0,
    )


class NorenBroker:
    """One client's account at a broker that uses the Noren API. Safe to call from several threads.

    The id class is C1: `remarks` is echoed but not unique. So an order that may have been sent is looked up and never
    sent again. An order that was turned away, for its session or for the rate, is not in the broker's order book, so it
    may be sent again. But front ends have also reported this of orders that they had accepted. So such an order ends as
    `NotSent` with `look_first`: the book is read before a retry.

    These brokers accept no market orders from programs. A MARKET order is sent as a limit and a STOP as a stop-limit,
    from a quote of that moment (`broker.protection`). The result's `detail` says what was really sent.

    Args:
        account: the account and its `api_url`. If that is empty, the preset's is used.
        preset: the properties of this broker (`broker.noren.presets.PRESETS`).
        budget: the outgoing rate that all of the account's calls share.
        timeouts: must end before the engine's deadline for a call; see `Timeouts.within`.
        acceptance_horizon: seconds for which its front end may still accept what it had received when we hung up.
        protection_percent: how far beyond the market such a limit lies. None sends market orders as they are.
    """

    def __init__(
        self,
        account: NorenAccount,
        preset: Preset,
        clock: Clock,
        *,
        budget: RateBudget,
        timeouts: Timeouts | None = None,
        protection_percent: Decimal | None = DEFAULT_PROTECTION_PERCENT,
        acceptance_horizon: float = 180.0,
    ) -> None:
        self.traits = replace(
            traits_of(preset), acceptance_horizon=acceptance_horizon, account=account.user_id
        )
        self._account = account
        self._preset = preset
        self._clock = clock
        self._budget = budget
        self._timeouts = timeouts or Timeouts()
        self._bearer = preset.bearer and account.access_token is not None
        self._protection_percent = protection_percent
        url = account.api_url or preset.api_url
        self._wire = Wire(url, self._timeouts, bearer=self._bearer)
        # An order waits for its quote and must still leave in time. So a slow quote is given up early.
        quarter = self._timeouts.send_within / 4
        brief = replace(
            self._timeouts,
            connect=min(quarter, self._timeouts.connect),
            read=min(quarter, self._timeouts.read),
        )
        self._quote_wire = Wire(url, brief, bearer=self._bearer)
        self._quotes = quotes.Quotes(clock)
        self._session = session_of(account, self._wire, clock)
        settling = ReportBuilder(self.order_history, self.trades, clock)
        self._day = DayBook(self._read_orders, clock, settling, dated=True)
        self._positions = AccountPositions(self._read_positions, self._read_holdings, clock)
        self._spellings = SymbolSpellings()
        self._our_products = {theirs: ours for ours, theirs in preset.products.items()}

    # the port -----------------------------------------------------------------------------------------------

    def place(self, command: UniversalOrderCommand) -> OrderResult:
        """Send an order, once. In the rate budget, an exit goes before entries.

        Raises:
            NotSent: no connection, no session, no slot in the rate budget, too late to send, turned away for the rate,
                or no price for the limit that a market order is sent with.
            Refused: the broker's text proves a refusal, or the API cannot express the order (`VALIDATION`).
            OutcomeUnknown: anything else.
        """
        refuse_test_mode(command)
        products = self._preset.products
        requests.place_fields(command, self._account, products)  # refuses before a quote is read for it
        last_moment = self._last_moment()
        sent = self._protected(command, last_moment)
        fields = self._spellings.as_there(requests.place_fields(sent, self._account, products))
        detail = None if sent is command else protection.told(sent)
        answer = self._order("PlaceOrder", fields, command, detail, last_moment)
        broker_order_id = text_of(answer, "norenordno")
        if not broker_order_id:
            raise OutcomeUnknown(_with("the broker accepted the order and gave no number for it", detail))
        self._day.given(broker_order_id)
        return OrderResult(broker_order_id, detail=detail)

    def modify(self, broker_order_id: str, command: UniversalOrderCommand) -> None:
        """Modify an order to match `command`; its quantity is that of the whole order. Raises as `place` does."""
        requests.modify_fields(broker_order_id, command, self._account)
        last_moment = self._last_moment()
        sent = self._protected(command, last_moment)
        fields = self._spellings.as_there(requests.modify_fields(broker_order_id, sent, self._account))
        detail = None if sent is command else protection.told(sent)
        self._order("ModifyOrder", fields, command, detail, last_moment)

    def cancel(self, ref: OrderRef) -> None:
        """Send a cancel request; see `DayBook.numbers_to_cancel`. Raises as `place` does."""
        for broker_order_id in self._day.numbers_to_cancel(ref):
            fields = {"uid": self._account.user_id, "norenordno": broker_order_id, "ordersource": "API"}
            self._ask("CancelOrder", fields, self._last_moment(), urgent=True)

    def read_book(self, wanted: Sequence[OrderRef], *, urgent: bool = False) -> Book:
        """Read the day's whole order book, by `DayBook`. Only `no data` means that it is empty. Raises: ReadFailed."""
        return self._day.read(wanted, urgent=urgent)

    def _read_orders(self, *, urgent: bool) -> Rows:
        found = rows_in(self._read("OrderBook", {}, urgent=urgent))
        self._spellings.note(found)
        return parsing.orders_in(found)

    def read_positions(self, *, urgent: bool = False) -> PositionsSnapshot:
        """Read all positions, with the delivered shares, by `AccountPositions`. Raises: ReadFailed."""
        return self._positions.read(urgent=urgent)

    def _read_positions(self, *, urgent: bool) -> PositionRows:
        started = self._clock.now()
        found = rows_in(self._read("PositionBook", {"actid": self._account.user_id}, urgent=urgent))
        self._quotes.note_positions(found, started)
        self._spellings.note(found)
        return parsing.positions_in(found, self._our_products)

    def _read_holdings(self, *, urgent: bool) -> Delivered:
        fields = {"actid": self._account.user_id, "prd": self._preset.products[DELIVERY]}
        found = rows_in(self._read("Holdings", fields, urgent=urgent))
        for row in found:
            listed = row.get("exch_tsym")
            self._spellings.note(listed if isinstance(listed, list) else [row])
        return delivered_in(found)

    # other reads --------------------------------------------------------------------------------------------

    def order_history(self, broker_order_id: str) -> tuple[OrderReport, ...]:
        """Read every state of one order, in the broker's sequence (the newest first). Raises: ReadFailed."""
        reports, _ = parsing.orders_in(rows_in(self._read("SingleOrdHist", {"norenordno": broker_order_id})))
        return reports

    def trades(self) -> tuple[Trade, ...]:
        """Read the day's fills. Raises: ReadFailed."""
        found = rows_in(self._read("TradeBook", {"actid": self._account.user_id}))
        return tuple(parsing.trade_in(row) for row in found)

    def last_price(self, exchange: str, token: str) -> Decimal:
        """Read the last traded price of the symbol with this token (see `search`). Raises: ReadFailed."""
        record = quotes.record_of(exchange, token, self._read)
        try:
            return number(record, "lp")
        except ValueError as error:
            raise ReadFailed(f"the quote cannot be read: {error}") from error

    def price_of(self, instrument: Instrument) -> Decimal:
        """Read the last traded price of an instrument of the broker's list. Raises: ReadFailed."""
        return self.last_price(instrument.exchange, instrument.token)

    def read_equity(self) -> tuple[Decimal, str]:
        """Return what is left of the cash. Collateral and what was paid in today are left out. Raises: ReadFailed."""
        record = record_in(self._read("Limits", {"actid": self._account.user_id}))
        try:
            return number(record, "cash") - number(record, "marginused", ZERO), "cash less the margin in use"
        except ValueError as error:
            raise ReadFailed(f"the limits cannot be read: {error}") from error

    def search(self, exchange: str, text: str) -> tuple[parsing.Scrip, ...]:
        """Find the symbols of the exchange that match the text. Raises: ReadFailed."""
        return quotes.search(exchange, text, self._read)

    def updates(self, nudge: Callable[[], None]) -> OrderUpdates | None:
        """Return the order stream, not started yet; None if the account has no `ws_url`."""
        if self._account.ws_url is None:
            return None
        by_token = self._account.access_token is not None  # whatever the preset does with the token elsewhere
        return OrderUpdates(
            self._account.ws_url, self._account.user_id, self._session.key, nudge, bearer=by_token
        )

    def close(self) -> None:
        """Close the connections that are kept."""
        self._wire.close()
        self._quote_wire.close()

    # one call -----------------------------------------------------------------------------------------------

    def _last_moment(self) -> datetime:
        """Return when the body of an order call that begins now may leave at the latest, whatever is read before."""
        return self._clock.now() + timedelta(seconds=self._timeouts.send_within)

    def _order(
        self,
        endpoint: str,
        fields: Mapping[str, str],
        command: UniversalOrderCommand,
        detail: str | None,
        last_moment: datetime,
    ) -> dict[str, Any]:
        """Send an order. Log what it is sent as, and add that to the message of an error."""
        if detail is not None:
            log.info("order %s: %s", command.client_order_id, detail)
        try:
            return self._ask(endpoint, fields, last_moment, urgent=is_exit(command))
        except OutcomeUnknown as error:
            raise OutcomeUnknown(_with(error.message, detail), error.code) from error
        except Refused as error:
            if detail is None and refuses_market_orders(error.message):
                detail = f"{self._preset.name.upper()}_MARKET_ORDERS=protected sends them as limits"
            raise Refused(_with(error.message, detail), error.code) from error

    def _protected(self, command: UniversalOrderCommand, last_moment: datetime) -> UniversalOrderCommand:
        """Return the command with a limit, if it has none and needs one.

        Raises:
            NotSent: there is no price to set the limit from. For an exit, the positions' last price serves too.
            Refused: the broker does not know the symbol of an entry. An exit is not refused: its symbol is held there.
        """
        percent = self._protection_percent
        if percent is None or command.order_type not in protection.UNLIMITED:
            return command
        symbol = command.exchange, command.symbol
        ask = partial(self._read_quote, last_moment=last_moment, urgent=is_exit(command))
        try:
            return protection.protected(command, self._quotes.of(*symbol, ask), percent)
        except ReadFailed as error:
            if isinstance(error, quotes.UnknownSymbol) and not is_exit(command):
                raise Refused(str(error), "VALIDATION") from error
            stand_in = self._quotes.stand_in(*symbol) if is_exit(command) else None
            if stand_in is not None:
                log.warning("order %s: %s; the positions' price stands in", command.client_order_id, error)
                return protection.protected(command, stand_in, percent)
            why = f"the broker takes no market orders, and there is no price to set a limit from: {error}"
            raise NotSent(why, error.code) from error

    def _ask(
        self, endpoint: str, fields: Mapping[str, str], last_moment: datetime, *, urgent: bool
    ) -> dict[str, Any]:
        """Send an order call. Its body never leaves after its last moment."""

        def in_time() -> bool:
            return self._clock.now() <= last_moment

        for _ in range(2):
            if not in_time():  # takes no slot from other calls
                raise NotSent("getting ready took too long: the order was not sent")
            self._budget.take(urgent=urgent)
            with errors_of_an_order():
                key = self._session.key()
                reply = self._wire.order(endpoint, fields, key, in_time)
            if minute_is_full(reply):
                self._budget.exceeded()
            if not expired(reply):
                return accepted(reply)
            self._session.refused(key)
            if endpoint == "PlaceOrder":  # the front end may have accepted it: read the book before a retry
                said = reply.error or f"HTTP {reply.status}"
                raise NotSent(f"the broker refused the session: {said}", AUTHENTICATION, look_first=True)
        raise NotSent(_SESSION_REFUSED, AUTHENTICATION)

    def _read_quote(
        self, endpoint: str, fields: Mapping[str, str], *, last_moment: datetime, urgent: bool
    ) -> HttpReply:
        """Read what an order's limit is set from, as long as the order may still leave."""
        if self._clock.now() > last_moment:
            raise ReadFailed("no time is left to ask for a price")
        reply = self._read(endpoint, fields, urgent=urgent, wire=self._quote_wire)
        found = reply.body.get("values") if endpoint == "SearchScrip" and reply.ok else None
        self._spellings.note(found if isinstance(found, list) else [])
        return reply

    def _read(
        self, endpoint: str, fields: Mapping[str, str], *, urgent: bool = False, wire: Wire | None = None
    ) -> HttpReply:
        """Send a read call. Reads for an exit or a cancel are urgent; a quote for an entry has the entry's priority."""
        fields = {"uid": self._account.user_id, **fields}
        for _ in range(2):
            with errors_of_a_read():
                self._budget.take(urgent=urgent, reads=_READS.get(endpoint))
                key = self._session.key()
                reply = (wire or self._wire).read(endpoint, fields, key)
            if minute_is_full(reply):
                self._budget.exceeded()
            if not expired(reply):
                return reply
            self._session.refused(key)
        raise ReadFailed(_SESSION_REFUSED, AUTHENTICATION)


def _with(message: str, detail: str | None) -> str:
    return message if detail is None else f"{message} ({detail})"
