"""Read the updates of a bot. What cannot be read is nothing that anybody said: it is skipped."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

ACCEPT, DECLINE = "y", "n"


@dataclass(frozen=True, slots=True)
class Said:
    """A message. `is_anonymous`: it was sent in a chat's name, and nobody can say by whom."""

    update_id: int
    chat_id: str
    user_id: str
    message_id: int
    typed: str
    at: datetime
    is_private: bool
    is_anonymous: bool


@dataclass(frozen=True, slots=True)
class Pressed:
    """A button that was pressed. Whoever writes to the API directly can put anything into `data`."""

    update_id: int
    chat_id: str
    user_id: str
    message_id: int
    callback_id: str
    data: str


@dataclass(frozen=True, slots=True)
class Unreadable:
    """An update without what we look for; `chat_id` is empty where it has none."""

    update_id: int
    chat_id: str = ""


Update = Said | Pressed | Unreadable


def update_of(raw: Mapping[str, Any]) -> Update | None:
    """Read one update; None where it has no number, so that it cannot even be passed over."""
    update_id = raw.get("update_id")
    if type(update_id) is not int:
        return None
    callback, message = _mapping(raw.get("callback_query")), _mapping(raw.get("message"))
    try:
        if callback:
            return _pressed(update_id, callback)
        if message:
            return _said(update_id, message)
    except (KeyError, TypeError, ValueError, OverflowError, OSError):
        pass
    return Unreadable(update_id, _chat_of(message))


def _said(update_id: int, message: Mapping[str, Any]) -> Said:
    chat = message["chat"]
    return Said(
        update_id=update_id,
        chat_id=str(int(chat["id"])),
        user_id=str(int(_mapping(message.get("from")).get("id", 0))),
        message_id=int(message["message_id"]),
        typed=str(message.get("text") or ""),
        at=datetime.fromtimestamp(int(message["date"]), UTC),
        is_private=chat.get("type") == "private",
        is_anonymous="sender_chat" in message,
    )


def _pressed(update_id: int, callback: Mapping[str, Any]) -> Pressed:
    message = callback["message"]
    return Pressed(
        update_id=update_id,
        chat_id=str(int(message["chat"]["id"])),
        user_id=str(int(callback["from"]["id"])),
        message_id=int(message["message_id"]),
        callback_id=str(callback["id"]),
        data=str(callback.get("data") or ""),
    )


def _chat_of(message: Mapping[str, Any]) -> str:
    chat_id = _mapping(message.get("chat")).get("id")
    return str(chat_id) if type(chat_id) is int else ""


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, Mapping) else {}


def command_of(typed: str) -> tuple[str, list[str]]:
    """Return a command's name without `/` and `@bot`, in small letters, and its words; no name: it is no command.

    A command that is pasted has what a message shows around it, such as backticks.
    """
    words = _words(typed)
    if not words or not words[0].startswith("/"):
        return "", words
    return words[0][1:].partition("@")[0].lower(), words[1:]


def addressee_of(typed: str) -> str:
    """Return the bot that a command names: `/halt@OtherBot`; empty where it names none."""
    words = _words(typed)
    return words[0].partition("@")[2] if words and words[0].startswith("/") else ""


def _words(typed: str) -> list[str]:
    return typed.strip().strip("`").split()
