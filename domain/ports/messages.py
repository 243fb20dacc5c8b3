"""The outbox of messages to people, and the channel that delivers them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

from domain.message_facts import MessageFacts


@dataclass(frozen=True, slots=True)
class OutboxMessage:
    """One pending message of the outbox."""

    id: int
    client_id: str
    kind: str
    text: str
    attempts: int
    created_at: datetime
    command_id: str | None = None  # of the order that it is about
    facts: MessageFacts | None = None  # its content as data; None where an earlier version wrote the message


class OutboxStore(Protocol):
    """The outbox, as the process that sends messages uses it."""

    def pending(self, client_ids: Sequence[str], limit: int) -> list[OutboxMessage]:
        """List pending messages, oldest first."""

    def mark_sent(self, ids: Sequence[int], telegram_message_id: str, at: datetime) -> None: ...

    def mark_attempt(self, ids: Sequence[int], error: str, at: datetime) -> None:
        """Record an attempt that did not deliver; the messages stay pending."""

    def mark_failed(self, ids: Sequence[int], error: str, at: datetime) -> None:
        """Record that the channel permanently refused these messages; no further attempt will be made."""

    def lease(self, name: str, holder: str, now: datetime, length: timedelta) -> bool:
        """Take or renew an exclusive lease; False while somebody else holds it."""


class SendFailed(Exception):
    """A message was not delivered.

    `retry_after`: seconds to wait before the next attempt, if the channel said so. `permanent`: True when the channel
    refused this very message and would refuse it again.
    """

    def __init__(self, message: str, *, retry_after: float | None = None, permanent: bool = False) -> None:
        super().__init__(message)
        self.retry_after = retry_after
        self.permanent = permanent


class Sender(Protocol):
    """A channel that delivers messages to people, such as Telegram."""

    def send(self, chat_id: str, text: str, *, silent: bool = False) -> str:
        """Deliver one message; returns the channel's id for it. `silent`: it comes without a sound.

        Raises:
            SendFailed: it was not delivered.
        """
