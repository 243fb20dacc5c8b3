"""The conversation with operators in a chat: what was asked for, and whether a pressed button carries it out. Pure.

An act is asked for in one message and confirmed by a button. It is taken once: whoever presses again finds it taken.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from domain.actors import Actor, ActorKind

CONFIRM_WITHIN = timedelta(seconds=60)
"""How long the button of an act confirms it."""
CARRIED_OUT_WITHIN = timedelta(minutes=2)
"""How long after its button an act that was interrupted is still carried out; what the operator saw is old then."""
TOLD_WITHIN = timedelta(hours=24)
"""How long an outcome that the chat does not take is told again."""
OFFSET_KEPT = timedelta(days=6)
"""How long the numbers of updates are known to go up: after a week of silence Telegram begins anew anywhere."""


class ActState(StrEnum):
    """Where an act stands. The names are stored."""

    ASKED = "ASKED"  # waits for its button
    TAKEN = "TAKEN"  # confirmed: it is being carried out
    DONE = "DONE"
    FAILED = "FAILED"  # nothing of it, or not all of it, was done; the outcome says which
    UNKNOWN = "UNKNOWN"  # it was interrupted, and whether it was carried out is not known
    DECLINED = "DECLINED"
    EXPIRED = "EXPIRED"


ENDED = (ActState.DONE, ActState.FAILED, ActState.UNKNOWN)


@dataclass(frozen=True, slots=True)
class Act:
    """What one person asked for. `arguments` are plain JSON; ids are texts; times aware UTC.

    - `bot`, `chat_id`, `user_id`: where it was asked for and by whom. Nobody else confirms it, and nowhere else.
    - `outcome`: what became of it, in words for people; `is_told`: the chat has it.
    """

    act_id: str
    bot: str
    chat_id: str
    user_id: str
    kind: str
    asked_at: datetime
    arguments: Mapping[str, Any] = field(default_factory=dict)
    state: ActState = ActState.ASKED
    pressed_at: datetime | None = None
    outcome: str = ""
    is_told: bool = False

    @property
    def by(self) -> str:
        """Who acts, as the history stores it."""
        return str(Actor(ActorKind.TELEGRAM, self.user_id))


@dataclass(frozen=True, slots=True)
class Press:
    """A button that was pressed under the question about an act."""

    act_id: str
    bot: str
    chat_id: str
    user_id: str
    accepts: bool
    at: datetime


def pressed(act: Act, press: Press) -> Act:
    """Return what a button makes of an act; the same act where it changes nothing."""
    if (act.bot, act.chat_id, act.user_id) != (press.bot, press.chat_id, press.user_id):
        return act
    if act.state is not ActState.ASKED:
        return act
    if not act.asked_at <= press.at < act.asked_at + CONFIRM_WITHIN:
        return replace(act, state=ActState.EXPIRED)
    state = ActState.TAKEN if press.accepts else ActState.DECLINED
    return replace(act, state=state, pressed_at=press.at)


def is_still_wanted(act: Act, now: datetime) -> bool:
    """Return True while an act that was taken may be carried out, by this process or by the one after it."""
    return act.pressed_at is not None and abs(now - act.pressed_at) < CARRIED_OUT_WITHIN


@dataclass(frozen=True, slots=True)
class Listening:
    """How far a bot's updates were received, and how many of them came from chats that are not configured."""

    next_update: int = 0
    at: datetime | None = None  # of the last update
    ignored: int = 0
    ignored_at: datetime | None = None

    def offset(self, now: datetime) -> int:
        """Return the number of the first update that is wanted; 0: whatever there is."""
        return 0 if self.at is None or abs(now - self.at) > OFFSET_KEPT else self.next_update

    def after(self, update_id: int, now: datetime, *, ignored: int) -> "Listening | None":
        """Return the state after an update, the last of so many that are ignored; None: it was received before."""
        if update_id < self.offset(now):
            return None
        return Listening(update_id + 1, now, self.ignored + ignored, now if ignored else self.ignored_at)
