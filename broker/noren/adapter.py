"""A broker that speaks Noren, behind the port of all brokers."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

from broker.budget import RateBudget
from broker.noren import orders, rows
from broker.noren.book import Memory, day_began
from broker.noren.errors import AUTHENTICATION, accepted, expired, record_in, rows_in
from broker.noren.presets import NorenAccount, Preset
from broker.noren.session import LoginFailed, Session
from broker.noren.updates import OrderUpdates
from broker.noren.wire import Lost, Reply, Timeouts, Unsent, Wire, text_of
from domain.alert import ExecutionType
from domain.commands import OrderResult, UniversalOrderCommand
from domain.errors import NotSent, OutcomeUnknown, ReadFailed, Refused
from domain.money import ZERO
from domain.ports import Clock
from domain.reports import Book, BrokerStatus, BrokerTraits, IdClass, OrderRef, OrderReport, PositionsSnapshot

_ENDED = (BrokerStatus.COMPLETE, BrokerStatus.REJECTED, BrokerStatus.CANCELLED, BrokerStatus.EXPIRED)
_SESSION_REFUSED = "the broker refused the session twice"


class NorenBroker:
    """One client's account at a broker that speaks Noren. Safe to call from several threads.

    The class is C1: `remarks` is echoed and not unique, so what may have been sent is looked up and never sent again.
    An order whose session was refused is the one exception, and it is none: the broker's gate answers so before
    anything behind it sees the order, so it was provably not processed. It is sent once more after a renewal, once.

    Args:
        account: with its `api_url`; where that is empty, the preset's stands in.
        preset: what is peculiar to this broker (`broker.noren.presets.PRESETS`).
        budget: the outgoing rate that all of the account's calls share.
        timeouts: must end before the engine's deadline for a call; see `Timeouts.within`.
    """

    def __init__(
        self,
        account: NorenAccount,
        preset: Preset,
        clock: Clock,
        *,
        budget: RateBudget,
        timeouts: Timeouts | None = None,
    ) -> None:
        self.traits = BrokerTraits(
            name=preset.name,
            is_real=True,
            id_class=IdClass.C1,
            visibility_horizon=3.0,
            position_horizon=2.0,
            book_interval=1.0,
        )
        self._account = account
        self._preset = preset
        self._clock = clock
        self._budget = budget
        self._timeouts = timeouts or Timeouts()
        self._bearer = preset.bearer and account.access_token is not None
        self._wire = Wire(account.api_url or preset.api_url, self._timeouts, bearer=self._bearer)
        self._session = Session.for_account(account, self._wire, clock)
        self._memory = Memory(clock)
        self._our_products = {theirs: ours for ours, theirs in preset.products.items()}

    # the port -----------------------------------------------------------------------------------------------

    def place(self, command: UniversalOrderCommand) -> OrderResult:
        """Ask for an order, once; an exit is let through the rate budget before entries.

        Raises:
            NotSent: no connection, no session, no room in the rate budget, or turned away for the rate.
            Refused: the broker said no in words that prove it, or the wire cannot express the order (`VALIDATION`).
            OutcomeUnknown: anything else.
        """
        fields = orders.place_fields(command, self._account, self._preset.products)
        answer = self._ask("PlaceOrder", fields, urgent=command.execution_type is ExecutionType.EXIT)
        broker_order_id = text_of(answer, "norenordno")
        if not broker_order_id:
            raise OutcomeUnknown("the broker accepted the order and gave no number for it")
        self._memory.note([broker_order_id])
        return OrderResult(broker_order_id)

    def modify(self, broker_order_id: str, command: UniversalOrderCommand) -> None:
        """Ask that an order be as `command` says, its quantity the whole order's. Raises as `place` does."""
        fields = orders.modify_fields(broker_order_id, command, self._account)
        self._ask("ModifyOrder", fields, urgent=command.execution_type is ExecutionType.EXIT)

    def cancel(self, ref: OrderRef) -> None:
        """Ask for a cancel; an order known by our id alone is looked up in the book first.

        Raises:
            NotSent: as for `place`, or the book could not be read.
            Refused: there is no such live order.
            OutcomeUnknown: anything else.
        """
        for broker_order_id in [ref.broker_order_id] if ref.broker_order_id else self._live_ids(ref):
            fields = {"uid": self._account.user_id, "norenordno": broker_order_id, "ordersource": "API"}
            self._ask("CancelOrder", fields, urgent=True)

    def read_book(self, wanted: Sequence[OrderRef]) -> Book:
        """The day's whole book, closed orders too.

        It is not complete when a row could not be read, or when an order is missing that the broker has shown before.

        Raises:
            ReadFailed: it could not be read; `no data` alone means that it is empty.
        """
        expected = self._memory.expected(ref.broker_order_id for ref in wanted if ref.broker_order_id)
        started = self._clock.now()
        reports, readable = rows.orders_in(rows_in(self._read("OrderBook", {})))
        book = Book(started, reports, complete=readable, covers_from=day_began(started))
        self._memory.note(book.by_id)
        return book if expected <= book.by_id.keys() else replace(book, complete=False)

    def read_positions(self) -> PositionsSnapshot:
        """All positions of the day, flat ones too.

        Raises:
            ReadFailed: they could not be read, or one of them could not.
        """
        started = self._clock.now()
        found = rows_in(self._read("PositionBook", {"actid": self._account.user_id}))
        positions = tuple(rows.position_in(row, self._our_products) for row in found)
        return PositionsSnapshot(started, positions)

    # what else the wire can tell ----------------------------------------------------------------------------

    def order_history(self, broker_order_id: str) -> tuple[OrderReport, ...]:
        """Every state of one order, in the broker's order (the newest first). Raises: ReadFailed."""
        reports, _ = rows.orders_in(rows_in(self._read("SingleOrdHist", {"norenordno": broker_order_id})))
        return reports

    def trades(self) -> tuple[rows.Trade, ...]:
        """The day's fills. Raises: ReadFailed."""
        found = rows_in(self._read("TradeBook", {"actid": self._account.user_id}))
        return tuple(rows.trade_in(row) for row in found)

    def funds(self) -> rows.Funds:
        """Cash and the margin in use, in account currency. Raises: ReadFailed."""
        record = record_in(self._read("Limits", {"actid": self._account.user_id}))
        try:
            return rows.Funds(rows.number(record, "cash"), rows.number(record, "marginused", ZERO))
        except ValueError as error:
            raise ReadFailed(f"the limits cannot be read: {error}") from error

    def last_price(self, exchange: str, token: str) -> Decimal:
        """The last traded price of the symbol with this token (see `search`). Raises: ReadFailed."""
        record = record_in(self._read("GetQuotes", {"exch": exchange, "token": token}))
        try:
            return rows.number(record, "lp")
        except ValueError as error:
            raise ReadFailed(f"the quote cannot be read: {error}") from error

    def search(self, exchange: str, text: str) -> tuple[rows.Scrip, ...]:
        """Symbols of the exchange that match the text. Raises: ReadFailed."""
        reply = self._read("SearchScrip", {"exch": exchange, "stext": text})
        found = record_in(reply).get("values") if reply.ok else rows_in(reply)
        if not isinstance(found, list):
            raise ReadFailed("the search's answer cannot be read")
        return tuple(rows.scrip_in(row) for row in found if isinstance(row, dict))

    def updates(self, nudge: Callable[[], None]) -> OrderUpdates | None:
        """The broker's pushed order updates, not started yet; None where the account has no `ws_url`."""
        if self._account.ws_url is None:
            return None
        by_token = self._account.access_token is not None  # whatever the preset does with it elsewhere
        return OrderUpdates(
            self._account.ws_url, self._account.user_id, self._session.key, nudge, bearer=by_token
        )

    def close(self) -> None:
        """Close the connections that are kept."""
        self._wire.close()

    # one call -----------------------------------------------------------------------------------------------

    def _ask(self, endpoint: str, fields: Mapping[str, str], *, urgent: bool) -> dict[str, Any]:
        """Send an order call; its body never leaves later than `send_within` after this call began."""
        last_moment = self._clock.now() + timedelta(seconds=self._timeouts.send_within)

        def in_time() -> bool:
            return self._clock.now() <= last_moment

        for _ in range(2):
            self._budget.take(urgent=urgent)
            try:
                key = self._session.key()
                reply = self._wire.order(endpoint, fields, key, in_time)
            except LoginFailed as error:
                raise NotSent(str(error), error.code) from error
            except Unsent as error:
                raise NotSent(str(error)) from error
            except Lost as error:
                raise OutcomeUnknown(str(error)) from error
            if not expired(reply):
                return accepted(reply)
            self._session.refused(key)
        raise NotSent(_SESSION_REFUSED, AUTHENTICATION)

    def _read(self, endpoint: str, fields: Mapping[str, str]) -> Reply:
        """Ask for something. Reads are urgent: without them no exit is sized and no order is followed."""
        fields = {"uid": self._account.user_id, **fields}
        for _ in range(2):
            try:
                self._budget.take(urgent=True)
                key = self._session.key()
                reply = self._wire.read(endpoint, fields, key)
            except (LoginFailed, NotSent) as error:
                raise ReadFailed(str(error), error.code) from error
            except (Unsent, Lost) as error:
                raise ReadFailed(str(error)) from error
            if not expired(reply):
                return reply
            self._session.refused(key)
        raise ReadFailed(_SESSION_REFUSED, AUTHENTICATION)

    def _live_ids(self, ref: OrderRef) -> list[str]:
        try:
            tagged = self.read_book([ref]).by_tag.get(ref.client_order_id, [])
        except ReadFailed as error:
            raise NotSent(f"the order could not be looked up: {error}", error.code) from error
        live = [report.broker_order_id for report in tagged if report.status not in _ENDED]
        if not live:
            raise Refused("no live order carries this client order id", "ORDER_NOT_FOUND")
        return live
