"""The conversation with operators: what it keeps, and the channel that it speaks through."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any, NamedTuple, Protocol

from domain.conversation import Act, ActState, Listening, Press


class Received(NamedTuple):
    """What an update did. `act`: the act it is about as it stands now; None: there is no such act, or it is about none.

    `is_changed`: this very update changed it.
    """

    act: Act | None
    is_changed: bool


class ConversationStore(Protocol):
    """The conversation's own rows. Each method raises `StoreUnavailable` when nothing was read or kept."""

    def listening(self, bot: str) -> Listening:
        """Return how far the bot's updates were received."""

    def receive(
        self,
        bot: str,
        update_id: int,
        at: datetime,
        *,
        ignored: int = 0,
        ask: Act | None = None,
        press: Press | None = None,
    ) -> Received | None:
        """Record one update and what it asks for or confirms, in one durable write; None: it was received before.

        `ignored`: so many updates, of which it is the last, come from chats that are not configured.
        """

    def finish(self, act_id: str, state: ActState, outcome: str, at: datetime) -> None:
        """Record what became of an act that was taken."""

    def mark_told(self, act_id: str, at: datetime) -> None:
        """Record that the chat has the outcome."""

    def unfinished(self, bot: str) -> list[Act]:
        """List the acts that were taken and have no outcome, or whose outcome the chat does not have; oldest first."""

    def mute(self, chat_id: str, until: datetime, by: str, at: datetime) -> None:
        """Let what is no alarm come to the chat without a sound until then."""

    def muted_until(self, chat_id: str) -> datetime | None:
        """Return until when the chat is muted; None: it never was."""


class Button(NamedTuple):
    """One button under a message: what stands on it, and the data that its press brings back (64 bytes at most)."""

    label: str
    data: str


class ChannelFailed(Exception):
    """A call of the channel did not succeed. `status`: of the channel's answer; 0: no answer that could be read.

    `retry_after`: seconds to wait before the next call, if the channel said so.
    """

    def __init__(self, text: str, status: int = 0, retry_after: float | None = None) -> None:
        super().__init__(text)
        self.status = status
        self.retry_after = retry_after


class Channel(Protocol):
    """One bot, for one thread. Every call is bounded in time and raises `ChannelFailed`."""

    @property
    def bot_id(self) -> str:
        """The bot's number, which is no secret."""

    def user_name(self) -> str:
        """Return the name that commands address the bot by, without `@`."""

    def updates(self, offset: int) -> list[dict[str, Any]]:
        """Wait for updates from this number on (0: from wherever they begin); empty when none came."""

    def reply(
        self, chat_id: str, text: str, *, to: int | None = None, buttons: Sequence[Button] = ()
    ) -> None:
        """Send a message in Telegram's HTML, as a reply to a message, with a row of buttons."""

    def answer_button(self, callback_id: str, text: str) -> None:
        """Answer a button that was pressed, with a short plain text."""

    def take_buttons_away(self, chat_id: str, message_id: int) -> None:
        """Remove the buttons of a message of ours."""
