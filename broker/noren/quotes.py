"""Read a symbol's prices, and never return another symbol's price.

A broker with this API sometimes answers `GetQuotes` with a whole snapshot of another instrument and calls it `Ok`. So
the answer has to name the requested instrument. Where it does not, the request is repeated, twice at most.
"""

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from broker.fields import number, text_of
from broker.known_order_numbers import ZONE
from broker.noren import parsing
from broker.noren.errors import record_in, rows_in
from broker.noren.wire import HttpReply
from broker.protection import Quote
from domain.errors import ReadFailed
from domain.money import ZERO
from domain.ports import Clock
from domain.times import trading_day

log = logging.getLogger(__name__)

Ask = Callable[[str, Mapping[str, str]], HttpReply]
"""Makes one read call to the given endpoint with the given fields."""

_ASKED = 3  # requests at most
_STANDS_IN = timedelta(seconds=10)  # prices of a position read stay usable this long after its start


@dataclass(frozen=True, slots=True)
class _Instrument:
    """The broker's number of a symbol, and its tick where the broker gave one."""

    token: str
    tick: Decimal | None


_Symbol = tuple[str, str]


class UnknownSymbol(ReadFailed):
    """The broker answered that it knows no symbol of this name."""


class Quotes:
    """Prices from one account's broker. Keeps each symbol's number for the day. Safe to call from several threads."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._day: date | None = None
        self._instruments: dict[_Symbol, _Instrument] = {}
        self._last: dict[_Symbol, Decimal] = {}
        self._last_at: datetime | None = None

    def of(self, exchange: str, symbol: str, ask: Ask) -> Quote:
        """Read the symbol's current prices.

        Raises:
            UnknownSymbol: the broker does not know the symbol.
            ReadFailed: the prices could not be read.
        """
        known = self._known(exchange, symbol)
        if known is None or known.tick is None:  # position rows may contain the token without the tick
            known = self._find(exchange, symbol, ask)
        record = record_of(exchange, known.token, ask, symbol=symbol)
        try:
            return _quote_in(record, known.tick)
        except ValueError as error:
            raise ReadFailed(f"the quote of {symbol} cannot be read: {error}") from error

    def stand_in(self, exchange: str, symbol: str) -> Quote | None:
        """Return the symbol's price from the last position read; None if it has none or the read is too old."""
        known = self._known(exchange, symbol)
        if known is None or known.tick is None:
            return None
        with self._lock:
            at, price = self._last_at, self._last.get(_key(exchange, symbol))
        if price is None or at is None or not timedelta(0) <= self._clock.now() - at <= _STANDS_IN:
            return None
        return Quote(known.tick, last=price)

    def note_positions(self, found: Iterable[Mapping[str, Any]], at: datetime) -> None:
        """Keep the prices, numbers and ticks that position rows contain. `at` is when their read began."""
        last, instruments = {}, {}
        for row in found:
            key = _key(text_of(row, "exch"), text_of(row, "tsym"))
            try:
                price, tick = number(row, "lp", ZERO), number(row, "ti", ZERO)
            except ValueError:
                continue
            if price > 0:
                last[key] = price
            if text_of(row, "token"):
                instruments[key] = _Instrument(text_of(row, "token"), tick if tick > 0 else None)
        with self._lock:
            self._forget_yesterday()
            self._last, self._last_at = last, at
            for key, told in instruments.items():
                known = self._instruments.get(key)
                if known is None or told.tick is not None:
                    self._instruments[key] = told

    def _known(self, exchange: str, symbol: str) -> _Instrument | None:
        with self._lock:
            self._forget_yesterday()
            return self._instruments.get(_key(exchange, symbol))

    def _find(self, exchange: str, symbol: str, ask: Ask) -> _Instrument:
        """Find the symbol of exactly this name. A symbol with a similar name does not count."""
        for scrip in search(exchange, symbol, ask):
            if _key(scrip.exchange, scrip.symbol) == _key(exchange, symbol):
                found = _Instrument(scrip.token, scrip.tick_size)
                with self._lock:
                    self._instruments[_key(exchange, symbol)] = found
                return found
        raise UnknownSymbol(f"the broker's search does not find {symbol} at {exchange}")

    def _forget_yesterday(self) -> None:
        """Drop the numbers of earlier days: tomorrow a number may belong to another symbol."""
        today = trading_day(self._clock.now(), ZONE)
        if self._day != today:
            self._day, self._instruments = today, {}


def search(exchange: str, text: str, ask: Ask) -> tuple[parsing.Scrip, ...]:
    """Find the symbols of the exchange that match the text. Raises: ReadFailed."""
    reply = ask("SearchScrip", {"exch": exchange, "stext": text})
    found = record_in(reply).get("values") if reply.ok else rows_in(reply)
    if not isinstance(found, list):
        raise ReadFailed("the search's answer cannot be read")
    return tuple(parsing.scrip_in(row) for row in found if isinstance(row, dict))


def record_of(exchange: str, token: str, ask: Ask, *, symbol: str | None = None) -> dict[str, Any]:
    """Return the unparsed quote of the instrument with this token. With `symbol`, it must not name another symbol.

    Raises:
        ReadFailed: the quote could not be read, or each answer was that of another instrument.
    """
    for _ in range(_ASKED):
        record = record_in(ask("GetQuotes", {"exch": exchange, "token": token}))
        named = text_of(record, "exch").upper(), text_of(record, "token"), text_of(record, "tsym")
        if named[:2] == (exchange.upper(), token) and (
            symbol is None or named[2].upper() in ("", symbol.upper())
        ):
            return record
        log.warning(
            "asked for the quote of %s|%s, the broker answered that of %s|%s %s", exchange, token, *named
        )
    raise ReadFailed(
        f"the quote of {symbol or token} could not be had: the broker answered another instrument's"
    )


def _quote_in(record: Mapping[str, Any], tick: Decimal | None) -> Quote:
    def price(name: str) -> Decimal | None:
        value = number(record, name, ZERO)
        return value if value > 0 else None

    step = price("ti") or tick
    if step is None:
        raise ValueError("ti is missing")
    return Quote(step, price("bp1"), price("sp1"), price("lp"), price("lc"), price("uc"))


def _key(exchange: str, symbol: str) -> _Symbol:
    return exchange.upper(), symbol.upper()
