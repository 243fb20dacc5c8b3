"""Compute the sizes of entries that are asked for in money, percent, risk or lots, before they are registered.

The size is fixed once, by what the store knows at that moment: a price and an equity that are too old refuse the
entry. Exits are not looked at: they close what is held.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal

from domain.alert import LegRequest
from domain.enums import LegKind, Side
from domain.instruments.venues import exchange_name, is_venue
from domain.limits import ClientPolicy
from domain.marks import Mark, fault_of, youngest
from domain.money import decimal_text
from domain.ports.sizing import SizingReads
from domain.protection_terms import LevelUnit, level_of
from domain.sizing import SizeAsk, SizeFacts, SizePrice, needs_price, size_of

_OF_ONE_UNIT = frozenset(("NSE", "BSE", "NFO", "BFO"))
"""Exchanges where one unit of quantity is one unit of the underlying."""


def known_marks(reads: SizingReads, client_id: str) -> list[Mark]:
    """List the last prices that the store knows: those that were kept, and those of the positions."""
    marks = list(reads.marks(client_id))
    snapshot = reads.saved_positions(client_id)
    if snapshot is not None:
        marks += [
            Mark(p.exchange, p.symbol, p.last_price, snapshot.read_started_at, "positions")
            for p in snapshot.positions
            if p.last_price is not None and p.net_quantity
        ]
    return marks


def fresh_price(marks: Sequence[Mark], exchange: str, symbol: str, at: datetime) -> SizePrice | str:
    """Return the last price with its source and age; or, in words, why it may not be used."""
    mark = youngest(marks, exchange, symbol)
    fault = fault_of(mark, exchange, symbol, since=_EVER, now=at)
    if fault is not None or mark is None:
        told = "" if mark is None else f" ({decimal_text(mark.price)} of {mark.source}, {_age(mark.at, at)})"
        return f"{exchange} {symbol}: {fault.sentence if fault else 'no last price is known'}{told}"
    return SizePrice(mark.price, f"last price of {mark.source}, {_age(mark.at, at)}")


class SizeEntries:
    """Sizes the entries of alerts.

    Args:
        equity_max_age: an equity that was read longer ago sizes nothing.
    """

    def __init__(
        self, reads: SizingReads, clients: Mapping[str, ClientPolicy], *, equity_max_age: timedelta
    ) -> None:
        self._reads = reads
        self._clients = clients
        self._equity_max_age = equity_max_age

    def __call__(
        self,
        legs: Sequence[LegRequest],
        client_id: str,
        strategy_name: str,
        at: datetime,
        multiplier: Decimal,
    ) -> tuple[LegRequest, ...]:
        """Return the legs of one client with their quantities; 0 with the reason where a size is not certain."""
        marks: list[Mark] | None = None
        done = []
        for leg in legs:
            if leg.size is None or leg.kind is not LegKind.ENTRY:
                done.append(leg)
                continue
            if marks is None:
                marks = known_marks(self._reads, client_id)
            done.append(self._sized(leg, leg.size, client_id, strategy_name, at, multiplier, marks))
        return tuple(done)

    def _sized(
        self,
        leg: LegRequest,
        ask: SizeAsk,
        client_id: str,
        strategy_name: str,
        at: datetime,
        multiplier: Decimal,
        marks: Sequence[Mark],
    ) -> LegRequest:
        assert leg.side is not None
        known = None if leg.instrument is None else leg.instrument.instrument
        lot = None if known is None else known.lot
        unit = None if known is None else known.multiplier
        if unit is None and _is_of_one_unit(leg.exchange, is_known=known is not None):
            unit = Decimal(1)
        policy = self._clients.get(client_id)
        terms = (
            leg.protection if policy is None else policy.strategy(strategy_name).protecting(leg.protection)
        )
        stop = None if terms is None else terms.stop_loss
        facts = SizeFacts(
            side=leg.side,
            exchange=leg.exchange,
            symbol=leg.symbol,
            lot=lot,
            unit=unit,
            price=_price(leg, ask, leg.side, stop, marks, at) if needs_price(ask) else "",
            equity=self._equity(client_id, at) if ask.mode.is_percent else "",
            stop=stop,
            multiplier=multiplier,
        )
        sized = size_of(ask, facts)
        return replace(leg, quantity=sized.quantity, sized=sized)

    def _equity(self, client_id: str, at: datetime) -> tuple[Decimal, str] | str:
        found = self._reads.equity(client_id)
        if found is None:
            return f"the equity of {client_id} was never read"
        age = at - found.at
        source = f"{found.source}, {_age(found.at, at)}"
        if age > self._equity_max_age or age < -_AHEAD:
            limit = f"{self._equity_max_age.total_seconds():g} s (EQUITY_MAX_AGE_SECONDS)"
            return (
                f"the equity of {client_id} ({decimal_text(found.amount)} by {source}) is older than {limit}"
            )
        return found.amount, source


def _price(
    leg: LegRequest, ask: SizeAsk, side: Side, stop: str | None, marks: Sequence[Mark], at: datetime
) -> SizePrice | str:
    """The price that an order is sized by: its own limit where the fill can be no worse, else the worse of two.

    A limit to sell far below the market fills at the market, and so does a stop to buy that is met at once: sized by
    their own price they would be worth many times the money. Of a sale that risks the way to a fixed stop the lower
    price is the worse one; a stop in percent is the farther away the higher the price.
    """
    is_percent = stop is not None and level_of(stop).unit is LevelUnit.PERCENT
    is_lower_worse = side is Side.SELL and ask.mode.is_risk and not is_percent
    if leg.price is not None and (side is Side.BUY or is_lower_worse):
        return SizePrice(leg.price, "its limit price")
    last = fresh_price(marks, leg.exchange, leg.symbol, at)
    own = leg.price if leg.price is not None else leg.trigger_price
    if own is None or isinstance(last, str):
        return last
    name = "its limit price" if leg.price is not None else "its trigger price"
    is_worse = own < last.value if is_lower_worse else own > last.value
    return SizePrice(own, f"{name}, beside {decimal_text(last.value)}, {last.source}") if is_worse else last


def _is_of_one_unit(exchange: str, *, is_known: bool) -> bool:
    """Whether one unit is one of the underlying where no master says it; a contract of MCX or CDS may be thousands."""
    return exchange_name(exchange) in _OF_ONE_UNIT or not (is_known or is_venue(exchange))


_EVER = datetime.fromisoformat("1970-01-01T00:00:00+00:00")
_AHEAD = timedelta(seconds=2)


def _age(then: datetime, at: datetime) -> str:
    return f"{max((at - then).total_seconds(), 0):.1f} s old"
