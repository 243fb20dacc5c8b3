"""Classify a broker's answer: accepted, refused, not sent, or outcome unknown.

Only this module decides what an answer means. A text that proves nothing leads to no conclusion.

An order call ends in one of four ways:

| answer | outcome |
|---|---|
| `stat` `Ok` with HTTP 2xx | accepted |
| the broker's own `Not_Ok` whose whole text says that a rate was exceeded (`_RATES`), or a refused session \
(`expired`) | `NotSent` with `look_first`: the call was turned away, and the order book is read before a retry |
| `Not_Ok` with a text that proves a refusal (`_PROOFS`) | `Refused` |
| everything else: 5xx, no JSON, no text, a timeout inside the broker, an unknown text, an HTTP 429 without a text \
from the broker | `OutcomeUnknown` |

A text means an exceeded rate only if the whole text matches. "RMS: corporate limit exceeded" is a refusal: retried for
as long as its alert lives, it would become many orders. A bare 429 may come from anything between us and the broker,
including something that counts answers instead of requests. So the order book is read first.

An unknown outcome is cheap: the order book lists the whole day and settles it within seconds. A wrong `Refused` would
mark an order as failed while it is live.

The texts come from public clients, documents and reports of the brokers that use the Noren API.
"""

import re
from typing import Any

from broker.fields import text_of
from broker.noren.wire import HttpReply
from domain.errors import NotSent, OutcomeUnknown, ReadFailed, Refused

RATE_LIMIT = "429"

_EXPIRED = re.compile(r"(session expired|invalid session)\b")
_COUNT = (
    r"(invalid input ?: ?)?order rec(ei|ie)ved \d+ in a current ({}) exceeds limit \d+( for user)?( \w+)?"
)
_MINUTE = re.compile(_COUNT.format("minute"))
_RATES = tuple(
    # Whole texts, in lower case with single spaces, as found in traders' reports and public clients.
    re.compile(pattern)
    for pattern in (
        _COUNT.format("second|minute|hour|day"),
        r"(invalid input ?: ?)?(api )?rate limit (exceeded|reached)",
        r"(error ?: ?)?too many requests",
    )
)
_NO_DATA = re.compile(r"(error occur+ed 5 )?no data")

# These outweigh any proof of a refusal: a broker that says this does not know what became of the order.
_DOUBTS = re.compile(r"time[d ]*-?out|internal|try again|temporar|unavailable|not respond|unable to connect")

_FREEZE = r"(freeze (qty|quantity)|(qty|quantity) freeze)"
_AUTHORISATION = r"(e-?dis|tpin|ddpi|(holdings?|securities|shares) (is |are )?not authori[sz]ed)"

_PROOFS = tuple(
    re.compile(pattern)
    for pattern in (
        r"^invalid input\b",  # the form was not accepted
        r"^error occur+ed : 2\b.*invalid input",  # the documented failure of PlaceOrder
        r"^rejected ?:",  # the order system's own prefix; ORA and RMS follow it
        r"^(red|rms|ora|rule|exch) ?:",  # risk management's rules, without that prefix
        r"^invalid (trading ?symbol|symbol|scrip|exchange|product|price|quantity|qty|trigger|order|token)\b",
        r"\b(symbol|scrip|contract|instrument) not found\b",
        r"\b(margin|funds?|balance|limits?) (shortfall|insufficient|exceed(s|ed)?|not available)\b",
        r"\binsufficient (margin|funds?|balance|limits?|holdings?)\b",
        r"\border not found\b",
        r"\bnot allowed\b",
        r"^algo_chk ?:",  # the check of orders that come from programs
        r"\bprice cannot be zero\b",
        rf"\b{_FREEZE}\b",
        rf"\b{_AUTHORISATION}\b",
    )
)

_MARKET_ORDERS = re.compile(
    r"^(rejected ?: ?)?algo_chk ?:.*\b(mkt|market)\b|\bprice cannot be zero\b|\bmarket orders?\b.*\bnot allowed\b"
)

_CODE = re.compile(r"^(?:rejected ?: ?)?([a-z_]{2,8}) ?:", re.IGNORECASE)


def expired(reply: HttpReply) -> bool:
    """True when the session was refused. The call was then refused too, if the front end did what it says."""
    said = reply.status < 500 and bool(_EXPIRED.match(reply.error.lower()))
    return not reply.ok and (reply.status == 401 or said)


def accepted(reply: HttpReply) -> dict[str, Any]:
    """Return the fields of an answer that accepted an order call.

    Raises:
        NotSent, Refused, OutcomeUnknown: as in the table of this module's docstring.
    """
    error = reply.error
    if reply.ok and 200 <= reply.status < 300:
        body: dict[str, Any] = reply.body
        return body
    if exceeds_rate(reply):
        raise NotSent(error, RATE_LIMIT, look_first=True)
    if reply.status == 429 and not error:
        raise OutcomeUnknown("HTTP 429 that the broker says nothing with", RATE_LIMIT)
    if not error or not (reply.status < 300 or 400 <= reply.status < 500):
        raise OutcomeUnknown(
            f"HTTP {reply.status}: {error or 'an answer that cannot be read'}", _status(reply)
        )
    if proves_refusal(error):
        raise Refused(with_advice(error), code_of(error))
    raise OutcomeUnknown(error, code_of(error))


def minute_is_full(reply: HttpReply) -> bool:
    """True when the call was turned away because the account has made too many calls in this minute."""
    return bool(_MINUTE.fullmatch(reply.error.lower()))


def exceeds_rate(reply: HttpReply) -> bool:
    """True when the broker itself says only that it turned the call away because a rate was exceeded."""
    said = reply.error.lower()
    return reply.status < 500 and any(rate.fullmatch(said) for rate in _RATES)


def proves_refusal(error: str) -> bool:
    """True when the text can only mean that the order was not accepted."""
    lowered = error.lower()
    return not _DOUBTS.search(lowered) and any(proof.search(lowered) for proof in _PROOFS)


def refuses_market_orders(error: str) -> bool:
    """True when the text says that an order must have a limit price."""
    return bool(_MARKET_ORDERS.search(error.lower()))


_NAMED = {
    "FREEZE_QUANTITY": (
        re.compile(rf"\b{_FREEZE}\b"),
        "one order of this symbol may not be so large at the exchange: send it as several smaller ones",
    ),
    "DELIVERY_NOT_AUTHORISED": (
        re.compile(rf"\b{_AUTHORISATION}\b"),
        "the depository's authorisation for this sale is missing: authorise it (eDIS, TPIN) in the broker's own app, "
        "then exit again",
    ),
}
"""Refusals that have their own name and remedy."""


def with_advice(error: str) -> str:
    """Return the broker's text, followed by the remedy where one is known."""
    advice = next((told for words, told in _NAMED.values() if words.search(error.lower())), None)
    return error if advice is None else f"{error} ({advice})"


def code_of(error: str) -> str:
    """Return a code for the broker's text. Noren has none, so it is the prefix before the colon or a name of ours.

    The domain classifies reasons by the text. The code only names one of these:

    - the department at the broker that refused (the prefix): `RMS`, `ORA`, `RED`;
    - `INVALID_INPUT`;
    - the rule, where a person or the engine has to act on it: `FREEZE_QUANTITY`, `DELIVERY_NOT_AUTHORISED`.
    """
    for name, (words, _) in _NAMED.items():
        if words.search(error.lower()):
            return name
    if error.lower().startswith("invalid input"):
        return "INVALID_INPUT"
    found = _CODE.match(error)
    return found.group(1).upper() if found else ""


def rows_in(reply: HttpReply) -> list[dict[str, Any]]:
    """Return the rows of a book. An empty book comes as an error; only that error's text means empty.

    Raises:
        ReadFailed: any other answer; it proves nothing about the book.
    """
    if reply.status in (200, 400) and _NO_DATA.fullmatch(_words(reply.error)):
        return []
    if reply.status != 200 or not isinstance(reply.body, list):
        raise _unread(reply)
    for row in reply.body:
        if not isinstance(row, dict) or text_of(row, "stat").lower() not in ("", "ok"):
            raise _unread(reply)
    return reply.body


def record_in(reply: HttpReply) -> dict[str, Any]:
    """Return the fields of a read that answers with one record.

    Raises:
        ReadFailed: the answer is not a successful one.
    """
    if reply.status != 200 or not reply.ok:
        raise _unread(reply)
    body: dict[str, Any] = reply.body
    return body


def _unread(reply: HttpReply) -> ReadFailed:
    error = reply.error
    if exceeds_rate(reply):
        return ReadFailed(error, RATE_LIMIT)
    return ReadFailed(f"HTTP {reply.status}: {error or 'an answer that cannot be read'}", _status(reply))


def _status(reply: HttpReply) -> str:
    return "" if reply.status == 200 else str(reply.status)


def _words(text: str) -> str:
    return " ".join(re.findall(r"[a-z0-9]+", text.lower()))
