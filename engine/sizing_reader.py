"""Keep what entries are sized by: the equity, and last prices of what strategies size or choose strikes by."""

import logging
from collections.abc import Sequence
from datetime import datetime, timedelta

from domain.errors import ReadFailed
from domain.instruments.instrument import Instrument
from domain.marks import Mark
from domain.ports import Clock, Store
from domain.sizing import Equity
from domain.times import has_elapsed
from engine.client_context import ClientContext

log = logging.getLogger(__name__)

_PRICES_EACH = timedelta(seconds=5)  # an entry is sized by a price of 15 s at most
_QUOTED_EACH = timedelta(seconds=8)  # where each price costs a call
_MOST_QUOTES = 8  # in one round
_EQUITY_EACH = timedelta(seconds=60)


class SizingReader:
    """Reads for all clients. What cannot be read is not kept: its age then says that it is not known."""

    def __init__(self, store: Store, *, clock: Clock) -> None:
        self._store = store
        self._clock = clock
        self._priced_at: dict[str, datetime] = {}
        self._valued_at: dict[str, datetime] = {}

    def read(self, context: ClientContext) -> None:
        """Read what is due for the client, and keep it."""
        client_id, now = context.client_id, self._clock.now()
        marks: Sequence[Mark] = ()
        if self._is_due(
            self._priced_at, client_id, now, _QUOTED_EACH if context.marks is None else _PRICES_EACH
        ):
            marks = self._prices(context)
        read: Equity | None = None
        if context.equity is not None and self._is_due(self._valued_at, client_id, now, _EQUITY_EACH):
            read = self._equity(context, now)
        if marks:
            self._store.write(lambda tx: tx.keep_marks(client_id, marks))
        if read is not None:
            kept = read
            self._store.write(lambda tx: tx.keep_equity(client_id, kept))

    @staticmethod
    def _is_due(last: dict[str, datetime], client_id: str, now: datetime, each: timedelta) -> bool:
        at = last.get(client_id)
        if at is not None and not has_elapsed(at, now, each):
            return False
        last[client_id] = now
        return True

    def _prices(self, context: ClientContext) -> Sequence[Mark]:
        places = context.priced()
        if context.marks is None:
            listed = [each for each in places.values() if each is not None]
            return [
                mark
                for each in listed[:_MOST_QUOTES]
                for mark in self._quoted(context, each)
                if mark.is_price
            ]
        try:
            found = context.marks.last_marks(sorted(places)) if places else []
        except ReadFailed as error:
            log.warning("client %s: last prices could not be read: %s", context.client_id, error)
            return ()
        return [mark for mark in found if mark.is_price]

    def _quoted(self, context: ClientContext, instrument: Instrument) -> Sequence[Mark]:
        """Read one price at the cost of a call. It is as old as the call at least."""
        if context.quotes is None:
            return ()
        at = self._clock.now()
        try:
            price = context.quotes.price_of(instrument)
        except ReadFailed as error:
            log.warning(
                "client %s: the price of %s could not be read: %s", context.client_id, instrument, error
            )
            return ()
        return [Mark(*instrument.address, price, at, "quote")]

    def _equity(self, context: ClientContext, now: datetime) -> Equity | None:
        assert context.equity is not None
        try:
            amount, source = context.equity.read_equity()
        except ReadFailed as error:
            log.warning("client %s: the equity could not be read: %s", context.client_id, error)
            return None
        return Equity(amount, now, source) if amount.is_finite() else None
