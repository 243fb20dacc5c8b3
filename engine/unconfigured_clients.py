"""Notify of rows that nobody serves: those of a client that was removed from the settings, or renamed."""

import logging
from collections.abc import Mapping
from datetime import timedelta

from domain.account import BrokerAccount
from domain.notice_keys import NoticeKey, NoticeSubject
from domain.notices import Notice, NoticeKind
from domain.ports import Clock, Store, Transaction
from domain.unconfigured_clients import UnconfiguredRows, told_of

log = logging.getLogger(__name__)

_KEY = NoticeKey(NoticeSubject.UNCONFIGURED_CLIENT)

SERVED_FOR = timedelta(seconds=10)
"""How long after a watcher's heartbeat a client still counts as served, whatever the settings here say."""


class UnconfiguredClients:
    """Notifies a person once of each client that has something open and is not configured.

    The notice is recorded in the database, so that no restart repeats it. It is cleared once the client is configured
    again or has nothing open.

    Args:
        configured: the clients of the settings and their accounts.
        default: the client that is notified where no configured client has the account.
    """

    def __init__(
        self, store: Store, configured: Mapping[str, BrokerAccount], *, clock: Clock, default: str
    ) -> None:
        self._store = store
        self._configured = configured
        self._clock = clock
        self._default = default

    def check(self) -> list[UnconfiguredRows]:
        """Notify of what was not notified yet; return what is open and not served.

        Raises:
            StoreUnavailable: the database could not be read or written; the next call tries again.
        """
        rows = self._store.unconfigured_rows(self._configured, self._clock.now() - SERVED_FOR)
        found = {each.client_id: each for each in rows}
        told = set(self._store.told_clients(_KEY.about))
        # Checked outside a transaction, so that no other writer waits while there is nothing to notify.
        new, ended = [found[id_] for id_ in found.keys() - told], told - found.keys()
        if new or ended:
            self._store.write(lambda tx: self._tell(tx, new, ended))
        return rows

    def _tell(self, tx: Transaction, new: list[UnconfiguredRows], ended: set[str]) -> None:
        for client_id in ended:
            tx.clear_notice(client_id, _KEY)
        for rows in new:
            text = told_of(rows, self._configured)
            notice = Notice(NoticeKind.SYSTEM, self._heir(rows), detail=text)
            if tx.notify_once(_KEY, notice, client_id=rows.client_id):
                log.critical("%s", text)

    def _heir(self, rows: UnconfiguredRows) -> str:
        """Return the client whose chat gets the notice: one of the same account, as after a renaming."""
        heirs = (id_ for id_, account in self._configured.items() if account == rows.account)
        return next(heirs, self._default)
