"""The paper broker: simulated money, and a real order book that outlives the process.

The last price of a symbol where nobody sets it (`carried_mark`):

- The reference price that an order carries becomes the last price of its symbol, as does a price set by `set_mark`.
- The limit of a LIMIT order counts as the last price while there is no better one. So on a fresh paper broker a limit
  order is filled at its limit, and after `set_mark` it waits for its price.
- A MARKET order in a symbol without any price trades at `default_price`.
- A stop's prices never count: in a symbol without any price it waits for the first one.

A symbol that begins with `REJECT` is always refused, so that a rejection can be seen without any set-up.
"""

import sqlite3
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

from broker.paper.batch_rows import BatchRows, may_be_read_together
from broker.paper.rows import ClientRows, Entry, broker_order_id, changed_orders
from broker.paper.store import PaperStore, migrate
from broker.simulated_exchange import matching
from broker.simulated_exchange.model import Mark, Market, MarketStep, Rejection, Rules, SimOrder
from broker.test_mode import refuse_test_mode
from domain.broker_capabilities import BrokerTraits, IdClass
from domain.broker_reports import Book, OrderRef, OrderReport, PositionsSnapshot
from domain.commands import OrderResult, UniversalOrderCommand
from domain.enums import OrderType, Side
from domain.errors import BrokerError, NotSent, OutcomeUnknown, ReadFailed, Refused
from domain.marks import Mark as LastPrice
from domain.money import ZERO, parse_decimal
from domain.ports import Clock
from domain.times import time_text, trading_day

_RECENT = timedelta(seconds=60)  # a book shows what changed within this time, requested or not
_RECENT_LIMIT = 100  # but no more orders than this, so that reading stays cheap while thousands are traded
_ALWAYS_REFUSED = "REJECT"

TRAITS = BrokerTraits(name="paper", is_real=False, id_class=IdClass.C4, book_interval=0.0, claims_together=32)


@dataclass(frozen=True, slots=True)
class PaperMarket:
    """The market that a paper broker simulates.

    - `zone`: in which its day begins; `tick`: the smallest step of a price.
    - `slippage_ticks`: by how much a fill at market is worse than the last price.
    - `latency_seconds`: how long each call takes.
    - `default_price`: of a symbol whose price nobody has set; None: such a symbol has no price.
    - `equity`: of an account before its first order.
    """

    zone: ZoneInfo
    tick: Decimal
    slippage_ticks: int = 0
    latency_seconds: float = 0.0
    default_price: Decimal | None = Decimal(100)
    equity: Decimal = Decimal(1_000_000)


class PaperBroker:
    """One client's simulated broker, in a file that all clients and several processes share.

    Safe to call from several threads. `latency_seconds` is the simulated network delay of every call to the broker.
    With `default_price` None, a MARKET order in a symbol without a price is refused.
    """

    def __init__(
        self,
        path: Path,
        client_id: str,
        clock: Clock,
        market: PaperMarket,
        *,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        """Open the file, and create it if it is missing.

        Raises:
            PaperBookTooNew: a newer program wrote the file.
            OSError, sqlite3.Error: the file cannot be opened.
        """
        migrate(path)
        self._store = PaperStore(path)
        self._client_id = client_id
        # With a delay it stands for a broker that is not quick.
        together = 1 if market.latency_seconds else TRAITS.claims_together
        self.traits = replace(TRAITS, account=client_id, claims_together=together)
        self._clock = clock
        self._market = market
        self._rules = Rules(market.tick, market.slippage_ticks)
        self._sleep = sleep

    # the port -----------------------------------------------------------------------------------------------

    def place(self, command: UniversalOrderCommand) -> OrderResult:
        """Place an order. A client order id that is already known never makes a second order.

        Raises:
            NotSent: nothing was written.
            Refused: the order is not possible, or a rejection was set up.
            OutcomeUnknown: the commit failed.
        """
        refuse_test_mode(command)
        self._travel()
        answer = self._store.write(lambda db: self._place(self._rows(db), command))
        if isinstance(answer, Refused):
            raise answer
        return answer

    def cash(self) -> Decimal:
        """Return what all fills of the client brought less what they cost, as the matching core booked each of them.

        With nothing open it is the realised profit and loss. Nothing that Orderwatch records goes into it.

        Raises:
            ReadFailed: the file could not be read.
        """
        rows = self._store.read(
            lambda db: db.execute(
                "SELECT side, filled_value FROM orders WHERE client_id = ?", (self._client_id,)
            ).fetchall()
        )
        return sum((-Side(side).sign * parse_decimal(value) for side, value in rows), ZERO)

    def read_equity(self) -> tuple[Decimal, str]:
        """Return what the account began with, its cash since, and what is open at the last prices.

        Raises:
            ReadFailed: the file could not be read, or something that is open has no price.
        """
        worth = self._market.equity + self.cash()
        for each in self.read_positions().positions:
            if each.net_quantity and each.last_price is None:
                raise ReadFailed(f"the equity is not known: {each.symbol} has no price")
            worth += each.net_quantity * (each.last_price or ZERO)
        return worth, "the simulated account"

    def place_together(
        self, groups: Sequence[Sequence[UniversalOrderCommand]]
    ) -> list[list[OrderResult | BrokerError]]:
        """Place many orders in one transaction of the file: see `domain.ports.BatchPlacer`."""
        self._travel()
        try:
            return self._store.write(lambda db: self._place_groups(db, groups))
        except (NotSent, OutcomeUnknown) as error:
            return [[error for _ in group] for group in groups]

    def cancel(self, ref: OrderRef) -> None:
        """Cancel a resting order, found by the broker's id or ours.

        Raises:
            NotSent: nothing was written.
            Refused: there is no such order, or it is closed.
            OutcomeUnknown: the commit failed.
        """
        self._travel()
        self._store.write(lambda db: self._cancel(self._rows(db), ref))

    def read_book(self, wanted: Sequence[OrderRef], *, urgent: bool = False) -> Book:
        """Read the wanted orders, all open ones, and some that changed in the last minute.

        Raises:
            ReadFailed: the file could not be read.
        """
        self._travel()
        started = self._clock.now()
        reports = self._store.read(
            lambda db: _reports(self._rows(db), wanted, time_text(started - _RECENT)),
        )
        return Book(started, reports, complete=True)

    def read_positions(self, *, urgent: bool = False) -> PositionsSnapshot:
        """Read every position that is not flat or was traded today.

        Raises:
            ReadFailed: the file could not be read.
        """
        self._travel()
        started = self._clock.now()
        day = trading_day(started, self._market.zone)
        return PositionsSnapshot(started, tuple(self._store.read(lambda db: self._rows(db).positions(day))))

    # the simulated market -----------------------------------------------------------------------------------

    def set_mark(self, exchange: str, symbol: str, price: Decimal, quantity: Decimal | None = None) -> None:
        """Set the last price of a symbol. With a quantity, only that many units trade at it, until the next price.

        Raises:
            NotSent: nothing was written.
            Refused: price or quantity is not a number that can be traded.
            OutcomeUnknown: the commit failed.
        """
        mark = Mark(price, quantity)
        self._store.write(lambda db: self._set_mark(self._rows(db), exchange, symbol, mark))

    def last_marks(self, places: Sequence[tuple[str, str]]) -> list[LastPrice]:
        """Return the last prices of these symbols. They are what the simulated market shows at this moment.

        Raises:
            ReadFailed: the file could not be read.
        """
        at = self._clock.now()

        found = self._store.read(lambda db: self._rows(db).marks_at(places))
        return [LastPrice(*place, mark.price, at, TRAITS.name) for place, mark in found.items()]

    def reject_next(self, symbol: str, code: str, text: str, *, later: bool = False) -> None:
        """Refuse the next order in the symbol or, if `later`, accept it and reject it in the book.

        Raises:
            NotSent: nothing was written.
            OutcomeUnknown: the commit failed.
        """
        rejection = Rejection(code, text, later=later)
        self._store.write(lambda db: self._rows(db).add_rejection(symbol, rejection))

    def close(self) -> None:
        """Close the calling thread's connection to the file. Its next call opens it again."""
        self._store.close()

    # inside a transaction -----------------------------------------------------------------------------------

    def _place(self, rows: ClientRows, command: UniversalOrderCommand) -> OrderResult | Refused:
        """Place an order. A refusal is returned, not raised: raising would roll back the rejection that it used up."""
        known = rows.sequence_of(command.client_order_id)
        if known is not None:
            return OrderResult(broker_order_id(known), duplicate=True)
        order = _order_of(command, rows.next_sequence())
        rejection = rows.take_rejection(command.symbol) or _standing_rejection(command.symbol)
        at = self._clock.now()
        day = trading_day(at, self._market.zone)
        try:
            before, moved = self._carry(rows, command, day)
            placed = matching.place(moved.market, order, self._rules, day=day, rejection=rejection)
        except Refused as refusal:
            return refusal
        changed = changed_orders(moved, placed)
        rows.add(command, changed.pop(order.sequence), time_text(at))
        rows.update(changed.values(), time_text(at))
        rows.save_market(command.exchange, command.symbol, before, placed.market)
        return OrderResult(broker_order_id(order.sequence))

    def _place_groups(
        self, connection: sqlite3.Connection, groups: Sequence[Sequence[UniversalOrderCommand]]
    ) -> list[list[OrderResult | BrokerError]]:
        commands = [command for group in groups for command in group]
        rows = self._rows(connection)
        if may_be_read_together(commands):
            rows = BatchRows(connection, self._client_id, commands)
        return [self._place_group(rows, group) for group in groups]

    def _place_group(
        self, rows: ClientRows, group: Sequence[UniversalOrderCommand]
    ) -> list[OrderResult | BrokerError]:
        answers: list[OrderResult | BrokerError] = []
        for command in group:
            if any(isinstance(answer, Refused) for answer in answers):
                answers.append(NotSent("another order of its group was refused"))
                continue
            try:
                refuse_test_mode(command)
                answers.append(self._place(rows, command))
            except Refused as refusal:
                answers.append(refusal)
        return answers

    def _carry(
        self, rows: ClientRows, command: UniversalOrderCommand, day: date
    ) -> tuple[Market, MarketStep]:
        """Return the market as it was, and the step that the order's carried price causes."""
        mark = rows.mark(command.exchange, command.symbol)
        before = Market(mark, positions=rows.positions_in(command.exchange, command.symbol))
        carried = carried_mark(command, mark, self._market.default_price)
        if carried is None or carried == mark:
            # Only a new price affects other orders: the last price has already filled what it could.
            return before, MarketStep(before)
        before = replace(before, resting=rows.resting(command.exchange, command.symbol))
        return before, matching.set_mark(before, carried, self._rules, day=day)

    def _cancel(self, rows: ClientRows, ref: OrderRef) -> None:
        entry = rows.find(ref)
        if entry is None:
            raise Refused("no such order", "ORDER_NOT_FOUND")
        resting = (entry.order,) if entry.order.is_live else ()
        step = matching.cancel(Market(resting=resting), entry.order.sequence)
        rows.update(step.changed, time_text(self._clock.now()))

    def _set_mark(self, rows: ClientRows, exchange: str, symbol: str, mark: Mark) -> None:
        before = Market(
            rows.mark(exchange, symbol), rows.resting(exchange, symbol), rows.positions_in(exchange, symbol)
        )
        at = self._clock.now()
        step = matching.set_mark(before, mark, self._rules, day=trading_day(at, self._market.zone))
        rows.update(step.changed, time_text(at))
        rows.save_market(exchange, symbol, before, step.market)

    def _rows(self, connection: sqlite3.Connection) -> ClientRows:
        return ClientRows(connection, self._client_id)

    def _travel(self) -> None:
        if self._market.latency_seconds:
            self._sleep(self._market.latency_seconds)


def carried_mark(
    command: UniversalOrderCommand, mark: Mark | None, default_price: Decimal | None
) -> Mark | None:
    """Return the last price after an order that may carry one, by the rules at the top of this module."""
    if command.reference_price is not None:
        if mark is not None and mark.price == command.reference_price:
            return replace(mark, firm=True)  # the same price again makes no more units available
        return Mark(command.reference_price)
    if mark is not None and mark.firm:
        return mark
    if command.order_type is OrderType.LIMIT and command.price is not None:
        return Mark(command.price, firm=False)
    if mark is None and command.order_type is OrderType.MARKET and default_price is not None:
        return Mark(default_price, firm=False)
    return mark


def _order_of(command: UniversalOrderCommand, sequence: int) -> SimOrder:
    return SimOrder(
        sequence=sequence,
        product=command.product,
        side=command.side,
        order_type=command.order_type,
        quantity=command.quantity,
        price=command.price,
        trigger_price=command.trigger_price,
    )


def _standing_rejection(symbol: str) -> Rejection | None:
    if not symbol.startswith(_ALWAYS_REFUSED):
        return None
    return Rejection("PAPER_REJECT", f"the paper broker refuses symbols that begin with {_ALWAYS_REFUSED}")


def _reports(rows: ClientRows, wanted: Sequence[OrderRef], since: str) -> tuple[OrderReport, ...]:
    """Return a book's reports, each order once. Wanted orders are mostly open, so only the others are looked up."""
    entries: dict[int, Entry] = {e.order.sequence: e for e in rows.open_entries()}
    entries |= {e.order.sequence: e for e in rows.recent_entries(since, limit=_RECENT_LIMIT)}
    listed = {e.client_order_id for e in entries.values()}
    missing = [ref for ref in wanted if ref.client_order_id not in listed]
    if missing:
        entries |= {e.order.sequence: e for e in rows.wanted_entries(missing)}
    return tuple(entries[sequence].report() for sequence in sorted(entries))
