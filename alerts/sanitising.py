"""Format a sender's values for error messages: short, on one line, and without a character that could do harm."""

from decimal import Decimal

SHOWN = 60
"""The longest text that is shown. A longer one is described, not cut: half a secret could not be found and masked."""


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
            return repr(value) if len(value) <= SHOWN else f"a text of {len(value)} characters"
        case int() | Decimal():
            text = str(value)
            return text if len(text) <= SHOWN else f"a number of {len(text)} characters"
        case _:
            return type(value).__name__


def shown_key(key: str) -> str:
    """A sender's key as part of a field's path: itself, unless it is long or holds control characters."""
    return key if key.isprintable() and len(key) <= SHOWN else shown(key)
