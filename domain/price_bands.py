"""Read from a broker's refusal at which price the exchange's band for a symbol ends. Pure.

The texts that are known, and by whom: docs/exits.md. Most do not give the edge.
"""

import re
from decimal import Decimal

from domain.enums import Side
from domain.money import ZERO

_NUMBER = r"(?:₹|rs\.?|inr)?\s*(\d+(?:\.\d+)?)"
_BAND = r"(?:circuit|price band|price range|lpp|limit price protection)"
_ENDS = {
    Side.SELL: re.compile(rf"lower {_BAND}(?: limit)? (?:of|is) {_NUMBER}", re.IGNORECASE),
    Side.BUY: re.compile(rf"upper {_BAND}(?: limit)? (?:of|is) {_NUMBER}", re.IGNORECASE),
}
_RANGE = re.compile(rf"{_BAND}[^\d]{{0,40}}?\(?{_NUMBER}\s*(?:-|to)\s*{_NUMBER}\)?", re.IGNORECASE)


def band_edge(text: str, side: Side) -> Decimal | None:
    """Return the price at the band's edge that an order of this side may have; None: the text does not give it.

    A sale may go no lower than the lower edge, a purchase no higher than the upper one.
    """
    found = _ENDS[side].search(text)
    if found is not None:
        return _positive(found.group(1))
    found = _RANGE.search(text)
    if found is None:
        return None
    low, high = Decimal(found.group(1)), Decimal(found.group(2))
    if low > high:
        return None
    return _positive(found.group(1 if side is Side.SELL else 2))


def _positive(text: str) -> Decimal | None:
    price = Decimal(text)
    return price if price > ZERO else None
