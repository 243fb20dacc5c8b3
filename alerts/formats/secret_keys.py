"""Find a secret under one of several keys, at the top of a body or in its text, or as a text's first word."""

import re
from collections.abc import Sequence

from alerts.decoding import Body
from alerts.formats.secret_field import VALUE
from alerts.reading import MAX_TEXT

_DEEP = ("general", "alert", "data", "auth")
"""Keys of objects that hold the secret in some platforms' bodies."""
_MOST_PLACES = 64  # occurrences of all keys that are checked; no template has more
_LONGEST_PLACE = 4096  # characters, from the key to the end of the secret
# After an equals sign a blank may end an empty value; after a colon it belongs to the sign.
_SIGN = r"(?:=(?![ \t])|=[ \t]{1,10}+(?![A-Za-z_]\w{0,63}=)|:[ \t]{0,10}+)"
_VALUE = VALUE.replace(r"[:=]\s{0,10}+", _SIGN)
_WORD = re.compile(r"[A-Za-z0-9_]")


class SecretKeys:
    """The keys under which the bodies of a dialect may carry the secret, in any case; the first one counts."""

    def __init__(self, keys: Sequence[str]) -> None:
        self.key = keys[0]
        self._keys = tuple(keys)
        self._value = re.compile(_VALUE)
        names = "|".join(map(re.escape, keys))
        masked = rf"((?<![A-Za-z0-9_])(?:{names})[\"“”'\s]*+[:=]\s*+[\"“”']?)\*\*\*"
        self._masked = re.compile(masked, re.IGNORECASE)

    def find(self, body: Body) -> str | None:
        """Return what the body gives as the secret; None when it gives none, "" when it cannot be told what.

        The time taken is linear in the body's length, because the sender is not authenticated yet.
        """
        fields = body.document or body.reading.fields  # of a form the decoded ones
        if fields is None:
            return self._find_in_text((body.text or "")[:MAX_TEXT])
        inner = (fields[key] for key in _DEEP if key in fields)
        for place in (fields, *(each for each in inner if isinstance(each, dict))):
            for key in self._keys:
                given = place.get(key)
                if given is not None and given != "":
                    return given if isinstance(given, str) else ""
        return None

    def _find_in_text(self, text: str) -> str | None:
        """Find the secret in a body that is not JSON: "" where several different ones stand there."""
        lower, places = text.lower(), 0
        if len(lower) != len(text):  # a character whose small form is longer: positions would differ
            lower = text
        for key in self._keys:
            found, at = None, -1
            while (at := lower.find(key, at + 1)) >= 0:
                places += 1
                if places > _MOST_PLACES:
                    return ""
                if at and _WORD.match(text[at - 1]):
                    continue
                match = self._value.match(text[at + len(key) : at + _LONGEST_PLACE])
                if match is None:
                    continue
                value = match[match.lastindex or 0]
                if found is not None and value != found:
                    return ""
                found = value
            if found is not None:
                return found
        return None

    def empty_masked(self, kept: str) -> str:
        """Empty the masked secret of a stored body, which leaves authentication to the other ways."""
        return self._masked.sub(r"\1", kept)


class FirstWord:
    """The secret is the first word of the text, before a comma."""

    key = "the first word"
    _FIRST = re.compile(r"\s{0,20}+([^\s,]{1,200}+)\s{0,20}+,")

    def find(self, body: Body) -> str | None:
        """Return the word; None where there is none."""
        match = self._FIRST.match(body.raw[:1000].decode("utf-8", "replace"))
        return None if match is None else match[1]

    def empty_masked(self, kept: str) -> str:
        """Leave the masked word out, which leaves authentication to the other ways."""
        stripped = kept.lstrip()
        return stripped.removeprefix("***") if stripped.startswith("***") else kept
