"""Since when something of a broker cannot be read."""

import logging
from collections.abc import Sequence
from datetime import datetime

from domain.notices import Notice, NoticeKind
from domain.ports import Clock, Store
from domain.reports import UnreadableRow
from engine.seat import WatcherRules

log = logging.getLogger(__name__)


class Unreadable:
    """Since when one thing could not be read, for each client: one failure is a lag, many on end are news."""

    def __init__(self, *, clock: Clock, rules: WatcherRules) -> None:
        self._clock = clock
        self._rules = rules
        self._since: dict[str, datetime] = {}

    def failed(self, client_id: str) -> datetime | None:
        """A read has failed; since when, if that has lasted."""
        now = self._clock.now()
        since = self._since[client_id] = min(self._since.get(client_id, now), now)
        return since if now - since >= self._rules.unknown_log else None

    def passed(self, client_id: str) -> None:
        """A read has succeeded."""
        self._since.pop(client_id, None)


class UnreadableRows:
    """Tells each row that cannot be read once for as long as it is there; the rest of its read is used meanwhile."""

    def __init__(self, what: str, means: str) -> None:
        """`what` could not be read, and what that means for whom it concerns."""
        self._what = what
        self._means = means
        self._told: dict[str, set[str]] = {}

    def tell(self, store: Store, client_id: str, rows: Sequence[UnreadableRow]) -> None:
        """Tell what is new of these, which are all that one read could not make out.

        Raises:
            StoreUnavailable: they could not be told; they are told the next time.
        """
        told = self._told.get(client_id, set())
        present = {_name(row): row for row in rows}
        for name, row in present.items():
            if name not in told:
                text = f"{self._what}: {row.text}; {self._means}"
                log.error("client %s: %s", client_id, text)
                notice = Notice(NoticeKind.SYSTEM, client_id, symbol=row.symbol, detail=text)
                store.write(lambda tx, notice=notice: tx.notify(notice))  # type: ignore[misc]
        self._told[client_id] = set(present)


def _name(row: UnreadableRow) -> str:
    """What stays the same of a row that is read again and again, while its prices and times move."""
    named = (row.exchange, row.symbol, row.product, row.broker_order_id, row.client_order_id)
    return repr(named) if any(named) else row.text
