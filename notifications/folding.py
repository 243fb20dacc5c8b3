"""Folding: one text that stands for many waiting messages, so that a flood drains fast and nothing of it is lost."""

import re
from bisect import bisect_right
from collections.abc import Callable, Sequence
from datetime import UTC, datetime

from domain.notices import NoticeKind
from domain.ports import OutboxMessage
from notifications.markup import plain, safe, units, without_markup

FOLD_ABOVE = 5
"""Up to so many waiting messages are sent one by one."""

COUNT_ABOVE = 200
"""Of more than so many, the everyday ones are only counted."""

ROOM = 3900
"""What a folded text may measure, in units: below Telegram's limit with some air."""

_LINE = 400  # room for one message's line
_EXAMPLE = 60
_EXAMPLES = 3

_COUNTED = frozenset(
    {
        NoticeKind.BLOCKED,
        NoticeKind.PLACED,
        NoticeKind.PARTIALLY_FILLED,
        NoticeKind.FILLED,
        NoticeKind.ALERT_REJECTED,
    }
)
"""Kinds that come in floods. Broker failures, unknowns and whatever else is odd keep their own lines."""

_NUMBER = re.compile(r"\d+(?:[.,:]\d+)*")
_ID = re.compile(r"<code>([^<]*)</code>\Z")

Entry = tuple[str, str]
"""What is counted as one, and what tells one message from the next among those."""


def next_text(waiting: Sequence[OutboxMessage], now: datetime) -> tuple[str, Sequence[OutboxMessage]]:
    """The next text to send, and the messages it stands for: always the oldest ones, at least one.

    Args:
        waiting: at least one message, oldest first.
        now: the present; times of another day are written with their date.
    """
    if len(waiting) <= FOLD_ABOVE:
        return waiting[0].text, waiting[:1]
    entry = _counted if len(waiting) > COUNT_ABOVE else _own_line
    # A text only grows with what it covers, so the most that fit can be found by halving.
    fitting = bisect_right(
        range(1, len(waiting) + 1), ROOM, key=lambda n: units(fold(waiting[:n], now, entry))
    )
    if fitting <= 1:
        return waiting[0].text, waiting[:1]
    covered = waiting[:fitting]
    return fold(covered, now, entry), covered


def fold(messages: Sequence[OutboxMessage], now: datetime, entry: Callable[[OutboxMessage], Entry]) -> str:
    """One text for all of them: a heading, then a line for each that differs."""
    several = len({message.client_id for message in messages}) > 1
    groups: dict[str, list[str]] = {}
    for message in messages:
        label, example = entry(message)
        groups.setdefault(f"{message.client_id}: {label}" if several else label, []).append(example)
    oldest = messages[0].created_at.astimezone(UTC)
    day = "" if oldest.date() == now.astimezone(UTC).date() else f"{oldest:%Y-%m-%d} "
    heading = f"📬 {len(messages)} messages, oldest {day}{oldest:%H:%M:%S}Z"
    return "\n".join([heading, *(_line(label, examples) for label, examples in groups.items())])


def _own_line(message: OutboxMessage) -> Entry:
    """The first line as it is, told apart by the short id."""
    first = without_markup(message.text.partition("\n")[0])
    found = _ID.search(message.text)
    return first, without_markup(found[1]) if found else ""


def _counted(message: OutboxMessage) -> Entry:
    """The reason without its numbers, told apart by what it was about."""
    if message.kind not in _COUNTED:
        return _own_line(message)
    reason, _, about = _own_line(message)[0].rpartition(" | ")
    return _NUMBER.sub("#", reason or about), about if reason else ""


def _line(label: str, examples: Sequence[str]) -> str:
    shown = [safe(example, _EXAMPLE) for example in dict.fromkeys(map(plain, examples)) if example][
        :_EXAMPLES
    ]
    times = f" ×{len(examples)}" if len(examples) > 1 else ""
    more = " …" if 0 < len(shown) < len(examples) else ""
    tail = f" · {', '.join(shown)}{more}" if shown else ""
    return f"{safe(label, _LINE)}{times}{tail}"
