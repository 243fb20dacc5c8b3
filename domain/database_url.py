"""Which database a setting names: the path of a file, or a URL."""

import re

EXPECTED = "the path of a database file, or sqlite:///path"
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:/")
_SQLITE = "sqlite:///"


def sqlite_path(text: str) -> str:
    """Return the path of the SQLite file that a path or a `sqlite:///path` URL names.

    `sqlite:///data/orders.db` is a relative path, `sqlite:////data/orders.db` an absolute one.

    Raises:
        ValueError: the text is a URL of another scheme, or names no file; the message says what was expected.
    """
    if text.startswith(_SQLITE) and len(text) > len(_SQLITE):
        return text.removeprefix(_SQLITE)
    if not text or _URL.match(text):
        raise ValueError(f"got {without_password(text)!r}, expected {EXPECTED}")
    return text


def without_password(text: str) -> str:
    """Return a URL with what stands before its host's `@` masked: a database's URL may hold a password."""
    return re.sub(r"(?<=://)[^/\s]*@", "***@", text)
