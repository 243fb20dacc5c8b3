"""Decode the body of a delivery, before any dialect sees it: its bytes, its text, and its JSON where it has one."""

from enum import Enum, auto

from alerts import strict_json
from alerts.reading import Reading, read
from domain.errors import InvalidAlert

_BOM = b"\xef\xbb\xbf"

Document = dict[str, object]
"""A JSON object with its keys in lower case at every depth, fractions as `Decimal`."""


class Form(Enum):
    """What a dialect's bodies are made of."""

    JSON = auto()  # one JSON object
    TEXT = auto()  # any UTF-8 text that is not blank: lines, words, a form


class Body:
    """A decoded body.

    - `text`: without a byte order mark; None where the bytes are not UTF-8, or blank.
    - `document`: None where the text is not one JSON object.
    - `error`: why there is no document; None where there is one.
    """

    __slots__ = ("_reading", "document", "error", "raw", "text")

    def __init__(
        self, raw: bytes, text: str | None, document: Document | None, error: InvalidAlert | None
    ) -> None:
        self.raw = raw
        self.text = text
        self.document = document
        self.error = error
        self._reading: Reading | None = None

    @property
    def reading(self) -> Reading:
        """What the body says where it is not plain JSON; read when it is first asked for, which costs time."""
        if self._reading is None:
            self._reading = read(self.text, self.document)
        return self._reading

    def unreadable_as(self, form: Form) -> InvalidAlert | None:
        """Why the body is not of this form; None where it is."""
        if form is Form.TEXT and self.text is not None:
            return None
        return self.error


def decode(raw: bytes) -> Body:
    """Decode a body. Whatever is wrong with it is a part of what is returned.

    The content type is not asked: platforms send JSON as text, text as JSON, and either as a form. The time taken is
    linear in the body's length and bounded (see `strict_json.parse`), because the sender is not authenticated yet.
    """
    try:
        text = _text(raw)
    except InvalidAlert as error:
        return Body(raw, None, None, error)
    try:
        return Body(raw, text, strict_json.parse(text), None)
    except InvalidAlert as error:
        return Body(raw, text, None, error)


def _text(raw: bytes) -> str:
    try:
        text = raw.removeprefix(_BOM).decode()
    except UnicodeDecodeError as error:
        raise strict_json.unreadable(
            f"expected UTF-8 text, got byte 0x{raw[error.start]:02x} at {error.start}"
        ) from None
    if not text or text.isspace():
        raise strict_json.unreadable("expected a JSON object, got an empty body")
    return text
