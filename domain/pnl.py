"""Realised profit and loss from our own fills, first in first out, for each client, strategy and symbol. Pure.

Money is kept as signed cost: a buy of 50 at 100 costs 5000, a sale of 50 at 110 costs -5500. So realised profit is
always the cash that the fills brought plus the cost of what is still open, to the last digit, however fills are cut up.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime
from decimal import Context, Decimal
from typing import Any, NamedTuple

from domain.enums import Side
from domain.money import ZERO, parse_decimal
from domain.times import parse_time

_MONEY_STEP = Decimal("1e-8")  # averages and shares of a cost may have endless decimals
_WIDE = Context(prec=60)  # no product of sensible numbers is too large for it

ADJUSTED = "adjusted"
"""Stands among the unpriced fills for units that came or went without a fill of ours and without a known price."""


class Place(NamedTuple):
    """What realised profit and loss is kept for. The product does not matter: a converted position stays one."""

    client_id: str
    strategy_name: str
    exchange: str
    symbol: str


class Lot(NamedTuple):
    """Units that were bought (positive) or sold (negative) together, and their signed cost."""

    units: Decimal
    cost: Decimal


class FillSeen(NamedTuple):
    """What one event of an order added to its fills.

    - `units`: signed, positive bought. Zero where only a price became known.
    - `cost`: signed; None: the price is not known.
    - `price`: the order's average price then, None where it is not known.
    """

    event_id: int
    command_id: str
    at: datetime
    where: Place
    units: Decimal
    cost: Decimal | None
    price: Decimal | None


@dataclass(frozen=True, slots=True)
class PnlBook:
    """The open lots of one place, oldest first.

    - `unpriced`: the orders whose fills have no known price; while there are any, nothing about the sum is known.
    - `last_price`, `last_at`: the last fill's price and instant, which is a mark like any other.
    - `trade_pnl`: what was realised since the place was flat before. `closed_at`: when a fill last closed anything.
    """

    where: Place
    lots: tuple[Lot, ...] = ()
    unpriced: frozenset[str] = field(default_factory=frozenset)
    last_price: Decimal | None = None
    last_at: datetime | None = None
    trade_pnl: Decimal = ZERO
    closed_at: datetime | None = None

    @property
    def net(self) -> Decimal:
        """Units that are open, signed."""
        return sum((lot.units for lot in self.lots), ZERO)

    @property
    def cost(self) -> Decimal:
        """The signed cost of what is open."""
        return sum((lot.cost for lot in self.lots), ZERO)

    @property
    def is_empty(self) -> bool:
        """True where nothing is open and nothing is missing."""
        return not self.lots and not self.unpriced

    def unrealized(self, price: Decimal) -> Decimal:
        """What closing at this price would bring."""
        return self.net * price - self.cost


@dataclass(frozen=True, slots=True)
class DayResult:
    """The result of one place on one trading day, in account currency.

    - `realized`: what was closed that day brought, by our own fills.
    - `carried`: what was unrealised when the day began, so that it is no result of this day.
    - `unrealized`: the last that was known of the day; None: never known.
    - `fills`: how many fills counted.
    """

    where: Place
    day: date
    realized: Decimal = ZERO
    carried: Decimal = ZERO
    unrealized: Decimal | None = None
    fills: int = 0

    def after(self, book: PnlBook, realized: Decimal, *, fills: int = 1) -> "DayResult":
        """Return the result after fills that realised so much and left this book."""
        rest = self.unrealized if book.lots else ZERO
        return replace(self, realized=self.realized + realized, unrealized=rest, fills=self.fills + fills)


def first_of_day(place: Place, day: date, book: PnlBook, last: DayResult | None) -> DayResult:
    """Return the result as the day begins. What was unrealised when it was last known belongs to earlier days."""
    carried = last.unrealized if last is not None and last.unrealized is not None and book.lots else ZERO
    return DayResult(place, day, carried=carried)


def after_fill(book: PnlBook, fill: FillSeen) -> tuple[PnlBook, Decimal]:
    """Return the book after a fill, and what the fill realised.

    A price that becomes known later corrects what is realised, so that the sum of realised and unrealised is right.
    """
    unpriced = (
        book.unpriced - {fill.command_id} if fill.cost is not None else book.unpriced | {fill.command_id}
    )
    cost = ZERO if fill.cost is None else fill.cost
    lots, realized = (book.lots, -cost) if not fill.units else closed(book.lots, fill.units, cost)
    price, at = (book.last_price, book.last_at) if fill.price is None else (fill.price, fill.at)
    closes = book.net * fill.units < 0
    trade = (book.trade_pnl if book.lots else ZERO) + realized
    closed_at = fill.at if closes else book.closed_at
    return PnlBook(book.where, lots, unpriced, price, at, trade, closed_at), realized


def closed(lots: tuple[Lot, ...], units: Decimal, cost: Decimal) -> tuple[tuple[Lot, ...], Decimal]:
    """Return the lots after signed units came in at a signed cost, and what was realised.

    Units of the other side close the oldest lots first; what is left over opens a lot of its own.
    """
    realized, left, left_cost, open_ = ZERO, units, cost, list(lots)
    while open_ and left and open_[0].units * left < 0:
        lot = open_[0]
        taken = min(abs(lot.units), abs(left))
        of_lot, of_fill = _share(lot.cost, taken, lot.units), _share(left_cost, taken, left)
        realized -= of_lot + of_fill
        sign = 1 if left > 0 else -1
        rest = Lot(lot.units + taken * sign, lot.cost - of_lot)
        open_ = [rest, *open_[1:]] if rest.units else open_[1:]
        left, left_cost = left - taken * sign, left_cost - of_fill
    if left:
        open_.append(Lot(left, left_cost))
    return tuple(open_), realized


def _share(cost: Decimal, taken: Decimal, of: Decimal) -> Decimal:
    """Return the cost of `taken` units of `of`; the last units take all that is left."""
    if taken == abs(of):
        return cost
    return _WIDE.divide(_WIDE.multiply(cost, taken), abs(of)).quantize(_MONEY_STEP, context=_WIDE)


def adjusted(book: PnlBook, held: Decimal, price: Decimal | None) -> tuple[PnlBook, Decimal]:
    """Return the book with as many units as the strategy holds, and what that realised.

    Units may come or go without a fill of ours: a person closed or adopted them. They count at the last price. Where
    none is known, neither is the sum.
    """
    units = held - book.net
    unpriced = book.unpriced | {ADJUSTED} if price is None else book.unpriced
    lots, realized = closed(book.lots, units, ZERO if price is None else units * price)
    return replace(book, lots=lots, unpriced=unpriced if lots or price is None else frozenset()), realized


# from the history of orders ---------------------------------------------------------------------------------


class EventRow(NamedTuple):
    """What is needed of one event of an order's history."""

    event_id: int
    command_id: str
    at: str
    detail_json: str


_WANTED = (
    "client_id",
    "strategy_name",
    "exchange",
    "symbol",
    "side",
    "filled_quantity",
    "average_price",
    "test_mode",
)


def fills_after(events: Iterable[EventRow], cursor: int) -> list[FillSeen]:
    """Return what the events after the cursor added, in their order.

    Args:
        events: in their order, all events of each order that has one after the cursor.
    """
    rows, found = dict[str, dict[str, Any]](), []
    for event in events:
        row = rows.setdefault(event.command_id, {})
        before = dict(row)
        detail = json.loads(event.detail_json)
        row |= {name: detail[name] for name in _WANTED if name in detail}
        if event.event_id > cursor and before and row.get("test_mode") is None:
            seen = _added(event, before, row)
            if seen is not None:
                found.append(seen)
    return found


def _added(event: EventRow, before: Mapping[str, Any], after: Mapping[str, Any]) -> FillSeen | None:
    """Return what changed between two states of an order; None: nothing that counts."""
    units, cost = _signed(after)
    units_before, cost_before = _signed(before)
    if (units, cost) == (units_before, cost_before) or not after.get("symbol"):
        return None
    average = after.get("average_price")
    place = Place(after["client_id"], after["strategy_name"], after["exchange"], after["symbol"])
    return FillSeen(
        event.event_id,
        event.command_id,
        parse_time(event.at),
        place,
        units - units_before,
        None if cost is None else cost - (cost_before or ZERO),
        None if average is None else parse_decimal(average),
    )


def _signed(row: Mapping[str, Any]) -> tuple[Decimal, Decimal | None]:
    """Return the signed units that an order filled and their signed cost; None: their price is not known."""
    filled = parse_decimal(row.get("filled_quantity") or "0")
    if not filled:
        return ZERO, ZERO
    units, average = filled * Side(row["side"]).sign, row.get("average_price")
    if average is None:
        return units, None
    return units, _WIDE.multiply(units, parse_decimal(average)).quantize(_MONEY_STEP, context=_WIDE)


# the sums of a day ------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class DayPnl:
    """The profit and loss of a trading day: of a client or of one strategy.

    `unrealized` is what changed since the day began; None: not known, for the reason in `unknown`.
    """

    realized: Decimal = ZERO
    unrealized: Decimal | None = ZERO
    unknown: str = ""

    @property
    def total(self) -> Decimal | None:
        """Realised and unrealised; None: not known."""
        return None if self.unrealized is None else self.realized + self.unrealized

    def plus(self, other: "DayPnl") -> "DayPnl":
        """Return the sum; it is unknown where one of them is."""
        known = None
        if self.unrealized is not None and other.unrealized is not None:
            known = self.unrealized + other.unrealized
        return DayPnl(self.realized + other.realized, known, self.unknown or other.unknown)


def day_pnl_of(
    books: Iterable[PnlBook], results: Iterable[DayResult], prices: Mapping[tuple[str, str], Decimal]
) -> dict[str, DayPnl]:
    """Return each strategy's profit and loss of the day.

    Args:
        results: those of the day.
        prices: the usable last prices by exchange and symbol. A symbol without one makes its strategy's sum unknown.
    """
    found = dict[str, DayPnl]()
    for result in results:
        name = result.where.strategy_name
        found[name] = found.get(name, DayPnl()).plus(DayPnl(result.realized, -result.carried))
    for book in books:
        name = book.where.strategy_name
        found[name] = found.get(name, DayPnl()).plus(_open_pnl(book, prices))
    return found


def _open_pnl(book: PnlBook, prices: Mapping[tuple[str, str], Decimal]) -> DayPnl:
    if book.unpriced:
        return DayPnl(ZERO, None, f"the price of a fill in {book.where.symbol} is not known")
    if not book.lots:
        return DayPnl()
    price = prices.get((book.where.exchange, book.where.symbol))
    if price is None:
        return DayPnl(ZERO, None, f"no price of {book.where.symbol} that is young enough")
    return DayPnl(ZERO, book.unrealized(price))
