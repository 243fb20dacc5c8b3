"""How a sender's value is shown back: short, on one line, and without a character that could do harm."""

from decimal import Decimal

SHOWN = 60
"""Characters of a value that are shown; the rest is cut off."""


def shown(value: object) -> str:
    """A JSON value as an error message names it."""
    match value:
        case None:
            return "null"
        case bool():
            return str(value).lower()
        case dict():
            return "an object"
        case list():
            return "a list"
        case str():
            text = repr(value if len(value) <= SHOWN else value[:SHOWN] + "…")
        case int() | Decimal():
            text = str(value)
        case _:
            text = type(value).__name__
    return text if len(text) <= SHOWN * 2 else text[:SHOWN] + "…"


def shown_key(key: str) -> str:
    """A sender's key as part of a field's path: itself, unless it is long or holds control characters."""
    return key if key.isprintable() and len(key) <= SHOWN else shown(key)
