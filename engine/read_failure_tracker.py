"""Since when something of a broker cannot be read."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from functools import partial
from hashlib import sha256

from domain.broker_reports import UnreadableRow
from domain.notice_keys import NoticeKey, NoticeSubject
from domain.notices import Notice, NoticeKind
from domain.ports import Clock, Store, Transaction
from engine.client_context import EngineTimings

log = logging.getLogger(__name__)


class ReadFailureTracker:
    """Since when one thing could not be read, for each client: one failure is a lag, many on end are news."""

    def __init__(self, *, clock: Clock, rules: EngineTimings) -> None:
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
    """Tells each row that cannot be read once for as long as it is there; the rest of its read is used meanwhile.

    What was told is kept in the store, so that no restart and no second watcher tells it again; it is read from there
    once, so that a read without news asks nothing.
    """

    def __init__(self, about: NoticeSubject, what: str, means: str) -> None:
        """`what` could not be read, and what that means for whom it concerns."""
        self._about = about
        self._what = what
        self._means = means
        self._told: dict[str, set[NoticeKey]] = {}

    def tell(self, store: Store, client_id: str, rows: Sequence[UnreadableRow]) -> None:
        """Tell what is new of these, which are all that one read could not make out.

        Raises:
            StoreUnavailable: they could not be told; they are told the next time.
        """
        if client_id not in self._told:
            self._told[client_id] = set(store.told_keys(client_id, self._about))
        told, present = self._told[client_id], {self._key(row): row for row in rows}
        if told != present.keys():
            new = {key: row for key, row in present.items() if key not in told}
            store.write(partial(self._tell, client_id=client_id, new=new, gone=told - present.keys()))
            self._told[client_id] = set(present)

    def _tell(
        self,
        tx: Transaction,
        client_id: str,
        new: Mapping[NoticeKey, UnreadableRow],
        gone: Iterable[NoticeKey],
    ) -> None:
        for key in gone:
            tx.clear_notice(client_id, key)
        for key, row in new.items():
            text = f"{self._what}: {row.text}; {self._means}"
            notice = Notice(NoticeKind.SYSTEM, client_id, symbol=row.symbol, detail=text)
            if tx.notify_once(key, notice):
                log.error("client %s: %s", client_id, text)

    def _key(self, row: UnreadableRow) -> NoticeKey:
        """What stays the same of a row that is read again and again, while its prices and times move."""
        named = (row.exchange, row.symbol, row.product, row.broker_order_id, row.client_order_id)
        if any(named):
            return NoticeKey(self._about, tuple(each or "" for each in named))
        # One that names nothing is known by all that it holds.
        return NoticeKey(self._about, (sha256(row.text.encode(errors="replace")).hexdigest(),))
