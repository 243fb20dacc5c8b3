"""Adapter for Alpaca behind the broker port."""

import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from urllib.parse import urlencode

from broker.account_calls import AccountCalls, is_exit
from broker.alpaca import errors, parsing, requests
from broker.alpaca.order_pages import day_began, pages_of
from broker.alpaca.session import session_of
from broker.alpaca.settings import Account
from broker.alpaca.wire import wire_of
from broker.book_rows import rows_in
from broker.budgets import Budgets
from broker.contradictory_rows import Trade
from broker.fields import VALIDATION, Row, number, text_of
from broker.http_calls import Timeouts
from broker.rate_limit.minute_quota import PeriodicRead
from broker.test_mode import refuse_test_mode
from domain.broker_capabilities import BrokerTraits, IdClass
from domain.broker_reports import Book, OrderRef, OrderReport, PositionsSnapshot, UnreadableRow
from domain.commands import OrderResult, UniversalOrderCommand
from domain.errors import NotSent, OutcomeUnknown, ReadFailed, Refused
from domain.ids import CLIENT_ORDER_ID_LENGTH
from domain.instruments.instrument import Instrument
from domain.ports import Clock

log = logging.getLogger(__name__)

_LOOKED_UP = 8  # orders that the day's book lacks, in one read
_MEANT = 1000  # orders without an answer whose fields are remembered
_REPLACED = 20  # times that one order is followed to the one that goes on for it
_LOOKED_UP_WITHIN = timedelta(seconds=2)  # since the read began: a slow broker is not asked for more

TRAITS = BrokerTraits(
    name="alpaca",
    is_real=True,
    id_class=IdClass.C4,
    visibility_horizon=5.0,  # not published
    position_horizon=3.0,  # not published
    day_orders=False,  # one that is sent after the close is of the next day
    book_interval=2.0,  # of 200 calls a minute for everything together
    positions_interval=5.0,
)
"""What every account there has in common."""


class AlpacaBroker:
    """One client's account at Alpaca. Safe to call from several threads.

    The id class is C4: of each `client_order_id` Alpaca takes one order, for ever. So an order of unknown outcome is
    sent again with the same id. If the first one had arrived, the second is refused for its id; then the order that
    stands there is read, compared with what was to be sent, and taken for it only if it is the same in every field.

    Args:
        budgets: the outgoing rates that all of the account's calls share.
        timeouts: must end before the engine's deadline for a call; see `Timeouts.within`.
        acceptance_horizon: seconds for which the broker may still accept what it had received when we hung up.
    """

    def __init__(
        self,
        account: Account,
        clock: Clock,
        *,
        budgets: Budgets,
        timeouts: Timeouts,
        acceptance_horizon: float = 180.0,
    ) -> None:
        if CLIENT_ORDER_ID_LENGTH > requests.TAG_LENGTH:
            raise ValueError(
                f"our order ids have {CLIENT_ORDER_ID_LENGTH} characters, too many for client_order_id"
            )
        user = f"{account.number} (sandbox)" if account.sandbox else account.number
        self.traits = replace(
            TRAITS, acceptance_horizon=acceptance_horizon, account=user, is_real=not account.sandbox
        )
        self._account = account
        self._clock = clock
        self._budgets = budgets
        self._wire = wire_of(account.api_url, account.secret_key, timeouts)
        self._data = wire_of(account.data_url, account.secret_key, timeouts)
        self._session = session_of(account, self._wire, clock, lambda: budgets.reads.take(urgent=True))
        self._calls, self._prices = (
            AccountCalls(self._session, wire, clock, budgets=budgets, timeouts=timeouts, meaning=errors)
            for wire in (self._wire, self._data)
        )
        self._rows = parsing.Rows(account)
        self._lock = threading.Lock()
        self._not_ours: set[str] = set()  # orders under an id of ours that are not what we meant
        self._meant: dict[str, Mapping[str, object]] = {}  # what was sent and not acknowledged, by our id

    # the port -----------------------------------------------------------------------------------------------

    def place(self, command: UniversalOrderCommand) -> OrderResult:
        """Send an order, once. In the rate budget, an exit goes before entries.

        If the broker has an order with this id already, that one is the result, provided that it is the same order.

        Raises:
            NotSent: no connection, no slot in the rate budget, too late to send, or turned away for the keys.
            Refused: the answer proves a refusal, or the API cannot express the order (`VALIDATION`), or another order
                stands under its id (`ID_IN_USE`).
            OutcomeUnknown: anything else.
        """
        refuse_test_mode(command)
        fields = requests.place_fields(command, self._account)
        with self._lock:
            self._meant[command.client_order_id] = fields
            while len(self._meant) > _MEANT:
                self._meant.pop(next(iter(self._meant)))
        try:
            answer = self._calls.order("POST", "v2/orders", fields, urgent=is_exit(command))
        except errors.IdInUse as refusal:
            result = self._standing(command.client_order_id, fields, refusal)
        else:
            if text_of(answer, "client_order_id") != command.client_order_id:
                raise OutcomeUnknown(f"the answer is about {text_of(answer, 'client_order_id')!r}")
            result = OrderResult(text_of(answer, "id"))
            if answer.get("extended_hours"):
                result = replace(result, detail="sent for the hours before the open and after the close too")
        with self._lock:
            self._meant.pop(command.client_order_id, None)
        return result

    def _standing(
        self, client_order_id: str, fields: Mapping[str, object], refusal: errors.IdInUse
    ) -> OrderResult:
        """Return the order that stands under our id, if it is the one that was to be sent.

        Raises:
            Refused: it is another order. Ours was not taken, and never will be under this id.
            OutcomeUnknown: it could not be read.
        """
        try:
            row = self._by_our_id(client_order_id, urgent=True)
        except ReadFailed as error:
            raise OutcomeUnknown(f"{refusal.message}; the order that has it: {error}", error.code) from error
        if row is None or not text_of(row, "id"):
            raise OutcomeUnknown(f"{refusal.message}, and yet no order with this id is found")
        differs = self._another(client_order_id, fields, row)
        if not differs:
            return OrderResult(text_of(row, "id"), duplicate=True)
        raise Refused(differs, errors.ID_IN_USE) from refusal

    def _another(self, client_order_id: str, fields: Mapping[str, object], row: Row) -> str:
        """Tell that the order under our id is another one than was to be sent, and remember it; empty if it is not."""
        differs = requests.differences(fields, row)
        if not differs:
            return ""
        told = (
            f"order {text_of(row, 'id')} at the broker has this order's id and is another one ({'; '.join(differs)}): "
            "this order was not taken, and none can be sent with this id any more"
        )
        with self._lock:
            is_news = text_of(row, "id") not in self._not_ours
            self._not_ours.add(text_of(row, "id"))
        if is_news:
            log.error("order %s: %s", client_order_id, told)
        return told

    def cancel(self, ref: OrderRef) -> None:
        """Send a cancel request. An order that is known only by our id is looked up first.

        If a person has replaced the order, the one that goes on for it is cancelled.

        Raises:
            NotSent: as for `place`, or the order could not be looked up.
            Refused: there is no such live order.
            OutcomeUnknown: anything else.
        """
        order_id = ref.broker_order_id or self._number_of(ref.client_order_id)
        if not requests.is_number(order_id):
            raise Refused(f"order number {order_id!r}: expected letters, digits and -", VALIDATION)
        for _ in range(_REPLACED):
            try:
                self._calls.order("DELETE", f"v2/orders/{order_id}", None, urgent=True)
                return
            except Refused as refusal:
                successor = self._successor(order_id) if refusal.code == errors.NOT_OPEN else None
                if successor is None:
                    raise
                order_id = successor
        raise OutcomeUnknown(f"order {order_id} was replaced again and again")

    def _successor(self, order_id: str) -> str | None:
        """Return the order that goes on for this one since it was replaced; None: there is none.

        Raises:
            OutcomeUnknown: it could not be looked up.
        """
        try:
            row = self._row_of(OrderRef("", order_id), urgent=True)
        except ReadFailed as error:
            raise OutcomeUnknown(
                f"the order has ended, and perhaps another one goes on for it: {error}", error.code
            ) from error
        return None if row is None else parsing.successor_of(row)

    def read_book(self, wanted: Sequence[OrderRef], *, urgent: bool = False) -> Book:
        """Read all orders of the day of New York, closed ones included, and those of `wanted` that are older.

        The book is not complete if not all of its pages, or not all of those orders, could be read. A row that could
        not be read is in `unreadable`.

        Args:
            urgent: an exit waits for it.

        Raises:
            ReadFailed: the book could not be read.
        """
        started = self._clock.now()
        began = day_began(started)

        def page(query: str) -> list[Row]:
            # Without its other pages the first one was read in vain: they go before entries, as an exit's reads do.
            first = "until=" not in query
            reads = PeriodicRead.BOOK if first else None
            found = self._calls.read(f"v2/orders?{query}", urgent=urgent or not first, reads=reads)
            return list(rows_in(found, "order book"))

        rows, complete = pages_of(page, began)
        older, all_found = self._older(wanted, rows, started, urgent=urgent)
        reports, unreadable = self._rows.orders_in([*rows, *older])
        reports = self._without_others([*rows, *older], reports)
        return Book(
            started, reports, complete=complete and all_found, covers_from=began, unreadable=unreadable
        )

    def _without_others(
        self, rows: Sequence[Row], reports: tuple[OrderReport, ...]
    ) -> tuple[OrderReport, ...]:
        """Let orders that have our id and are not what was meant not be found by it.

        What was meant is compared where no answer came: the answer that was lost may have been that the id is in use.
        """
        with self._lock:
            meant = dict(self._meant)
        for row in rows:
            tag = text_of(row, "client_order_id")
            if tag in meant:
                self._another(tag, meant[tag], row)
        with self._lock:
            return tuple(
                replace(each, client_order_id=f"another's {each.client_order_id}")
                if each.broker_order_id in self._not_ours
                else each
                for each in reports
            )

    def _older(
        self, wanted: Sequence[OrderRef], rows: Sequence[Row], started: datetime, *, urgent: bool
    ) -> tuple[list[Row], bool]:
        """Return the rows of the wanted orders that the day's rows lack; False if not all could be asked for.

        That the broker does not find one is an answer too.
        """
        ids, tags = ({text_of(row, name) for row in rows} for name in ("id", "client_order_id"))
        missing = [
            ref
            for ref in wanted
            if ref.test_command is None
            and (ref.broker_order_id not in ids if ref.broker_order_id else ref.client_order_id not in tags)
        ]
        found: list[Row] = []
        for ref in missing[:_LOOKED_UP]:
            if self._clock.now() - started > _LOOKED_UP_WITHIN:
                return found, False
            try:
                row = self._row_of(ref, urgent=urgent)
                while row is not None:
                    found.append(row)
                    ids.add(text_of(row, "id"))
                    successor = parsing.successor_of(row)
                    if successor is None or successor in ids:
                        break
                    row = self._row_of(OrderRef("", successor), urgent=urgent)
            except ReadFailed as error:
                log.warning("order %s could not be looked up: %s", ref.client_order_id, error)
                return found, False
        return found, len(missing) <= _LOOKED_UP

    def read_positions(self, *, urgent: bool = False) -> PositionsSnapshot:
        """Read all positions. What was closed today is in one flat row that has its result.

        If only a row of them, or the day's result, could not be read, that is listed in `unreadable`.

        Args:
            urgent: an exit is sized from them, and waits for no result.

        Raises:
            ReadFailed: the positions could not be read.
        """
        started = self._clock.now()
        found = self._calls.read("v2/positions", urgent=urgent, reads=PeriodicRead.POSITIONS)
        positions, unreadable = self._rows.positions_in(rows_in(found, "positions"))
        if urgent:
            return PositionsSnapshot(started, positions, unreadable)
        try:
            rest = self._rows.rest_of_the_day(self._account_row(), positions)
        except (ReadFailed, ValueError) as error:
            text = f"the day's result could not be read: {error}"
            hidden = UnreadableRow(self._account.exchange, "(CLOSED TODAY)", None, None, None, text)
            return PositionsSnapshot(started, positions, (*unreadable, hidden))
        return PositionsSnapshot(started, positions if rest is None else (*positions, rest), unreadable)

    # other reads --------------------------------------------------------------------------------------------

    def order_history(self, broker_order_id: str) -> tuple[OrderReport, ...]:
        """Read the state of one order: the broker keeps no earlier ones. Raises: ReadFailed."""
        row = self._row_of(OrderRef("", broker_order_id), urgent=False)
        return () if row is None else self._rows.orders_in([row])[0]

    def trades(self) -> tuple[Trade, ...]:
        """Read the fills of the day of New York. Raises: ReadFailed."""
        began = day_began(self._clock.now())
        found: dict[str, Trade] = {}
        token = ""
        while True:
            asked = {"after": f"{began:%Y-%m-%dT%H:%M:%SZ}", "direction": "asc", "page_size": "100"}
            query = urlencode({**asked, **({"page_token": token} if token else {})})
            rows = rows_in(self._calls.read(f"v2/account/activities/FILL?{query}"), "fills")
            page = [self._rows.trade_in(row) for row in rows]
            new = {each.trade_id: each for each in page if each.trade_id not in found}
            if not new:
                return tuple(found.values())
            found |= new
            token = page[-1].trade_id

    def last_price(self, exchange: str, token: str) -> Decimal:
        """Read the last traded price. Here `token` is the symbol itself. Raises: ReadFailed."""
        symbol = token.upper()
        option = requests.is_option(symbol)
        path = "v1beta1/options/trades/latest" if option else "v2/stocks/trades/latest"
        query = urlencode({"symbols": symbol})
        found = self._prices.read(f"{path}?{query}", budget=self._budgets.quotes)
        row = found.get("trades") if isinstance(found, dict) else None
        row = row.get(symbol) if isinstance(row, dict) else None
        if not isinstance(row, dict):
            raise ReadFailed(f"the broker has no price of {symbol}")
        try:
            return number(row, "p")
        except ValueError as error:
            raise ReadFailed(f"the price of {symbol} cannot be read: {error}") from error

    def price_of(self, instrument: Instrument) -> Decimal:
        """Read the last traded price of an instrument. Raises: ReadFailed."""
        return self.last_price(instrument.exchange, instrument.symbol)

    def read_equity(self) -> tuple[Decimal, str]:
        """Return the account's equity, by which entries are sized, in USD. Raises: ReadFailed."""
        try:
            return number(self._account_row(), "equity"), "what the broker says that the account is worth"
        except ValueError as error:
            raise ReadFailed(f"the account cannot be read: {error}") from error

    def close(self) -> None:
        """Close the connections that are kept."""
        self._wire.close()
        self._data.close()

    # one call -----------------------------------------------------------------------------------------------

    def _account_row(self) -> Row:
        found = self._calls.read("v2/account")
        if not isinstance(found, dict):
            raise ReadFailed("the account cannot be read: expected one row")
        return found

    def _number_of(self, client_order_id: str) -> str:
        """Return the broker's id of an order that is known only by ours.

        Raises:
            NotSent: it could not be looked up.
            Refused: there is none.
        """
        try:
            row = self._by_our_id(client_order_id, urgent=True)
        except ReadFailed as error:
            raise NotSent(f"the order could not be looked up: {error}", error.code) from error
        if row is None:
            raise Refused("no order carries this client order id", errors.NO_SUCH_ORDER)
        return text_of(row, "id")

    def _row_of(self, ref: OrderRef, *, urgent: bool) -> Row | None:
        """Read one order by its number, or by our id; None where the broker has none. Raises: ReadFailed."""
        if ref.broker_order_id is None:
            return self._by_our_id(ref.client_order_id, urgent=urgent)
        if not requests.is_number(ref.broker_order_id):
            raise ReadFailed(f"order number {ref.broker_order_id!r}: expected letters, digits and -")
        return self._one(f"v2/orders/{ref.broker_order_id}", urgent=urgent)

    def _by_our_id(self, client_order_id: str, *, urgent: bool) -> Row | None:
        if not requests.is_tag(client_order_id):
            return None
        query = urlencode({"client_order_id": client_order_id})
        row = self._one(f"v2/orders:by_client_order_id?{query}", urgent=urgent)
        if row is not None and text_of(row, "client_order_id") != client_order_id:
            raise ReadFailed(f"the broker answered with {text_of(row, 'client_order_id')!r}")
        return row

    def _one(self, path: str, *, urgent: bool) -> Row | None:
        found = self._calls.read(path, urgent=urgent)
        if found is not None and not isinstance(found, dict):
            raise ReadFailed("an order cannot be read: expected one row")
        return found
