"""What brokers' texts of errors have in common: which of them leave a doubt, and which code they begin with."""

import re

_DOUBTS = re.compile(
    r"time[d ]*-?out|order ?book|before placing|internal|try again|temporar|unavailable|not respond|unable to"
    r"|could(n't| not) (connect|reach|parse)|gateway|something went wrong"
)
_CODE = re.compile(r"^([a-z_]{2,8}) ?:", re.IGNORECASE)


def leaves_doubt(error: str) -> bool:
    """True for a text that outweighs every code: a broker that says this does not know what became of the order."""
    return _DOUBTS.search(error.lower()) is not None


def prefix_of(error: str) -> str:
    """Return the code that the text begins with, such as `RMS`; empty if there is none."""
    found = _CODE.match(error)
    return found.group(1).upper() if found else ""
