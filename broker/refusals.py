"""What brokers' errors have in common: which of them prove a refusal, and with which code their texts begin."""

import re
from collections.abc import Container

from broker.wire import Reply

_DOUBTS = re.compile(
    r"time[d ]*-?out|order ?book|before placing|internal|try again|temporar|unavailable|not respond|unable to"
    r"|could(n't| not) (connect|reach|parse)|gateway|something went wrong"
)
_CODE = re.compile(r"^([a-z_]{2,8}) ?:", re.IGNORECASE)


def proves_refusal(reply: Reply, checks: Container[str]) -> bool:
    """True when the answer can only mean that the order was not taken.

    `checks`: the codes that only checks give which the broker makes before it takes an order.
    """
    return (
        400 <= reply.status < 500
        and reply.status != 429
        and reply.code in checks
        and reply.error != ""
        and not leaves_doubt(reply.error)
    )


def leaves_doubt(error: str) -> bool:
    """True for a text that outweighs every code: a broker that says this does not know what became of the order."""
    return _DOUBTS.search(error.lower()) is not None


def prefix_of(error: str) -> str:
    """Return the code that the text begins with, such as `RMS`; empty if there is none."""
    found = _CODE.match(error)
    return found.group(1).upper() if found else ""
