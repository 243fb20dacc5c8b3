"""Classify a broker's error text for diagnostics."""

import re

_CODES = {
    "401": "AUTHENTICATION_ERROR",
    "40101": "AUTHENTICATION_ERROR",
    "40103": "AUTHENTICATION_ERROR",
    "306": "INSUFFICIENT_FUNDS",
    "609": "INSUFFICIENT_FUNDS",
    "429": "RATE_LIMIT",
}
_WORDS = tuple(
    # The first match wins: "margin limit exceeded" is about funds, not about a rate.
    (name, re.compile(rf"\b(?:{words})\b", re.IGNORECASE))
    for name, words in (
        ("AUTHENTICATION_ERROR", "session expired|invalid session|unauthori[sz]ed"),
        ("SIGNATURE_ERROR", "signatures?"),
        ("INSUFFICIENT_FUNDS", "insufficient|balance|margins?"),
        ("MIN_NOTIONAL_NOT_MET", "min(?:imum)?[ _]notional"),
        ("RATE_LIMIT", "rate limits?|too many requests|rate exceeded|request limit"),
        ("TIMEOUT", "time[d ]?-? ?out"),
    )
)


def reason_class(code: str, text: str) -> str:
    """Classify a broker's error for diagnostics, into a closed set of names.

    A known code goes before the text. The text is matched by whole words only: "limit order" is no rate limit, and
    "imbalance" is no balance.
    """
    known = _CODES.get(code)
    if known is not None:
        return known
    for name, words in _WORDS:
        if words.search(text):
            return name
    return "EXCHANGE_REJECTED" if code or text else "EXCHANGE_ERROR_UNKNOWN"
