"""Classify an answer of Kite Connect: accepted, refused, not sent, or outcome unknown.

Only this module decides what an answer means. An answer that proves nothing leads to no conclusion.

An order call ends in one of four ways:

| answer | outcome |
|---|---|
| HTTP 200 with `status` `success` | accepted |
| the broker's own error whose whole text says that a rate was exceeded (`_RATES`), or HTTP 403 with \
`TokenException` | `NotSent` with `look_first`: the call was turned away, and the order book is read before a retry |
| HTTP 4xx with one of the broker's errors that only checks make (`_CHECKS`) and a text that leaves no doubt \
| `Refused` |
| everything else: 5xx, no JSON, no `error_type` or an unknown one, `NetworkException`, `DataException`, \
`GeneralException`, a text of a timeout, a 429 without the broker's text | `OutcomeUnknown` |

The broker answers HTTP 400 with "Order request timed out. Please check the order book…" to orders that it places some
seconds later. So a text that speaks of time, or sends the reader to the order book, outweighs everything else.

An unknown outcome is cheap: the order book lists the whole day and settles it within seconds. A wrong `Refused` would
mark an order as failed while it is live.
"""

import re
from typing import Any

from broker.fields import text_of
from broker.refusals import prefix_of, proves_refusal
from broker.sessions import AUTHENTICATION
from broker.wire import Reply
from domain.errors import NotSent, OutcomeUnknown, ReadFailed, Refused

RATE_LIMIT = "429"
BUSY = "ORDER_BUSY"
TOKEN_ENDED = (
    "an access token ends each morning at about 06:00 and with a logout: log in anew and set the new token"
)

# Errors that the broker's own checks make before an order is taken. The others tell of failures between its machines.
_CHECKS = frozenset(
    {
        "InputException",
        "OrderException",
        "MarginException",
        "HoldingException",
        "UserException",
        "PermissionException",
    }
)
_TOKEN = "TokenException"

_RATES = re.compile(
    r"(too many requests|max(imum)? (allowed )?orders? requests? exceeded|(api )?rate limit (exceeded|reached))\.?"
)
_ORDER_RATE = re.compile(r"max(imum)? (allowed )?orders? requests? exceeded\.?")
_BEING_PROCESSED = re.compile(r"order cannot be (modified|cancell?ed) as it is being processed\b")

_NAMED = {
    "IP_NOT_ALLOWED": (
        re.compile(r"\b(static )?ips?\b.*\b(not (allowed|registered|whitelisted)|configured|unregistered)\b|"
                   r"\b(unregistered|static) ip\b|\ballowed ips\b"),
        "orders are taken from registered addresses alone: enter this machine's static IP at developers.kite.trade, "
        "in the profile under IP Whitelist",
    ),
    "DELIVERY_NOT_AUTHORISED": (
        re.compile(r"e-?dis|tpin|ddpi|\bnot authori[sz]ed\b.*\b(sell|holding)|authori[sz]e your holdings"),
        "the depository's authorisation for this sale is missing: authorise it (TPIN) in Kite, then exit again",
    ),
    "MARKET_PROTECTION": (
        re.compile(r"market[ _]protection"),
        "MARKET_PROTECTION_PERCENT says how far from the market such an order may trade",
    ),
}  # fmt: skip
"""Refusals that have their own name and remedy."""


def accepted(reply: Reply) -> dict[str, Any]:
    """Return the data of an answer that accepted an order call.

    Raises:
        NotSent, Refused, OutcomeUnknown: as the module's table says.
    """
    if reply.ok and isinstance(reply.data, dict):
        found: dict[str, Any] = reply.data
        return found
    said = f"{reply.code}: {reply.error}" if reply.error else "an answer that cannot be read"
    if exceeds_rate(reply):
        raise NotSent(reply.error, RATE_LIMIT, look_first=True)
    if token_refused(reply):
        raise NotSent(
            f"the broker refused the session: {reply.error}; {TOKEN_ENDED}", AUTHENTICATION, look_first=True
        )
    if not proves_refusal(reply, _CHECKS):
        raise OutcomeUnknown(f"HTTP {reply.status}: {said}", "" if reply.status == 200 else str(reply.status))
    if _BEING_PROCESSED.search(reply.error.lower()):  # of a modify or a cancel; the order goes on as it is
        raise NotSent(reply.error, BUSY)
    raise Refused(with_advice(reply.error), code_of(reply.error, reply.code))


def token_refused(reply: Reply) -> bool:
    """True when the broker does not know the access token (any more)."""
    return reply.status == 403 and reply.code == _TOKEN


def exceeds_rate(reply: Reply) -> bool:
    """True when the broker itself says only that it turned the call away because a rate was exceeded."""
    return 400 <= reply.status < 500 and bool(_RATES.fullmatch(reply.error.lower()))


def minute_is_full(reply: Reply) -> bool:
    """True when the account has made too many order calls in this minute."""
    return exceeds_rate(reply) and bool(_ORDER_RATE.fullmatch(reply.error.lower()))


def with_advice(error: str) -> str:
    """Return the broker's text, followed by the remedy where one is known."""
    advice = next((told for words, told in _NAMED.values() if words.search(error.lower())), None)
    return error if advice is None else f"{error} ({advice})"


def code_of(error: str, error_type: str = "") -> str:
    """Return a code for the broker's text: a name of ours, its prefix (`RMS`), or else the kind of the error."""
    for name, (words, _) in _NAMED.items():
        if words.search(error.lower()):
            return name
    return prefix_of(error) or error_type.removesuffix("Exception").upper()


def data_in(reply: Reply) -> Any:
    """Return the data of a read.

    Raises:
        ReadFailed: the answer is not a successful one; it proves nothing about what was read.
    """
    if reply.ok:
        return reply.data
    if exceeds_rate(reply):
        raise ReadFailed(reply.error, RATE_LIMIT)
    if token_refused(reply):
        raise ReadFailed(f"the broker refused the session: {reply.error}; {TOKEN_ENDED}", AUTHENTICATION)
    raise ReadFailed(f"HTTP {reply.status}: {reply.error or 'an answer that cannot be read'}", _status(reply))


def user_in(reply: Reply) -> str:
    """Return the user whom an answer about the login names; empty if it names none."""
    return text_of(reply.data, "user_id") if isinstance(reply.data, dict) else ""


def _status(reply: Reply) -> str:
    return "" if reply.status == 200 else str(reply.status)
