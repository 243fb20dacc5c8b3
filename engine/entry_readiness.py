"""Hold back each client's entries until this process has read the client's broker once.

Two reads must have succeeded since the watcher began:

- one order book, which was reconciled with the open orders;
- one read of the positions.

Only then is it known what became of earlier orders and what is held. Until then entries wait as CREATED, and they
lapse when their alert's life is over.

Exits do not wait here. Each exit is sized by a read of the positions that began after the exit was registered or last
postponed, so it cannot be sent before the positions can be read. It leaves alone what other exits in our own table may
still take, whether or not their outcome is known. An order book that cannot be read is no reason to keep a position
open.

Where the broker echoes no id of ours (C0), the order book must be a complete one: see `domain.order_matching`.

Each client has its own gate. The gate shuts again when the order book cannot be read for a while. Otherwise entries
would be sent blindly, while nobody follows what became of the earlier ones. The blockers judge how old the positions
may be.

One condition stops exits too: rows that belong to another account (`engine.account_binding`).
"""

import logging
import threading
from collections.abc import Callable

from domain.errors import StoreUnavailable
from domain.first_reads import TO_BE_READ, Missing, Part
from domain.notices import Notice, NoticeKind
from domain.ports import Store
from engine.account_binding import AccountBinding

log = logging.getLogger(__name__)


class EntryReadiness:
    """Tracks which clients' brokers have been read since this process began. Safe to call from several threads."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._lock = threading.Lock()
        self._missing: dict[str, dict[Part, str]] = {}
        self._told: set[str] = set()
        self.accounts = AccountBinding(store, on_refused=self._forget)

    def is_open(self, client_id: str) -> bool:
        """True when entries may be sent."""
        return self._missing.get(client_id) == {}

    def is_barred(self, client_id: str) -> bool:
        """True when nothing may be sent, not even exits: the client is not served on this account."""
        return self.accounts.refused(client_id) is not None

    def missing(self, client_id: str) -> Missing:
        """Return which parts entries wait for and why each is missing; empty when the gate is open."""
        refused = self.accounts.refused(client_id)
        if refused is not None:
            return {Part.ACCOUNT: refused}
        with self._lock:
            return dict(self._missing_of(client_id))

    def passed(self, client_id: str, part: Part) -> None:
        """Record that this part has been read, and notify once the wait is over.

        Raises:
            StoreUnavailable: the notice could not be stored; the next call tries again.
        """
        with self._lock:
            missing = self._missing_of(client_id)
            opens = missing.pop(part, None) is not None and not missing
            tell = not missing and client_id in self._told
            self._told -= {client_id} if tell else set()
        if opens:
            log.info("client %s: its broker has been read; entries may be sent", client_id)
        if tell:
            self._tell(client_id, "the broker has been read: entries are sent again", undo=self._told.add)

    def failed(self, client_id: str, part: Part, error: str) -> bool:
        """Record that a read failed. The first failure is notified, once for all parts.

        Returns False when entries do not wait for this part.

        Raises:
            StoreUnavailable: the notice could not be stored; the next call tries again.
        """
        with self._lock:
            missing = self._missing_of(client_id)
            if part not in missing:
                return False
            missing[part] = error
            tell = client_id not in self._told
            self._told.add(client_id)
        if tell:
            text = f"no entry is sent until its broker has been read: {part}: {error}"
            log.warning("client %s: %s", client_id, text)
            self._tell(client_id, text, undo=self._told.discard)
        return True

    def shut(self, client_id: str, part: Part, error: str) -> None:
        """Make entries wait again, because a part that had been read has not been readable for a while, and notify.

        Raises:
            StoreUnavailable: the notice could not be stored; the next failed read tries again.
        """
        with self._lock:
            self._missing_of(client_id)[part] = error
            self._told.add(client_id)
        text = f"no entry is sent, and no order followed, until it can be read again: {part}: {error}"
        log.warning("client %s: %s", client_id, text)
        self._tell(client_id, text, undo=self._told.discard)

    def _forget(self, client_id: str) -> None:
        """Forget what was read, because it belongs to another account."""
        with self._lock:
            self._missing.pop(client_id, None)

    def _missing_of(self, client_id: str) -> dict[Part, str]:
        return self._missing.setdefault(client_id, dict.fromkeys(TO_BE_READ, "not read yet"))

    def _tell(self, client_id: str, text: str, *, undo: Callable[[str], None]) -> None:
        try:
            self._store.write(lambda tx: tx.notify(Notice(NoticeKind.SYSTEM, client_id, detail=text)))
        except StoreUnavailable:
            with self._lock:
                undo(client_id)
            raise
