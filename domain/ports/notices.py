"""Notices to people, and what was notified already."""

from collections.abc import Iterable
from datetime import datetime
from typing import Protocol

from domain.notice_keys import NoticeKey, NoticeSubject
from domain.notices import Notice
from domain.stale_orders import StaleOrder


class NoticeReads(Protocol):
    """The reads of what people are notified of once, across restarts."""

    def untold_frozen(self, client_id: str, sent_before: datetime, *, limit: int) -> list[StaleOrder]:
        """List orders SENT_TO_BROKER since before `sent_before` without a notification yet, the oldest first."""

    def is_told(self, client_id: str, key: NoticeKey) -> bool:
        """Return True when a notification was made under this key and is not cleared."""

    def told_keys(self, client_id: str, about: NoticeSubject) -> list[NoticeKey]:
        """List the keys of this kind under which notifications about the client were made and are not cleared."""

    def told_clients(self, about: NoticeSubject) -> list[str]:
        """List the clients that have a notification of this kind that is not cleared."""


class NoticeWrites(Protocol):
    """Notices, in a transaction."""

    def notify(self, notice: Notice) -> None:
        """Put a message into the outbox."""

    def notify_once(
        self, key: NoticeKey, notice: Notice, *, client_id: str | None = None, state: Iterable[str] = ()
    ) -> bool:
        """Put a message into the outbox, unless people were notified under this key; True when a message was put.

        Args:
            key: what it is about.
            client_id: the client that the key belongs to, where the message is for another client.
            state: facts that may change. When they differ from those of the last notification, people are notified
                again.
        """

    def clear_notice(self, client_id: str, key: NoticeKey) -> bool:
        """Clear a key, so that people are notified again the next time; True when it had been notified."""
