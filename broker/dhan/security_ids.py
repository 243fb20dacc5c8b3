"""Which security id an instrument has: Dhan takes orders by it, and by no name.

An entry takes it from the list of instruments alone, and only from one that is not old. An exit takes it from the
broker's own rows of today where they show one, and else from the list of whatever age: a missing list stops no exit.
"""

import re
import threading
from collections.abc import Callable
from decimal import Decimal

from broker.fields import VALIDATION
from broker.known_order_numbers import ZONE
from domain.errors import NotSent, ReadFailed, Refused, StoreUnavailable
from domain.instruments.instrument import Instrument, Kind, is_stale
from domain.ports import Clock
from domain.ports.instruments import Master
from domain.times import trading_day

SEGMENTS = {
    "NSE": "NSE_EQ", "BSE": "BSE_EQ", "NFO": "NSE_FNO", "BFO": "BSE_FNO", "MCX": "MCX_COMM", "CDS": "NSE_CURRENCY",
    "BCD": "BSE_CURRENCY",
}  # fmt: skip
"""Dhan's segment of each exchange."""
EXCHANGES = {segment: exchange for exchange, segment in SEGMENTS.items()}

_ID = re.compile(r"[A-Za-z0-9]{1,20}")


class SecurityIds:
    """The security ids of one account's instruments. Safe to call from several threads.

    Args:
        master: returns the newest list; None: there is none. Raises: StoreUnavailable.
    """

    def __init__(self, master: Callable[[], Master | None], clock: Clock) -> None:
        self._master = master
        self._clock = clock
        self._lock = threading.Lock()
        self._day = trading_day(clock.now(), ZONE)
        self._shown: dict[tuple[str, str], set[str]] = {}
        self._named: dict[tuple[str, str], str] = {}

    def shown(self, exchange: str, symbol: str, security_id: str) -> None:
        """Record that a row of the broker's gives an instrument this id, today."""
        if not _ID.fullmatch(security_id):
            return
        with self._lock:
            self._forget_yesterday()
            self._shown.setdefault((exchange, symbol), set()).add(security_id)

    def for_entry(self, exchange: str, symbol: str) -> str:
        """Return the id for an order that opens something.

        Raises:
            Refused: the list does not name one contract so, or is old, or the broker's rows contradict it.
            NotSent: the list cannot be read just now.
        """
        try:
            master = self._master()
            found = [] if master is None else self._listed(master, exchange, symbol)
        except StoreUnavailable as error:
            raise NotSent(f"the security id of {exchange} {symbol} is not known: {error}") from error
        place = f"{exchange} {symbol}"
        if master is None:
            raise _unknown(
                place, "there is no list of instruments: set INSTRUMENTS_DIR (docs/instruments.md)"
            )
        if is_stale(master.facts.day, trading_day(self._clock.now(), ZONE)):
            raise _unknown(place, f"the list of instruments is of {master.facts.day}: load today's")
        if len(found) != 1:
            raise _unknown(place, f"the list of instruments has {len(found)} contracts of that name")
        security_id = found[0].token
        contradicting = self._of_rows(exchange, symbol) - {security_id}
        if contradicting:
            raise _unknown(
                place,
                f"the list says {security_id}, and the broker's rows {', '.join(sorted(contradicting))}",
            )
        return security_id

    def for_exit(self, exchange: str, symbol: str, read_positions: Callable[[], object]) -> str:
        """Return the id for an order that closes something.

        Args:
            read_positions: reads the positions, whose rows are then `shown`. Raises: ReadFailed.

        Raises:
            Refused: neither the broker's rows nor the list give one.
            NotSent: they cannot be read just now.
        """
        ids, failed = self._of_rows(exchange, symbol), ""
        if len(ids) != 1:
            listed = self._in_list(exchange, symbol)
            ids = ids & listed if ids else listed
        if not ids:
            try:
                read_positions()
            except ReadFailed as error:
                failed = str(error)
            ids = self._of_rows(exchange, symbol)
        if len(ids) == 1:
            return next(iter(ids))
        if failed:
            raise NotSent(f"the security id of {exchange} {symbol} is not known, and positions: {failed}")
        if not ids:
            raise _unknown(
                f"{exchange} {symbol}", "neither the list of instruments nor the broker's rows have it"
            )
        raise _unknown(f"{exchange} {symbol}", f"it may be each of {', '.join(sorted(ids))}")

    def of_row(self, exchange: str, symbol: str) -> str | None:
        """Return the id that the broker's rows of today give; None if there is not just one."""
        ids = self._of_rows(exchange, symbol)
        return next(iter(ids)) if len(ids) == 1 else None

    def tick_of(self, exchange: str, symbol: str) -> Decimal | None:
        """Return the step of the instrument's prices; None where the list does not say."""
        try:
            master = self._master()
            found = [] if master is None else self._listed(master, exchange, symbol)
        except StoreUnavailable:
            return None
        return found[0].tick if len(found) == 1 else None

    def symbol_of(self, exchange: str, security_id: str) -> str | None:
        """Return the list's name of an id; None where it has none."""
        place = (exchange, security_id)
        with self._lock:
            self._forget_yesterday()
            if place in self._named:
                return self._named[place]
        try:
            master = self._master()
            found = [] if master is None else master.numbered(security_id)
        except StoreUnavailable:
            return None
        here = [each.symbol for each in found if each.exchange == exchange and each.kind is not Kind.INDEX]
        if len(here) != 1:
            return None
        with self._lock:
            self._named[place] = here[0]
        return here[0]

    @staticmethod
    def _listed(master: Master, exchange: str, symbol: str) -> list[Instrument]:
        found = master.named(symbol.upper())
        return [each for each in found if each.exchange == exchange and each.kind is not Kind.INDEX]

    def _in_list(self, exchange: str, symbol: str) -> set[str]:
        try:
            master = self._master()
            found = [] if master is None else self._listed(master, exchange, symbol)
        except StoreUnavailable:
            return set()
        return {each.token for each in found}

    def _of_rows(self, exchange: str, symbol: str) -> set[str]:
        with self._lock:
            self._forget_yesterday()
            return set(self._shown.get((exchange, symbol.upper()), ()))

    def _forget_yesterday(self) -> None:
        """Drop the ids of earlier days: tomorrow one may belong to another contract."""
        today = trading_day(self._clock.now(), ZONE)
        if self._day != today:
            self._day, self._shown, self._named = today, {}, {}


def _unknown(place: str, why: str) -> Refused:
    return Refused(f"the security id of {place} is not known: {why}", VALIDATION)
