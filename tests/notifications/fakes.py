"""An outbox in memory, a clock that is turned by hand, a channel that does as it is told."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from html.parser import HTMLParser

from domain.message_facts import MessageFacts
from domain.order import Order
from domain.ports import OutboxMessage
from tests.orders import an_entry_order

START = datetime(2026, 11, 20, 14, 2, 11, tzinfo=UTC)


def an_order(**changes) -> Order:
    """A plausible order; name what is to be different."""
    return replace(_ORDER, **changes)


_ORDER = an_entry_order(
    "01JD4M8Q7T2V9X3ZB5KC6W0N4E",
    "01JD4M8Q7T2V9X3ZB5KC6W0N4E-1",
    "owk3v7q2m5x8z4n6b9c1",
    START,
    strategy_name="NIFTY_STRADDLE",
    price=Decimal("112.50"),
)


class VirtualClock:
    """Time that passes only when told to, as a wall clock and as a monotonic one."""

    def __init__(self, at: datetime = START) -> None:
        self._at = at
        self._monotonic = 1000.0

    def now(self) -> datetime:
        return self._at

    def monotonic(self) -> float:
        return self._monotonic

    def pass_(self, seconds: float) -> None:
        self._at += timedelta(seconds=seconds)
        self._monotonic += seconds


class MemoryOutbox:
    """`domain.ports.OutboxStore` in memory; refuses to mark a message twice."""

    def __init__(self) -> None:
        self.messages: dict[int, OutboxMessage] = {}
        self.status: dict[int, str] = {}
        self.sent_as: dict[int, str] = {}
        self.errors: dict[int, str] = {}
        self.leases: dict[str, tuple[str, datetime]] = {}
        self.before_marking: Callable[[], None] = lambda: None
        self._last_id = 0

    def add(
        self,
        text: str,
        *,
        client_id: str = "default",
        kind: str = "PLACED",
        at: datetime = START,
        command_id: str | None = None,
        facts: MessageFacts | None = None,
    ) -> OutboxMessage:
        self._last_id += 1
        message = OutboxMessage(self._last_id, client_id, kind, text, 0, at, command_id, facts)
        self.messages[message.id], self.status[message.id] = message, "PENDING"
        return message

    def waiting(self) -> list[int]:
        return [id_ for id_, status in self.status.items() if status == "PENDING"]

    def pending(self, client_ids: Sequence[str], limit: int) -> list[OutboxMessage]:
        mine = [self.messages[id_] for id_ in self.waiting() if self.messages[id_].client_id in client_ids]
        return mine[:limit]

    def mark_sent(self, ids: Sequence[int], telegram_message_id: str, at: datetime) -> None:
        self.before_marking()
        self._mark(ids, "SENT")
        self.sent_as |= dict.fromkeys(ids, telegram_message_id)

    def mark_attempt(self, ids: Sequence[int], error: str, at: datetime) -> None:
        self._mark(ids, "PENDING")
        self.errors |= dict.fromkeys(ids, error)

    def mark_failed(self, ids: Sequence[int], error: str, at: datetime) -> None:
        self._mark(ids, "FAILED")
        self.errors |= dict.fromkeys(ids, error)

    def lease(self, name: str, holder: str, now: datetime, length: timedelta) -> bool:
        owner, until = self.leases.get(name, (holder, now))
        if owner != holder and until >= now:
            return False
        self.leases[name] = (holder, now + length)
        return True

    def _mark(self, ids: Sequence[int], status: str) -> None:
        for id_ in ids:
            assert self.status[id_] == "PENDING", f"message {id_} is marked a second time"
            message = self.messages[id_]
            self.status[id_], self.messages[id_] = status, replace(message, attempts=message.attempts + 1)


class ScriptedSender:
    """A channel that takes everything, or raises what `fail` makes of a chat and a text."""

    def __init__(self, clock: VirtualClock | None = None) -> None:
        self.sent: list[tuple[float, str, str]] = []
        self.attempts: list[tuple[float, str]] = []
        self.silent: list[bool] = []  # of each that was sent
        self.fail: Callable[[str, str], Exception | None] = lambda chat, text: None
        self.on_send: Callable[[], None] = lambda: None
        self._clock = clock or VirtualClock()

    def send(self, chat_id: str, text: str, *, silent: bool = False) -> str:
        self.attempts.append((self._clock.monotonic(), chat_id))
        self.on_send()
        failure = self.fail(chat_id, text)
        if failure is not None:
            raise failure
        self.sent.append((self._clock.monotonic(), chat_id, text))
        self.silent.append(silent)
        return str(len(self.sent))

    def texts(self, chat_id: str | None = None) -> list[str]:
        return [text for _, chat, text in self.sent if chat_id in (None, chat)]


ALLOWED_TAGS = {"b", "i", "u", "s", "code", "pre", "a"}


class _Markup(HTMLParser):
    def __init__(self) -> None:
        super().__init__(convert_charrefs=False)
        self.open: list[str] = []
        self.wrong: list[str] = []

    def handle_starttag(self, tag, attrs):
        self.open.append(tag)
        if tag not in ALLOWED_TAGS:
            self.wrong.append(f'Unsupported start tag "{tag}"')

    def handle_endtag(self, tag):
        if not self.open or self.open.pop() != tag:
            self.wrong.append(f'Unexpected end tag "{tag}"')


_REAL_MARKUP = re.compile(r"</?[a-z]+>|&(?:lt|gt|amp|quot|#\d+|#x[0-9a-fA-F]+);")


def markup_error(text: str) -> str | None:
    """What Telegram's parser would not like about a text; None: it is balanced, with only known tags."""
    parser = _Markup()
    parser.feed(text)
    parser.close()
    left = _REAL_MARKUP.sub("", text)
    if "<" in left or "&" in left:
        parser.wrong.append("a bare < or &")
    if parser.open:
        parser.wrong.append(f'Can\'t find end tag corresponding to start tag "{parser.open[-1]}"')
    return parser.wrong[0] if parser.wrong else None
