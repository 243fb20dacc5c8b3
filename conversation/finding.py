"""Find what a person means by a short id, among what the chat may see."""

from collections.abc import Sequence
from typing import Any

from conversation.ports import OrderSearch
from conversation.words import code, name, short_id


class NotUnderstood(Exception):
    """What was typed cannot be answered; the text, in Telegram's HTML, says why and what to type."""


def find_story(search: OrderSearch, typed: str, clients: Sequence[str]) -> dict[str, Any]:
    """Return the story of the one order of these clients that an id or the end of one means.

    Raises:
        NotUnderstood: there is none, or there are several.
    """
    ids, story = search.find_story(typed.lower())
    if not ids:
        ids, story = search.find_story(typed)
    if len(ids) > 1:
        shown = ", ".join(code(short_id(each)) for each in ids[:5])
        raise NotUnderstood(
            f"{name(typed)} fits several orders: {shown}. Send the command with one of these."
        )
    if story is None or story["order"]["client_id"] not in clients:
        raise NotUnderstood(f"No order's id ends with {name(typed)}. /orders lists the latest.")
    return story
