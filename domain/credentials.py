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


def alert_signature(secret: bytes, body: bytes) -> str:
    """Return the `X-Signature` of an alert: `sha256=<hex>` over the raw body."""
    return f"sha256={signature_of(secret, body)}"
