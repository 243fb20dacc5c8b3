"""Listen to one bot: poll for updates, one watcher at a time, and hand each to the conversation."""

import logging
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from itertools import groupby

from conversation.conversation import Conversation
from conversation.updates import Update, update_of
from domain.errors import StoreUnavailable
from domain.notice_keys import NoticeKey, NoticeSubject
from domain.notices import Notice, NoticeKind
from domain.ports import Channel, ChannelFailed, Clock, ConversationStore, OutboxStore, Transaction, Writes

log = logging.getLogger(__name__)

LEASE = timedelta(seconds=55)
"""So long a dead listener keeps others from the bot. It is longer than one poll can take."""
ANOTHER_LISTENS = 5.0
"""Seconds until the next look whether the lease is free."""
_RENEWED_AFTER = timedelta(seconds=5)
_STRANGERS_WAIT = 1.0  # seconds, after a poll that brought nothing but strangers
_FIRST_BACKOFF, _LONGEST_BACKOFF = 1.0, 60.0
_CONFLICT_WAITS = 30.0
_CONFLICT, _TOKEN_WRONG = 409, (401, 404)
_CONFLICT_TOLD = (
    "commands in Telegram are not heard: another program receives this bot's updates, or a webhook is set. End it, "
    "give Orderwatch a bot of its own, or set TELEGRAM_COMMANDS=false. Messages go out as before"
)


class Conflicts:
    """Notifies people, once, that another program receives a bot's updates.

    Args:
        client_id: the client whose chat is notified of it.
    """

    def __init__(self, writes: Writes, client_id: str, bot: str) -> None:
        self._writes = writes
        self._client_id = client_id
        self._key = NoticeKey(NoticeSubject.TELEGRAM_CONFLICT, (bot,))
        self._may_be_told = True  # by an earlier process

    def tell(self) -> None:
        """Notify people, unless they were since the last `clear`. Raises StoreUnavailable."""
        notice = Notice(NoticeKind.SYSTEM, self._client_id, detail=_CONFLICT_TOLD)
        self._write(lambda tx: tx.notify_once(self._key, notice))
        self._may_be_told = True

    def clear(self) -> None:
        """Let people be notified the next time. Raises StoreUnavailable."""
        if self._may_be_told:
            self._write(lambda tx: tx.clear_notice(self._client_id, self._key))
            self._may_be_told = False

    def _write(self, work: Callable[[Transaction], bool]) -> None:
        self._writes.write(work)


class Listener:
    """Receives a bot's updates, from a thread of its own: a channel that hangs delays nothing else.

    Several may run. A lease for each bot lets one of them poll: two at once would end each other's calls.

    Args:
        store: keeps how far was listened.
        leases: the outbox, whose leases are used.
        conflicts: notifies people that another program receives the updates.
        holder: this listener's name on leases, unique among those that run.
    """

    def __init__(
        self,
        channel: Channel,
        conversation: Conversation,
        store: ConversationStore,
        *,
        leases: OutboxStore,
        conflicts: Conflicts,
        clock: Clock,
        holder: str,
    ) -> None:
        self._channel = channel
        self._conversation = conversation
        self._store = store
        self._leases = leases
        self._conflicts = conflicts
        self._clock = clock
        self._holder = holder
        self._failures = 0  # in a row
        self._is_stopped = False
        self._held_at: datetime | None = None  # when the lease was last taken

    @property
    def name(self) -> str:
        """The name of the lease."""
        return f"listens:{self._channel.bot_id}"

    def listen(self) -> float:
        """Make one round: one poll, and the answers to what it brings; returns the seconds until the next.

        Raises:
            StoreUnavailable: an update could not be recorded; nothing is lost by calling again.
        """
        if self._is_stopped:
            return ANOTHER_LISTENS
        self._held_at = None
        if not self._hold():
            return ANOTHER_LISTENS
        self._conversation.finish_open()
        offset = self._store.listening(self._channel.bot_id).offset(self._clock.now())
        try:
            updates = self._channel.updates(offset)
        except ChannelFailed as error:
            return self._failed(error)
        self._succeeded()
        return self._handle_all([update for raw in updates if (update := update_of(raw)) is not None])

    def _handle_all(self, updates: Sequence[Update]) -> float:
        """Handle updates in their order; returns the seconds until the next poll."""
        for is_ours, run in groupby(updates, self._conversation.concerns):
            if not is_ours:
                self._conversation.ignore(list(run))
                continue
            for update in run:
                if self._is_stopped or not self._hold():
                    return ANOTHER_LISTENS  # what is not recorded comes again, to whoever listens then
                self._handle(update)
        return 0.0 if any(map(self._conversation.concerns, updates)) or not updates else _STRANGERS_WAIT

    def stop(self) -> None:
        """Let no further update be handled, and give the lease back."""
        self._is_stopped = True
        self.release_of([self._holder])

    def release_of(self, holders: Iterable[str]) -> None:
        """Give back the leases of listeners that have provably ended, so that commands need not wait after a crash."""
        for holder in holders:
            self._leases.lease(self.name, holder, self._clock.now(), timedelta(0))

    def _hold(self) -> bool:
        """Renew the lease where its end is not far; False when another has it."""
        now = self._clock.now()
        if self._held_at is None or abs(now - self._held_at) > _RENEWED_AFTER:
            is_held = self._leases.lease(self.name, self._holder, now, LEASE)
            self._held_at = now if is_held else None
        return self._held_at is not None

    def _handle(self, update: Update) -> None:
        try:
            self._conversation.handle(update)
        except StoreUnavailable:
            raise
        except Exception:  # the outermost handler: one update must not keep all that follow from being heard
            log.exception("update %d of bot %s", update.update_id, self._channel.bot_id)
            self._conversation.pass_over(update)

    def _failed(self, error: ChannelFailed) -> float:
        if not self._failures:
            log.warning("bot %s: commands are not heard: %s", self._channel.bot_id, error)
        self._failures += 1
        if error.status == _CONFLICT:
            self._conflicts.tell()
            return _CONFLICT_WAITS
        if error.status in _TOKEN_WRONG:
            return _LONGEST_BACKOFF
        if error.retry_after is not None:
            return error.retry_after
        return min(_LONGEST_BACKOFF, _FIRST_BACKOFF * 2.0 ** min(self._failures - 1, 6))

    def _succeeded(self) -> None:
        if self._failures:
            log.info("bot %s: commands are heard again", self._channel.bot_id)
            self._failures = 0
        self._conflicts.clear()
