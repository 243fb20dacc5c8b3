"""The simulated exchange: every account's orders over one matching core.

It serves one caller at a time, and writes to the journal before it answers.
"""

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal

from broker.simulated_exchange import matching
from broker.simulated_exchange.model import (
    LIVE,
    NEEDS_TRIGGER,
    Mark,
    Market,
    MarketStep,
    Rejection,
    Rules,
    SimOrder,
)
from broker.simulator.journal import (
    EventLog,
    Record,
    converted_record,
    instrument_record,
    mark_record,
    order_record,
    version_record,
)
from broker.simulator.ledger import Ledger, Symbol
from broker.simulator.words import (
    ZONE,
    BookEntry,
    Conversion,
    DayPosition,
    HoldingKey,
    Instrument,
    OrderTerms,
    Trade,
    Version,
)
from domain.broker_reports import BrokerStatus
from domain.enums import OrderType
from domain.errors import Refused
from domain.ports import Clock
from domain.times import time_text, trading_day

REPORTS = {
    BrokerStatus.PENDING: "NewAck",
    BrokerStatus.OPEN: "New",
    BrokerStatus.TRIGGER_PENDING: "New",
    BrokerStatus.CANCELLED: "Canceled",
    BrokerStatus.REJECTED: "Rejected",
    BrokerStatus.EXPIRED: "Expired",
    BrokerStatus.COMPLETE: "Fill",
}
"""The wire's report type for an order that reached a status."""

TAG_IN_USE = "client_order_id must be unique"

Listener = Callable[[OrderTerms, Version], None]


@dataclass(frozen=True, slots=True)
class ForcedOutcome:
    """An outcome that is forced on an order, whatever the market says.

    The order is rejected (`rejection`), or cancelled once `cancel_after_fill` units of it are filled.
    """

    rejection: Rejection | None = None
    cancel_after_fill: Decimal | None = None


@dataclass(frozen=True, slots=True)
class Modification:
    """The changes that a `ModifyOrder` asks for. None: as it was."""

    order_type: OrderType
    quantity: Decimal | None
    price: Decimal | None
    trigger_price: Decimal | None


class Exchange:
    """Orders, marks and positions. Safe to call from several threads.

    When a call ends, what it did is in the journal.

    In a symbol without a price, a limit order is filled at its limit and a market order at `default_price`. A price
    that somebody sets replaces those.
    """

    def __init__(self, clock: Clock, journal: EventLog, *, default_price: Decimal = Decimal(100)) -> None:
        """Restore the state that the journal records.

        Raises:
            ValueError, KeyError: the journal is not one of this program.
        """
        self._clock = clock
        self._journal = journal
        self._default_price = default_price
        self._lock = threading.Lock()
        self._records: list[Record] = []
        self._news: list[tuple[OrderTerms, Version]] = []
        self.listeners: list[Listener] = []
        self.tags_are_unique = False  # a wire sets it, whose broker takes one order of each tag, for ever
        self._ledger = Ledger()
        for record in journal.records():
            self._ledger.take(record)
        self._ledger.rest_again()

    # orders -------------------------------------------------------------------------------------------------

    def place(self, ticket: OrderTerms, order: SimOrder, fate: ForcedOutcome) -> str:
        """Take a new order and return its number. The sequence and number in the arguments are replaced.

        Raises:
            Refused: no exchange could take such an order, or there is one of its tag, where those are unique.
        """
        with self._turn() as at:
            if self.tags_are_unique and ticket.remarks in self._ledger.account(ticket.uid).tags:
                raise Refused(TAG_IN_USE, "TAG_IN_USE")
            sequence, day = self._ledger.next_sequence(), trading_day(at, ZONE)
            ticket = replace(ticket, sequence=sequence, norenordno=f"{day:%y%m%d}{sequence:08d}")
            order = replace(order, sequence=sequence)
            matching.check_order(order)
            self._instrument((ticket.exch, ticket.tsym))
            first = Version(at, REPORTS[BrokerStatus.PENDING], replace(order, status=BrokerStatus.PENDING))
            self._ledger.add(ticket, first)
            self._records.append(order_record(ticket, first))
            self._news.append((ticket, first))
            self._enter(ticket, order, fate, at)
            return ticket.norenordno

    def refuse(self, uid: str, remarks: str | None, emsg: str) -> None:
        """Record that a `PlaceOrder` was refused and created no order."""
        with self._turn() as at:
            self._records.append(
                {"kind": "refused", "at": time_text(at), "uid": uid, "remarks": remarks, "emsg": emsg}
            )

    def cancel(self, uid: str, norenordno: str) -> None:
        """Cancel a live order.

        Raises:
            Refused: the order is not this user's, or not live.
        """
        self.end(uid, norenordno, BrokerStatus.CANCELLED)

    def end(self, uid: str, norenordno: str, status: BrokerStatus, reason: str = "") -> None:
        """End a live order as cancelled, expired or rejected, as the broker or the exchange may do on their own.

        Raises:
            Refused: the order is not this user's, or not live.
        """
        with self._turn() as at:
            entry, symbol, market = self._live(uid, norenordno)
            step = matching.cancel(market, entry.order.sequence)
            dead = tuple(replace(order, status=status, reason=reason) for order in step.changed)
            self._settle(symbol, MarketStep(step.market, dead), at)

    def modify(self, uid: str, norenordno: str, changes: Modification) -> None:
        """Change a live order, and fill what can be filled then.

        Raises:
            Refused: the order is not this user's, not live, or cannot be changed so.
        """
        with self._turn() as at:
            entry, symbol, market = self._live(uid, norenordno)
            rules, day = self._rules(symbol), trading_day(at, ZONE)
            step = _modified(market, entry.order, changes, rules, day)
            self._settle(symbol, step, at, report="Replaced")

    def convert(self, uid: str, exch: str, tsym: str, prd: str, to: str) -> Decimal:
        """Move all that the user holds of a symbol from `prd` to `to`. Return the units, negative when short."""
        with self._turn() as at:
            holding = self._ledger.account(uid).held.get((exch, tsym, prd), DayPosition())
            quantity, price = holding.net.net_quantity, holding.net.average_price
            if price is not None and prd != to:
                conversion = Conversion(at, uid, exch, tsym, prd, to, quantity, price)
                self._ledger.convert(conversion)
                self._records.append(converted_record(conversion))
            return quantity

    # the market ---------------------------------------------------------------------------------------------

    def set_mark(self, exch: str, tsym: str, mark: Mark, *, ls: Decimal | None, ti: Decimal | None) -> None:
        """Set the last price of a symbol, and its lot and tick where given. Fill the orders that the price crosses.

        Raises:
            Refused: the price or the quantity is not a number to trade on.
        """
        with self._turn() as at:
            symbol = (exch, tsym)
            self._instrument(symbol, ls, ti)
            market = self._ledger.markets.get(symbol, Market())
            step = matching.set_mark(market, mark, self._rules(symbol), day=trading_day(at, ZONE))
            self._settle(symbol, step, at)

    def mark(self, exch: str, tsym: str) -> Mark | None:
        """The last price of a symbol; None while there is none."""
        with self._lock:
            return self._ledger.mark((exch, tsym))

    def price(self, instrument: Instrument) -> Decimal:
        """The price at which the symbol trades: its last price, else the default one."""
        mark = self.mark(instrument.exch, instrument.tsym)
        return self._default_price if mark is None else mark.price

    def know(self, exch: str, tsym: str, token: str | None = None) -> None:
        """Make a symbol known, as an order in it does; with this number where it has none yet."""
        with self._turn():
            if token is not None and (exch, tsym) not in self._ledger.instruments:
                self._ledger.instruments[exch, tsym] = Instrument(exch, tsym, token)
                self._records.append(instrument_record(self._ledger.instruments[exch, tsym]))
            self._instrument((exch, tsym))

    def instruments(self) -> dict[Symbol, Instrument]:
        """All known symbols."""
        with self._lock:
            return dict(self._ledger.instruments)

    # reading ------------------------------------------------------------------------------------------------

    def now(self) -> datetime:
        """The broker's time, aware UTC."""
        return self._clock.now()

    def orders(
        self, uid: str | None, at: datetime | None = None
    ) -> list[tuple[OrderTerms, Sequence[Version]]]:
        """Each order of the user (None: of all users) with its versions up to `at`, oldest first."""
        with self._lock:
            ledger = self._ledger
            entries = ledger.entries.values() if uid is None else ledger.account(uid).entries
            found = [(entry.ticket, entry.until(at)) for entry in entries]
        return [(ticket, versions) for ticket, versions in found if versions]

    def order(
        self, uid: str, norenordno: str, at: datetime | None = None
    ) -> tuple[OrderTerms, Sequence[Version]] | None:
        """One order of the user with its versions up to `at`; None where there is none."""
        with self._lock:
            entry = self._ledger.entry(uid, norenordno)
            versions = [] if entry is None else entry.until(at)
        return (entry.ticket, versions) if entry is not None and versions else None

    def trades(self, uid: str, at: datetime | None = None) -> list[tuple[OrderTerms, Version]]:
        """The user's trades up to `at`, oldest first."""
        with self._lock:
            trades = list(self._ledger.account(uid).trades)
        return [trade for trade in trades if at is None or trade[1].at <= at]

    def positions(self, uid: str, at: datetime | None = None) -> dict[HoldingKey, DayPosition]:
        """The user's positions as of `at`, including those traded to flat."""
        with self._lock:
            return self._ledger.account(uid).holdings(at)

    # inside a turn ------------------------------------------------------------------------------------------

    @contextmanager
    def _turn(self) -> Iterator[datetime]:
        """Serve one caller at a time. What the caller did is in the journal at the end, before any answer goes out."""
        with self._lock:
            try:
                yield self._clock.now()
            finally:
                records, self._records = self._records, []
                news, self._news = self._news, []
                if records:
                    self._journal.append(records)
                for listener in self.listeners:
                    for ticket, version in news:
                        listener(ticket, version)

    def _enter(self, ticket: OrderTerms, order: SimOrder, fate: ForcedOutcome, at: datetime) -> None:
        symbol, day = (ticket.exch, ticket.tsym), trading_day(at, ZONE)
        rules = self._rules(symbol)
        market = self._ledger.markets.get(symbol, Market())
        inferred = _inferred_mark(order, market.mark, self._default_price)
        if inferred != market.mark:
            assert inferred is not None
            before = matching.set_mark(market, inferred, rules, day=day)
            self._settle(symbol, before, at)
            market = before.market
        if fate.cancel_after_fill is not None:
            self._settle(symbol, _partly(market, order, fate.cancel_after_fill, rules, day), at)
            return
        # The price does not change, so no resting order can fill. The core gets none: checking thousands takes long.
        step = matching.place(Market(market.mark), order, rules, day=day, rejection=fate.rejection)
        after = Market(step.market.mark, (*market.resting, *step.market.resting))
        self._settle(symbol, replace(step, market=after), at)
        if ticket.ret == "IOC" and self._ledger.entry_of(order.sequence).order.is_live:
            self._settle(symbol, matching.cancel(after, order.sequence), at)

    def _settle(self, symbol: Symbol, step: MarketStep, at: datetime, report: str | None = None) -> None:
        """Record what a step has done: the market after it, each trade, and each order that it changed."""
        old = self._ledger.mark(symbol)
        self._ledger.markets[symbol] = step.market
        if step.market.mark is not None and step.market.mark != old:
            self._records.append(mark_record(*symbol, step.market.mark))
        for fill in step.fills:
            trade = Trade(self._ledger.next_trade(), fill.quantity, fill.price)
            self._change(Version(at, "Fill", fill.order, trade))
        for order in step.changed:
            if order != self._ledger.entry_of(order.sequence).order:
                self._change(Version(at, report or REPORTS[order.status], order))

    def _change(self, version: Version) -> None:
        entry = self._ledger.entry_of(version.order.sequence)
        self._ledger.change(entry, version)
        self._records.append(version_record(entry.ticket, version))
        self._news.append((entry.ticket, version))

    def _live(self, uid: str, norenordno: str) -> tuple[BookEntry, Symbol, Market]:
        entry = self._ledger.entry(uid, norenordno)
        if entry is None or not entry.order.is_live:
            raise Refused("no such order is open", "ORDER_NOT_OPEN")
        symbol = (entry.ticket.exch, entry.ticket.tsym)
        return entry, symbol, self._ledger.markets[symbol]

    def _instrument(self, symbol: Symbol, ls: Decimal | None = None, ti: Decimal | None = None) -> Instrument:
        """Return the symbol's instrument, created if it is not known yet, with the lot and tick where given."""
        old = self._ledger.instruments.get(symbol)
        new = old or self._ledger.new_instrument(symbol)
        new = replace(new, ls=new.ls if ls is None else ls, ti=new.ti if ti is None else ti)
        if new != old:
            self._ledger.instruments[symbol] = new
            self._records.append(instrument_record(new))
        return new

    def _rules(self, symbol: Symbol) -> Rules:
        return Rules(tick=self._ledger.instruments[symbol].ti)


def _inferred_mark(order: SimOrder, mark: Mark | None, default_price: Decimal) -> Mark | None:
    """Return the last price once this order has arrived.

    - A price that somebody set stays.
    - Otherwise the limit of a limit order becomes the last price.
    - A market order in a symbol without a price sets the default price.
    """
    if mark is not None and mark.firm:
        return mark
    if order.order_type is OrderType.LIMIT and order.price is not None:
        return Mark(order.price, firm=False)
    if mark is None and order.order_type is OrderType.MARKET:
        return Mark(default_price, firm=False)
    return mark


def _partly(market: Market, order: SimOrder, quantity: Decimal, rules: Rules, day: date) -> MarketStep:
    """Fill part of the order at a price that it allows, then cancel the rest. Other orders are not touched."""
    price = order.limit or (market.mark.price if market.mark else order.trigger_price)
    assert price is not None
    alone = Market(Mark(price, min(quantity, order.quantity)))
    placed = matching.place(alone, replace(order, order_type=_plain(order)), rules, day=day)
    (fill,) = placed.fills
    after = replace(fill.order, order_type=order.order_type)
    dead = replace(after, status=BrokerStatus.CANCELLED) if after.status in LIVE else after
    return MarketStep(market, (dead,), (replace(fill, order=after),))


def _plain(order: SimOrder) -> OrderType:
    """The type of the order once its trigger price has traded."""
    return OrderType.MARKET if order.limit is None else OrderType.LIMIT


def _modified(market: Market, order: SimOrder, changes: Modification, rules: Rules, day: date) -> MarketStep:
    if changes.order_type is order.order_type:
        return matching.modify(
            market,
            order.sequence,
            rules,
            day=day,
            quantity=changes.quantity,
            price=changes.price,
            trigger_price=changes.trigger_price,
        )
    # The core cannot change an order's type, so it gets a new order. The same sequence keeps its place and fills.
    other = replace(
        order,
        order_type=changes.order_type,
        quantity=changes.quantity or order.quantity,
        price=changes.price,
        trigger_price=changes.trigger_price if changes.order_type in NEEDS_TRIGGER else None,
        status=BrokerStatus.OPEN,
    )
    if other.open_quantity <= 0:
        raise Refused("as much is already filled", "ALREADY_FILLED")
    rest = tuple(each for each in market.resting if each.sequence != order.sequence)
    return matching.place(replace(market, resting=rest), other, rules, day=day)
