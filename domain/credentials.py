"""Compare and sign with secrets: the same for the webhook, the console and the commands."""

import hmac


def secret_bytes(text: str) -> bytes:
    """Return the bytes of a secret or of what was sent as one. JSON can spell what UTF-8 cannot: nothing is refused."""
    return text.encode("utf-8", "surrogatepass")


def is_same(given: bytes, secret: bytes) -> bool:
    """Compare in constant time, so that the time taken reveals nothing of the secret."""
    return hmac.compare_digest(given, secret)


def signature_of(secret: bytes, text: bytes) -> str:
    """Return the HMAC-SHA256 of a text under a secret, in hexadecimal."""
    return hmac.digest(secret, text, "sha256").hex()


def timed_signature(secret: bytes, stamp: str | None, body: bytes) -> str:
    """Return the HMAC of a body, and of the time that is signed with it, as its sender wrote it (None: without one)."""
    return signature_of(secret, body if stamp is None else stamp.encode() + b"." + body)


def alert_signature(secret: bytes, body: bytes, *, at: int | None = None) -> str:
    """Return the `X-Signature` of an alert.

    Args:
        at: seconds since 1970 that the signature covers too: `t=<at>,sha256=<hex>` over `<at>.` and the raw body. None:
            `sha256=<hex>` over the raw body.
    """
    if at is None:
        return f"sha256={timed_signature(secret, None, body)}"
    return f"t={at},sha256={timed_signature(secret, str(at), body)}"
