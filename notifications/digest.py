"""Make digests: one text that stands for many pending messages, so that a flood drains fast and nothing is lost."""

from bisect import bisect_right
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime

from domain.notices import NoticeKind
from domain.ports import OutboxMessage
from notifications.markup import MESSAGE_LIMIT, escaped, plain, safe, units, without_markup
from notifications.messages import resolve_command

FOLD_ABOVE = 5
"""Up to this many pending messages are sent one by one."""

COUNT_ABOVE = 200
"""When more than this many are pending, the everyday ones are only counted."""

ROOM = 3900
"""The longest digest, in units: somewhat below Telegram's limit."""

_HEADLINE = 220  # room for what one message says
_ORDER = 180  # room for the order that the message is about; a long headline does not shorten it
_CLIENT = 80
_EXAMPLE = 100
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
"""Kinds that come in floods. Broker failures, unknown outcomes and whatever else is odd keep lines of their own."""

_SHOWN_AT_THE_BROKER = frozenset({NoticeKind.PLACED, NoticeKind.PARTIALLY_FILLED, NoticeKind.RESURRECTED})

_FAILED = frozenset({NoticeKind.BLOCKED, NoticeKind.REJECTED, NoticeKind.FAILED, NoticeKind.ALERT_REJECTED})
"""Kinds that mean that their order is FAILED. They decide for messages that were stored without facts."""

Entry = tuple[str, str]
"""The label that equal messages are counted under, in Telegram's HTML, and what distinguishes one of them."""


def next_text(waiting: Sequence[OutboxMessage], now: datetime) -> tuple[str, Sequence[OutboxMessage]]:
    """Return the next text to send, and the messages that it stands for: always the oldest ones, at least one.

    Args:
        waiting: at least one message, oldest first.
        now: the present; times of another day are written with their date.
    """
    if len(waiting) <= FOLD_ABOVE:
        return alone(waiting), waiting[:1]
    entry = _counted if len(waiting) > COUNT_ABOVE else _own_line
    since = _said_since(waiting)
    # A text only grows with the messages it covers, so a binary search finds how many fit.
    fitting = bisect_right(
        range(1, len(waiting) + 1), ROOM, key=lambda n: units(fold(waiting[:n], now, entry, since))
    )
    if fitting <= 1:
        return alone(waiting), waiting[:1]
    covered = waiting[:fitting]
    return fold(covered, now, entry, since), covered


def alone(waiting: Sequence[OutboxMessage]) -> str:
    """Return the oldest message. To an unknown outcome it adds what a later message says became of the order."""
    first = waiting[0]
    since = _said_since(waiting).get(first.id)
    if since is None:
        return first.text
    since = f"<b>{since}</b>"
    if first.facts is None:
        told = f"{since}\n{first.text}"
    else:
        end = len(escaped(first.facts.first_line))  # the addition goes below it
        told = f"{first.text[:end]}\n{since}{first.text[end:]}"
    return told if units(told) <= MESSAGE_LIMIT else first.text


def fold(
    messages: Sequence[OutboxMessage],
    now: datetime,
    entry: Callable[[OutboxMessage], Entry],
    since: Mapping[int, str],
) -> str:
    """Return one text for all messages: a heading, the unknown outcomes with what to do, then a line for each group.

    A group has the same label, and where there are several clients, the same client.
    """
    several = len({message.client_id for message in messages}) > 1

    def whose(message: OutboxMessage) -> str:
        return f"{safe(message.client_id, _CLIENT)}: " if several else ""

    unknown = [message for message in messages if message.kind == NoticeKind.UNKNOWN]
    lines = [whose(message) + _unknown_line(message, since.get(message.id)) for message in unknown]
    if any(message.id not in since for message in unknown):
        lines.append(_WHAT_TO_DO)
    groups: dict[str, list[str]] = {}
    for message in messages:
        if message.kind != NoticeKind.UNKNOWN:
            label, example = entry(message)
            groups.setdefault(whose(message) + label, []).append(example)
    oldest = messages[0].created_at.astimezone(UTC)
    day = "" if oldest.date() == now.astimezone(UTC).date() else f"{oldest:%Y-%m-%d} "
    heading = f"📬 {len(messages)} messages, oldest {day}{oldest:%H:%M:%S}Z"
    return "\n".join([heading, *lines, *(_line(label, examples) for label, examples in groups.items())])


# unknown outcomes ---------------------------------------------------------------------------------------------

_WHAT_TO_DO = "\n".join(
    [
        "To settle one, look for it in the broker's order book. If it is there:",
        resolve_command("ID", "--found NUMBER"),
        "If the broker never had it:",
        resolve_command("ID", '--failed "REASON"'),
    ]
)


def _said_since(waiting: Sequence[OutboxMessage]) -> dict[int, str]:
    """Map the message id of each unknown outcome to what later messages say became of the order, where they say so."""
    became: dict[str, str] = {}
    since = {}
    for message in reversed(waiting):
        if message.command_id is None:
            continue
        if message.kind == NoticeKind.UNKNOWN and became.get(message.command_id):
            since[message.id] = became[message.command_id]
        said = _became(message)
        if said is not None:
            became.setdefault(message.command_id, said)
    return since


def _became(message: OutboxMessage) -> str | None:
    """The outcome that the message states for its order; empty: unknown. None when it states no outcome."""
    if message.kind == NoticeKind.UNKNOWN:
        return ""
    if message.facts.is_failure if message.facts is not None else message.kind in _FAILED:
        return "settled since: FAILED"
    if message.kind == NoticeKind.FILLED:
        return "settled since: EXECUTED"
    return "found since: the broker has it" if message.kind in _SHOWN_AT_THE_BROKER else None


def _unknown_line(message: OutboxMessage, since: str | None) -> str:
    label, example = _own_line(message)
    return " · ".join(part for part in (label, safe(example, _EXAMPLE), since) if part)


# all others ---------------------------------------------------------------------------------------------------


def _own_line(message: OutboxMessage) -> Entry:
    """Label a message by its first line and the order that it is about; the short id distinguishes it."""
    said = message.facts
    if said is None:  # from an earlier version: only the text for people is stored, and no facts
        shown = without_markup(message.text)[: _HEADLINE + 1]  # one more than fits, so that a cut shows
        return safe(shown, _HEADLINE), ""
    parts = [safe(said.headline, _HEADLINE)]
    if said.what:
        # A subject that only begins with the symbol still shows it when it is cut.
        shows_end = said.about != said.symbol or parts[0] == escaped(said.headline)
        named = said.is_about_symbol and shows_end
        order = (said.what, said.traded) if named else (said.what, said.traded, said.symbol)
        parts.append(safe(" ".join(order), _ORDER))
    if said.by_hand:
        parts.append("by hand")
    return " · ".join(parts), said.mark


def _counted(message: OutboxMessage) -> Entry:
    """Label a message by its title; its subject distinguishes it. Entries and exits are counted separately."""
    said = message.facts
    if message.kind not in _COUNTED or (said is not None and said.by_hand):
        return _own_line(message)
    if said is None:
        return safe(message.kind, _HEADLINE), ""
    label = safe(said.title, _HEADLINE)
    if not said.what:
        return label, said.about
    return f"{label} | {safe(said.what, _ORDER)}", f"{said.traded} {said.symbol}"


def _line(label: str, examples: Sequence[str]) -> str:
    shown = [safe(example, _EXAMPLE) for example in dict.fromkeys(map(plain, examples)) if example][
        :_EXAMPLES
    ]
    times = f" ×{len(examples)}" if len(examples) > 1 else ""
    more = " …" if 0 < len(shown) < len(examples) else ""
    tail = f" · {', '.join(shown)}{more}" if shown else ""
    return f"{label}{times}{tail}"
