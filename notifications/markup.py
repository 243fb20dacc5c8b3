"""The part of Telegram's HTML that we write, and Telegram's measure of length."""

import html
import re
from functools import lru_cache

MESSAGE_LIMIT = 4096
"""The most that Telegram takes in one message, in `units`."""

_TAG = re.compile(r"<[^<>]*>")


def units(text: str) -> int:
    """Length as Telegram counts it: UTF-16 code units, so that most emoji count two."""
    return len(text) if text.isascii() else len(text) + sum(char > "\uffff" for char in text)


def plain(text: str) -> str:
    """One line without control characters, lone surrogates and the marks that reverse writing direction."""
    if not text.isprintable():
        text = "".join(char if char.isprintable() else " " for char in text)
    return " ".join(text.split())


@lru_cache(maxsize=1024)  # the messages of one order name the same things
def safe(text: str, room: int) -> str:
    """Any text as one escaped line of at most `room` units; what does not fit ends in `…`, never inside an entity."""
    line = plain(text)
    whole = escaped(line)
    if units(whole) <= room:
        return whole
    used, kept = 1, []
    for char in line:
        piece = escaped(char)
        used += units(piece)
        if used > room:
            break
        kept.append(piece)
    return "".join(kept).rstrip() + "…"


def escaped(text: str) -> str:
    """A plain line in our HTML, not cut."""
    return html.escape(text, quote=False)


def without_markup(text: str) -> str:
    """What a reader sees of our HTML: tags dropped, entities resolved."""
    return html.unescape(_TAG.sub("", text))
