"""Classify an answer of DhanHQ: accepted, refused, not sent, or outcome unknown.

Only this module decides what an answer means. An answer that proves nothing leads to no conclusion.

An order call ends in one of four ways:

| answer | outcome |
|---|---|
| HTTP 2xx with an order's number and no code of an error | accepted |
| HTTP 4xx that refuses the token (`DH-901`, or a text that says so: Dhan sends it as `DH-906` too), or the rate \
(`DH-904`) | `NotSent` with `look_first`: the call was turned away, and the order book is read before a retry |
| HTTP 4xx with one of the codes that only checks make (`_CHECKS`) and a text that leaves no doubt | `Refused` |
| everything else: 5xx, no JSON, no code or another one (`DH-907` to `DH-910`), a 2xx without a number, a 429 without \
the broker's code | `OutcomeUnknown` |

`DH-908` is an error within the server, `DH-909` one between its machines and `DH-910` any other: each may come after
the order was taken. `DH-907` is one of data calls. An unknown outcome is cheap: the order book settles it.
"""

import re
from typing import Any

from broker.fields import text_of
from broker.refusals import prefix_of, proves_refusal
from broker.sessions import AUTHENTICATION
from broker.wire import Reply
from domain.errors import NotSent, OutcomeUnknown, ReadFailed, Refused

RATE_LIMIT = "429"
TOKEN_ENDED = (
    "an access token lasts for 24 hours, and ends when another one is made: make a new one at web.dhan.co (My Profile, "
    "Access DhanHQ APIs) and set it"
)
_CHECKS = frozenset(
    {"DH-902", "DH-903", "DH-905", "DH-906", "DH-911"}
)  # access, account, input, order, address
_TOKENS = frozenset({"DH-901", "807", "808", "809", "810"})
_TOKEN = re.compile(r"(invalid|expired) (access )?token|(access )?token (is )?(invalid|expired)")
_RATES = frozenset({"DH-904", "805"})
_NO_HOLDINGS = "DH-1111", "no holdings available"

_NAMED = {
    "IP_NOT_ALLOWED": (
        re.compile(
            r"\b(invalid|static|unregistered) ips?\b|\bip\b.*\b(not (allowed|registered|whitelisted)|whitelist)"
        ),
        "orders are taken from registered addresses alone: enter this machine's static IP at web.dhan.co, in the "
        "profile under Access DhanHQ APIs; a change is locked for 7 days",
    ),
    "DELIVERY_NOT_AUTHORISED": (
        re.compile(r"e-?dis|t-?pin|ddpi"),
        "the depository's authorisation for this sale is missing: authorise it (TPIN) in Dhan, then exit again",
    ),
}
"""Refusals that have their own name and remedy."""


def accepted(reply: Reply) -> dict[str, Any]:
    """Return the answer that accepted an order call.

    Raises:
        NotSent, Refused, OutcomeUnknown: as the module's table says.
    """
    if reply.ok and isinstance(reply.data, dict) and text_of(reply.data, "orderId"):
        found: dict[str, Any] = reply.data
        return found
    if exceeds_rate(reply):
        raise NotSent(reply.error or "too many requests", RATE_LIMIT, look_first=True)
    if token_refused(reply):
        raise NotSent(
            f"the broker refused the session: {reply.error}; {TOKEN_ENDED}", AUTHENTICATION, look_first=True
        )
    if not proves_refusal(reply, _CHECKS):
        raise OutcomeUnknown(f"HTTP {reply.status}: {_said(reply)}", _status(reply))
    raise Refused(with_advice(reply.error, reply.code), code_of(reply.error, reply.code))


def token_refused(reply: Reply) -> bool:
    """True when the broker does not know the access token (any more)."""
    return 400 <= reply.status < 500 and bool(
        reply.code in _TOKENS or _TOKEN.fullmatch(reply.error.lower().rstrip("."))
    )


def exceeds_rate(reply: Reply) -> bool:
    """True when the broker itself says that it turned the call away because a rate was exceeded."""
    return 400 <= reply.status < 500 and reply.code in _RATES


def minute_is_full(reply: Reply) -> bool:
    """True when a rate of the order calls was exceeded. Which one it was is not said, so it may be the longest."""
    return exceeds_rate(reply)


def with_advice(error: str, code: str = "") -> str:
    """Return the broker's text, followed by the remedy where one is known."""
    name = _name_of(error, code)
    return error if name is None else f"{error} ({_NAMED[name][1]})"


def code_of(error: str, code: str = "") -> str:
    """Return a code for the broker's text: a name of ours, its prefix (`RMS`), or else the broker's own code."""
    return _name_of(error, code) or prefix_of(error) or code


def _name_of(error: str, code: str) -> str | None:
    if code == "DH-911":
        return "IP_NOT_ALLOWED"
    return next((name for name, (words, _) in _NAMED.items() if words.search(error.lower())), None)


def data_in(reply: Reply) -> Any:
    """Return the answer of a read. That there are no Holdings is an error of its own there, and an empty list here.

    Raises:
        ReadFailed: the answer is not a successful one; it proves nothing about what was read.
    """
    if reply.ok:
        return reply.data
    if (reply.code, reply.error.lower().rstrip(".")) == _NO_HOLDINGS:
        return []
    if exceeds_rate(reply):
        raise ReadFailed(reply.error or "too many requests", RATE_LIMIT)
    if token_refused(reply):
        raise ReadFailed(f"the broker refused the session: {reply.error}; {TOKEN_ENDED}", AUTHENTICATION)
    raise ReadFailed(f"HTTP {reply.status}: {_said(reply)}", _status(reply))


def _said(reply: Reply) -> str:
    return f"{reply.code}: {reply.error}" if reply.error else "an answer that cannot be read"


def _status(reply: Reply) -> str:
    return "" if 200 <= reply.status < 300 else str(reply.status)
