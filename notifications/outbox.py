"""Drain the outbox: deliver every message eventually, in order within its chat, at the pace the channel allows."""

import logging
import math
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from domain.errors import StoreUnavailable
from domain.ports import Clock, OutboxMessage, OutboxStore, Sender, SendFailed
from notifications.digest import alone, next_text
from notifications.severity import is_silent

log = logging.getLogger(__name__)

POLL = 1.0
"""Seconds between two polls of an outbox that is empty, or that another drainer serves."""

LEASE = timedelta(seconds=30)
"""The time a drainer holds a chat after its last send: so long a dead drainer keeps others from the chat.

It is longer than one send can take.
"""

MOST_AT_ONCE = 1000
"""The most messages that one text may stand for."""

BETWEEN_SENDS = 1 / 30
"""Seconds, over all chats: Telegram takes 30 messages a second from one bot."""

BETWEEN_SENDS_TO_ONE = 1.0
"""Seconds, for each chat."""

GROUP_BURST, GROUP_REFILL = 8, 5.0
"""A group or channel takes 20 messages a minute: 8 at once, and one more every 5 seconds."""

LONGEST_BACKOFF = 60.0
"""Seconds between two attempts at a chat that fails."""


@dataclass(slots=True)
class _Chat:
    """One chat and the state of its deliveries. Nothing is sent to it before `due`, a monotonic time."""

    chat_id: str
    clients: list[str]
    due: float = 0.0
    failures: int = 0  # in a row
    single_until: int = 0  # messages up to this id were refused as a digest, and are sent one by one
    unmarked: tuple[list[int], str] | None = None  # delivered, but the mark is not known to be durable
    refilled: float = -math.inf  # a group's budget: the monotonic time at which it allows a message again

    def pace(self, at: float, seconds: float) -> None:
        """Set `due` after an attempt at `at`: `seconds` later, or more if the channel's limits require it."""
        self.due = at + max(seconds, BETWEEN_SENDS_TO_ONE)
        if self.chat_id.startswith(("-", "@")):
            self.refilled = max(self.refilled, at - (GROUP_BURST - 1) * GROUP_REFILL) + GROUP_REFILL
            self.due = max(self.due, self.refilled)


class OutboxDrainer:
    """Sends the pending messages of the outbox, from a thread of its own: a channel that hangs delays nothing else.

    - Delivery is at least once: a crash, or a loss of the lease, between the send and its mark delivers again.
    - Messages wait for as long as the channel fails. Only those whose content it refuses end FAILED.
    - Several drainers may run. A lease for each chat lets one of them send there.

    Args:
        store: the outbox.
        sender: the channel.
        chat_of: client id → chat id. Several clients may share a chat; messages of others are never read.
        clock: the time for leases and marks.
        holder: this drainer's name on leases, unique among those that run.
        monotonic: seconds that never run backwards, for the pace.
        muted_until: until when a chat is muted; None: it is not.
    """

    def __init__(
        self,
        store: OutboxStore,
        sender: Sender,
        chat_of: Mapping[str, str],
        clock: Clock,
        holder: str,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        muted_until: Callable[[str], datetime | None] = lambda chat_id: None,
    ) -> None:
        self._store = store
        self._sender = sender
        self._clock = clock
        self._holder = holder
        self._monotonic = monotonic
        self._muted_until = muted_until
        self._line_free = start = monotonic()
        self._chats = [
            _Chat(chat_id, sorted(client for client in chat_of if chat_of[client] == chat_id), due=start)
            for chat_id in sorted(set(chat_of.values()))
        ]

    def drain(self, now: datetime) -> float:
        """Make one pass, with at most one send to each chat; returns the seconds until the next pass is due.

        An earlier call is harmless, so it may be called at once after a commit. `now` is the time at which the pass
        begins. A send may take seconds, so the clock is read again after each chat that was served.

        Raises:
            StoreUnavailable: the outbox could not be written; nothing is lost by calling again.
        """
        wanted = POLL
        # The chat that has waited longest goes first, so that none starves.
        for chat in sorted(self._chats, key=lambda chat: chat.due):
            wait = max(chat.due, self._line_free) - self._monotonic()
            if wait <= 0:
                wait = self._serve(chat, now)
                now = self._clock.now()
            wanted = min(wanted, wait)
        return max(wanted, 0.0)

    def release(self) -> None:
        """Give the leases back at an orderly end, so that another drainer need not wait until they expire."""
        self.release_of([self._holder])

    def release_of(self, holders: Iterable[str]) -> None:
        """Give back the leases of holders that have provably ended, so that messages need not wait after a crash."""
        now = self._clock.now()
        for holder in holders:
            for chat in self._chats:
                self._store.lease(_lease_name(chat), holder, now, timedelta(0))

    def _serve(self, chat: _Chat, now: datetime) -> float:
        """Send one text if a message is pending and this drainer gets the lease; returns the seconds to wait."""
        self._mark_delivered(chat, now)
        if not self._store.pending(chat.clients, 1):
            return POLL
        chat.due = self._monotonic() + POLL  # also holds when something below raises
        if not self._store.lease(_lease_name(chat), self._holder, now, LEASE):
            return POLL
        # Read only now, under the lease: the last holder may have sent some.
        waiting = self._store.pending(chat.clients, MOST_AT_ONCE)
        if waiting:
            self._send(chat, waiting, now)
        return chat.due - self._monotonic()

    def _send(self, chat: _Chat, waiting: Sequence[OutboxMessage], now: datetime) -> None:
        if waiting[0].id <= chat.single_until:
            text, covered = alone(waiting), waiting[:1]
        else:
            text, covered = next_text(waiting, now)
        try:
            silent = is_silent(covered, is_muted=self._is_muted(chat, now))
            sent_as = self._sender.send(chat.chat_id, text, silent=silent)
        except SendFailed as failure:
            self._not_delivered(chat, covered, failure)
            return
        self._pace(chat)
        chat.unmarked = ([message.id for message in covered], sent_as)
        if chat.failures:
            log.info("chat %s: delivers again after %d failed attempts", chat.chat_id, chat.failures)
            chat.failures = 0
        self._mark_delivered(chat, self._clock.now())

    def _is_muted(self, chat: _Chat, now: datetime) -> bool:
        try:
            until = self._muted_until(chat.chat_id)
        except StoreUnavailable:
            return False  # a message that sounds too loud is better than one that is not sent
        return until is not None and now < until

    def _mark_delivered(self, chat: _Chat, now: datetime) -> None:
        """Mark delivered messages. They are remembered until the mark is durable, so that none is sent twice.

        A busy database would otherwise cause a second delivery.
        """
        if chat.unmarked is not None:
            ids, sent_as = chat.unmarked
            self._store.mark_sent(ids, sent_as, now)
            chat.unmarked = None

    def _not_delivered(self, chat: _Chat, covered: Sequence[OutboxMessage], failure: SendFailed) -> None:
        ids, now = [message.id for message in covered], self._clock.now()
        if not failure.permanent:
            if not chat.failures:
                log.warning("chat %s: not delivered, trying until it is: %s", chat.chat_id, failure)
            chat.failures += 1
            backoff = min(LONGEST_BACKOFF, 2.0 ** min(chat.failures - 1, 6))
            self._pace(chat, wait=backoff if failure.retry_after is None else failure.retry_after)
            self._store.mark_attempt(ids, str(failure), now)
            return
        self._pace(chat)
        if len(ids) == 1:
            log.warning("chat %s: message %d is refused for good: %s", chat.chat_id, ids[0], failure)
            self._store.mark_failed(ids, str(failure), now)
        else:
            chat.single_until = ids[-1]  # one of them is at fault; the others must be delivered
            self._store.mark_attempt(ids, str(failure), now)

    def _pace(self, chat: _Chat, *, wait: float = 0.0) -> None:
        at = self._monotonic()
        chat.pace(at, wait)
        self._line_free = at + BETWEEN_SENDS


def _lease_name(chat: _Chat) -> str:
    return f"outbox:{chat.chat_id}"
