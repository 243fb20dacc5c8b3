"""Authenticate alerts: find the client by its secret, in any of the three ways in which it may be sent."""

import json
import re
from collections.abc import Mapping

from domain.credentials import alert_signature, is_same, secret_bytes

MASK = "***"


class Secrets:
    """The webhook secret of each client. No part of a secret is ever shown.

    Raises:
        ValueError: a client's secret is empty, or there is no client.
    """

    def __init__(self, by_client: Mapping[str, str], default_client: str) -> None:
        if not by_client or not all(by_client.values()):
            raise ValueError("every client needs a webhook secret")
        # The default client last: it wins where clients share a secret.
        ordered = sorted(by_client.items(), key=lambda item: item[0] == default_client)
        self._by_client = [(client_id, secret_bytes(secret)) for client_id, secret in ordered]
        # Longest first: a secret may begin with another one.
        self._texts = sorted(set(by_client.values()), key=len, reverse=True)
        self._spellings = re.compile("|".join(_any_spelling(text) for text in self._texts))

    def authenticate(
        self, raw: bytes, *, body_secret: str | None, path_token: str | None, signature: str | None
    ) -> str | None:
        """Return the client whose secret came with the delivery.

        None when no secret came, or when the secrets are not right in every way that was used.

        Args:
            raw: the body as received; a signature covers it.
            body_secret: the secret that stands in the body.
            path_token: the last part of the path.
            signature: the `X-Signature` header, `sha256=<hex>`.
        """
        if body_secret is None and path_token is None and signature is None:
            return None
        plain = [secret_bytes(text) for text in (body_secret, path_token) if text is not None]
        signed = None if signature is None else secret_bytes(signature.strip().lower())
        found = None
        # Every client is compared, each in constant time, so that the time taken reveals nothing.
        for client_id, secret in self._by_client:
            right = [is_same(given, secret) for given in plain]
            if signed is not None:
                right.append(is_same(signed, alert_signature(secret, raw).encode()))
            if all(right):
                found = client_id
        return found

    def mask(self, text: str) -> str:
        """Replace every secret in the text, however JSON or a form may have escaped it.

        For authenticated senders only: the time taken reveals how much of a secret is in the text.
        """
        # Escaped spellings first: replacing the plain one first would leave the rest of an escape behind.
        if "\\" in text or "%" in text or "+" in text:
            text = self._spellings.sub(MASK, text)
        for secret in self._texts:
            text = text.replace(secret, MASK)
        return text

    def mask_body(self, raw: bytes) -> str:
        """Decode the body and replace every secret in it; bytes that are not UTF-8 become `\\xNN`."""
        if b"\0" in raw:  # UTF-16, perhaps
            for secret in self._texts:
                for encoding in ("utf-16-le", "utf-16-be"):
                    raw = raw.replace(secret.encode(encoding, "surrogatepass"), MASK.encode())
        return self.mask(raw.decode("utf-8", "backslashreplace"))


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
