"""Find a secret that a body carries under a key, whether the body can be read or not."""

import re

from alerts.decoding import Body

_LONGEST_PLACE = 4096  # bytes, from the key to the end of the secret
_MOST_PLACES = 64  # occurrences of the key that are checked; no template has more

# After the key, however it is quoted: text up to the closing quote, or a bare word as in a form.
# The counts are possessive (`+` behind them), so there is no backtracking: the sender is not authenticated yet, and
# must not be able to use up time.
VALUE = (
    r"""[\\"'“”‘’\s]{0,10}+[:=]\s{0,10}+\\{0,8}+"""
    r"""(?:"([^"\\]+)|'([^'\\]+)|[“”]([^“”\\]+)|[‘’]([^‘’\\]+)|([^\s"'“”‘’\\,;&}]+))"""
)


class SecretField:
    """The key under which the bodies of a dialect carry the secret. It may be in any case."""

    def __init__(self, key: str) -> None:
        self.key = key
        self._bytes = key.encode()
        self._in_text = re.compile(re.escape(key) + VALUE, re.IGNORECASE)
        self._masked = re.compile(rf'("{re.escape(key)}"\s*:\s*")\*\*\*"', re.IGNORECASE)

    def find(self, body: Body) -> str | None:
        """Return what the body gives as the secret; None when it gives none.

        "", which is never right, when it gives something that no secret can be, or when it cannot be told what it
        gives. The time taken is linear in the body's length, because the sender is not authenticated yet.
        """
        if body.document is None:
            return self._find_in_text(body.raw)
        given = body.document.get(self.key)
        # An empty field means that the template's user sends the secret in one of the other ways.
        if given is None or given == "":
            return None
        return given if isinstance(given, str) else ""

    def _find_in_text(self, raw: bytes) -> str | None:
        """Find the secret in a body that is not valid JSON.

        None when there is none. "" when there are several different ones, or too many occurrences of the key to check.
        """
        found, at, lower = None, -1, raw.lower()
        for _ in range(_MOST_PLACES):
            at = lower.find(self._bytes, at + 1)
            if at < 0:
                return found
            match = self._in_text.match(raw[at : at + _LONGEST_PLACE].decode("utf-8", "replace"))
            if match is None:
                continue
            value = match[match.lastindex or 0]
            if found is not None and value != found:
                return ""
            found = value
        return ""

    def empty_masked(self, kept: str) -> str:
        """Empty the masked secret of a stored body, which leaves authentication to the other ways."""
        return self._masked.sub(r'\1"', kept)
