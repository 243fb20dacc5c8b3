"""Before the first entry: no client's entry is sent until its broker has been read once by this process.

One book that was brought in line with the open orders, and one read of the positions, must have succeeded since the
watcher began: only then is it known what earlier orders became and what is held. Until then entries wait as CREATED,
and lapse when their alert's life is over. Exits do not wait here: each is sized by a read of the positions that began
after it was registered or last put off, so it cannot go before they can be read, and it leaves alone what other exits
in our own table may still take, whether their end is known yet or not. A book that cannot be read is no reason to keep
a position open.

Where the broker echoes nothing of ours (C0), that book must be a complete one: see `domain.order_matching`.

Each client has its own gate. It shuts again when the book cannot be read for a while: entries would go out blindly,
while nobody follows what became of those before. How old the positions may be is the blockers' to judge.

One thing bars exits too: rows that are another account's (`engine.account_binding`).
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
    """Which clients' brokers have been read since this process began; safe to call from several threads."""

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
        """True when nothing may be sent, exits neither: the rows are another account's."""
        return self.accounts.refused(client_id) is not None

    def missing(self, client_id: str) -> Missing:
        """What entries wait for, and why each part of it is missing; empty when the gate is open."""
        refused = self.accounts.refused(client_id)
        if refused is not None:
            return {Part.ACCOUNT: refused}
        with self._lock:
            return dict(self._missing_of(client_id))

    def passed(self, client_id: str, part: Part) -> None:
        """This part has been read.

        Raises:
            StoreUnavailable: the end of the wait could not be told; it is told the next time.
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
        """A read failed; the first time this is told, once for all parts. False when the part is not waited for.

        Raises:
            StoreUnavailable: it could not be told; it is told the next time.
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
        """What had been read cannot be read any more, and that lasts: entries wait again, and it is told.

        Raises:
            StoreUnavailable: it could not be told; it is told the next time.
        """
        with self._lock:
            self._missing_of(client_id)[part] = error
            self._told.add(client_id)
        text = f"no entry is sent, and no order followed, until it can be read again: {part}: {error}"
        log.warning("client %s: %s", client_id, text)
        self._tell(client_id, text, undo=self._told.discard)

    def _forget(self, client_id: str) -> None:
        """What was read was another account's."""
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
