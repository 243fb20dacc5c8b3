"""Track since when a broker cannot be read, and which single rows of its reads cannot be parsed."""

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
    """Since when one kind of read has failed, for each client. One failure may be a lag; many in a row are news."""

    def __init__(self, *, clock: Clock, rules: EngineTimings) -> None:
        self._clock = clock
        self._rules = rules
        self._since: dict[str, datetime] = {}

    def failed(self, client_id: str) -> datetime | None:
        """Record a failed read; return since when reads fail, or None while that is less than `unknown_log`."""
        now = self._clock.now()
        since = self._since[client_id] = min(self._since.get(client_id, now), now)
        return since if now - since >= self._rules.unknown_log else None

    def passed(self, client_id: str) -> None:
        """Record a successful read."""
        self._since.pop(client_id, None)


class UnreadableRows:
    """Notifies once of each row that cannot be read, for as long as it is there. The rest of its read is used.

    What was notified is kept in the store, so that no restart and no second watcher repeats it. It is loaded from
    there once, so that a read without news needs no query.
    """

    def __init__(self, about: NoticeSubject, what: str, means: str) -> None:
        """`what` says what could not be read; `means` says what follows from it, for the person who is notified."""
        self._about = about
        self._what = what
        self._means = means
        self._told: dict[str, set[NoticeKey]] = {}

    def tell(self, store: Store, client_id: str, rows: Sequence[UnreadableRow]) -> None:
        """Notify of the rows that are new among these, which are all that one read could not parse.

        Raises:
            StoreUnavailable: the notices could not be stored; the next call tries again.
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
        """Return what stays the same of a row that is read again and again, while its prices and times change."""
        named = (row.exchange, row.symbol, row.product, row.broker_order_id, row.client_order_id)
        if any(named):
            return NoticeKey(self._about, tuple(each or "" for each in named))
        # A row that names nothing is identified by its whole text.
        return NoticeKey(self._about, (sha256(row.text.encode(errors="replace")).hexdigest(),))
