"""How loud a message is. An alarm always sounds; the routine never does, so that the alarm is heard."""

from collections.abc import Iterable
from enum import IntEnum

from domain.enums import ExecutionType
from domain.notices import NoticeKind
from domain.ports import OutboxMessage


class Severity(IntEnum):
    """The louder, the higher."""

    ROUTINE = 0  # all goes as it was asked for: no sound
    NOTABLE = 1  # sounds, unless the chat is muted
    ALARM = 2  # always sounds: money is at stake until somebody looks


_ROUTINE = frozenset(
    {
        NoticeKind.PLACED,
        NoticeKind.PARTIALLY_FILLED,
        NoticeKind.FILLED,
        NoticeKind.RESUMED,
        NoticeKind.LOSS_LIMIT_LIFTED,
        NoticeKind.ADOPTED,
        NoticeKind.POSITION_AGREES,
        NoticeKind.PROFIT_LOCKED,
        NoticeKind.TRAIL_ARMED,
        NoticeKind.TRAIL_MOVED,
    }
)
_NOTABLE = frozenset(
    {
        NoticeKind.BLOCKED,
        NoticeKind.REJECTED,
        NoticeKind.FAILED,
        NoticeKind.ALERT_REJECTED,
        NoticeKind.HALTED,
        NoticeKind.EXTERNAL_ORDER,
        NoticeKind.EXTERNAL_POSITION,
        NoticeKind.HOLDING_CLEARED,
        NoticeKind.STOP_FIRED,
        NoticeKind.TARGET_FIRED,
    }
)
_OF_EXITS_LOUD = frozenset({NoticeKind.BLOCKED, NoticeKind.REJECTED, NoticeKind.FAILED})
"""An exit that came to nothing leaves a position open that was to be closed."""


def severity_of(message: OutboxMessage) -> Severity:
    """Return how loud a message is; one of a kind that nobody has judged is an alarm."""
    is_exit = message.facts is not None and message.facts.what == ExecutionType.EXIT
    if message.kind in _OF_EXITS_LOUD and (is_exit or message.facts is None):
        return Severity.ALARM
    if message.kind in _ROUTINE:
        return Severity.ROUTINE
    return Severity.NOTABLE if message.kind in _NOTABLE else Severity.ALARM


def is_silent(messages: Iterable[OutboxMessage], *, is_muted: bool) -> bool:
    """Return True where a text that stands for these messages is to come without a sound."""
    loudest = max(map(severity_of, messages))
    return loudest is Severity.ROUTINE or (is_muted and loudest is Severity.NOTABLE)
