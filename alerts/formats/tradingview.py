"""TradingView's own words: its strategy placeholders as JSON, and the default text of a strategy's alert.

The number after `@` in the default text is the quantity, unless `for` follows: then it is the price.
"""

import re
from decimal import Decimal, DecimalException

from alerts.formats.guards import USUAL as USUAL_GUARDS
from alerts.formats.layout import Commands, Layout
from alerts.formats.words import Role
from alerts.reading import Reading
from domain.errors import InvalidAlert
from domain.money import decimal_text

_ORDER = re.compile(
    r"\border (buy|sell) @ ([\d.]{1,40})(?: for ([\d.]{1,40}))? filled on ([^\s]{1,64}?)[.,]?(?=\s|$)",
    re.IGNORECASE,
)
_AFTER = re.compile(r"\bnew strategy position is (\S{1,40})", re.IGNORECASE)
_LONGEST = 4_000


def _before(side: str, quantity: str, after: str) -> str:
    """The position's size before the order; empty where one of the two is no number, which is refused."""
    try:
        order, size = Decimal(quantity), Decimal(after)
        return decimal_text(size - order if side.lower() == "buy" else size + order)
    except (DecimalException, ValueError):
        return ""


def _split(reading: Reading) -> Commands | None:
    text = reading.said
    if reading.fields is not None or len(text) > _LONGEST:
        return None
    orders = _ORDER.findall(text)
    if not orders:
        return None
    after = _AFTER.findall(text)
    if len(orders) > 1 or len(after) > 1:
        message = "expected one order, got several: send each as an alert of its own"
        raise InvalidAlert("AMBIGUOUS", message, "body")
    if not after:  # without it nobody can tell an entry from an exit
        message = (
            "expected `New strategy position is {{strategy.position_size}}` behind the order, got nothing"
        )
        raise InvalidAlert("MISSING", message, "position_size")
    [(side, first, second, symbol)] = orders
    size = after[0].rstrip(".,;")
    command = {
        "action": side,
        "quantity": second or first,
        "price": first if second else "",
        "symbol": symbol,
        "position_size": size,
        "prev_position_size": _before(side, second or first, size),
    }
    return Commands([command])


TEXT = Layout(name="tradingview-text", split=_split, fields={Role.STRATEGY: ()})
JSON = Layout(
    name="tradingview",
    guards=USUAL_GUARDS,
    marks=(
        "marketposition", "prevmarketposition", "strategyorderaction", "orderaction", "strategy.orderaction",
        "strategy.order.action", "order.action", "strategymarketposition", "strategyinfo.marketposition",
        "positiontype", "currentpositiontype",
    ),
)  # fmt: skip
