"""Hide secrets in texts that are kept, logged or answered."""

import json
import re
from collections.abc import Collection
from functools import cache

from domain.credentials import secret_bytes

MASK = "***"

_TOKEN = re.compile(r"[A-Za-z0-9_-]{16,200}")
"""A secret that looks like this is found by the words of a text: what one costs more is nothing."""
_SEPARATED = bytes(byte if _TOKEN.fullmatch(chr(byte) * 16) else 32 for byte in range(256))
_FEW = 4
"""Secrets that are looked for one after the other. More are found by the words of a text: one more costs nothing."""
_ESCAPES = re.compile(r"\\+u00([2-7][0-9a-f])|%([2-7][0-9a-f])|\\+", re.IGNORECASE)


class SecretMask:
    """Replaces each of these secrets in a text, however JSON or a form may have escaped it.

    For authenticated senders only: the time taken reveals how much of a secret is in the text.
    """

    def __init__(self, secrets: Collection[str]) -> None:
        # Longest first: a secret may begin with another one.
        texts = sorted(set(secrets), key=len, reverse=True)
        self._tokens = [text for text in texts if _TOKEN.fullmatch(text)]
        self._whole = frozenset(self._tokens)
        self._shortest = min(map(len, self._tokens), default=0)
        self._others = [text for text in texts if text not in self._whole]
        self._all = texts
        self._spellings = re.compile("|".join(map(_any_spelling, self._others))) if self._others else None

    def mask(self, text: str) -> str:
        """Replace every secret in the text."""
        # Escaped spellings first: replacing the plain one first would leave the rest of an escape behind.
        if "\\" in text or "%" in text or "+" in text:
            if self._spellings is not None:
                text = self._spellings.sub(MASK, text)
            if self._tokens and ("\\" in text or "%" in text):
                text = self._mask_escaped_tokens(text)
        for secret in self._others:
            text = text.replace(secret, MASK)
        for token in self._tokens_in(text):
            text = text.replace(token, MASK)
        return text

    def _mask_escaped_tokens(self, text: str) -> str:
        plain = _ESCAPES.sub(_unescaped, text)
        if plain != text:
            for token in self._tokens_in(plain):
                text = _spelling_of(token).sub(MASK, text)
        return text

    def _tokens_in(self, text: str) -> list[str]:
        """The secrets among the words of a text, the longest first."""
        if len(self._tokens) <= _FEW:
            return [token for token in self._tokens if token in text]
        found: set[str] = set()
        words = text.encode("ascii", "replace").translate(_SEPARATED).split()
        for word in {each.decode() for each in words if len(each) >= self._shortest}:
            if word in self._whole:
                found.add(word)
            elif len(word) > self._shortest:  # with something written before or behind it
                found.update(token for token in self._tokens if token in word)
        return sorted(found, key=len, reverse=True)

    def mask_body(self, raw: bytes) -> str:
        """Decode the body and replace every secret in it; bytes that are not UTF-8 become `\\xNN`."""
        if b"\0" in raw:  # UTF-16, perhaps
            for secret in self._all:
                for encoding in ("utf-16-le", "utf-16-be"):
                    raw = raw.replace(secret.encode(encoding, "surrogatepass"), MASK.encode())
        return self.mask(raw.decode("utf-8", "backslashreplace"))


def _unescaped(match: re.Match[str]) -> str:
    number = match[1] or match[2]
    return chr(int(number, 16)) if number else ""


@cache
def _spelling_of(token: str) -> re.Pattern[str]:
    return re.compile(_any_spelling(token))


def _any_spelling(secret: str) -> str:
    # Atomic groups: a character is read in one way only. With backtracking, a text that holds almost the
    # secret would take a time that doubles with each of its characters.
    return "".join(f"(?>{'|'.join(_spellings(char))})" for char in secret)


def _spellings(char: str) -> list[str]:
    """Regular expressions for the ways a character can be written in JSON or in a form, the longest first."""
    units = char.encode("utf-16-be", "surrogatepass").hex()
    by_number = "".join(rf"\\u{units[i : i + 4]}" for i in range(0, len(units), 4))
    in_form = "".join(f"%{byte:02x}" for byte in secret_bytes(char))
    by_name = json.dumps(char, ensure_ascii=False)[1:-1]  # such as \n
    plus = [r"\+"] if char == " " else []
    return [f"(?i:{by_number})", f"(?i:{in_form})", re.escape(by_name), rf"\\?{re.escape(char)}", *plus]
